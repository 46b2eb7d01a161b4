// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Delays: `x[t - 1]`, an input or a `let` as it was tokens ago.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"

#include <cmath>

namespace trowel::sema {

bool Checker::mentionsPosition(const syntax::Expr &expr) const {
  if (expr.kind == syntax::Expr::Kind::Reference && expr.name.text == "t")
    return true;
  for (const syntax::ExprPtr &operand : expr.operands)
    if (operand && mentionsPosition(*operand))
      return true;
  return false;
}

/// How many tokens back `t - n` points; reports what is no such thing.
std::optional<int64_t> Checker::delayOf(const syntax::Expr &index) {
  using Kind = syntax::Expr::Kind;
  if (index.kind == Kind::Reference && index.name.text == "t" &&
      index.pickers.empty())
    return 0;
  bool isSum = index.kind == Kind::Binary && index.operands.size() == 2 &&
               index.operands[0] && index.operands[1] &&
               (index.op == "+" || index.op == "-");
  bool isFirst = isSum && mentionsPosition(*index.operands[0]);
  bool isSecond = isSum && mentionsPosition(*index.operands[1]);
  if (!isSum || isFirst == isSecond || (isSecond && index.op == "-")) {
    error(index.location, quote(index) + " is no earlier token",
          "a delay is `t - n` with a constant n");
    return std::nullopt;
  }
  auto base = delayOf(*index.operands[isFirst ? 0 : 1]);
  if (!base)
    return std::nullopt;
  auto amount = wholeConstant(index.operands[isFirst ? 1 : 0].get(), "a delay");
  if (!amount)
    return std::nullopt;
  return index.op == "-" ? *base + *amount : *base - *amount;
}

/// `x` as it was: an input or let, or one position or another naming of it.
/// Null for everything else.
ExprPtr Checker::delayed(const ExprPtr &x, int amount, Location at) {
  auto again = [&]() { return delayed(x->operands[0], amount, at); };
  switch (x->kind) {
  case Expr::Kind::Input:
  case Expr::Kind::Let:
    return build.delay(x, amount, at);
  case Expr::Kind::Delay:
    return build.delay(x->operands[0], x->amount + amount, at);
  case Expr::Kind::Pick:
    return build.pick(again(), x->from, x->index, at);
  case Expr::Kind::Rename:
    return build.rename(again(), x->from, x->to, at);
  case Expr::Kind::Repeat:
    return build.repeat(again(), x->from, x->to, at);
  case Expr::Kind::Map: {
    // A scaled input; other products are not delayed.
    const Expr *scale =
        x->operands.size() == 2 ? x->operands[1].get() : nullptr;
    while (scale && !scale->operands.empty())
      scale = scale->operands[0].get();
    bool isScaled = x->mapOp == MapOp::Mul && scale &&
                    scale->kind == Expr::Kind::Input &&
                    program.inputs[scale->index].scales >= 0;
    if (!isScaled)
      return nullptr;
    return build.map(MapOp::Mul, {again(), delayed(x->operands[1], amount, at)},
                     at);
  }
  default:
    return nullptr;
  }
}

void Checker::refuseDelay(const syntax::Expr &expr) {
  const Symbol *symbol = find(expr.name.text);
  std::string what = symbol ? describe(*symbol) : "no input or `let`";
  std::string help = "name the value first, `let x = …`, and delay `x`";
  if (symbol && symbol->kind == Symbol::Kind::State)
    help = "above its updates a state has the value that the token before "
           "left; for older ones name it: `let x = " +
           expr.name.text + "`, then `x[t - 1]`";
  else if (symbol && symbol->kind == Symbol::Kind::Param)
    help = "a param does not change from token to token: leave the delay out";
  else if (symbol && symbol->kind == Symbol::Kind::Axis)
    help = "a size does not change from token to token";
  error(expr.location,
        quote(expr.name.text) + " is " + what +
            "; only inputs and `let`s can be delayed",
        help);
}

ExprPtr Checker::applyDelay(ExprPtr x, const syntax::Expr &expr,
                            const syntax::Picker &picker) {
  constexpr int64_t longest = int64_t(1) << 16;
  const syntax::Expr &index = *picker.values[0];
  auto amount = delayOf(index);
  if (!amount || *amount == 0)
    return amount ? x : nullptr;
  if (*amount < 0) {
    error(index.location, quote(expr) + " reads the future",
          "a token knows itself and earlier ones: `t - n`");
    return nullptr;
  }
  if (*amount > longest) {
    error(index.location,
          "a delay of " + std::to_string(*amount) + " tokens is too long",
          "at most " + std::to_string(longest));
    return nullptr;
  }
  const Symbol *symbol = find(expr.name.text);
  bool isOutput = symbol && symbol->kind == Symbol::Kind::Output;
  if (x->scalar == Expr::Scalar::Boolean) {
    error(expr.location, "a condition cannot be delayed",
          "delay a number: `let x = where(" + expr.name.text + ", 1, 0)`");
    return nullptr;
  }
  ExprPtr value =
      isOutput ? nullptr : delayed(x, static_cast<int>(*amount), expr.location);
  if (!value)
    refuseDelay(expr);
  return value;
}

} // namespace trowel::sema
