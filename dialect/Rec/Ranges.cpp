// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Rec/Ranges.h"

#include "dialect/Rec/Axes.h"
#include "dialect/Rec/ValueBuilder.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace trowel::rec {

static const double infinity = std::numeric_limits<double>::infinity();

static double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

Range add(const Range &a, const Range &b) {
  double low = a.low + b.low, high = a.high + b.high;
  return {std::isnan(low) ? -infinity : low,
          std::isnan(high) ? infinity : high};
}

Range multiply(const Range &a, const Range &b) {
  auto [low, high] = std::minmax({times(a.low, b.low), times(a.low, b.high),
                                  times(a.high, b.low), times(a.high, b.high)});
  return {low, high};
}

Range divide(const Range &a, const Range &b) {
  if (b.low <= 0 && b.high >= 0)
    return {-infinity, infinity};
  return multiply(a, {1 / b.high, 1 / b.low});
}

/// `f` grows with its operand.
template <typename Function> static Range through(Function f, const Range &x) {
  return {f(x.low), f(x.high)};
}

//===----------------------------------------------------------------------===//
// What an interval for each operand does not see
//===----------------------------------------------------------------------===//

/// The same value before it was exported from a stage or entered one.
static Value resolved(Value value) {
  if (auto result = dyn_cast<OpResult>(value)) {
    auto stage = dyn_cast<SequentialOp>(result.getOwner());
    if (!stage)
      return value;
    Operation *yield = stage.getBody().front().getTerminator();
    return resolved(
        yield->getOperand(stage.getStates().size() + result.getResultNumber()));
  }
  auto argument = cast<BlockArgument>(value);
  auto stage = dyn_cast<SequentialOp>(argument.getOwner()->getParentOp());
  if (!stage)
    return value;
  auto name = stage.getStates()[argument.getArgNumber()];
  for (auto state : stage->getBlock()->getOps<StateOp>())
    if (state.getNameAttr() == name)
      return state.getResult();
  return value;
}

/// True if both compute the same; looks some steps deep.
static bool isSame(Value a, Value b, int depth = 8) {
  a = resolved(a);
  b = resolved(b);
  if (a == b)
    return true;
  auto left = a.getDefiningOp<MapOp>(), right = b.getDefiningOp<MapOp>();
  if (depth == 0 || !left || !right || left.getKind() != right.getKind() ||
      left->getNumOperands() != right->getNumOperands())
    return false;
  for (auto [x, y] : llvm::zip(left.getOperands(), right.getOperands()))
    if (!isSame(x, y, depth - 1))
      return false;
  return true;
}

/// `b` is max(a, …) or logaddexp(a, …).
static bool isAtLeast(Value b, Value a) {
  auto map = resolved(b).getDefiningOp<MapOp>();
  if (!map ||
      (map.getKind() != MapKind::Max && map.getKind() != MapKind::Logaddexp))
    return false;
  return isSame(map.getOperand(0), a) || isSame(map.getOperand(1), a);
}

/// a + (1 - a) * x with `a` in [0, 1] lies between one and x.
Range RangeFinder::mixture(MapOp op) {
  const Range unknown{-infinity, infinity};
  auto product = op.getOperand(1).getDefiningOp<MapOp>();
  if (!product || product.getKind() != MapKind::Mul)
    return unknown;
  Value weight = op.getOperand(0);
  Range range = find(weight);
  auto rest = product.getOperand(0).getDefiningOp<MapOp>();
  if (range.low < 0 || range.high > 1 || !rest ||
      rest.getKind() != MapKind::Sub || rest.getOperand(1) != weight ||
      !isConstant(rest.getOperand(0), 1))
    return unknown;
  Range other = find(product.getOperand(1));
  return {std::min(1.0, other.low), std::max(1.0, other.high)};
}

static Range meet(const Range &a, const Range &b) {
  return {std::max(a.low, b.low), std::min(a.high, b.high)};
}

//===----------------------------------------------------------------------===//
// Intervals
//===----------------------------------------------------------------------===//

Range RangeFinder::ofMap(MapOp op) {
  auto operand = [&](int i) { return find(op.getOperand(i)); };
  auto atLeast = [&](double low) { // what lies below gives a NaN
    Range x = operand(0);
    return Range{std::max(x.low, low), std::max(x.high, low)};
  };
  switch (op.getKind()) {
  case MapKind::Neg: {
    Range x = operand(0);
    return {-x.high, -x.low};
  }
  case MapKind::Add: {
    Range a = operand(0), b = operand(1);
    return meet(add(a, b), mixture(op));
  }
  case MapKind::Sub: {
    Range a = operand(0), b = operand(1);
    bool falls = isAtLeast(op.getOperand(1), op.getOperand(0));
    return meet(add(a, {-b.high, -b.low}), {-infinity, falls ? 0 : infinity});
  }
  case MapKind::Mul:
    return multiply(operand(0), operand(1));
  case MapKind::Div:
    return divide(operand(0), operand(1));
  case MapKind::Exp:
    return through([](double x) { return std::exp(x); }, operand(0));
  case MapKind::Log:
    return through([](double x) { return std::log(x); }, atLeast(0));
  case MapKind::Sqrt:
    return through([](double x) { return std::sqrt(x); }, atLeast(0));
  case MapKind::Rsqrt: {
    Range x = atLeast(0);
    return {1 / std::sqrt(x.high), 1 / std::sqrt(x.low)};
  }
  case MapKind::Softplus:
    return {0, infinity};
  case MapKind::Pow:
    // Nothing is known of a negative number to a power.
    return {operand(0).low >= 0 ? 0 : -infinity, infinity};
  case MapKind::Sigmoid:
  case MapKind::Abs:
    return {0, op.getKind() == MapKind::Sigmoid ? 1 : infinity};
  case MapKind::Tanh:
  case MapKind::Sin:
  case MapKind::Cos:
    return {-1, 1};
  case MapKind::Where: {
    Range a = operand(1), b = operand(2);
    return {std::min(a.low, b.low), std::max(a.high, b.high)};
  }
  case MapKind::Min: {
    Range a = operand(0), b = operand(1);
    return {std::min(a.low, b.low), std::min(a.high, b.high)};
  }
  case MapKind::Max: {
    Range a = operand(0), b = operand(1);
    return {std::max(a.low, b.low), std::max(a.high, b.high)};
  }
  default:
    return {-infinity, infinity};
  }
}

Range RangeFinder::derive(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto map = dyn_cast_or_null<MapOp>(op))
    return ofMap(map);
  if (isa_and_nonnull<RenameOp, PickOp, RepeatOp, StopOp>(op))
    return find(op->getOperand(0));
  if (auto constant = dyn_cast_or_null<ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (elements && elements.isSplat() &&
        isa<FloatType>(elements.getElementType())) {
      double number = elements.getSplatValue<APFloat>().convertToDouble();
      return {number, number};
    }
  }
  return {-infinity, infinity};
}

Range RangeFinder::find(Value value) {
  auto it = known.find(value);
  if (it != known.end())
    return it->second;
  Range range = derive(value);
  if (auto noted = rangeOf(value))
    range = meet(range, {noted->first, noted->second});
  known[value] = range;
  return range;
}

bool RangeFinder::isWithin(Value value, double low, double high) {
  Range range = find(value);
  return range.low >= low && range.high <= high;
}

} // namespace trowel::rec
