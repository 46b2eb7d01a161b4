// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions: `sum[K](x)`, `softmax[M](x)`, `mean[heads](x)`.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/FunctionTable.h"
#include "frontend/Sema/Print.h"

namespace trowel::sema {

/// `eps = 1e-5`, the only named argument there is.
std::optional<double> Checker::readEpsilon(const syntax::Expr &expr) {
  const BuiltinFunction &function = *builtinNamed(expr.name.text);
  double epsilon = 1e-6;
  for (const syntax::Argument &argument : expr.arguments) {
    const std::string &name = argument.name.text;
    if (name.empty())
      continue;
    if (name != "eps" || !function.hasEpsilon) {
      error(argument.name.location,
            quote(expr.name.text) + " has no argument named " + quote(name),
            function.hasEpsilon ? "it takes `eps = 1e-6`" : "");
      return std::nullopt;
    }
    auto value = constant(argument.value.get(), "`eps`");
    if (value && *value < 0) {
      error(argument.value->location, "`eps` is negative");
      return std::nullopt;
    }
    if (!value)
      return std::nullopt;
    epsilon = *value;
  }
  return epsilon;
}

/// The axes in the brackets, or the only one that `x` has.
std::optional<Checker::ReducedAxes>
Checker::readReducedAxes(const syntax::Expr &expr, const ExprPtr &x) {
  ReducedAxes result;
  const std::string &name = expr.name.text;
  const syntax::Expr &source = *expr.arguments[0].value;
  for (const syntax::Name &axisName : expr.axes) {
    if (axisName.text == "heads" || axisName.text == "group") {
      result.heads =
          axisName.text == "heads" ? Sharing::Shared : Sharing::Grouped;
      continue;
    }
    auto axis = axisNamed(axisName);
    if (!axis)
      return std::nullopt;
    if (!contains(x->axes, *axis)) {
      // Inside a `fn` the axis has another name than outside.
      const std::string &real = program.axes[*axis].name;
      std::string called =
          real == axisName.text ? "" : " (" + real + " in this call)";
      error(axisName.location,
            quote(source) + " has " + printAxes(program, x->axes) +
                " and no axis " + quote(axisName.text) + called);
      return std::nullopt;
    }
    result.axes = unite(result.axes, {*axis});
  }
  if (!expr.axes.empty())
    return result;
  if (x->axes.size() == 1 || (x->axes.empty() && name == "norm")) {
    result.axes = x->axes;
    return result;
  }
  if (x->axes.empty()) {
    error(expr.location,
          quote(source) + " has no axes: there is nothing for " + quote(name) +
              " to run over",
          name == "max" ? "of two values write `max(a, b)`" : "");
    return std::nullopt;
  }
  error(expr.location,
        quote(source) + " has " + printAxes(program, x->axes) +
            ": say along which axis " + quote(name) + " runs",
        "write " + quote(name + "[" + program.axes[x->axes[0]].name + "](…)"));
  return std::nullopt;
}

ExprPtr Checker::reduceOverHeads(const syntax::Expr &expr, ExprPtr x,
                                 Sharing to) {
  const std::string &name = expr.name.text;
  bool isKnown = name == "sum" || name == "mean" || name == "max";
  if (!isKnown) {
    error(expr.location, quote(name) + " does not run over heads",
          "`sum`, `mean` and `max` do");
    return nullptr;
  }
  if (x && x->sharing <= to) {
    error(expr.location,
          quote(*expr.arguments[0].value) + " is " + print(x->sharing) +
              ": there is nothing to reduce over " +
              (to == Sharing::Shared ? "the heads" : "the heads of a group"),
          "leave " + quote(name) + " out");
    return nullptr;
  }
  ReduceOp op = name == "sum"    ? ReduceOp::Sum
                : name == "mean" ? ReduceOp::Mean
                                 : ReduceOp::Max;
  return build.reduceHeads(op, std::move(x), to, expr.location);
}

ExprPtr Checker::checkReduction(const syntax::Expr &expr) {
  const BuiltinFunction &function = *builtinNamed(expr.name.text);
  if (!takesArguments(expr, 1, function.hasEpsilon ? 2 : 1))
    return nullptr;
  if (!expr.arguments[0].name.text.empty() ||
      (expr.arguments.size() > 1 && expr.arguments[1].name.text.empty())) {
    error(expr.location, quote(expr.name.text) + " takes one value" +
                             (function.hasEpsilon ? " and `eps = …`" : ""));
    return nullptr;
  }
  ExprPtr x = checkArithmetic(expr.arguments[0].value.get());
  auto epsilon = readEpsilon(expr);
  auto over = x ? readReducedAxes(expr, x) : std::nullopt;
  if (!x || !epsilon || !over)
    return nullptr;
  if (over->heads && over->axes.empty())
    return reduceOverHeads(expr, x, *over->heads);
  BuiltinFunction::Reduced reduced;
  for (AxisId axis : over->axes)
    reduced.count *= static_cast<double>(program.axes[axis].size);
  reduced.x = x;
  reduced.over = over->axes;
  reduced.epsilon = *epsilon;
  reduced.at = expr.location;
  ExprPtr value = function.reduction(build, reduced);
  return over->heads ? reduceOverHeads(expr, value, *over->heads) : value;
}

} // namespace trowel::sema
