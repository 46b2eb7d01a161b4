// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Coefficients.h"

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel::explaining {

namespace {

class CoefficientFinder {
public:
  CoefficientFinder(Value entry, Expressions &expressions)
      : entry(entry), expressions(expressions) {}

  Coefficient find(Value value) {
    auto it = known.find(value);
    if (it == known.end())
      it = known.insert({value, derive(value)}).first;
    return it->second;
  }

private:
  static bool isZero(const Coefficient &a) {
    return a.isKnown && a.text.text == "0";
  }
  static Coefficient unknown() { return {{"0"}, {0, 0}, false}; }
  Coefficient derive(Value value);
  Coefficient ofMap(rec::MapOp op);
  Coefficient scaled(const Coefficient &a, Value factor);
  static Coefficient added(const Coefficient &a, const Coefficient &b);
  static Coefficient negated(Coefficient a);

  Value entry;
  Expressions &expressions;
  llvm::DenseMap<Value, Coefficient> known;
};

Coefficient CoefficientFinder::added(const Coefficient &a,
                                     const Coefficient &b) {
  if (!a.isKnown || !b.isKnown)
    return unknown();
  if (isZero(a) || isZero(b))
    return isZero(a) ? b : a;
  return {sum(a.text, b.text), add(a.range, b.range)};
}

Coefficient CoefficientFinder::negated(Coefficient a) {
  a.text.negative = !a.text.negative;
  a.range = {-a.range.high, -a.range.low};
  return a;
}

Coefficient CoefficientFinder::scaled(const Coefficient &a, Value factor) {
  if (!a.isKnown || isZero(a))
    return a;
  return {product(expressions.print(factor), a.text),
          multiply(rec::rangeOfValue(factor), a.range)};
}

Coefficient CoefficientFinder::ofMap(rec::MapOp op) {
  auto of = [&](int i) { return find(op.getOperand(i)); };
  switch (op.getKind()) {
  case MapKind::Neg:
    return isZero(of(0)) ? of(0) : negated(of(0));
  case MapKind::Add:
    return added(of(0), of(1));
  case MapKind::Sub:
    return added(of(0), isZero(of(1)) ? of(1) : negated(of(1)));
  case MapKind::Mul: {
    Coefficient left = of(0), right = of(1);
    if (!isZero(left) && !isZero(right))
      return unknown();
    return isZero(right) ? scaled(left, op.getOperand(1))
                         : scaled(right, op.getOperand(0));
  }
  case MapKind::Div: {
    Coefficient left = of(0);
    if (!isZero(of(1)))
      return unknown();
    if (!left.isKnown || isZero(left))
      return left;
    return {quotient(left.text, expressions.print(op.getOperand(1))),
            divide(left.range, rec::rangeOfValue(op.getOperand(1)))};
  }
  default:
    for (Value operand : op.getOperands())
      if (!isZero(find(operand)))
        return unknown();
    return {};
  }
}

Coefficient CoefficientFinder::derive(Value value) {
  if (value == entry)
    return {{"1"}, {1, 1}};
  if (auto map = value.getDefiningOp<rec::MapOp>())
    return ofMap(map);
  if (Operation *op = value.getDefiningOp())
    for (Value operand : op->getOperands())
      if (!isZero(find(operand)))
        return unknown();
  return {};
}

} // namespace

Coefficient coefficientOf(Value value, Value entry, Expressions &expressions) {
  return CoefficientFinder(entry, expressions).find(value);
}

} // namespace trowel::explaining
