// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/Elements.h"
#include "codegen/CUDA/TileEmitter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace trowel::cuda {

using cpu::Values;
using cpu::View;

/// More would not stay in registers.
constexpr int64_t mostElements = 64;

/// Single precision is enough if no result shows more.
static Precision precisionOf(chunk::ProgramOp program) {
  auto isNarrow = [](rec::OutputOp output) {
    return cpu::bytesOf(output.getDtype()) < 4;
  };
  auto outputs = program.getBody().front().getOps<rec::OutputOp>();
  return llvm::all_of(outputs, isNarrow) ? Precision::Single
                                         : Precision::Double;
}

TileEmitter::TileEmitter(chunk::ProgramOp program, cpu::Output &output,
                         Block &block, std::string name)
    : Emitter(program, output, std::move(name)), block(block),
      warp(code, precisionOf(program)),
      usesTiles(chunkTokens >= 8 && llvm::isPowerOf2_64(chunkTokens) &&
                !isBackward && !program->hasAttr("saves")) {}

int64_t pitchOf(int64_t size, bool alongDepth) {
  int64_t step = alongDepth ? 32 : 16, rest = alongDepth ? 8 : 4;
  return llvm::divideCeil(std::max<int64_t>(size - rest, 0), step) * step +
         rest;
}

void TileEmitter::findThread() {
  Value thread = block.threadNumber();
  group = code.op<arith::DivUIOp>(thread, code.index(Tile::groupThreads));
  groupLane = code.op<arith::RemUIOp>(thread, code.index(Tile::groupThreads));
}

//===--- Which values -----------------------------------------------------===//

/// A tile without elements for values of this type, if it has few enough axes.
std::optional<Tile> TileEmitter::shapeOf(Type type) const {
  Tile tile;
  auto shape = cast<RankedTensorType>(type).getShape();
  for (auto [axis, size] : llvm::zip(rec::axesOf(type), shape)) {
    if (axis == token) {
      tile.hasTokens = true;
      tile.tokens = chunkTokens / Tile::groups;
    } else if (size != 1) {
      if (tile.channel || isToken(axis) || axis == rowAxis || axis == writeAxis)
        return std::nullopt;
      tile.channel = axis;
      tile.size = size;
      tile.channels = Tile::channelsFor(size);
    }
  }
  if (tile.elementCount() > mostElements)
    return std::nullopt;
  return tile;
}

View TileEmitter::viewOf(Value value) {
  Value root = cpu::Liveness::rootOf(value);
  if (!views.count(root)) {
    auto tile = tiles.find(root);
    if (tile != tiles.end()) {
      Tile stored = tile->second;
      View out = define(root);
      block.beforeWrite();
      storeTile(stored, [&](Value element, TilePlace &place) {
        code.store(out, place.point, element);
      });
      block.settle();
    } else if (inputs.count(root)) {
      View tensor = inputs[root];
      copy(define(root), tensor);
    }
  }
  return Emitter::viewOf(value);
}

std::optional<Tile> TileEmitter::tileOf(Value value) {
  auto known = tiles.find(value);
  if (known != tiles.end())
    return known->second;
  if (std::optional<double> number = cpu::splatOf(value)) {
    Tile same;
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    same.elements.push_back(splat(*number, element));
    return same;
  }
  std::optional<Tile> shape = shapeOf(value.getType());
  Operation *op = value.getDefiningOp();
  if (!shape || !op)
    return std::nullopt;
  if (auto stop = dyn_cast<rec::StopOp>(op))
    return tileOf(stop.getOperand());
  if (cpu::isElsewhere(op) || op->getBlock() != &program.getBody().front())
    return std::nullopt;
  if (liveness.isInlined(op) && !views.count(value)) {
    std::optional<Tile> tile = evaluateTile(op);
    if (tile)
      tiles[value] = *tile;
    return tile;
  }
  auto input = inputs.find(value);
  if (input != inputs.end() && !views.count(value)) {
    Tile tile = loadTile(input->second, *shape);
    tiles[value] = tile;
    return tile;
  }
  View view = viewOf(value);
  if (view.external)
    return loadTile(view, *shape);
  block.beforeRead();
  return loadTile(view, *shape);
}

void TileEmitter::emitOperation(Operation *op) {
  bool here = usesTiles && op->getBlock() == &program.getBody().front() &&
              !liveness.isInvariant(op);
  if (!here)
    return Emitter::emitOperation(op);
  size_t mark = scratchPlaces.size();
  if (auto input = dyn_cast<rec::InputOp>(op)) {
    if (!input.getPartial()) {
      inputs[input.getResult()] = inputView(input);
      return;
    }
  } else if (auto gram = dyn_cast<chunk::GramOp>(op)) {
    if (gramOfTiles(gram)) {
      releaseScratch(mark);
      return;
    }
  } else if (std::optional<Tile> tile = makeTile(op)) {
    tiles[op->getResult(0)] = *tile;
    tileMade(op->getResult(0));
    releaseScratch(mark);
    return;
  }
  Emitter::emitOperation(op);
}

std::optional<Tile> TileEmitter::makeTile(Operation *op) {
  if (op->getNumResults() != 1 || !shapeOf(op->getResult(0).getType()))
    return std::nullopt;
  if (isa<rec::MapOp, rec::CastOp>(op))
    return evaluateTile(op);
  if (isa<rec::ReduceOp, rec::ContractOp>(op))
    return sumOf(op);
  if (isa<chunk::PullOp, chunk::PushOp, chunk::TotalOp>(op))
    return carried(op);
  return std::nullopt;
}

//===--- Elements ---------------------------------------------------------===//

Value TileEmitter::presentAt(int64_t number) {
  Value at = code.add(code.mul(group, code.index(chunkTokens / Tile::groups)),
                      code.index(number));
  return code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, at, tokens);
}

TileEmitter::TilePlace TileEmitter::placeOf(const Tile &tile, int64_t number,
                                            int64_t channel) {
  TilePlace place;
  auto limit = [&](Value position, Value end) {
    Value within =
        code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, position, end);
    place.inside =
        place.inside ? code.op<arith::AndIOp>(place.inside, within) : within;
    return code.min(position, code.sub(end, code.index(1)));
  };
  if (tile.hasTokens) {
    place.token =
        code.add(code.mul(group, code.index(tile.tokens)), code.index(number));
    place.point.at.set(token, limit(place.token, tokens));
  }
  if (tile.channel) {
    int64_t step = Tile::groupThreads;
    place.channel = code.add(groupLane, code.index(channel * step));
    bool isWhole = (channel + 1) * step <= tile.size;
    place.point.at.set(tile.channel,
                       isWhole ? place.channel
                               : limit(place.channel, code.index(tile.size)));
  }
  return place;
}

Tile TileEmitter::loadTile(const View &view, Tile shape) {
  shape.elements.clear();
  for (int64_t t = 0; t < shape.tokens; ++t)
    for (int64_t c = 0; c < shape.channels; ++c)
      shape.elements.push_back(code.load(view, placeOf(shape, t, c).point));
  return shape;
}

/// Whether the thread is the first of those that have the same elements; null
/// if it is the only one.
Value TileEmitter::firstLaneOf(const Tile &tile) {
  Value first;
  auto require = [&](Value number) {
    Value isZero =
        code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, number, code.index(0));
    first = first ? code.op<arith::AndIOp>(first, isZero) : isZero;
  };
  if (!tile.channel)
    require(groupLane);
  if (!tile.hasTokens)
    require(group);
  return first;
}

void TileEmitter::storeTile(const Tile &tile,
                            function_ref<void(Value, TilePlace &)> store) {
  auto all = [&] {
    for (int64_t t = 0; t < tile.tokens; ++t)
      for (int64_t c = 0; c < tile.channels; ++c) {
        // Rows of absent tokens may hold anything.
        TilePlace place = placeOf(tile, t, c);
        if (place.token)
          place.point.at.set(token, place.token);
        auto one = [&] { store(tile.at(t, c), place); };
        if (tile.channel && (c + 1) * Tile::groupThreads > tile.size)
          code.ifThen(code.op<arith::CmpIOp>(arith::CmpIPredicate::slt,
                                             place.channel,
                                             code.index(tile.size)),
                      one);
        else
          one();
      }
  };
  Value first = firstLaneOf(tile);
  first ? code.ifThen(first, all) : all();
}

void TileEmitter::storeRounded(const Rounded &place, const cpu::Point &point,
                               Value element) {
  Warp::Operand rounded = warp.round(element);
  auto store = [&](const View &view, Value bits) {
    code.store(view, point, code.op<LLVM::BitcastOp>(code.realType, bits));
  };
  store(place.high, rounded.high);
  if (warp.isDouble())
    store(place.low, rounded.low);
}

std::optional<Tile> TileEmitter::evaluateTile(Operation *op) {
  std::optional<Tile> shape = shapeOf(op->getResult(0).getType());
  SmallVector<Tile> operands;
  for (Value operand : op->getOperands()) {
    if (liveness.isAbsorbed(cpu::Liveness::rootOf(operand).getDefiningOp()))
      return std::nullopt;
    std::optional<Tile> tile = tileOf(operand);
    if (!tile)
      return std::nullopt;
    operands.push_back(*tile);
  }
  for (int64_t t = 0; t < shape->tokens; ++t)
    for (int64_t c = 0; c < shape->channels; ++c) {
      Values elements;
      for (const Tile &operand : operands)
        elements.push_back(operand.at(t, c));
      shape->elements.push_back(cpu::applyElementwise(code, op, elements));
    }
  return shape;
}

//===--- Sums over channels -----------------------------------------------===//

Value TileEmitter::shuffle(Value value, int64_t mask) {
  return code.op<NVVM::ShflOp>(value.getType(), code.integer(-1), value,
                               code.integer(mask), code.integer(31),
                               NVVM::ShflKind::bfly, UnitAttr());
}

Values TileEmitter::sumOverGroup(Values values) {
  // Within a warp: while a lane has several tokens, it gives one half of them
  // away for what another lane has of the other half.
  Type narrow = code.builder.getI32Type();
  Value lane = code.op<arith::AndIOp>(
      code.op<arith::TruncIOp>(narrow, block.threadNumber()), code.integer(31));
  int64_t count = values.size();
  Value place = code.index(0), isFirst;
  for (int64_t mask = 16; mask > 0; mask /= 2) {
    Value bit = code.op<arith::AndIOp>(lane, code.integer(mask));
    Value upper =
        code.op<arith::CmpIOp>(arith::CmpIPredicate::ne, bit, code.integer(0));
    size_t half = values.size() / 2;
    if (values.size() % 2 == 0) {
      Values kept;
      for (size_t i = 0; i < half; ++i) {
        Value low = values[i], high = values[i + half];
        Value own = code.select(upper, high, low);
        Value other = shuffle(code.select(upper, low, high), mask);
        kept.push_back(code.op<arith::AddFOp>(own, other));
      }
      values = kept;
      place =
          code.add(place, code.select(upper, code.index(half), code.index(0)));
      continue;
    }
    for (Value &value : values)
      value = code.op<arith::AddFOp>(value, shuffle(value, mask));
    Value lower =
        code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, bit, code.integer(0));
    isFirst = isFirst ? code.op<arith::AndIOp>(isFirst, lower) : lower;
  }
  // The two warps' sums of each token side by side.
  View sums = scratch({token, rowAxis}, {chunkTokens, 2});
  sums.strides = {{2, Value()}, {1, Value()}};
  Value warpNumber = code.op<arith::DivUIOp>(groupLane, code.index(32));
  Value first = code.add(code.mul(group, code.index(count)), place);
  auto at = [&](Value t, Value w) {
    cpu::Point point;
    point.at.set(token, t);
    point.at.set(rowAxis, w);
    return point;
  };
  block.beforeWrite();
  auto store = [&] {
    for (auto [i, value] : llvm::enumerate(values))
      code.store(sums, at(code.add(first, code.index(i)), warpNumber), value);
  };
  isFirst ? code.ifThen(isFirst, store) : store();
  block.beforeRead();
  Values results;
  for (int64_t i = 0; i < count; ++i) {
    Value t = code.add(code.mul(group, code.index(count)), code.index(i));
    results.push_back(
        code.op<arith::AddFOp>(code.load(sums, at(t, code.index(0))),
                               code.load(sums, at(t, code.index(1)))));
  }
  return results;
}

/// A sum over channels of one value or of the products of two.
std::optional<Tile> TileEmitter::sumOf(Operation *op) {
  ArrayAttr names;
  if (auto reduce = dyn_cast<rec::ReduceOp>(op)) {
    if (reduce.getKind() != rec::ReduceKind::Sum)
      return std::nullopt;
    names = reduce.getAxes();
  } else {
    names = cast<rec::ContractOp>(op).getAxes();
  }
  std::optional<Tile> shape = shapeOf(op->getResult(0).getType());
  if (names.size() != 1 || shape->channel || !shape->hasTokens ||
      liveness.isAbsorbed(op))
    return std::nullopt;
  StringAttr channel = rec::stringsOf(names).front();
  SmallVector<Tile> operands;
  for (Value operand : op->getOperands()) {
    std::optional<Tile> tile = tileOf(operand);
    if (!tile || tile->channel != channel ||
        !tile->elements.front().getType().isF32())
      return std::nullopt;
    operands.push_back(*tile);
  }
  const Tile &widest = operands.front();
  Values sums;
  for (int64_t t = 0; t < shape->tokens; ++t) {
    Value sum;
    for (int64_t c = 0; c < widest.channels; ++c) {
      Value term = operands.front().at(t, c);
      if (operands.size() == 2)
        term = code.op<arith::MulFOp>(term, operands.back().at(t, c));
      if ((c + 1) * Tile::groupThreads > widest.size) {
        Value within = code.op<arith::CmpIOp>(
            arith::CmpIPredicate::slt,
            code.add(groupLane, code.index(c * Tile::groupThreads)),
            code.index(widest.size));
        term = code.select(within, term, code.real(0));
      }
      sum = sum ? code.op<arith::AddFOp>(sum, term) : term;
    }
    sums.push_back(sum);
  }
  Values results = sumOverGroup(sums);
  shape->elements.assign(results.begin(), results.end());
  return shape;
}

} // namespace trowel::cuda
