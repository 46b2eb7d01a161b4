// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Ranges.h"

#include "dialect/Rec/Axes.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel::explaining {

static const double infinity = std::numeric_limits<double>::infinity();

static double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

Range multiply(const Range &a, const Range &b) {
  auto [low, high] = std::minmax({times(a.low, b.low), times(a.low, b.high),
                                  times(a.high, b.low), times(a.high, b.high)});
  return {low, high};
}

/// `f` grows with its operand.
template <typename Function> static Range through(Function f, const Range &x) {
  return {f(x.low), f(x.high)};
}

static Range rangeOfMap(rec::MapOp op) {
  auto operand = [&](int i) { return rangeOfValue(op.getOperand(i)); };
  switch (op.getKind()) {
  case MapKind::Neg: {
    Range x = operand(0);
    return {-x.high, -x.low};
  }
  case MapKind::Add: {
    Range a = operand(0), b = operand(1);
    return {a.low + b.low, a.high + b.high};
  }
  case MapKind::Sub: {
    Range a = operand(0), b = operand(1);
    return {a.low - b.high, a.high - b.low};
  }
  case MapKind::Mul:
    return multiply(operand(0), operand(1));
  case MapKind::Div: {
    Range divisor = operand(1);
    if (divisor.low <= 0 && divisor.high >= 0)
      return {-infinity, infinity};
    return multiply(operand(0), {1 / divisor.high, 1 / divisor.low});
  }
  case MapKind::Exp:
    return through([](double x) { return std::exp(x); }, operand(0));
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

Range rangeOfValue(Value value) {
  Operation *op = value.getDefiningOp();
  Range derived{-infinity, infinity};
  if (auto map = dyn_cast_or_null<rec::MapOp>(op)) {
    derived = rangeOfMap(map);
  } else if (auto constant = dyn_cast_or_null<rec::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (elements && elements.isSplat() &&
        isa<FloatType>(elements.getElementType()))
      derived.low = derived.high =
          elements.getSplatValue<APFloat>().convertToDouble();
  } else if (isa_and_nonnull<rec::RenameOp, rec::PickOp, rec::RepeatOp,
                             rec::StopOp>(op)) {
    derived = rangeOfValue(op->getOperand(0));
  }
  if (auto known = rec::rangeOf(value)) {
    derived.low = std::max(derived.low, known->first);
    derived.high = std::min(derived.high, known->second);
  }
  return derived;
}

} // namespace trowel::explaining
