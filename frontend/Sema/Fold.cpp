// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Fold.h"

#include <algorithm>
#include <cmath>

namespace trowel::sema {

static double softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

static double function(MapOp op, double x) {
  switch (op) {
  case MapOp::Neg:
    return -x;
  case MapOp::Exp:
    return std::exp(x);
  case MapOp::Log:
    return std::log(x);
  case MapOp::Log1p:
    return std::log1p(x);
  case MapOp::Expm1:
    return std::expm1(x);
  case MapOp::Sqrt:
    return std::sqrt(x);
  case MapOp::Rsqrt:
    return 1 / std::sqrt(x);
  case MapOp::Abs:
    return std::abs(x);
  case MapOp::Sign:
    return std::isnan(x) ? x : (x > 0) - (x < 0);
  case MapOp::Sigmoid:
    return 1 / (1 + std::exp(-x));
  case MapOp::Softplus:
    return softplus(x);
  case MapOp::Tanh:
    return std::tanh(x);
  case MapOp::Sin:
    return std::sin(x);
  case MapOp::Cos:
    return std::cos(x);
  case MapOp::Erf:
    return std::erf(x);
  case MapOp::Floor:
    return std::floor(x);
  case MapOp::Round:
    return std::nearbyint(x);
  default:
    return x == 0; // Not
  }
}

static double modulo(double a, double b) {
  double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static double logaddexp(double a, double b) {
  double high = std::max(a, b), low = std::min(a, b);
  return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
}

static double operation(MapOp op, double a, double b) {
  switch (op) {
  case MapOp::Add:
    return a + b;
  case MapOp::Sub:
    return a - b;
  case MapOp::Mul:
    return a * b;
  case MapOp::Div:
    return a / b;
  case MapOp::Mod:
    return modulo(a, b);
  case MapOp::Pow:
    return std::pow(a, b);
  case MapOp::Max:
    return std::isnan(b) || a < b ? b : a;
  case MapOp::Min:
    return std::isnan(b) || a > b ? b : a;
  case MapOp::Logaddexp:
    return logaddexp(a, b);
  case MapOp::Lt:
    return a < b;
  case MapOp::Le:
    return a <= b;
  case MapOp::Gt:
    return a > b;
  case MapOp::Ge:
    return a >= b;
  case MapOp::Eq:
    return a == b;
  case MapOp::Ne:
    return a != b;
  case MapOp::And:
    return a != 0 && b != 0;
  default:
    return a != 0 || b != 0; // Or
  }
}

/// Operations that make whole numbers of whole numbers.
static bool keepsWhole(MapOp op) {
  switch (op) {
  case MapOp::Neg:
  case MapOp::Abs:
  case MapOp::Sign:
  case MapOp::Add:
  case MapOp::Sub:
  case MapOp::Mul:
  case MapOp::Mod:
  case MapOp::Pow:
  case MapOp::Max:
  case MapOp::Min:
    return true;
  default:
    return false;
  }
}

static bool isCondition(MapOp op) {
  return (op >= MapOp::Lt && op <= MapOp::Or) || op == MapOp::Not;
}

static ExprPtr foldWhere(const std::vector<ExprPtr> &operands) {
  if (!isNumber(operands[0]))
    return nullptr;
  const ExprPtr &taken = operands[operands[0]->number != 0 ? 1 : 2];
  const ExprPtr &other = operands[operands[0]->number != 0 ? 2 : 1];
  bool hasAll = unite(taken->axes, other->axes) == taken->axes;
  bool hasKind = taken->scalar == other->scalar || isNumber(other);
  return hasAll && hasKind && taken->sharing >= other->sharing ? taken
                                                               : nullptr;
}

ExprPtr fold(const Builder &build, MapOp op,
             const std::vector<ExprPtr> &operands, Location at) {
  if (op == MapOp::Where)
    return foldWhere(operands);
  bool isWhole = keepsWhole(op);
  for (const ExprPtr &operand : operands) {
    if (!isNumber(operand))
      return nullptr;
    isWhole &= operand->scalar == Expr::Scalar::Integer;
  }
  double value = operands.size() == 1
                     ? function(op, operands[0]->number)
                     : operation(op, operands[0]->number, operands[1]->number);
  if (isCondition(op)) {
    auto condition = std::make_shared<Expr>(*build.number(value, at));
    condition->scalar = Expr::Scalar::Boolean;
    return condition;
  }
  bool fits = std::abs(value) <= 2147483647.0 && value == std::floor(value);
  return build.number(value, at, isWhole && fits);
}

} // namespace trowel::sema
