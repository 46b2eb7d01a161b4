// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expressions: numbers, signs, comparisons, logic, constants.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"

#include <cmath>

namespace trowel::sema {

using Kind = syntax::Expr::Kind;

/// Checks an expression and remembers where it came from.
ExprPtr Checker::check(const syntax::Expr *expr) {
  constexpr int deepest = 400, tallest = 2000;
  constexpr int64_t mostSteps = 200000;
  if (!expr || steps > mostSteps)
    return nullptr;
  if (++steps > mostSteps) {
    error(frames.empty() ? expr->location : frames[0].call,
          "the program is too large once its loops and `fn`s are written out");
    return nullptr;
  }
  if (depth >= deepest) {
    error(expr->location, "the expression is nested too deeply",
          "name a part of it with `let`");
    return nullptr;
  }
  ++depth;
  ExprPtr value = checkBare(*expr);
  --depth;
  if (value && value->height > tallest) {
    error(frames.empty() ? expr->location : frames[0].call,
          "the expression is nested too deeply once its loops and `fn`s are "
          "written out",
          "name a part of it with `let`");
    return nullptr;
  }
  if (value)
    sources.emplace(value, expr);
  if (isNumber(value) && std::isnan(value->number) && !hasNaN) {
    hasNaN = true;
    warning(expr->location, quote(*expr) + " is not a number",
            "the constant is NaN by the rules of IEEE 754");
  }
  return value;
}

ExprPtr Checker::checkBare(const syntax::Expr &expr) {
  switch (expr.kind) {
  case Kind::Number:
    return build.number(expr.number, expr.location,
                        expr.isInteger && expr.number <= 2147483647.0);
  case Kind::Reference:
    return checkReference(expr);
  case Kind::Unary:
    return checkUnary(expr);
  case Kind::Binary:
    return checkBinary(expr);
  case Kind::Compare:
    return checkCompare(expr);
  case Kind::Call:
    return checkCall(expr);
  case Kind::History:
    return checkHistory(expr);
  }
  return nullptr;
}

ExprPtr Checker::checkArithmetic(const syntax::Expr *expr) {
  return expr ? arithmetic(check(expr), *expr) : nullptr;
}

ExprPtr Checker::withoutPlainAxes(ExprPtr x, const syntax::Expr &source) {
  if (!x)
    return nullptr;
  for (AxisId axis : x->axes) {
    if (!program.axes[axis].isPlainNumber)
      continue;
    std::string size = std::to_string(program.axes[axis].size);
    std::string help = "pick one along it with a constant index";
    if (source.kind == Kind::Reference)
      help += ": " + quote(print(source) + "[0]") + " to " +
              quote(print(source) + "[" +
                    std::to_string(program.axes[axis].size - 1) + "]");
    error(source.location,
          quote(source) + " still has a plain-number axis, of size " + size,
          help);
    return nullptr;
  }
  return x;
}

ExprPtr Checker::arithmetic(ExprPtr x, const syntax::Expr &source) {
  if (x && x->scalar == Expr::Scalar::Boolean) {
    error(source.location, quote(source) + " is a condition, not a number",
          "to make a number of it write " +
              quote("where(" + printBare(source) + ", 1, 0)"));
    return nullptr;
  }
  return withoutPlainAxes(std::move(x), source);
}

ExprPtr Checker::condition(ExprPtr x, const syntax::Expr &source) {
  if (!x || x->scalar == Expr::Scalar::Boolean)
    return withoutPlainAxes(std::move(x), source);
  error(source.location, quote(source) + " is a number, not a condition",
        "compare it: " + quote(print(source) + " != 0"));
  return nullptr;
}

ExprPtr Checker::checkUnary(const syntax::Expr &expr) {
  if (expr.operands.empty() || !expr.operands[0])
    return nullptr;
  const syntax::Expr &operand = *expr.operands[0];
  ExprPtr x = check(&operand);
  bool isNot = expr.op == "not";
  x = isNot ? condition(x, operand) : arithmetic(x, operand);
  return build.map(isNot ? MapOp::Not : MapOp::Neg, {x}, expr.location);
}

ExprPtr Checker::checkBinary(const syntax::Expr &expr) {
  if (expr.operands.size() != 2 || !expr.operands[0] || !expr.operands[1])
    return nullptr;
  if (expr.op == "+" || expr.op == "-")
    return checkChain(expr, false);
  if (expr.op != "^" && expr.op != "and" && expr.op != "or")
    return checkChain(expr, true);
  ExprPtr a = check(expr.operands[0].get());
  ExprPtr b = check(expr.operands[1].get());
  if (expr.op == "^") {
    a = arithmetic(a, *expr.operands[0]);
    b = arithmetic(b, *expr.operands[1]);
    return build.power(a, b, expr.location);
  }
  a = condition(a, *expr.operands[0]);
  b = condition(b, *expr.operands[1]);
  return build.map(expr.op == "and" ? MapOp::And : MapOp::Or, {a, b},
                   expr.location);
}

static MapOp comparison(const std::string &op) {
  if (op == "<")
    return MapOp::Lt;
  if (op == "<=")
    return MapOp::Le;
  if (op == ">")
    return MapOp::Gt;
  if (op == ">=")
    return MapOp::Ge;
  return op == "==" ? MapOp::Eq : MapOp::Ne;
}

/// `a < b <= c` is `a < b and b <= c`.
ExprPtr Checker::checkCompare(const syntax::Expr &expr) {
  std::vector<ExprPtr> values;
  bool isRight = expr.operands.size() == expr.ops.size() + 1;
  for (const syntax::ExprPtr &operand : expr.operands) {
    values.push_back(checkArithmetic(operand.get()));
    isRight &= values.back() != nullptr;
  }
  if (!isRight)
    return nullptr;
  ExprPtr result;
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    ExprPtr link = build.map(comparison(expr.ops[i]),
                             {values[i], values[i + 1]}, expr.location);
    result =
        result ? build.map(MapOp::And, {result, link}, expr.location) : link;
  }
  return result;
}

std::optional<double> Checker::constant(const syntax::Expr *expr,
                                        const std::string &what) {
  ExprPtr value = checkArithmetic(expr);
  if (!value)
    return std::nullopt;
  if (isNumber(value) && !std::isnan(value->number))
    return value->number;
  error(expr->location,
        what + " is a constant, but " + quote(*expr) +
            (isNumber(value) ? " is no number" : " is known at run time only"));
  return std::nullopt;
}

std::optional<int64_t> Checker::wholeConstant(const syntax::Expr *expr,
                                              const std::string &what) {
  auto value = constant(expr, what);
  if (!value)
    return std::nullopt;
  if (*value == std::floor(*value) && std::abs(*value) <= 1e9)
    return static_cast<int64_t>(*value);
  error(expr->location,
        what + " is a whole number, not " + printNumber(*value));
  return std::nullopt;
}

} // namespace trowel::sema
