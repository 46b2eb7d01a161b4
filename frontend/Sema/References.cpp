// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names and the brackets behind them: `x[K -> J]`, `x[N = 0]`, `x[i]`.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Names.h"
#include "frontend/Sema/Print.h"
#include "frontend/Sema/Suggest.h"

#include <limits>

namespace trowel::sema {

/// `t`, `inf`, `pi`; reports the reserved words that are no values.
ExprPtr Checker::readBuiltin(const syntax::Expr &expr, bool &isBuiltin) {
  const std::string &name = expr.name.text;
  isBuiltin = true;
  ExprPtr value;
  if (name == "t")
    value = build.position(expr.location);
  else if (name == "inf")
    value =
        build.number(std::numeric_limits<double>::infinity(), expr.location);
  else if (name == "pi")
    value = build.number(3.14159265358979323846, expr.location);
  if (value && expr.pickers.empty())
    return value;
  if (value) {
    error(expr.pickers[0].location, quote(name) + " has no axes to index");
    return nullptr;
  }
  isBuiltin = isReserved(name);
  if (!isBuiltin)
    return nullptr;
  std::string help;
  if (isFunction(name))
    help = "write " + quote(name + "(…)");
  else if (dtypeNamed(name))
    help = "a cast is " + quote(name + "(x)");
  else
    help = "write " + quote("sum[" + name + "](…)") + " or " +
           quote("mean[" + name + "](…)");
  error(expr.location,
        quote(name) + " is " + reservedFor(name) + ", not a value", help);
  return nullptr;
}

/// An output is read as the `let` that its unrounded value becomes.
ExprPtr Checker::readOutput(const syntax::Name &name, const Symbol &symbol) {
  auto let = letOfOutput.find(symbol.index);
  if (let == letOfOutput.end()) {
    int index =
        addLet(name.text, symbol.value, program.outputs[symbol.index].location);
    let = letOfOutput.emplace(symbol.index, index).first;
  }
  return build.leaf(Expr::Kind::Let, let->second, name.location);
}

ExprPtr Checker::readSymbol(const syntax::Name &name, const Symbol &symbol,
                            bool hasPickers) {
  switch (symbol.kind) {
  case Symbol::Kind::Poison:
    return nullptr;
  case Symbol::Kind::Axis:
    return build.number(static_cast<double>(program.axes[symbol.index].size),
                        name.location, true);
  case Symbol::Kind::Input:
    return readInput(symbol.index, name.location, 0);
  case Symbol::Kind::Param:
    return build.leaf(Expr::Kind::Param, symbol.index, name.location);
  case Symbol::Kind::State:
    readStates.insert(symbol.index);
    return build.leaf(Expr::Kind::State, symbol.index, name.location);
  case Symbol::Kind::Let: {
    const ExprPtr &value = program.lets[symbol.index].value;
    if (isNumber(value) && !hasPickers)
      return build.number(value->number, name.location,
                          value->number == static_cast<int32_t>(value->number));
    return build.leaf(Expr::Kind::Let, symbol.index, name.location);
  }
  case Symbol::Kind::Output:
    return readOutput(name, symbol);
  case Symbol::Kind::Loop:
    return build.number(symbol.value->number, name.location, true);
  case Symbol::Kind::Parameter:
    return symbol.value;
  }
  return nullptr;
}

ExprPtr Checker::checkReference(const syntax::Expr &expr) {
  bool isBuiltin = false;
  ExprPtr builtin = readBuiltin(expr, isBuiltin);
  if (isBuiltin)
    return builtin;
  const Symbol *symbol = find(expr.name.text);
  if (!symbol) {
    reportUnknown(expr.name);
    return nullptr;
  }
  ExprPtr value = readSymbol(expr.name, *symbol, !expr.pickers.empty());
  for (const syntax::Picker &picker : expr.pickers)
    if (value)
      value = applyPicker(value, expr, picker);
  return value;
}

ExprPtr Checker::applyPicker(ExprPtr x, const syntax::Expr &expr,
                             const syntax::Picker &picker) {
  switch (picker.kind) {
  case syntax::Picker::Kind::Rename:
    return applyRename(std::move(x), expr, picker);
  case syntax::Picker::Kind::Named:
    return applyNamedPick(std::move(x), expr, picker);
  case syntax::Picker::Kind::Index:
    break;
  }
  bool isDelay = picker.values.size() == 1 && picker.values[0] &&
                 mentionsPosition(*picker.values[0]);
  return isDelay ? applyDelay(std::move(x), expr, picker)
                 : applyIndices(std::move(x), expr, picker);
}

ExprPtr Checker::applyRename(ExprPtr x, const syntax::Expr &expr,
                             const syntax::Picker &picker) {
  const Axes before = x->axes;
  for (size_t i = 0; i + 1 < picker.names.size(); i += 2) {
    const syntax::Name &fromName = picker.names[i];
    const syntax::Name &toName = picker.names[i + 1];
    auto from = axisNamed(fromName), to = axisNamed(toName);
    if (!from || !to)
      return nullptr;
    std::string own =
        quote(expr.name.text) + " has " + printAxes(program, before);
    if (!contains(before, *from) || !contains(x->axes, *from)) {
      bool isSwapped = contains(before, *to) &&
                       program.axes[*from].size == program.axes[*to].size;
      error(fromName.location,
            own + " and no axis " + quote(fromName.text) + " to rename",
            isSwapped ? "`x[old -> new]`: did you mean " +
                            quote(expr.name.text + "[" + toName.text + " -> " +
                                  fromName.text + "]") +
                            "?"
                      : "");
      return nullptr;
    }
    if (contains(before, *to) || contains(x->axes, *to)) {
      error(toName.location,
            own + ": the new name " + quote(toName.text) + " is taken",
            "rename to an axis that it does not have");
      return nullptr;
    }
    int64_t a = program.axes[*from].size, b = program.axes[*to].size;
    if (a != b) {
      Diagnostic &diagnostic = error(
          picker.location,
          "axis " + quote(fromName.text) + " has size " + std::to_string(a) +
              ", axis " + quote(toName.text) + " has " + std::to_string(b),
          "a renamed axis keeps its size: `dim " + toName.text + " = " +
              fromName.text + "`");
      note(diagnostic, program.axes[*to].location,
           quote(toName.text) + " is declared here");
      return nullptr;
    }
    x = build.rename(x, *from, *to, expr.location);
  }
  return x;
}

ExprPtr Checker::pickAt(ExprPtr x, AxisId axis, const syntax::Expr &index,
                        const std::string &name) {
  auto position = wholeConstant(&index, "an index");
  if (!position)
    return nullptr;
  const Axis &along = program.axes[axis];
  if (*position >= 0 && *position < along.size)
    return build.pick(std::move(x), axis, *position, index.location);
  std::string which = along.isPlainNumber ? "its plain-number axis"
                                          : "axis " + quote(along.name);
  error(index.location,
        "index " + std::to_string(*position) + " of " + quote(name) +
            " is out of range: " + which + " has size " +
            std::to_string(along.size),
        "indices count from 0 to " + std::to_string(along.size - 1));
  return nullptr;
}

ExprPtr Checker::applyNamedPick(ExprPtr x, const syntax::Expr &expr,
                                const syntax::Picker &picker) {
  if (picker.names.empty() || picker.values.empty() || !picker.values[0])
    return nullptr;
  auto axis = axisNamed(picker.names[0]);
  if (!axis)
    return nullptr;
  if (!contains(x->axes, *axis)) {
    error(picker.names[0].location,
          quote(expr.name.text) + " has " + printAxes(program, x->axes) +
              " and no axis " + quote(picker.names[0].text));
    return nullptr;
  }
  return pickAt(std::move(x), *axis, *picker.values[0], expr.name.text);
}

/// The axis that the loop variable of an index expression ranges over, or -1.
AxisId Checker::loopAxisOf(const syntax::Expr &index) const {
  if (index.kind == syntax::Expr::Kind::Reference) {
    const Symbol *symbol = find(index.name.text);
    return symbol && symbol->kind == Symbol::Kind::Loop ? symbol->index : -1;
  }
  for (const syntax::ExprPtr &operand : index.operands) {
    AxisId axis = operand ? loopAxisOf(*operand) : -1;
    if (axis >= 0)
      return axis;
  }
  return -1;
}

/// A name in an index that stands for nothing says so first.
bool Checker::checkIndexName(const syntax::Expr &index) {
  bool isUnknown = index.kind == syntax::Expr::Kind::Reference &&
                   !isReserved(index.name.text) && !find(index.name.text);
  if (!isUnknown)
    return check(&index) != nullptr;
  reportUnknown(index.name, "an index is a constant, the variable of a loop, "
                            "or `t - n` for an earlier token");
  return false;
}

ExprPtr Checker::applyIndex(ExprPtr x, const syntax::Expr &expr,
                            const syntax::Expr &index) {
  AxisId axis = loopAxisOf(index);
  if (axis >= 0 && contains(x->axes, axis))
    return pickAt(std::move(x), axis, index, expr.name.text);
  for (AxisId own : x->axes)
    if (program.axes[own].isPlainNumber)
      return pickAt(std::move(x), own, index, expr.name.text);
  if (!checkIndexName(index))
    return nullptr;
  const std::string &name = expr.name.text;
  std::string help;
  if (axis >= 0)
    help = print(index) + " ranges over " + nameAxes(program, {axis});
  else if (!x->axes.empty()) {
    std::vector<std::string> picks;
    for (AxisId own : x->axes)
      picks.push_back(quote(name + "[" + program.axes[own].name + " = " +
                            print(index) + "]"));
    help = "pick along a named axis: " + enumerate(picks, "or");
  }
  error(index.location,
        quote(name) + (x->axes.empty() ? " has no axes left to index"
                       : axis >= 0 ? " has " + printAxes(program, x->axes) +
                                         " and no " + nameAxes(program, {axis})
                                   : " has " + printAxes(program, x->axes) +
                                         " and no plain-number axis to index"),
        help);
  return nullptr;
}

ExprPtr Checker::applyIndices(ExprPtr x, const syntax::Expr &expr,
                              const syntax::Picker &picker) {
  for (const syntax::ExprPtr &index : picker.values) {
    if (!index || !x)
      return nullptr;
    x = applyIndex(std::move(x), expr, *index);
  }
  return x;
}

} // namespace trowel::sema
