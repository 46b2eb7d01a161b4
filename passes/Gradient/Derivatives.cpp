// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The derivative of each elementwise function. The conventions at kinks are
// those of docs/language.md, section 11.6.
#include "passes/Gradient/Adjoints.h"

#include <cmath>

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel {

/// A factor that may be infinite where the gradient is zero, or zero where the
/// gradient is infinite (the root of an exponential): there the product is
/// zero.
void Adjoints::addScaled(Value primal, Value factor, Value gradient) {
  if (!hasGradient(primal))
    return;
  Value zero = values.real(0);
  Value vanishes =
      values.map(MapKind::Or, {values.map(MapKind::Eq, {gradient, zero}),
                               values.map(MapKind::Eq, {factor, zero})});
  Value product = values.map(MapKind::Where,
                             {vanishes, zero, values.mul(factor, gradient)});
  if (isMasked(gradient))
    masked.insert(product);
  add(primal, product);
}

void Adjoints::addSelected(Value primal, Value condition, Value gradient,
                           bool negated) {
  if (!hasGradient(primal))
    return;
  Value zero = values.real(0);
  Value taken = negated
                    ? values.map(MapKind::Where, {condition, zero, gradient})
                    : values.map(MapKind::Where, {condition, gradient, zero});
  masked.insert(taken);
  add(primal, taken);
}

void Adjoints::propagateMap(rec::MapOp op, Value gradient) {
  if (!propagateUnary(op, gradient))
    propagateBinary(op, gradient);
}

/// Functions of one operand; false if the map has more.
bool Adjoints::propagateUnary(rec::MapOp op, Value gradient) {
  Value x = op.getOperand(0), y = op.getResult();
  auto map = [&](MapKind kind, ArrayRef<Value> operands) {
    return values.map(kind, operands);
  };
  auto number = [&](double value) { return values.real(value); };
  auto smooth = [&](Value factor) {
    if (isMasked(gradient))
      addScaled(x, factor, gradient);
    else
      addProduct(x, factor, gradient);
    return true;
  };
  auto singular = [&](Value factor) {
    addScaled(x, factor, gradient);
    return true;
  };
  switch (op.getKind()) {
  case MapKind::Neg:
    add(x, values.neg(gradient));
    return true;
  case MapKind::Exp:
    return singular(y);
  case MapKind::Log:
    return singular(map(MapKind::Div, {number(1), x}));
  case MapKind::Log1p:
    return singular(map(MapKind::Div, {number(1), values.add(number(1), x)}));
  case MapKind::Expm1:
    return smooth(map(MapKind::Exp, {x}));
  case MapKind::Sqrt:
    return singular(map(MapKind::Div, {number(0.5), y}));
  case MapKind::Rsqrt:
    return singular(values.mul(number(-0.5), map(MapKind::Div, {y, x})));
  case MapKind::Abs:
    return smooth(map(MapKind::Sign, {x}));
  case MapKind::Sigmoid:
    return smooth(values.mul(y, map(MapKind::Sigmoid, {values.neg(x)})));
  case MapKind::Softplus:
    return smooth(map(MapKind::Sigmoid, {x}));
  case MapKind::Tanh: {
    // (1 + |y|)(1 - |y|), where 1 - |tanh(x)| is 2 sigmoid(-2|x|): a difference
    // of one and y^2 would have no digits left where tanh is flat.
    Value size = map(MapKind::Abs, {x});
    Value rest = map(MapKind::Sigmoid, {values.mul(number(-2), size)});
    Value sum = values.add(number(1), map(MapKind::Abs, {y}));
    return smooth(values.mul(values.mul(number(2), rest), sum));
  }
  case MapKind::Sin:
    return smooth(map(MapKind::Cos, {x}));
  case MapKind::Cos:
    return smooth(values.neg(map(MapKind::Sin, {x})));
  case MapKind::Erf:
    return smooth(
        values.mul(number(2 / std::sqrt(M_PI)),
                   map(MapKind::Exp, {values.neg(values.mul(x, x))})));
  case MapKind::Sign:
  case MapKind::Floor:
  case MapKind::Round:
  case MapKind::Not:
  case MapKind::ToReal:
    return true; // steps
  default:
    return false;
  }
}

void Adjoints::propagateBinary(rec::MapOp op, Value gradient) {
  Value a = op.getOperand(0), b = op.getOperand(1);
  auto map = [&](MapKind kind, ArrayRef<Value> operands) {
    return values.map(kind, operands);
  };
  switch (op.getKind()) {
  case MapKind::Add:
    add(a, gradient);
    add(b, gradient);
    return;
  case MapKind::Sub:
    add(a, gradient);
    add(b, values.neg(gradient));
    return;
  case MapKind::Mul:
    if (isMasked(gradient)) {
      addScaled(a, b, gradient);
      addScaled(b, a, gradient);
    } else {
      addProduct(a, b, gradient);
      addProduct(b, a, gradient);
    }
    return;
  case MapKind::Div:
    addScaled(a, map(MapKind::Div, {values.real(1), b}), gradient);
    addScaled(b, values.neg(map(MapKind::Div, {map(MapKind::Div, {a, b}), b})),
              gradient);
    return;
  case MapKind::Mod:
    add(a, gradient);
    addScaled(b, values.neg(map(MapKind::Floor, {map(MapKind::Div, {a, b})})),
              gradient);
    return;
  case MapKind::Pow:
    propagatePower(op, gradient);
    return;
  case MapKind::Max:
  case MapKind::Min: {
    bool isMax = op.getKind() == MapKind::Max;
    Value first = map(isMax ? MapKind::Ge : MapKind::Le, {a, b});
    addSelected(a, first, gradient, /*negated=*/false);
    addSelected(b, first, gradient, /*negated=*/true);
    return;
  }
  case MapKind::Logaddexp: {
    Value same = map(MapKind::Eq, {a, b}), half = values.real(0.5);
    auto share = [&](Value own, Value other) {
      Value apart = map(MapKind::Sigmoid, {map(MapKind::Sub, {own, other})});
      addScaled(own, map(MapKind::Where, {same, half, apart}), gradient);
    };
    share(a, b);
    share(b, a);
    return;
  }
  case MapKind::Where:
    addSelected(b, a, gradient, /*negated=*/false);
    addSelected(op.getOperand(2), a, gradient, /*negated=*/true);
    return;
  default:
    return; // conditions
  }
}

/// x^p: p x^(p-1) and x^p log x.
void Adjoints::propagatePower(rec::MapOp op, Value gradient) {
  Value x = op.getOperand(0), p = op.getOperand(1), y = op.getResult();
  auto map = [&](MapKind kind, ArrayRef<Value> operands) {
    return values.map(kind, operands);
  };
  Value zero = values.real(0);
  Value slope = values.mul(
      p, map(MapKind::Pow, {x, map(MapKind::Sub, {p, values.real(1)})}));
  if (p.getDefiningOp<rec::ConstantOp>()) {
    if (!rec::isConstant(p, 0))
      addScaled(x, slope, gradient);
    return;
  }
  Value flat = map(MapKind::Eq, {p, zero});
  addScaled(x, map(MapKind::Where, {flat, zero, slope}), gradient);
  Value atZero = map(MapKind::Where, {map(MapKind::Gt, {p, zero}), zero,
                                      values.real(-INFINITY)});
  Value growth = values.mul(y, map(MapKind::Log, {x}));
  addScaled(p,
            map(MapKind::Where, {map(MapKind::Eq, {x, zero}), atZero, growth}),
            gradient);
}

} // namespace trowel
