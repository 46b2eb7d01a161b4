// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Print.h"

#include <cmath>
#include <cstdio>

namespace trowel::sema {

static std::string printAll(const std::vector<syntax::ExprPtr> &exprs) {
  std::string text;
  for (const syntax::ExprPtr &expr : exprs)
    text += (text.empty() ? "" : ", ") + (expr ? print(*expr) : "…");
  return text;
}

static std::string printNames(const std::vector<syntax::Name> &names) {
  std::string text;
  for (const syntax::Name &name : names)
    text += (text.empty() ? "" : ", ") + name.text;
  return text;
}

static std::string printPicker(const syntax::Picker &picker) {
  std::string text;
  switch (picker.kind) {
  case syntax::Picker::Kind::Rename:
    for (size_t i = 0; i + 1 < picker.names.size(); i += 2)
      text += (i ? ", " : "") + picker.names[i].text + " -> " +
              picker.names[i + 1].text;
    break;
  case syntax::Picker::Kind::Named:
    text = printNames(picker.names) + " = " + printAll(picker.values);
    break;
  case syntax::Picker::Kind::Index:
    text = printAll(picker.values);
    break;
  }
  return "[" + text + "]";
}

static std::string printCall(const syntax::Expr &expr) {
  std::string text = expr.name.text;
  if (!expr.axes.empty())
    text += "[" + printNames(expr.axes) + "]";
  std::string arguments;
  for (const syntax::Argument &argument : expr.arguments) {
    if (!arguments.empty())
      arguments += ", ";
    if (!argument.name.text.empty())
      arguments += argument.name.text + " = ";
    arguments += argument.value ? print(*argument.value) : "…";
  }
  return text + "(" + arguments + ")";
}

std::string printBare(const syntax::Expr &expr) {
  using Kind = syntax::Expr::Kind;
  auto operand = [&](size_t i) {
    return i < expr.operands.size() && expr.operands[i]
               ? print(*expr.operands[i])
               : std::string("…");
  };
  std::string text;
  switch (expr.kind) {
  case Kind::Number:
    return printNumber(expr.number);
  case Kind::Reference:
    text = expr.name.text;
    for (const syntax::Picker &picker : expr.pickers)
      text += printPicker(picker);
    return text;
  case Kind::Unary:
    return (expr.op == "not" ? "not " : expr.op) + operand(0);
  case Kind::Binary:
    if (expr.op == "^")
      return operand(0) + "^" + operand(1);
    return operand(0) + " " + expr.op + " " + operand(1);
  case Kind::Compare:
    text = operand(0);
    for (size_t i = 0; i < expr.ops.size(); ++i)
      text += " " + expr.ops[i] + " " + operand(i + 1);
    return text;
  case Kind::Call:
    return printCall(expr);
  case Kind::History:
    return expr.name.text + "(…)";
  }
  return text;
}

std::string print(const syntax::Expr &expr) {
  std::string text = printBare(expr);
  return expr.parenthesised ? "(" + text + ")" : text;
}

std::string quote(const std::string &text) {
  constexpr size_t longest = 48;
  if (text.size() <= longest)
    return "`" + text + "`";
  size_t end = longest - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end; // never inside a character
  return "`" + text.substr(0, end) + "…`";
}

std::string quote(const syntax::Expr &expr) { return quote(printBare(expr)); }

std::string enumerate(const std::vector<std::string> &items,
                      const std::string &last) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i)
      text += i + 1 == items.size() ? " " + last + " " : ", ";
    text += items[i];
  }
  return text;
}

static std::string axisName(const Axis &axis) {
  return axis.isPlainNumber ? std::to_string(axis.size) : axis.name;
}

std::string printAxes(const Program &program, const std::vector<AxisId> &axes) {
  if (axes.empty())
    return "no axes";
  std::string text;
  for (AxisId axis : axes)
    text += (text.empty() ? "" : ", ") + axisName(program.axes[axis]);
  return "[" + text + "]";
}

std::string nameAxes(const Program &program, const std::vector<AxisId> &axes) {
  std::vector<std::string> names;
  for (AxisId axis : axes)
    names.push_back(axisName(program.axes[axis]));
  return (axes.size() == 1 ? "axis " : "axes ") + enumerate(names);
}

std::string printNumber(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value > 0 ? "inf" : "-inf";
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.6g", value);
  if (std::abs(value) < 1e15 && value == std::floor(value))
    std::snprintf(buffer, sizeof(buffer), "%.0f", value);
  return buffer;
}

std::string print(DType dtype) {
  switch (dtype) {
  case DType::F32:
    return "f32";
  case DType::TF32:
    return "tf32";
  case DType::BF16:
    return "bf16";
  case DType::F16:
    return "f16";
  case DType::E4M3:
    return "e4m3";
  case DType::E5M2:
    return "e5m2";
  case DType::I32:
    return "i32";
  }
  return "";
}

std::string print(Sharing sharing) {
  switch (sharing) {
  case Sharing::Shared:
    return "one for all heads";
  case Sharing::Grouped:
    return "per group";
  case Sharing::Head:
    return "per head";
  }
  return "";
}

} // namespace trowel::sema
