// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What flows into a state or an output: exactly its axes or a plain number,
// nothing finer than its sharing, and a number of its kind.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"

#include <algorithm>
#include <functional>

namespace trowel::sema {

/// "`S` has the axes [K, V], <what is added to it> has …".
static std::string nameOfValue(bool isOutput, bool isInitial,
                               const std::string &op) {
  if (isOutput)
    return "its value";
  if (isInitial)
    return "its initial value";
  if (op == "+=")
    return "what is added to it";
  if (op == "-=")
    return "what is subtracted from it";
  return op == "*=" ? "its factor" : "its new value";
}

std::string Checker::sourceOf(const ExprPtr &expr) const {
  auto found = sources.find(expr);
  return found == sources.end() ? "" : print(*found->second);
}

/// An input or let with exactly these axes, to show in a fix.
std::string Checker::valueWithAxes(const Axes &axes) const {
  for (const Declaration &input : program.inputs) {
    Axes own = input.shape;
    std::sort(own.begin(), own.end());
    if (own == axes && input.scales < 0)
      return input.name;
  }
  for (const Let &let : program.lets)
    if (let.value && let.value->axes == axes && find(let.name))
      return let.name;
  return "";
}

using Predicate = std::function<bool(const Expr &)>;

/// The first expression, outermost first, for which `predicate` holds.
static ExprPtr search(const ExprPtr &expr, const Predicate &predicate,
                      std::set<const Expr *> &seen) {
  if (!seen.insert(expr.get()).second)
    return nullptr;
  if (predicate(*expr))
    return expr;
  for (const ExprPtr &operand : expr->operands)
    if (ExprPtr found = search(operand, predicate, seen))
      return found;
  return nullptr;
}

static ExprPtr search(const ExprPtr &expr, const Predicate &predicate) {
  std::set<const Expr *> seen;
  return search(expr, predicate, seen);
}

/// A product that sums over the wrong axis of a matrix.
std::string Checker::helpForWrongSum(const ExprPtr &value, const Axes &missing,
                                     const Axes &extra) const {
  ExprPtr product = search(value, [&](const Expr &expr) {
    return expr.kind == Expr::Kind::Contract &&
           common(expr.over, missing) == missing &&
           common(expr.axes, extra) == extra;
  });
  auto source = product ? sources.find(product) : sources.end();
  if (source == sources.end())
    return "";
  std::string other = valueWithAxes(extra);
  return quote(*source->second) + " sums over " +
         nameAxes(program, product->over) + " and leaves " +
         printAxes(program, product->axes) + "; to keep " +
         nameAxes(program, missing) + " multiply by a value with " +
         nameAxes(program, extra) +
         (other.empty() ? "" : ", such as " + quote(other));
}

/// An axis of the same size under another name: one of `from` for the missing.
std::string Checker::helpForRename(const ExprPtr &value, const Axes &missing,
                                   const Axes &from) const {
  if (missing.size() != 1)
    return "";
  const Axis &to = program.axes[missing[0]];
  for (AxisId axis : from) {
    // Sizes of the header may be equal by chance.
    bool isDerived = derivedAxes.count(axis) || derivedAxes.count(missing[0]);
    if (!isDerived || program.axes[axis].size != to.size)
      continue;
    ExprPtr named = search(value, [&](const Expr &expr) {
      return expr.operands.empty() && expr.axes == Axes{axis};
    });
    std::string text = named ? sourceOf(named) : "";
    return "axis " + to.name + " has the size of axis " +
           program.axes[axis].name + "; one becomes the other by " +
           quote((text.empty() ? "x" : text) + "[" + program.axes[axis].name +
                 " -> " + to.name + "]");
  }
  return "";
}

/// A `*` that should have been an `@`, or a sum left out.
std::string Checker::helpForExtra(const ExprPtr &value,
                                  const Axes &extra) const {
  ExprPtr product = search(value, [&](const Expr &expr) {
    return expr.kind == Expr::Kind::Map && expr.mapOp == MapOp::Mul &&
           common(expr.operands[0]->axes, expr.operands[1]->axes) == extra;
  });
  std::string left = product ? sourceOf(product->operands[0]) : "";
  std::string right = product ? sourceOf(product->operands[1]) : "";
  if (!left.empty() && !right.empty())
    return "did you mean " + quote(left + " @ " + right) + "? It sums over " +
           nameAxes(program, extra);
  std::string list;
  for (AxisId axis : extra)
    list += (list.empty() ? "" : ", ") + program.axes[axis].name;
  return "to sum over " + nameAxes(program, extra) + " write `sum[" + list +
         "](…)` or a product with `@`";
}

std::string Checker::helpForMissing(const Declaration &target, Flow flow,
                                    const ExprPtr &value,
                                    const Axes &missing) const {
  std::string other = valueWithAxes(missing);
  std::string help = helpForRename(value, missing, value->axes);
  if (help.empty() || !other.empty())
    help = "multiply by a value with " + nameAxes(program, missing) +
           (other.empty() ? "" : ", such as " + quote(other));
  if (flow != Flow::Output)
    return help;
  std::string axes = value->axes.empty() ? "" : printAxes(program, value->axes);
  return help + ", or declare " +
         quote("out " + target.name + " : " + print(target.dtype) + axes);
}

/// How to get from the value's axes to the target's.
std::string Checker::helpForAxes(const Declaration &target, Flow flow,
                                 const ExprPtr &value, const Axes &missing,
                                 const Axes &extra) const {
  if (extra.empty())
    return helpForMissing(target, flow, value, missing);
  if (flow == Flow::Multiply)
    return "a factor scales along the axes of the state and has no others";
  if (missing.empty())
    return helpForExtra(value, extra);
  std::string help = helpForWrongSum(value, missing, extra);
  return help.empty() ? helpForRename(value, missing, extra) : help;
}

bool Checker::fitsAxes(const Declaration &target, Flow flow,
                       const ExprPtr &value, const syntax::Expr &source) {
  Axes own = target.shape;
  std::sort(own.begin(), own.end());
  Axes missing = flow == Flow::Multiply ? Axes() : without(own, value->axes);
  Axes extra = without(value->axes, own);
  if (isNumber(value) || (missing.empty() && extra.empty()))
    return true;
  const char *op = flow == Flow::Add        ? "+="
                   : flow == Flow::Subtract ? "-="
                   : flow == Flow::Multiply ? "*="
                                            : "=";
  std::string name =
      nameOfValue(flow == Flow::Output, flow == Flow::Initial, op);
  std::string message =
      quote(target.name) + " has " +
      (own.empty() ? "no axes"
                   : "the axes " + printAxes(program, target.shape)) +
      " but " + name + " has " + printAxes(program, value->axes) + ": ";
  if (!missing.empty())
    message += nameAxes(program, missing) +
               (missing.size() == 1 ? " is missing" : " are missing");
  if (!missing.empty() && !extra.empty())
    message += ", ";
  if (!extra.empty())
    message += nameAxes(program, extra) +
               (extra.size() == 1 ? " is extra" : " are extra");
  std::string help = helpForAxes(target, flow, value, missing, extra);
  bool isSpecific = help.find("did you mean") == 0;
  Diagnostic &diagnostic = error(source.location, message, help);
  if (isSpecific)
    return false;
  // Where the first extra axis comes in, when the value is more than that.
  ExprPtr leaf = search(value, [&](const Expr &expr) {
    return expr.operands.empty() && !common(expr.axes, extra).empty() &&
           common(expr.axes, own).empty();
  });
  std::string text = leaf && leaf != value ? sourceOf(leaf) : "";
  if (!text.empty())
    note(diagnostic, leaf->location,
         quote(text) + " has " + printAxes(program, leaf->axes));
  return false;
}

bool Checker::fitsSharing(const Declaration &target, Flow flow,
                          const ExprPtr &value, const syntax::Expr &source) {
  if (value->sharing <= target.sharing)
    return true;
  bool isShared = target.sharing == Sharing::Shared;
  std::string what = flow == Flow::Output    ? "its value is "
                     : flow == Flow::Initial ? "its initial value is "
                                             : "what flows into it is ";
  std::string reduce = isShared ? "heads" : "group";
  Diagnostic &diagnostic =
      error(source.location,
            quote(target.name) + " is " +
                (isShared ? "shared by all heads" : "shared by a group") +
                " but " + what + print(value->sharing),
            "reduce it, `sum[" + reduce + "](…)` or `mean[" + reduce +
                "](…)`, or declare " + quote(target.name) +
                (value->sharing == Sharing::Grouped
                     ? " `grouped`"
                     : " without `" +
                           std::string(isShared ? "shared" : "grouped") + "`"));
  ExprPtr leaf = search(value, [&](const Expr &expr) {
    return expr.sharing == value->sharing && expr.operands.empty();
  });
  std::string text = leaf ? sourceOf(leaf) : "";
  if (!text.empty())
    note(diagnostic, leaf->location,
         quote(text) + " is " + print(leaf->sharing));
  return false;
}

ExprPtr Checker::fit(const Declaration &target, Flow flow, ExprPtr value,
                     const syntax::Expr &source) {
  value = arithmetic(std::move(value), source);
  if (!value || !fitsAxes(target, flow, value, source) ||
      !fitsSharing(target, flow, value, source))
    return nullptr;
  if (target.dtype != DType::I32)
    return build.asReal(value);
  if (value->scalar == Expr::Scalar::Integer)
    return value;
  error(source.location,
        quote(target.name) + " is `i32` but its value is a real number",
        "round it: `i32(" + print(source) + ")`");
  return nullptr;
}

} // namespace trowel::sema
