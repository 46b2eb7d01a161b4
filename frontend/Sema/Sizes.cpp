// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes: the header's, overridden by `-D`, and those that `dim` derives.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Names.h"
#include "frontend/Sema/Print.h"
#include "frontend/Sema/Suggest.h"

#include <algorithm>

namespace trowel::sema {

static constexpr int64_t largestSize = int64_t(1) << 20;

AxisId Checker::addAxis(std::string name, int64_t size, Location at,
                        bool isPlainNumber) {
  Axis axis;
  axis.name = std::move(name);
  axis.size = size;
  axis.isPlainNumber = isPlainNumber;
  axis.location = at;
  program.axes.push_back(std::move(axis));
  return static_cast<AxisId>(program.axes.size()) - 1;
}

bool Checker::isSizeLegal(int64_t size, const std::string &name, Location at,
                          const std::string &help) {
  if (size >= 1 && size <= largestSize)
    return true;
  std::string subject = name.empty()
                            ? "a size of " + std::to_string(size)
                            : quote(name) + " is " + std::to_string(size);
  error(at,
        subject + ", but a size is from 1 to " + std::to_string(largestSize),
        help);
  return false;
}

void Checker::declareSizes() {
  std::map<std::string, int64_t> given(options.sizes.begin(),
                                       options.sizes.end());
  for (const auto &[name, value] : options.sizes)
    given[name] = value; // the last one counts
  std::vector<std::string> names;
  for (const syntax::Size &size : attention.sizes) {
    int64_t value = size.value;
    std::string help;
    auto override = given.find(size.name.text);
    if (override != given.end()) {
      value = override->second;
      help = "it comes from the command line, `-D " + size.name.text + "=" +
             std::to_string(value) + "`";
      given.erase(override);
    }
    names.push_back(size.name.text);
    Symbol symbol;
    if (isSizeLegal(value, size.name.text, size.name.location, help)) {
      symbol.kind = Symbol::Kind::Axis;
      symbol.index = addAxis(size.name.text, value, size.name.location);
      program.sizes.emplace_back(size.name.text, value);
    }
    declare(size.name, symbol);
  }
  for (const auto &[name, value] : given) {
    std::string help = names.empty() ? std::string("it has no sizes")
                                     : (names.size() == 1 ? "its only size is "
                                                          : "its sizes are ") +
                                           enumerate(names);
    if (declaredBelow.count(name))
      help = quote(name) + " is no size of the header; set those that it is "
                           "made of";
    if (auto other = nearest(name, names))
      help = "did you mean `-D " + *other + "=" + std::to_string(value) + "`?";
    error(attention.name.location,
          "attention " + quote(attention.name.text) + " has no size " +
              quote(name) + ", which the command line sets",
          help);
  }
}

void Checker::declareDim(const syntax::Statement &statement) {
  if (statement.names.empty())
    return;
  const syntax::Name &name = statement.names[0];
  Symbol symbol;
  std::optional<int64_t> size =
      statement.value ? sizeOf(*statement.value) : std::nullopt;
  if (size && isSizeLegal(*size, name.text, statement.value->location)) {
    symbol.kind = Symbol::Kind::Axis;
    symbol.index = static_cast<int>(program.axes.size());
  }
  bool isAxis = symbol.kind == Symbol::Kind::Axis;
  if (!declare(name, std::move(symbol)) || !isAxis)
    return;
  derivedAxes.insert(addAxis(name.text, *size, name.location));
  program.sizes.emplace_back(name.text, *size);
}

std::optional<int64_t> Checker::divide(const syntax::Expr &expr, int64_t a,
                                       int64_t b) {
  if (b != 0 && a % b == 0)
    return a / b;
  std::string text = std::to_string(a) + " / " + std::to_string(b);
  error(expr.location,
        quote(expr) + " is " + text + ", which is not a whole number",
        "a size is a whole number: choose sizes that divide");
  return std::nullopt;
}

/// The value of a size expression, in exact integers.
std::optional<int64_t> Checker::sizeOf(const syntax::Expr &expr) {
  using Kind = syntax::Expr::Kind;
  if (expr.kind == Kind::Number && expr.isInteger)
    return static_cast<int64_t>(std::min(expr.number, 1e15));
  if (expr.kind == Kind::Reference && expr.pickers.empty()) {
    const Symbol *symbol = find(expr.name.text);
    if (symbol && symbol->kind == Symbol::Kind::Axis)
      return program.axes[symbol->index].size;
    if (symbol && symbol->kind == Symbol::Kind::Poison)
      return std::nullopt;
    if (!symbol) {
      reportUnknown(expr.name);
      return std::nullopt;
    }
  }
  bool isArithmetic = expr.kind == Kind::Binary && expr.operands.size() == 2 &&
                      expr.operands[0] && expr.operands[1] &&
                      std::string("+-*/").find(expr.op) != std::string::npos;
  if (!isArithmetic) {
    error(expr.location, quote(expr) + " is not a size",
          "a size is made of whole numbers and sizes with `+ - * /`");
    return std::nullopt;
  }
  auto a = sizeOf(*expr.operands[0]), b = sizeOf(*expr.operands[1]);
  if (!a || !b)
    return std::nullopt;
  if (expr.op == "/")
    return divide(expr, *a, *b);
  int64_t result = 0;
  bool overflows = expr.op == "+"   ? __builtin_add_overflow(*a, *b, &result)
                   : expr.op == "-" ? __builtin_sub_overflow(*a, *b, &result)
                                    : __builtin_mul_overflow(*a, *b, &result);
  if (!overflows)
    return result;
  error(expr.location, quote(expr) + " is too large for a size");
  return std::nullopt;
}

/// What to do about `name`, which is no axis.
std::string Checker::helpForAxis(const std::string &name) const {
  std::vector<std::string> axes;
  for (const std::string &candidate : visibleNames())
    if (find(candidate)->kind == Symbol::Kind::Axis)
      axes.push_back(candidate);
  if (auto other = nearest(name, axes))
    return "did you mean " + quote(*other) + "?";
  if (find(name))
    return "axes are the sizes of the header and the `dim`s";
  if (!frames.empty())
    return "a `fn` sees its own axes only: `fn name[" + name + "](…)`";
  static const std::set<std::string> implicit = {"B", "T", "H", "G", "L"};
  std::string header = "in the header, `(" + name + " = 64)`";
  if (implicit.count(name))
    return "batch, tokens and heads are not written: a program says what one "
           "head computes at one token; other axes are declared " +
           header;
  return "declare it " + header + ", or with `dim " + name + " = …`";
}

std::optional<AxisId> Checker::axisNamed(const syntax::Name &name) {
  const Symbol *symbol = find(name.text);
  if (symbol && symbol->kind == Symbol::Kind::Axis)
    return symbol->index;
  if (name.text.empty() || (symbol && symbol->kind == Symbol::Kind::Poison))
    return std::nullopt;
  if (symbol) {
    error(name.location,
          quote(name.text) + " is " + describe(*symbol) + ", not an axis",
          helpForAxis(name.text));
    return std::nullopt;
  }
  if (isReserved(name.text)) {
    error(name.location,
          quote(name.text) + " is " + reservedFor(name.text) +
              ", not an axis of a value",
          "a value belongs to each head unless it is declared `grouped` or "
          "`shared`; `sum[heads](…)` and `sum[group](…)` reduce");
    return std::nullopt;
  }
  using Kind = syntax::Statement::Kind;
  bool isDimBelow = false;
  for (const syntax::StatementPtr &statement : attention.body)
    isDimBelow |= statement && statement->kind == Kind::Dim &&
                  !statement->names.empty() &&
                  statement->names[0].text == name.text;
  if (isDimBelow && frames.empty()) {
    reportUnknown(name);
    return std::nullopt;
  }
  if (!frames.empty() || unknownNames.insert(name.text).second)
    error(name.location, "unknown axis " + quote(name.text),
          helpForAxis(name.text));
  return std::nullopt;
}

} // namespace trowel::sema
