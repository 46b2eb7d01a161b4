// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls: built-in functions by the table, casts, and what each takes.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/FunctionTable.h"
#include "frontend/Sema/Names.h"
#include "frontend/Sema/Print.h"
#include "frontend/Sema/Suggest.h"

namespace trowel::sema {

static std::string countOf(size_t count) {
  return std::to_string(count) + (count == 1 ? " argument" : " arguments");
}

bool Checker::takesArguments(const syntax::Expr &expr, size_t least,
                             size_t most) {
  size_t count = expr.arguments.size();
  if (count >= least && count <= most)
    return true;
  std::string wanted = least == most
                           ? countOf(least)
                           : std::to_string(least) + " or " + countOf(most);
  std::string help;
  bool isPair = most == 2 && count > 2 &&
                (expr.name.text == "max" || expr.name.text == "min");
  if (expr.name.text == "where")
    help = "`where(condition, a, b)`: a where the condition holds, else b";
  if (expr.name.text == "min" && count == 1)
    help = "only `max` reduces: the least element is `-max[…](-x)`";
  if (isPair)
    help =
        "nest them: `" + expr.name.text + "(a, " + expr.name.text + "(b, c))`";
  error(expr.location,
        quote(expr.name.text) + " takes " + wanted + ", not " +
            std::to_string(count),
        help);
  return false;
}

bool Checker::takesNoAxes(const syntax::Expr &expr) {
  if (expr.axes.empty())
    return true;
  error(expr.axes[0].location,
        quote(expr.name.text) + " works element by element and takes no axis",
        "write `" + expr.name.text + "(…)`");
  return false;
}

bool Checker::takesNoNames(const syntax::Expr &expr) {
  for (const syntax::Argument &argument : expr.arguments)
    if (!argument.name.text.empty()) {
      error(argument.name.location, quote(expr.name.text) +
                                        " has no argument named " +
                                        quote(argument.name.text));
      return false;
    }
  return true;
}

ExprPtr Checker::checkElementwise(const syntax::Expr &expr) {
  const BuiltinFunction &function = *builtinNamed(expr.name.text);
  bool isRight = takesNoAxes(expr) && takesNoNames(expr) &&
                 takesArguments(expr, function.arguments, function.arguments);
  std::vector<ExprPtr> arguments;
  for (const syntax::Argument &argument : expr.arguments) {
    arguments.push_back(checkArithmetic(argument.value.get()));
    isRight &= arguments.back() != nullptr;
  }
  return isRight ? function.elementwise(build, arguments, expr.location)
                 : nullptr;
}

ExprPtr Checker::checkWhere(const syntax::Expr &expr) {
  bool isRight =
      takesNoAxes(expr) && takesNoNames(expr) && takesArguments(expr, 3, 3);
  std::vector<ExprPtr> values;
  for (const syntax::Argument &argument : expr.arguments) {
    ExprPtr value = check(argument.value.get());
    if (value)
      value = values.empty() ? condition(value, *argument.value)
                             : arithmetic(value, *argument.value);
    values.push_back(value);
  }
  return isRight ? build.map(MapOp::Where, std::move(values), expr.location)
                 : nullptr;
}

ExprPtr Checker::checkCast(const syntax::Expr &expr, DType dtype) {
  if (!takesNoAxes(expr) || !takesNoNames(expr) || !takesArguments(expr, 1, 1))
    return nullptr;
  ExprPtr x = checkArithmetic(expr.arguments[0].value.get());
  return build.cast(x, dtype, expr.location);
}

/// `stop` and `prefix_sum`.
ExprPtr Checker::checkPassing(const syntax::Expr &expr) {
  if (!takesNoAxes(expr) || !takesNoNames(expr) || !takesArguments(expr, 1, 1))
    return nullptr;
  ExprPtr x = checkArithmetic(expr.arguments[0].value.get());
  return expr.name.text == "stop" ? build.stop(x, expr.location)
                                  : build.prefixSum(x, expr.location);
}

void Checker::refuseUnknownCall(const syntax::Expr &expr) {
  const std::string &name = expr.name.text;
  if (name.empty())
    return;
  if (const Symbol *symbol = find(name)) {
    if (symbol->kind == Symbol::Kind::Poison)
      return;
    error(expr.location,
          quote(name) + " is " + describe(*symbol) + ", not a function",
          "to multiply write `*` or `@`");
    return;
  }
  std::vector<std::string> names = functionNames();
  for (const syntax::Function &function : file.functions)
    names.push_back(function.name.text);
  std::string help = functionAdvice(name);
  std::string cast = dtypeAlias(name);
  if (help.empty() && !cast.empty())
    help = "did you mean the cast " + quote(cast + "(…)") + "?";
  if (help.empty())
    if (auto other = nearest(name, names))
      help = "did you mean " + quote(*other) + "?";
  if (help.empty())
    help = "a function of your own is `fn " + name + "(x) = …` at file level";
  Location at =
      expr.name.location.isKnown() ? expr.name.location : expr.location;
  error(at, "unknown function " + quote(name), help);
}

ExprPtr Checker::checkCall(const syntax::Expr &expr) {
  using Form = BuiltinFunction::Form;
  if (auto dtype = dtypeNamed(expr.name.text))
    return checkCast(expr, *dtype);
  if (const syntax::Function *function = functionNamed(expr.name.text))
    return callFunction(*function, expr);
  const BuiltinFunction *builtin = builtinNamed(expr.name.text);
  if (!builtin) {
    refuseUnknownCall(expr);
    return nullptr;
  }
  switch (builtin->form) {
  case Form::Elementwise:
    return checkElementwise(expr);
  case Form::Reduction:
    return checkReduction(expr);
  case Form::Either:
    return expr.arguments.size() > 1 ? checkElementwise(expr)
                                     : checkReduction(expr);
  case Form::Special:
    return builtin->name == "where" ? checkWhere(expr) : checkPassing(expr);
  case Form::Unsupported:
    error(expr.location, quote(builtin->name) + " is not supported yet");
    return nullptr;
  case Form::Statement:
    error(expr.location, quote(builtin->name) + " is a statement of its own",
          "write it on a line of its own");
    return nullptr;
  }
  return nullptr;
}

} // namespace trowel::sema
