// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/FunctionTable.h"

#include "frontend/Sema/Ranges.h"

#include <cmath>

namespace trowel::sema {

using Args = std::vector<ExprPtr>;
using Reduced = BuiltinFunction::Reduced;
static const double infinity = std::numeric_limits<double>::infinity();

template <MapOp op>
static ExprPtr apply(const Builder &b, const Args &x, Location at) {
  return b.map(op, x, at);
}

static ExprPtr constant(const Builder &b, double value, Location at) {
  return b.number(value, at, value == std::floor(value));
}

static ExprPtr clamp(const Builder &b, const Args &x, Location at) {
  return b.map(MapOp::Min, {b.map(MapOp::Max, {x[0], x[1]}, at), x[2]}, at);
}

static ExprPtr silu(const Builder &b, const Args &x, Location at) {
  ExprPtr gate = b.map(MapOp::Sigmoid, x, at);
  return b.bounded(b.map(MapOp::Mul, {x[0], gate}, at),
                   closed(-0.2785, infinity));
}

/// The zero comes first, so that a tie has no gradient.
static ExprPtr relu(const Builder &b, const Args &x, Location at) {
  return b.map(MapOp::Max, {constant(b, 0, at), x[0]}, at);
}

/// x / 2 * (1 + erf(x / sqrt(2))).
static ExprPtr gelu(const Builder &b, const Args &x, Location at) {
  ExprPtr scaled =
      b.map(MapOp::Mul, {x[0], constant(b, std::sqrt(0.5), at)}, at);
  ExprPtr gate = b.map(
      MapOp::Add, {constant(b, 1, at), b.map(MapOp::Erf, {scaled}, at)}, at);
  ExprPtr half = b.map(MapOp::Mul, {x[0], constant(b, 0.5, at)}, at);
  return b.bounded(b.map(MapOp::Mul, {half, gate}, at),
                   closed(-0.17, infinity));
}

static ExprPtr elu(const Builder &b, const Args &x, Location at) {
  ExprPtr zero = constant(b, 0, at);
  ExprPtr below =
      b.map(MapOp::Expm1, {b.map(MapOp::Min, {x[0], zero}, at)}, at);
  ExprPtr isAbove = b.map(MapOp::Gt, {x[0], zero}, at);
  return b.bounded(b.map(MapOp::Where, {isAbove, x[0], below}, at),
                   closed(-1, infinity));
}

static ExprPtr logsigmoid(const Builder &b, const Args &x, Location at) {
  ExprPtr negative = b.map(MapOp::Neg, x, at);
  return b.map(MapOp::Neg, {b.map(MapOp::Softplus, {negative}, at)}, at);
}

static ExprPtr sum(const Builder &b, const Reduced &r) {
  return b.reduce(ReduceOp::Sum, r.x, r.over, r.at);
}

static ExprPtr mean(const Builder &b, const Reduced &r) {
  return b.map(MapOp::Div, {sum(b, r), constant(b, r.count, r.at)}, r.at);
}

static ExprPtr largest(const Builder &b, const Reduced &r) {
  return b.reduce(ReduceOp::Max, r.x, r.over, r.at);
}

static ExprPtr sumOfSquares(const Builder &b, const Reduced &r) {
  ExprPtr square = b.map(MapOp::Mul, {r.x, r.x}, r.at);
  return b.reduce(ReduceOp::Sum, square, r.over, r.at);
}

/// sqrt(sum(x^2)), written so that the gradient at the kink is zero. Of a
/// scalar it is the absolute value.
static ExprPtr norm(const Builder &b, const Reduced &r) {
  if (r.over.empty())
    return b.map(MapOp::Abs, {r.x}, r.at);
  ExprPtr sum = sumOfSquares(b, r), zero = constant(b, 0, r.at);
  ExprPtr isZero = b.map(MapOp::Eq, {sum, zero}, r.at);
  ExprPtr inside =
      b.map(MapOp::Where, {isZero, constant(b, 1, r.at), sum}, r.at);
  ExprPtr root = b.map(MapOp::Sqrt, {inside}, r.at);
  return b.map(MapOp::Where, {isZero, zero, root}, r.at);
}

/// x / sqrt(sum(x^2) / divisor + eps).
static ExprPtr scaledToLength(const Builder &b, const Reduced &r,
                              double divisor) {
  ExprPtr sum = sumOfSquares(b, r);
  if (divisor != 1)
    sum = b.map(MapOp::Div, {sum, constant(b, divisor, r.at)}, r.at);
  ExprPtr safe = b.map(MapOp::Add, {sum, constant(b, r.epsilon, r.at)}, r.at);
  ExprPtr length = b.map(MapOp::Sqrt, {safe}, r.at);
  double bound = std::sqrt(divisor) * (divisor == 1 ? 1 : 1.0001);
  return b.bounded(b.map(MapOp::Div, {r.x, length}, r.at),
                   closed(-bound, bound));
}

static ExprPtr normalize(const Builder &b, const Reduced &r) {
  return scaledToLength(b, r, 1);
}

static ExprPtr rmsnorm(const Builder &b, const Reduced &r) {
  return scaledToLength(b, r, r.count);
}

/// The maximum is subtracted first; it cancels, so it needs no gradient.
static ExprPtr softmax(const Builder &b, const Reduced &r) {
  ExprPtr top = b.stop(largest(b, r), r.at);
  ExprPtr weight =
      b.map(MapOp::Exp, {b.map(MapOp::Sub, {r.x, top}, r.at)}, r.at);
  weight = b.bounded(weight, closed(0, 1));
  ExprPtr total = b.reduce(ReduceOp::Sum, weight, r.over, r.at);
  return b.bounded(b.map(MapOp::Div, {weight, total}, r.at), closed(0, 1));
}

const std::vector<BuiltinFunction> &builtinFunctions() {
  using Form = BuiltinFunction::Form;
  static const std::vector<BuiltinFunction> table = {
      {"exp", Form::Elementwise, 1, apply<MapOp::Exp>},
      {"log", Form::Elementwise, 1, apply<MapOp::Log>},
      {"log1p", Form::Elementwise, 1, apply<MapOp::Log1p>},
      {"expm1", Form::Elementwise, 1, apply<MapOp::Expm1>},
      {"sqrt", Form::Elementwise, 1, apply<MapOp::Sqrt>},
      {"rsqrt", Form::Elementwise, 1, apply<MapOp::Rsqrt>},
      {"abs", Form::Elementwise, 1, apply<MapOp::Abs>},
      {"sign", Form::Elementwise, 1, apply<MapOp::Sign>},
      {"sigmoid", Form::Elementwise, 1, apply<MapOp::Sigmoid>},
      {"softplus", Form::Elementwise, 1, apply<MapOp::Softplus>},
      {"tanh", Form::Elementwise, 1, apply<MapOp::Tanh>},
      {"sin", Form::Elementwise, 1, apply<MapOp::Sin>},
      {"cos", Form::Elementwise, 1, apply<MapOp::Cos>},
      {"floor", Form::Elementwise, 1, apply<MapOp::Floor>},
      {"round", Form::Elementwise, 1, apply<MapOp::Round>},
      {"min", Form::Elementwise, 2, apply<MapOp::Min>},
      {"logaddexp", Form::Elementwise, 2, apply<MapOp::Logaddexp>},
      {"clamp", Form::Elementwise, 3, clamp},
      {"silu", Form::Elementwise, 1, silu},
      {"relu", Form::Elementwise, 1, relu},
      {"gelu", Form::Elementwise, 1, gelu},
      {"elu", Form::Elementwise, 1, elu},
      {"logsigmoid", Form::Elementwise, 1, logsigmoid},
      {"max", Form::Either, 2, apply<MapOp::Max>, largest},
      {"sum", Form::Reduction, 1, nullptr, sum},
      {"mean", Form::Reduction, 1, nullptr, mean},
      {"norm", Form::Reduction, 1, nullptr, norm},
      {"softmax", Form::Reduction, 1, nullptr, softmax},
      {"rmsnorm", Form::Reduction, 1, nullptr, rmsnorm, true},
      {"normalize", Form::Reduction, 1, nullptr, normalize, true},
      {"where", Form::Special, 3},
      {"stop", Form::Special, 1},
      {"prefix_sum", Form::Special, 1},
      {"stale", Form::Unsupported, 2},
      {"solve", Form::Unsupported, 2},
      {"diag", Form::Unsupported, 1},
      {"attend", Form::Unsupported, 2},
      {"logsumexp", Form::Unsupported, 1},
      {"topk", Form::Unsupported, 2},
      {"debug", Form::Statement, 1},
  };
  return table;
}

const BuiltinFunction *builtinNamed(const std::string &name) {
  for (const BuiltinFunction &function : builtinFunctions())
    if (function.name == name)
      return &function;
  return nullptr;
}

} // namespace trowel::sema
