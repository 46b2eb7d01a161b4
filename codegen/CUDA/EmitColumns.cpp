// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What depends on the states, by warps that keep some columns each: products
// take a result as it is in registers, and matrices from shared memory.
#include "codegen/CPU/Elements.h"
#include "codegen/CUDA/KernelEmitter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace trowel::cuda {

using cpu::Argument;
using cpu::Point;
using cpu::Values;
using cpu::View;

SmallVector<rec::StateOp> KernelEmitter::columnStates() {
  SmallVector<rec::StateOp> states;
  for (auto state : program.getBody().front().getOps<rec::StateOp>())
    if (cpu::isElsewhere(state))
      states.push_back(state);
  return states;
}

SmallVector<Operation *> KernelEmitter::columnOperations() {
  SmallVector<Operation *> operations;
  for (Operation &op : program.getBody().front())
    if (cpu::isElsewhere(&op) && !isa<rec::StateOp>(op))
      operations.push_back(&op);
  return operations;
}

//===--- Places -----------------------------------------------------------===//

void KernelEmitter::findLane() {
  Type narrow = code.builder.getI32Type();
  auto number = [&](int64_t n) { return code.integer(n); };
  auto wide = [&](Value x) {
    return code.op<arith::ExtUIOp>(code.indexType, x);
  };
  Value thread = code.op<arith::SubIOp>(
      code.op<arith::TruncIOp>(narrow, block.threadNumber()),
      number(Block::threads));
  Value lane = code.op<arith::AndIOp>(thread, number(31));
  Value four = code.op<arith::AndIOp>(lane, number(3));
  laneRow = wide(code.op<arith::ShRUIOp>(lane, number(2)));
  laneColumn = wide(code.op<arith::ShLIOp>(four, number(1)));
  Value warpNumber = code.op<arith::ShRUIOp>(thread, number(5));
  int64_t tiles =
      Fragment::of(columnStates().front().getType(), columns).columnTiles;
  firstColumn = wide(code.op<arith::MulIOp>(warpNumber, number(tiles * 16)));
}

/// Places are computed again, not kept.
void KernelEmitter::renewLane() {
  block.renewThreadNumber();
  findLane();
}

Value KernelEmitter::columnAt(int64_t tile, bool lower) {
  return code.add(code.add(firstColumn, laneRow),
                  code.index(tile * 16 + (lower ? 8 : 0)));
}

Value KernelEmitter::isInside(StringAttr axis, int64_t size, int64_t first,
                              Value position) {
  if (!isToken(axis) && first + 8 <= size)
    return Value();
  return code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, position,
                                isToken(axis) ? tokens : code.index(size));
}

/// The position, or the axis's last one if it lies behind that.
static Value clamp(cpu::Code &code, Value position, Value end) {
  return code.min(position, code.sub(end, code.index(1)));
}

void KernelEmitter::visit(Fragment &fragment, ElementBody body) {
  int64_t columnCount = order.size(columns);
  fragment.elements.resize(fragment.elementCount());
  // What is at one position of the other axes together: it shares an address.
  for (int64_t tile = 0; tile < fragment.tiles; ++tile)
    for (int64_t at = 0; at < fragment.columnTiles * 4; ++at) {
      int64_t second = at / (fragment.columnTiles * 2);
      int64_t m = at / 2 % fragment.columnTiles, e = at % 2 * 2 + second;
      Place place;
      auto limit = [&](StringAttr axis, Value position, Value inside,
                       Value end) {
        if (inside) {
          position = clamp(code, position, end);
          place.inside = place.inside
                             ? code.op<arith::AndIOp>(place.inside, inside)
                             : inside;
        }
        place.point.at.set(axis, position);
      };
      Value column = columnAt(m, e >= 2), end = code.index(columnCount);
      Value within;
      if (columnCount % (16 * columnWarps * fragment.columnTiles) != 0)
        within = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, column, end);
      limit(columns, column, within, end);
      auto positions = fragment.positionsOf(tile);
      for (auto [axis, size, first] :
           llvm::zip(fragment.axes, fragment.sizes, positions)) {
        if (axis != fragment.last()) {
          place.point.at.set(axis, code.index(first));
          continue;
        }
        Value position = code.add(laneColumn, code.index(first + (e & 1)));
        limit(axis, position, isInside(axis, size, first, position),
              isToken(axis) ? tokens : code.index(size));
      }
      int64_t number = fragment.place(m, tile, e);
      fragment.elements[number] = body(number, place);
    }
}

Fragment KernelEmitter::loadFragment(const View &view, Type type) {
  Fragment fragment = Fragment::of(type, columns);
  bool hasColumns = view.has(columns), hasOthers = false;
  for (StringAttr axis : fragment.axes)
    hasOthers |= view.has(axis);
  DenseMap<std::pair<int64_t, int64_t>, Value> known;
  int64_t perColumnTile = fragment.tiles * 4;
  visit(fragment, [&](int64_t number, Place &place) {
    int64_t m = number / perColumnTile, tile = number % perColumnTile / 4;
    int64_t e = number % 4;
    std::pair<int64_t, int64_t> key(hasColumns ? m * 2 + e / 2 : -1,
                                    hasOthers ? tile * 2 + e % 2 : -1);
    Value &element = known[key];
    if (!element)
      element = code.load(view, place.point);
    return element;
  });
  return fragment;
}

void KernelEmitter::storeFragment(const Fragment &fragment, const View &view) {
  Fragment places = fragment;
  visit(places, [&](int64_t number, Place &place) {
    auto store = [&] {
      code.store(view, place.point, fragment.elements[number]);
    };
    place.inside ? code.ifThen(place.inside, store) : store();
    return Value();
  });
}

Values KernelEmitter::flatten(ArrayRef<Fragment> parts) {
  Values values;
  for (const Fragment &part : parts)
    values.append(part.elements.begin(), part.elements.end());
  return values;
}

SmallVector<Fragment> KernelEmitter::unflatten(ValueRange values) {
  SmallVector<Fragment> parts;
  for (rec::StateOp state : columnStates()) {
    Fragment part = Fragment::of(state.getType(), columns);
    ValueRange own = values.take_front(part.elementCount());
    part.elements.assign(own.begin(), own.end());
    values = values.drop_front(part.elementCount());
    parts.push_back(std::move(part));
  }
  return parts;
}

//===--- States -----------------------------------------------------------===//

Values KernelEmitter::beginColumns() {
  Values all;
  for (rec::StateOp state : columnStates()) {
    Value given =
        tensorOf(Argument::Role::InitialState, state.getName()).address;
    int64_t count = Fragment::of(state.getType(), columns).elementCount();
    SmallVector<Type> types(count, code.realType);
    auto choice = scf::IfOp::create(code.builder, code.location, types,
                                    notNull(given), /*withElseRegion=*/true);
    auto yield = [&](const Fragment &fragment) {
      scf::YieldOp::create(code.builder, code.location, fragment.elements);
    };
    OpBuilder::InsertionGuard guard(code.builder);
    code.builder.setInsertionPointToStart(choice.thenBlock());
    View tensor = denseView(given, state.getType(), state.getLayout());
    yield(loadFragment(tensor, state.getType()));
    code.builder.setInsertionPointToStart(choice.elseBlock());
    yield(state.getInitial() ? fragmentOf(state.getInitial(), state.getType())
                             : zeroFragment(state.getType()));
    all.append(choice.result_begin(), choice.result_end());
  }
  return all;
}

Fragment KernelEmitter::zeroFragment(Type type) {
  Fragment zero = Fragment::of(type, columns);
  zero.elements.assign(zero.elementCount(), code.real(0));
  return zero;
}

void KernelEmitter::endColumns(ValueRange carried) {
  SmallVector<Fragment> parts = unflatten(carried);
  for (auto [i, state] : llvm::enumerate(columnStates())) {
    Value wanted =
        tensorOf(Argument::Role::FinalState, state.getName()).address;
    View tensor = denseView(wanted, state.getType(), state.getLayout());
    const Fragment &part = parts[i];
    code.ifThen(notNull(wanted), [&] { storeFragment(part, tensor); });
  }
}

//===--- Chunks -----------------------------------------------------------===//

/// Warps that have columns; a value may tell them apart from others.
void KernelEmitter::emitColumnRole() {
  fragments.clear();
  findLane();
  int64_t perWarp =
      16 * Fragment::of(columnStates().front().getType(), columns).columnTiles;
  Value some = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, firstColumn,
                                      code.index(order.size(columns)));
  bool allWork = order.size(columns) > perWarp * (columnWarps - 1);
  beforeChunks();
  Value thread = block.threadNumber();
  auto work = [&] {
    Values last = code.loop(code.index(0), length, chunkTokens, beginColumns(),
                            [&](Value first, ValueRange carried) {
                              renewLane();
                              setChunk(first);
                              wait(Signal::Full, false);
                              Values next = columnsOfChunk(carried);
                              release(first);
                              return next;
                            });
    block.setThreadNumber(thread);
    findLane();
    endColumns(last);
  };
  auto rest = [&] { // takes part in the barriers
    code.loop(code.index(0), length, chunkTokens, [&](Value first) {
      setChunk(first);
      wait(Signal::Full, false);
      release(first);
    });
  };
  allWork ? work() : code.ifThen(some, work, rest);
}

Values KernelEmitter::columnsOfChunk(ValueRange carried) {
  SmallVector<rec::StateOp> states = columnStates();
  SmallVector<Fragment> parts = unflatten(carried);
  for (size_t i = 0; i < states.size(); ++i)
    fragments[states[i].getResult()] = parts[i];
  SmallVector<Operation *> operations = columnOperations();
  for (Operation *op : operations)
    emitColumns(op);
  SmallVector<Fragment> next;
  for (rec::StateOp state : states) {
    next.push_back(fragments[state.getResult()]);
    for (Operation *op : operations)
      if (auto update = dyn_cast<rec::UpdateOp>(op))
        if (update.getName() == state.getName())
          next.back() = fragmentOf(update.getValue(), state.getType());
  }
  return flatten(next);
}

Fragment KernelEmitter::fragmentOf(Value value, Type type) {
  auto known = fragments.find(value);
  if (known != fragments.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  if (std::optional<double> number = cpu::splatOf(value)) {
    Fragment same = Fragment::of(type, columns);
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    same.elements.assign(same.elementCount(), splat(*number, element));
    return same;
  }
  auto place = sent.find(value);
  if (place != sent.end())
    return loadFragment(inStage(place->second), type);
  if (isTensor(value))
    return loadFragment(inputView(cast<rec::InputOp>(op)), type);
  if (liveness.isInlined(op))
    return evaluateFragment(op, type);
  if (isSeenThrough(op)) {
    Value operand = op->getOperand(0);
    auto rename = dyn_cast<rec::RenameOp>(op);
    if (!rename)
      return fragmentOf(operand, type);
    Fragment fragment = fragmentOf(operand, operand.getType());
    llvm::replace(fragment.axes, rename.getFromAttr(), rename.getToAttr());
    return fragment;
  }
  return loadFragment(viewOf(value), type); // there before the first chunk
}

Fragment KernelEmitter::evaluateFragment(Operation *op, Type type) {
  SmallVector<Fragment> operands;
  for (Value operand : op->getOperands())
    operands.push_back(fragmentOf(operand, type));
  Fragment result = Fragment::of(type, columns);
  for (int64_t i = 0; i < result.elementCount(); ++i) {
    Values elements;
    for (const Fragment &operand : operands)
      elements.push_back(operand.elements[i]);
    result.elements.push_back(cpu::applyElementwise(code, op, elements));
  }
  return result;
}

void KernelEmitter::emitColumns(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<rec::MapOp, rec::CastOp>([&](Operation *x) {
        Value result = x->getResult(0);
        if (fragments.count(result))
          return;
        bool waited = llvm::any_of(x->getOperands(), [&](Value operand) {
          return static_cast<bool>(waitingProduct(operand));
        });
        if (waited)
          emitSum(cast<rec::MapOp>(x));
        else
          fragments[result] = evaluateFragment(x, result.getType());
      })
      .Case<rec::ContractOp>([&](auto x) { emitProduct(x); })
      .Case<rec::StopOp>([&](auto x) {
        if (waitingProduct(x.getOperand()))
          return;
        fragments[x.getResult()] = fragmentOf(x.getOperand(), x.getType());
      })
      .Case<rec::RenameOp>([&](auto x) {
        Fragment fragment =
            fragmentOf(x.getOperand(), x.getOperand().getType());
        llvm::replace(fragment.axes, x.getFromAttr(), x.getToAttr());
        fragments[x.getResult()] = std::move(fragment);
      })
      .Case<rec::PickOp>([&](auto x) {
        if (waitingProduct(x.getOperand()))
          return;
        Fragment all = fragmentOf(x.getOperand(), x.getOperand().getType());
        fragments[x.getResult()] =
            partOf(all, x.getAxisAttr(), x.getIndex(), x.getType());
      })
      .Case<rec::StackOp>(
          [&](auto x) { fragments[x.getResult()] = stackFragments(x); })
      .Case<rec::OutputOp>([&](auto x) {
        const Tensor &tensor = tensorOf(Argument::Role::Output, x.getName());
        Type type = x.getValue().getType();
        renewLane();
        Fragment fragment = fragmentOf(x.getValue(), type);
        code.ifThen(notNull(tensor.address), [&] {
          storeFragment(fragment,
                        tokensView(tensor, type, x.getLayout(), x.getDtype()));
        });
      })
      .Case<rec::UpdateOp>([](auto) {}); // at the chunk's end
}

//===--- Rows of a token --------------------------------------------------===//

/// The tiles of `whole` at `index` along an axis, which is not its last one.
Fragment KernelEmitter::partOf(const Fragment &whole, StringAttr axis,
                               int64_t index, Type type) {
  const auto *it = llvm::find(whole.axes, axis);
  if (it == whole.axes.end())
    return whole; // the only one
  size_t at = it - whole.axes.begin();
  Fragment part = Fragment::of(type, columns);
  for (int64_t m = 0; m < part.columnTiles; ++m)
    for (int64_t tile = 0; tile < part.tiles; ++tile) {
      auto positions = part.positionsOf(tile);
      positions.insert(positions.begin() + at, index);
      for (int64_t e = 0; e < 4; ++e)
        part.elements.push_back(
            whole.elements[whole.place(m, whole.tileAt(positions), e)]);
    }
  return part;
}

Fragment KernelEmitter::stackFragments(rec::StackOp op) {
  Fragment whole = Fragment::of(op.getType(), columns);
  whole.elements.resize(whole.elementCount());
  const auto *it = llvm::find(whole.axes, op.getAxisAttr());
  for (auto [i, value] : llvm::enumerate(op.getValues())) {
    // A tile may lack axes of the others.
    SmallVector<StringAttr> axes(rec::axesOf(op.getType()));
    llvm::erase(axes, op.getAxisAttr());
    Type type = order.type(op.getContext(), axes, code.realType);
    Fragment part = fragmentOf(value, type);
    for (int64_t m = 0; m < part.columnTiles; ++m)
      for (int64_t tile = 0; tile < part.tiles; ++tile) {
        auto positions = part.positionsOf(tile);
        if (it != whole.axes.end())
          positions.insert(positions.begin() + (it - whole.axes.begin()), i);
        for (int64_t e = 0; e < 4; ++e)
          whole.elements[whole.place(m, whole.tileAt(positions), e)] =
              part.elements[part.place(m, tile, e)];
      }
  }
  return whole;
}

//===--- Products ---------------------------------------------------------===//

/// The term of a sum that is there before the product is its other one.
Value KernelEmitter::termBefore(rec::ContractOp op) {
  if (!op->hasOneUse())
    return Value();
  auto sum = dyn_cast<rec::MapOp>(*op->user_begin());
  if (!sum || !cpu::isElsewhere(sum) || sum.getKind() != rec::MapKind::Add)
    return Value();
  Value other = sum->getOperand(sum->getOperand(0) == op.getResult());
  return cpu::isElsewhere(other.getDefiningOp()) ? Value() : other;
}

void KernelEmitter::emitProduct(rec::ContractOp op) {
  if (isAddedLater(op))
    return;
  Value term = termBefore(op);
  multiply(op,
           term ? fragmentOf(term, op.getType()) : zeroFragment(op.getType()));
  if (term)
    fragments[op->user_begin()->getResult(0)] = fragments[op.getResult()];
}

/// The fragment that a product takes as its operand.
Value KernelEmitter::columnsOfProduct(rec::ContractOp op) {
  return matrixOf(op) == op.getLhs() ? op.getRhs() : op.getLhs();
}

/// A product's matrix as a lane finds it.
class KernelEmitter::Factor {
public:
  Factor(KernelEmitter &emitter, rec::ContractOp op, const Fragment &from,
         Fragment sums)
      : emitter(emitter), code(emitter.code), from(from), to(std::move(sums)),
        matrix(emitter.staged[emitter.matrixOf(op)].high),
        depth(rec::stringsOf(op.getAxes())) {
    Rounded place = emitter.inStage(emitter.staged[emitter.matrixOf(op)]);
    Value lane =
        code.add(code.mul(emitter.laneColumn, matrix.stride(from.last())),
                 code.mul(emitter.laneRow, matrix.stride(to.last())));
    high = code.behind(place.high, lane);
    if (emitter.warp.isDouble())
      low = code.behind(place.low, lane);
  }

  /// Adds what a tile of `from` contributes, given for each tile of columns.
  void add(int64_t fromTile,
           ArrayRef<SmallVector<Warp::Operand, 4>> columnOperands);
  Fragment take() { return std::move(to); }

private:
  Value load(Value start, int64_t distance) {
    return code.loadScalar(code.behind(start, code.index(distance)),
                           code.builder.getI32Type());
  }
  Warp::Operand load(int64_t distance) {
    Warp::Operand operand{load(high, distance), Value()};
    if (low)
      operand.low = load(low, distance);
    return operand;
  }

  KernelEmitter &emitter;
  cpu::Code &code;
  const Fragment &from;
  Fragment to;
  const View &matrix;
  SmallVector<StringAttr> depth;
  Value high, low;
};

void KernelEmitter::Factor::add(
    int64_t fromTile, ArrayRef<SmallVector<Warp::Operand, 4>> columnOperands) {
  auto fromAt = from.positionsOf(fromTile);
  int64_t depthOffset = 0;
  for (auto [axis, position] : llvm::zip(from.axes, fromAt))
    if (llvm::is_contained(depth, axis))
      depthOffset += position * matrix.stride(axis).fixed;
  int64_t step = matrix.stride(from.last()).fixed;
  for (int64_t toTile = 0; toTile < to.tiles; ++toTile) {
    auto toAt = to.positionsOf(toTile);
    bool same = true; // along the axes that both fragments have
    int64_t offset = depthOffset;
    for (auto [axis, position] : llvm::zip(to.axes, toAt)) {
      const auto *it = llvm::find(from.axes, axis);
      if (matrix.has(axis))
        offset += position * matrix.stride(axis).fixed;
      else
        same &=
            it != from.axes.end() && fromAt[it - from.axes.begin()] == position;
    }
    if (!same)
      continue;
    SmallVector<Warp::Operand, 2> rows{load(offset), load(offset + step)};
    for (int64_t m = 0; m < to.columnTiles; ++m) {
      MutableArrayRef<Value> sums =
          MutableArrayRef(to.elements).slice(to.place(m, toTile, 0), 4);
      llvm::copy(
          emitter.warp.multiplyAdd(columnOperands[m], rows, Values(sums)),
          sums.begin());
    }
  }
}

/// Adds a product to `sums`.
void KernelEmitter::multiply(rec::ContractOp op, Fragment sums) {
  Value other = columnsOfProduct(op);
  Fragment from = fragmentOf(other, other.getType());
  bool isState = static_cast<bool>(other.getDefiningOp<rec::StateOp>());
  renewLane();
  Factor factor(*this, op, from, std::move(sums));
  for (int64_t tile = 0; tile < from.tiles; ++tile) {
    int64_t first = from.positionsOf(tile).back();
    SmallVector<SmallVector<Warp::Operand, 4>> operands;
    for (int64_t m = 0; m < from.columnTiles; ++m) {
      auto &own = operands.emplace_back();
      for (int64_t e : {0, 2, 1, 3}) {
        Value element = from.elements[from.place(m, tile, e)];
        // Rounded anew for each product: there is no room to keep that.
        if (isState)
          element = block.renew(element);
        Value position = code.add(laneColumn, code.index(first + (e & 1)));
        if (Value inside =
                isInside(from.last(), from.sizes.back(), first, position))
          element = code.select(inside, element, code.real(0));
        own.push_back(warp.round(element));
      }
    }
    factor.add(tile, operands);
  }
  fragments[op.getResult()] = factor.take();
}

/// The product that a value is, or is all of.
rec::ContractOp KernelEmitter::productOf(Value value) {
  while (isa_and_nonnull<rec::PickOp, rec::StopOp>(value.getDefiningOp()) &&
         value.hasOneUse()) {
    Value operand = value.getDefiningOp()->getOperand(0);
    if (Fragment::of(operand.getType(), columns).axes !=
        Fragment::of(value.getType(), columns).axes)
      break;
    value = operand;
  }
  return value.getDefiningOp<rec::ContractOp>();
}

/// True if a product is added up in the place of the other term.
bool KernelEmitter::isAddedLater(rec::ContractOp op) {
  if (!cpu::isElsewhere(op) ||
      columnsOfProduct(op).getDefiningOp<rec::StateOp>())
    return false;
  Value value = op.getResult();
  while (value.hasOneUse()) {
    Operation *user = *value.user_begin();
    if (auto map = dyn_cast<rec::MapOp>(user))
      return cpu::isElsewhere(map) && map.getKind() == rec::MapKind::Add &&
             map->getOperand(0) != map->getOperand(1) && productOf(value) == op;
    if (!isa<rec::PickOp, rec::StopOp>(user))
      return false;
    value = user->getResult(0);
  }
  return false;
}

/// The product that a value is, if the sum that reads it will add it up.
rec::ContractOp KernelEmitter::waitingProduct(Value value) {
  rec::ContractOp product = productOf(value);
  return product && isAddedLater(product) ? product : rec::ContractOp();
}

/// A sum, with the products that have waited for it.
void KernelEmitter::emitSum(rec::MapOp op) {
  SmallVector<rec::ContractOp> later;
  SmallVector<Value> terms;
  for (Value operand : op.getOperands()) {
    if (rec::ContractOp product = waitingProduct(operand))
      later.push_back(product);
    else
      terms.push_back(operand);
  }
  Fragment sum = terms.empty() ? zeroFragment(op.getType())
                               : fragmentOf(terms.front(), op.getType());
  for (rec::ContractOp product : later) {
    multiply(product, sum);
    sum = fragments[product.getResult()];
  }
  fragments[op.getResult()] = sum;
}

} // namespace trowel::cuda
