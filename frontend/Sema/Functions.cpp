// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `fn name[A](x, y) = e`: macros over values that see their parameters only.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Names.h"
#include "frontend/Sema/Print.h"

#include <algorithm>

namespace trowel::sema {

const syntax::Function *Checker::functionNamed(const std::string &name) const {
  for (const syntax::Function &function : file.functions)
    if (function.name.text == name)
      return &function;
  return nullptr;
}

/// Names of `fn`s: reserved words and the same name twice.
void Checker::checkFunctions() {
  for (const syntax::Function &function : file.functions) {
    refuseReserved(function.name);
    const syntax::Function *first = functionNamed(function.name.text);
    if (first == &function)
      continue;
    Diagnostic &diagnostic =
        error(function.name.location,
              quote(function.name.text) + " is declared already",
              "give one of them another name");
    note(diagnostic, first->name.location, "it was declared here");
  }
}

static std::string count(size_t number, const char *one, const char *more) {
  return std::to_string(number) + " " + (number == 1 ? one : more);
}

static std::string signature(const syntax::Function &function) {
  auto list = [](const std::vector<syntax::Name> &names) {
    std::string text;
    for (const syntax::Name &name : names)
      text += (text.empty() ? "" : ", ") + name.text;
    return text;
  };
  std::string axes =
      function.axes.empty() ? "" : "[" + list(function.axes) + "]";
  return function.name.text + axes + "(" + list(function.parameters) + ")";
}

/// Fills `scope` with the axes and values of this call.
bool Checker::bindFunction(const syntax::Function &function,
                           const syntax::Expr &expr, Scope &scope) {
  bool isRight = takesNoNames(expr);
  if (expr.axes.size() != function.axes.size() ||
      expr.arguments.size() != function.parameters.size()) {
    Diagnostic &diagnostic =
        error(expr.location,
              quote(expr.name.text) + " takes " +
                  count(function.axes.size(), "axis", "axes") + " and " +
                  count(function.parameters.size(), "value", "values") +
                  ", not " + std::to_string(expr.axes.size()) + " and " +
                  std::to_string(expr.arguments.size()),
              "it is called as " + quote(signature(function)));
    note(diagnostic, function.name.location, "it is declared here");
    isRight = false;
  }
  for (size_t i = 0; i < expr.axes.size(); ++i) {
    auto axis = axisNamed(expr.axes[i]);
    isRight &= axis.has_value();
    if (!axis || i >= function.axes.size())
      continue;
    Symbol symbol;
    symbol.kind = Symbol::Kind::Axis;
    symbol.index = *axis;
    symbol.location = function.axes[i].location;
    scope.names[function.axes[i].text] = symbol;
  }
  for (size_t i = 0; i < expr.arguments.size(); ++i) {
    ExprPtr value = check(expr.arguments[i].value.get());
    isRight &= value != nullptr;
    if (!value || i >= function.parameters.size())
      continue;
    Symbol symbol;
    symbol.kind = Symbol::Kind::Parameter;
    symbol.value = value;
    symbol.location = function.parameters[i].location;
    scope.names[function.parameters[i].text] = symbol;
  }
  return isRight;
}

ExprPtr Checker::callFunction(const syntax::Function &function,
                              const syntax::Expr &expr) {
  bool isActive =
      std::any_of(frames.begin(), frames.end(), [&](const Frame &frame) {
        return frame.function == &function;
      });
  if (isActive) {
    error(expr.location, quote(function.name.text) + " calls itself",
          "a `fn` is written out where it is called, so it cannot recur");
    return nullptr;
  }
  Scope scope;
  scope.isOpaque = true;
  if (!bindFunction(function, expr, scope))
    return nullptr;
  for (const std::vector<syntax::Name> *names :
       {&function.axes, &function.parameters})
    for (const syntax::Name &name : *names)
      if (refuseReserved(name))
        return nullptr;
  scopes.push_back(std::move(scope));
  frames.push_back({&function, expr.location});
  ExprPtr value = check(function.body.get());
  frames.pop_back();
  scopes.pop_back();
  return value;
}

} // namespace trowel::sema
