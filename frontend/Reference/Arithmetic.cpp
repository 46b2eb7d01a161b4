// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Arithmetic.h"

#include "dialect/Reference/Rounding.h"
#include "frontend/Reference/Types.h"

#include <cassert>
#include <cmath>
#include <limits>

namespace trowel::reference {

constexpr double infinity = std::numeric_limits<double>::infinity();

//===--- Reals ------------------------------------------------------------===//

static double softplus(double x) {
  return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))) +
         (std::isnan(x) ? x : 0.0);
}

static double sigmoid(double x) {
  if (x >= 0)
    return 1 / (1 + std::exp(-x));
  double e = std::exp(x);
  return e / (1 + e);
}

static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

static double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  return a >= b ? a : b;
}

static double minimum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  return a <= b ? a : b;
}

/// log(exp(a) + exp(b)); equal operands apart, since inf - inf is no number.
static double logaddexp(double a, double b) {
  if (a == b)
    return a + std::log(2.0);
  return maximum(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}

static double modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest == 0)
    return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

//===--- 32-bit integers --------------------------------------------------===//

static int64_t whole(double x) {
  return std::fabs(x) < 9e18 ? static_cast<int64_t>(x) : 0;
}

static double wrapped(uint64_t x) {
  return static_cast<int32_t>(static_cast<uint32_t>(x));
}

static uint64_t bitsOf(double x) { return static_cast<uint64_t>(whole(x)); }

static double addIntegers(double a, double b) {
  return wrapped(bitsOf(a) + bitsOf(b));
}

static double subtractIntegers(double a, double b) {
  return wrapped(bitsOf(a) - bitsOf(b));
}

static double multiplyIntegers(double a, double b) {
  return wrapped(bitsOf(a) * bitsOf(b));
}

static double moduloIntegers(double a, double b) {
  int64_t dividend = whole(a), divisor = whole(b);
  if (divisor == 0 || divisor == -1)
    return 0;
  int64_t rest = dividend % divisor;
  if (rest != 0 && (rest < 0) != (divisor < 0))
    rest += divisor;
  return wrapped(static_cast<uint64_t>(rest));
}

//===--- Tables -----------------------------------------------------------===//

UnaryFunction unaryFunction(MapOp op, Expr::Scalar scalar) {
  bool integer = scalar == Expr::Scalar::Integer;
  switch (op) {
  case MapOp::Neg:
    if (integer)
      return [](double x) { return subtractIntegers(0, x); };
    return [](double x) { return -x; };
  case MapOp::Exp:
    return [](double x) { return std::exp(x); };
  case MapOp::Log:
    return [](double x) { return std::log(x); };
  case MapOp::Log1p:
    return [](double x) { return std::log1p(x); };
  case MapOp::Expm1:
    return [](double x) { return std::expm1(x); };
  case MapOp::Sqrt:
    return [](double x) { return std::sqrt(x); };
  case MapOp::Rsqrt:
    return [](double x) { return 1 / std::sqrt(x); };
  case MapOp::Abs:
    return [](double x) { return std::fabs(x); };
  case MapOp::Sign:
    return sign;
  case MapOp::Sigmoid:
    return sigmoid;
  case MapOp::Softplus:
    return softplus;
  case MapOp::Tanh:
    return [](double x) { return std::tanh(x); };
  case MapOp::Sin:
    return [](double x) { return std::sin(x); };
  case MapOp::Cos:
    return [](double x) { return std::cos(x); };
  case MapOp::Erf:
    return [](double x) { return std::erf(x); };
  case MapOp::Floor:
    return [](double x) { return std::floor(x); };
  case MapOp::Round:
    return [](double x) { return std::nearbyint(x); };
  case MapOp::Not:
    return [](double x) { return x == 0 ? 1.0 : 0.0; };
  default:
    assert(false && "no map with one operand");
    return nullptr;
  }
}

static BinaryFunction integerFunction(MapOp op) {
  switch (op) {
  case MapOp::Add:
    return addIntegers;
  case MapOp::Sub:
    return subtractIntegers;
  case MapOp::Mul:
    return multiplyIntegers;
  case MapOp::Mod:
    return moduloIntegers;
  default:
    return nullptr;
  }
}

static BinaryFunction conditionFunction(MapOp op) {
  switch (op) {
  case MapOp::Lt:
    return [](double a, double b) { return a < b ? 1.0 : 0.0; };
  case MapOp::Le:
    return [](double a, double b) { return a <= b ? 1.0 : 0.0; };
  case MapOp::Gt:
    return [](double a, double b) { return a > b ? 1.0 : 0.0; };
  case MapOp::Ge:
    return [](double a, double b) { return a >= b ? 1.0 : 0.0; };
  case MapOp::Eq:
    return [](double a, double b) { return a == b ? 1.0 : 0.0; };
  case MapOp::Ne:
    return [](double a, double b) { return a != b ? 1.0 : 0.0; };
  case MapOp::And:
    return [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; };
  case MapOp::Or:
    return [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; };
  default:
    return nullptr;
  }
}

BinaryFunction binaryFunction(MapOp op, Expr::Scalar scalar) {
  if (scalar == Expr::Scalar::Integer)
    if (BinaryFunction function = integerFunction(op))
      return function;
  switch (op) {
  case MapOp::Add:
    return [](double a, double b) { return a + b; };
  case MapOp::Sub:
    return [](double a, double b) { return a - b; };
  case MapOp::Mul:
    return [](double a, double b) { return a * b; };
  case MapOp::Div:
    return [](double a, double b) { return a / b; };
  case MapOp::Mod:
    return modulo;
  case MapOp::Pow:
    return [](double a, double b) { return std::pow(a, b); };
  case MapOp::Max:
    return maximum;
  case MapOp::Min:
    return minimum;
  case MapOp::Logaddexp:
    return logaddexp;
  default:
    BinaryFunction condition = conditionFunction(op);
    assert(condition && "no map with two operands");
    return condition;
  }
}

double reductionStart(ReduceOp op) {
  return op == ReduceOp::Max ? -infinity : 0;
}

double castTo(DType dtype, double x) {
  if (dtype != DType::I32)
    return roundTo(formatOf(dtype), x);
  if (std::isnan(x))
    return 0;
  return std::fmin(std::fmax(std::nearbyint(x), INT32_MIN), INT32_MAX);
}

int operandCount(MapOp op) {
  if (op == MapOp::Where)
    return 3;
  return op <= MapOp::Not ? 1 : 2;
}

} // namespace trowel::reference
