// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Derivatives.h"

#include "frontend/Reference/Arithmetic.h"

#include <cmath>

namespace trowel::reference {

static double sigmoidOf(double x) {
  return unaryFunction(MapOp::Sigmoid, Expr::Scalar::Real)(x);
}

/// The derivative of x^p by p; at x = 0 the limit from above.
static double byExponent(double x, double p, double result) {
  if (x == 0)
    return p > 0 ? 0 : -INFINITY;
  return result * std::log(x);
}

std::array<double, 3> derivatives(MapOp op, const std::array<double, 3> &x,
                                  double result) {
  double a = x[0], b = x[1];
  switch (op) {
  case MapOp::Neg:
    return {-1};
  case MapOp::Exp:
    return {result};
  case MapOp::Log:
    return {1 / a};
  case MapOp::Log1p:
    return {1 / (1 + a)};
  case MapOp::Expm1:
    return {std::exp(a)};
  case MapOp::Sqrt:
    return {0.5 / result};
  case MapOp::Rsqrt:
    return {-0.5 * result / a};
  case MapOp::Abs:
    return {a > 0 ? 1.0 : a < 0 ? -1.0 : a};
  case MapOp::Sigmoid:
    return {result * sigmoidOf(-a)};
  case MapOp::Softplus:
    return {sigmoidOf(a)};
  case MapOp::Tanh: {
    double secant = 1 / std::cosh(a); // 1 - tanh^2 cancels where tanh is flat
    return {secant * secant};
  }
  case MapOp::Sin:
    return {std::cos(a)};
  case MapOp::Cos:
    return {-std::sin(a)};
  case MapOp::Erf:
    return {2 / std::sqrt(M_PI) * std::exp(-a * a)};
  case MapOp::Add:
    return {1, 1};
  case MapOp::Sub:
    return {1, -1};
  case MapOp::Mul:
    return {b, a};
  case MapOp::Div:
    return {1 / b, -(a / b) / b};
  case MapOp::Mod:
    return {1, -std::floor(a / b)};
  case MapOp::Pow:
    return {b == 0 ? 0 : b * std::pow(a, b - 1), byExponent(a, b, result)};
  case MapOp::Max:
    return {a >= b ? 1.0 : 0.0, a >= b ? 0.0 : 1.0};
  case MapOp::Min:
    return {a <= b ? 1.0 : 0.0, a <= b ? 0.0 : 1.0};
  case MapOp::Logaddexp:
    return {a == b ? 0.5 : sigmoidOf(a - b), a == b ? 0.5 : sigmoidOf(b - a)};
  case MapOp::Where:
    return {0, a != 0 ? 1.0 : 0.0, a != 0 ? 0.0 : 1.0};
  default:
    return {}; // steps, conditions
  }
}

} // namespace trowel::reference
