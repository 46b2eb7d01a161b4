// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the role that prepares hands to the one that works by columns: matrices
// for its products, and other values that it reads. Each chunk has a stage of
// the channel; two barriers a stage say that it is full, and that it is empty.
#include "codegen/CPU/Elements.h"
#include "codegen/CUDA/KernelEmitter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace trowel::cuda {

using cpu::Point;
using cpu::View;

/// Of a thread of each role, out of what the block is launched with: 65,536 for
/// its threads, in steps of eight each.
static constexpr int32_t prepareRegisters = 144, columnRegisters = 216;
static constexpr int64_t allThreads = Block::threads + columnWarps * 32;
static_assert(Block::threads * prepareRegisters +
                  columnWarps * 32 * columnRegisters <=
              65536 / allThreads / 8 * 8 * allThreads);

/// Barriers 0 and 1 are taken.
static constexpr int64_t firstBarrier = 2;

void KernelEmitter::wait(Signal signal, bool signalled) {
  Value base = code.index(firstBarrier + (signal == Signal::Full ? 0 : 2));
  Value number = code.op<arith::TruncIOp>(code.builder.getI32Type(),
                                          code.add(base, stageNumber));
  Value count = code.integer(threads());
  if (signalled)
    NVVM::BarrierArriveOp::create(code.builder, code.location, number, count);
  else
    NVVM::BarrierOp::create(code.builder, code.location, TypeRange(), number,
                            count, NVVM::BarrierReductionAttr(), Value());
}

void KernelEmitter::release(Value first) {
  Value ahead = code.add(first, code.mul(stages, code.index(chunkTokens)));
  Value more = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, ahead, length);
  code.ifThen(more, [&] { wait(Signal::Empty, true); });
}

View KernelEmitter::inStage(View view) const {
  view.base = stageMemory;
  return view;
}

KernelEmitter::Rounded KernelEmitter::inStage(const Rounded &place) const {
  return {inStage(place.high), inStage(place.low)};
}

void KernelEmitter::setChunk(Value first) {
  TileEmitter::beginChunk(first);
  if (!columns)
    return;
  chunkNumber = code.op<arith::DivUIOp>(first, code.index(chunkTokens));
  stageNumber = code.op<arith::RemUIOp>(chunkNumber, stages);
  Value offset = code.op<arith::MulIOp>(stageNumber, stageSize);
  stageMemory = offsetBy(channelMemory, offset);
}

void KernelEmitter::beginChunk(Value first) {
  outsideChunks = block.renewThreadNumber();
  findThread();
  setChunk(first);
  if (!columns)
    return;
  Value used =
      code.op<arith::CmpIOp>(arith::CmpIPredicate::uge, chunkNumber, stages);
  code.ifThen(used, [&] { wait(Signal::Empty, false); });
}

void KernelEmitter::afterChunks() {
  block.setThreadNumber(outsideChunks);
  findThread();
}

/// What the other role reads before the first chunk is there.
void KernelEmitter::beforeChunks() {
  if (!columns)
    return;
  bool reads = llvm::any_of(columnStates(), [](rec::StateOp state) {
    return static_cast<bool>(state.getInitial());
  });
  if (reads)
    NVVM::Barrier0Op::create(code.builder, code.location);
}

void KernelEmitter::emitElsewhere() {
  if (!columns)
    return block.settle();
  for (Operation *op : columnOperations()) {
    if (auto contract = dyn_cast<rec::ContractOp>(op)) {
      stage(contract);
      sendOperand(columnsOfProduct(contract));
    } else {
      sendOperands(op);
    }
  }
  wait(Signal::Full, true);
  block.settle();
}

void KernelEmitter::emitBody() {
  if (!columns)
    return TileEmitter::emitBody();
  Value prepares =
      code.op<arith::CmpIOp>(arith::CmpIPredicate::ult, block.threadNumber(),
                             code.index(Block::threads));
  auto takeRegisters = [&](int32_t count, NVVM::SetMaxRegisterAction action) {
    NVVM::SetMaxRegisterOp::create(code.builder, code.location, count, action);
  };
  code.ifThen(
      prepares,
      [&] {
        takeRegisters(prepareRegisters, NVVM::SetMaxRegisterAction::decrease);
        TileEmitter::emitBody();
      },
      [&] {
        takeRegisters(columnRegisters, NVVM::SetMaxRegisterAction::increase);
        emitColumnRole();
      });
}

/// A place in the channel for a value of this type, row by row.
View KernelEmitter::layOutLike(Type type) {
  View view;
  auto tensor = cast<RankedTensorType>(type);
  view.element = tensor.getElementType();
  for (auto [axis, size] : llvm::zip(rec::axesOf(type), tensor.getShape()))
    if (size != 1) {
      view.axes.push_back(axis);
      view.sizes.push_back(size);
    }
  int64_t pitch = 1;
  view.strides.resize(view.axes.size());
  for (size_t i = view.axes.size(); i-- > 0; pitch *= view.sizes[i])
    view.strides[i] = {pitch, Value()};
  view.offset = channel.allocate(llvm::alignTo(pitch, cpu::lanes));
  return view;
}

/// The operand that is no fragment.
Value KernelEmitter::matrixOf(rec::ContractOp op) {
  return rec::hasAxis(op.getLhs(), columns) ? op.getRhs() : op.getLhs();
}

KernelEmitter::Rounded KernelEmitter::placeFor(rec::ContractOp op,
                                               const View &shape) {
  StringAttr depth =
      Fragment::of(columnsOfProduct(op).getType(), columns).last();
  StringAttr free = Fragment::of(op.getType(), columns).last();
  auto place = [&] {
    View to = shape;
    to.base = Value();
    to.external = to.padded = to.causal = false;
    to.format = rec::DTypeKind::F32;
    int64_t pitch = 1;
    for (size_t i = to.axes.size(); i-- > 0;) {
      if (to.axes[i] == depth || to.axes[i] == free)
        to.sizes[i] = llvm::alignTo(to.sizes[i], 8);
      to.strides[i] = {pitch, Value()};
      pitch *= to.sizes[i];
      if (i + 1 == to.axes.size())
        pitch = pitchOf(pitch, to.axes[i] == depth);
    }
    to.offset = channel.allocate(pitch);
    return to;
  };
  Rounded result;
  result.high = place();
  if (warp.isDouble())
    result.low = place();
  return result;
}

void KernelEmitter::stage(rec::ContractOp op) {
  Value matrix = matrixOf(op);
  if (staged.count(matrix))
    return;
  View from = viewOf(matrix);
  Rounded result = placeFor(op, from);
  int64_t total = 1;
  for (int64_t size : result.high.sizes)
    total *= size;
  code.team->share(code.index(total), [&](Value number) {
    Point at, clamped;
    Value inside;
    for (size_t i = from.axes.size(); i-- > 0;) {
      StringAttr axis = from.axes[i];
      int64_t size = result.high.sizes[i];
      Value position = number;
      if (i > 0) {
        position = code.op<arith::RemUIOp>(number, code.index(size));
        number = code.op<arith::DivUIOp>(number, code.index(size));
      }
      at.at.set(axis, position);
      if (isToken(axis) || size != from.sizes[i]) {
        Value end = isToken(axis) ? tokens : code.index(from.sizes[i]);
        Value within =
            code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, position, end);
        inside = inside ? code.op<arith::AndIOp>(inside, within) : within;
        position = code.min(position, code.sub(end, code.index(1)));
      }
      clamped.at.set(axis, position);
    }
    Value element = code.load(from, clamped);
    if (inside)
      element = code.select(inside, element, code.real(0));
    storeRounded(inStage(result), at, element);
  });
  staged[matrix] = result;
}

/// The same from registers: zeros where a token is absent and behind the last
/// channel.
void KernelEmitter::stageTile(rec::ContractOp op, const Tile &tile) {
  View shape;
  shape.element = code.realType;
  if (tile.hasTokens) {
    shape.axes.push_back(token);
    shape.sizes.push_back(chunkTokens);
  }
  shape.axes.push_back(tile.channel);
  shape.sizes.push_back(tile.size);
  shape.strides.resize(shape.axes.size());
  Rounded result = placeFor(op, shape);
  for (int64_t t = 0; t < tile.tokens; ++t)
    for (int64_t c = 0; c < tile.channels; ++c) {
      TilePlace place = placeOf(tile, t, c);
      Value element = tile.at(t, c);
      if (place.inside)
        element = code.select(place.inside, element, code.real(0));
      Point point;
      if (place.token)
        point.at.set(token, place.token);
      point.at.set(tile.channel, place.channel);
      int64_t width = result.high.sizes.back();
      auto store = [&] { storeRounded(inStage(result), point, element); };
      if ((c + 1) * Tile::groupThreads <= width)
        store();
      else
        code.ifThen(code.op<arith::CmpIOp>(arith::CmpIPredicate::slt,
                                           place.channel, code.index(width)),
                    store);
    }
  staged[matrixOf(op)] = result;
}

/// A matrix goes to its place as soon as it is there.
void KernelEmitter::tileMade(Value value) {
  if (!columns)
    return;
  const Tile &tile = tiles[value];
  for (Operation *user : value.getUsers()) {
    auto contract = dyn_cast<rec::ContractOp>(user);
    if (contract && cpu::isElsewhere(user) && matrixOf(contract) == value &&
        tile.channel && tile.hasTokens && !staged.count(value))
      stageTile(contract, tile);
  }
}

/// An input that has a place of its own: the other role reads it there.
bool KernelEmitter::isTensor(Value value) const {
  auto input = value.getDefiningOp<rec::InputOp>();
  return input && !input.getPartial();
}

void KernelEmitter::sendOperands(Operation *op) {
  for (Value operand : op->getOperands())
    sendOperand(operand);
}

/// The operand's fragment is the result's, with another name for an axis.
bool KernelEmitter::isSeenThrough(Operation *op) const {
  auto rename = dyn_cast<rec::RenameOp>(op);
  return isa<rec::StopOp>(op) || (rename && rename.getFromAttr() != columns &&
                                  rename.getToAttr() != columns);
}

void KernelEmitter::sendOperand(Value value) {
  Operation *source = value.getDefiningOp();
  if (cpu::isElsewhere(source) || cpu::splatOf(value) || isTensor(value) ||
      liveness.isInvariant(source))
    return;
  if (liveness.isInlined(source) || isSeenThrough(source))
    sendOperands(source);
  else
    send(value);
}

void KernelEmitter::send(Value value) {
  if (sent.count(value))
    return;
  auto tile = tiles.find(value);
  View from;
  if (tile == tiles.end())
    from = viewOf(value);
  View to = layOutLike(value.getType());
  sent[value] = to;
  if (tile == tiles.end())
    return copy(inStage(to), from);
  storeTile(tile->second, [&](Value element, TilePlace &place) {
    code.store(inStage(to), place.point, element);
  });
}

} // namespace trowel::cuda
