// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Reference/MapFunctions.h"

#include "dialect/Reference/Rounding.h"

#include "llvm/Support/ErrorHandling.h"

#include <cmath>

namespace trowel::interpreter {

using rec::DTypeKind;
using rec::MapKind;

//===----------------------------------------------------------------------===//
// Reals
//===----------------------------------------------------------------------===//

static double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

static double softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

static double logaddexp(double a, double b) {
  if (a == b) // the difference of equal infinities is no number
    return a + std::log(2.0);
  double larger = a > b ? a : b;
  return larger + std::log1p(std::exp(-std::fabs(a - b)));
}

/// The rest has the divisor's sign.
static double modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest == 0)
    return std::copysign(0.0, b);
  return (rest > 0) == (b > 0) ? rest : rest + b;
}

static MapFunction unaryFunction(MapKind kind) {
#define FUNCTION(expression)                                                   \
  return [](double x, double, double) -> double { return expression; }
  switch (kind) {
  case MapKind::Neg:
    FUNCTION(-x);
  case MapKind::Exp:
    FUNCTION(std::exp(x));
  case MapKind::Log:
    FUNCTION(std::log(x));
  case MapKind::Log1p:
    FUNCTION(std::log1p(x));
  case MapKind::Expm1:
    FUNCTION(std::expm1(x));
  case MapKind::Sqrt:
    FUNCTION(std::sqrt(x));
  case MapKind::Rsqrt:
    FUNCTION(1 / std::sqrt(x));
  case MapKind::Abs:
    FUNCTION(std::fabs(x));
  case MapKind::Sign:
    FUNCTION(x > 0 ? 1 : x < 0 ? -1 : x);
  case MapKind::Sigmoid:
    FUNCTION(sigmoid(x));
  case MapKind::Softplus:
    FUNCTION(softplus(x));
  case MapKind::Tanh:
    FUNCTION(std::tanh(x));
  case MapKind::Sin:
    FUNCTION(std::sin(x));
  case MapKind::Cos:
    FUNCTION(std::cos(x));
  case MapKind::Erf:
    FUNCTION(std::erf(x));
  case MapKind::Floor:
    FUNCTION(std::floor(x));
  case MapKind::Round:
    FUNCTION(std::nearbyint(x));
  case MapKind::Not:
    FUNCTION(x == 0);
  case MapKind::ToReal:
    FUNCTION(x);
  default:
    return nullptr;
  }
#undef FUNCTION
}

static MapFunction binaryFunction(MapKind kind) {
#define FUNCTION(expression)                                                   \
  return [](double a, double b, double) -> double { return expression; }
  switch (kind) {
  case MapKind::Add:
    FUNCTION(a + b);
  case MapKind::Sub:
    FUNCTION(a - b);
  case MapKind::Mul:
    FUNCTION(a * b);
  case MapKind::Div:
    FUNCTION(a / b);
  case MapKind::Mod:
    FUNCTION(modulo(a, b));
  case MapKind::Pow:
    FUNCTION(std::pow(a, b));
  case MapKind::Max:
    FUNCTION(std::isnan(a) || a >= b ? a : b);
  case MapKind::Min:
    FUNCTION(std::isnan(a) || a <= b ? a : b);
  case MapKind::Logaddexp:
    FUNCTION(logaddexp(a, b));
  case MapKind::Lt:
    FUNCTION(a < b);
  case MapKind::Le:
    FUNCTION(a <= b);
  case MapKind::Gt:
    FUNCTION(a > b);
  case MapKind::Ge:
    FUNCTION(a >= b);
  case MapKind::Eq:
    FUNCTION(a == b);
  case MapKind::Ne:
    FUNCTION(a != b);
  case MapKind::And:
    FUNCTION(a != 0 && b != 0);
  case MapKind::Or:
    FUNCTION(a != 0 || b != 0);
  default:
    return nullptr;
  }
#undef FUNCTION
}

//===----------------------------------------------------------------------===//
// 32-bit integers
//===----------------------------------------------------------------------===//

/// The whole number; absent rows hold NaN, which is as good as 0.
static int64_t whole(double x) {
  return std::fabs(x) < 9e18 ? static_cast<int64_t>(x) : 0;
}

static double wrap(int64_t x) {
  return static_cast<int32_t>(static_cast<uint32_t>(x));
}

static double integerModulo(double a, double b) {
  int64_t divisor = whole(b);
  if (divisor == 0)
    return 0;
  int64_t rest = whole(a) % divisor;
  return wrap(rest != 0 && (rest < 0) != (divisor < 0) ? rest + divisor : rest);
}

static MapFunction integerFunction(MapKind kind) {
  switch (kind) {
  case MapKind::Neg:
    return [](double a, double, double) { return wrap(-whole(a)); };
  case MapKind::Add:
    return [](double a, double b, double) { return wrap(whole(a) + whole(b)); };
  case MapKind::Sub:
    return [](double a, double b, double) { return wrap(whole(a) - whole(b)); };
  case MapKind::Mul:
    return [](double a, double b, double) { return wrap(whole(a) * whole(b)); };
  case MapKind::Mod:
    return [](double a, double b, double) { return integerModulo(a, b); };
  default:
    return nullptr;
  }
}

MapFunction mapFunction(MapKind kind, bool isInteger) {
  if (kind == MapKind::Where)
    return [](double condition, double a, double b) {
      return condition != 0 ? a : b;
    };
  if (isInteger)
    if (MapFunction function = integerFunction(kind))
      return function;
  MapFunction function = unaryFunction(kind);
  return function ? function : binaryFunction(kind);
}

double castTo(DTypeKind dtype, double x) {
  switch (dtype) {
  case DTypeKind::F32:
    return roundTo(formats::f32, x);
  case DTypeKind::TF32:
    return roundTo(formats::tf32, x);
  case DTypeKind::BF16:
    return roundTo(formats::bf16, x);
  case DTypeKind::F16:
    return roundTo(formats::f16, x);
  case DTypeKind::E4M3:
    return roundTo(formats::e4m3, x);
  case DTypeKind::E5M2:
    return roundTo(formats::e5m2, x);
  case DTypeKind::I32:
    return std::isnan(x)
               ? 0
               : std::fmin(std::fmax(std::nearbyint(x), INT32_MIN), INT32_MAX);
  }
  llvm_unreachable("no such type");
}

} // namespace trowel::interpreter
