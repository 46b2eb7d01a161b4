// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Unrolling: `for i in N { … }` and `sum(i in 0..4 : …)`.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"

#include <limits>

namespace trowel::sema {

static constexpr int64_t mostIterations = 4096;

/// What `begin..end`, or an axis alone, runs over; reports what is wrong.
std::optional<Checker::LoopRange>
Checker::rangeOfLoop(const syntax::Expr *begin, const syntax::Expr *end,
                     Location at) {
  if (!begin)
    return std::nullopt;
  LoopRange range;
  if (!end) {
    bool isName =
        begin->kind == syntax::Expr::Kind::Reference && begin->pickers.empty();
    if (!isName) {
      error(begin->location, "a loop runs over an axis or over `0..n`",
            "did you mean " + quote("0.." + print(*begin)) + "?");
      return std::nullopt;
    }
    std::optional<AxisId> axis = axisNamed(begin->name);
    if (!axis)
      return std::nullopt;
    range.axis = *axis;
    range.end = program.axes[*axis].size;
  } else {
    auto first = wholeConstant(begin, "where a loop begins");
    auto last = wholeConstant(end, "where a loop ends");
    if (!first || !last)
      return std::nullopt;
    range.begin = *first;
    range.end = *last;
  }
  if (range.begin > range.end) {
    error(at,
          "the range " + std::to_string(range.begin) + ".." +
              std::to_string(range.end) + " runs backwards",
          "`a..b` counts up from a to b - 1");
    return std::nullopt;
  }
  if (range.end - range.begin <= mostIterations)
    return range;
  error(at,
        "a loop of " + std::to_string(range.end - range.begin) +
            " iterations is too long to be unrolled",
        "at most " + std::to_string(mostIterations) +
            "; use the axis itself, without a loop");
  return std::nullopt;
}

/// Opens a scope in which the loop variable has this value.
bool Checker::bindLoop(const syntax::Name &name, int64_t value, AxisId axis) {
  Symbol symbol;
  symbol.kind = Symbol::Kind::Loop;
  symbol.index = axis;
  symbol.value = build.number(static_cast<double>(value), name.location, true);
  scopes.emplace_back();
  loopNames.push_back(name.text + " = " + std::to_string(value));
  return declare(name, std::move(symbol));
}

void Checker::checkFor(const syntax::Statement &statement) {
  auto range = rangeOfLoop(statement.span.begin.get(), statement.span.end.get(),
                           statement.location);
  if (!range || statement.names.empty())
    return;
  for (int64_t i = range->begin; i < range->end; ++i) {
    bool isBound = bindLoop(statement.names[0], i, range->axis);
    if (isBound)
      for (const syntax::StatementPtr &inner : statement.body)
        if (inner)
          checkStatement(*inner);
    for (const auto &[local, symbol] : scopes.back().names)
      localNames.insert(local);
    scopes.pop_back();
    loopNames.pop_back();
    if (!isBound)
      return;
  }
}

/// Whether a `sum`, `mean` or `max` runs over constants, not over tokens.
bool Checker::isUnrolled(const syntax::Expr &expr) const {
  bool isReduction = expr.name.text == "sum" || expr.name.text == "mean" ||
                     expr.name.text == "max";
  if (!isReduction || expr.branches.size() != 1)
    return false;
  for (const syntax::Clause &clause : expr.branches[0].clauses) {
    if (clause.kind != syntax::Clause::Kind::In || clause.values.empty())
      return false;
    if (clause.values.size() > 1)
      continue;
    const syntax::Expr *over = clause.values[0].get();
    bool isName = over && over->kind == syntax::Expr::Kind::Reference;
    const Symbol *symbol = isName ? find(over->name.text) : nullptr;
    // An index or a block that an outer history binds is no axis.
    if (isName && (!symbol || symbol->kind == Symbol::Kind::Poison))
      return false;
  }
  return !expr.branches[0].clauses.empty();
}

/// The values of the branch, one for each combination of the loop variables
/// from clause number `clause` on.
bool Checker::unroll(const syntax::Expr &expr, const syntax::Branch &branch,
                     size_t clause, std::vector<ExprPtr> &terms) {
  if (clause == branch.clauses.size()) {
    if (static_cast<int64_t>(terms.size()) >= mostIterations) {
      error(expr.location, quote(print(expr)) + " has too many terms",
            "at most " + std::to_string(mostIterations));
      return false;
    }
    terms.push_back(checkArithmetic(branch.values[0].get()));
    return terms.back() != nullptr;
  }
  const syntax::Clause &over = branch.clauses[clause];
  const syntax::Expr *end =
      over.values.size() > 1 ? over.values[1].get() : nullptr;
  auto range = rangeOfLoop(over.values[0].get(), end, over.location);
  if (!range)
    return false;
  bool isRight = true;
  for (int64_t i = range->begin; i < range->end && isRight; ++i) {
    isRight = bindLoop(over.variable, i, range->axis) &&
              unroll(expr, branch, clause + 1, terms);
    scopes.pop_back();
    loopNames.pop_back();
  }
  return isRight;
}

ExprPtr Checker::joinTerms(const syntax::Expr &expr,
                           std::vector<ExprPtr> terms) {
  bool isMax = expr.name.text == "max";
  if (terms.empty())
    return build.number(isMax ? -std::numeric_limits<double>::infinity() : 0,
                        expr.location, !isMax);
  ExprPtr result = terms[0];
  for (size_t i = 1; i < terms.size(); ++i)
    result = build.map(isMax ? MapOp::Max : MapOp::Add, {result, terms[i]},
                       expr.location);
  if (expr.name.text != "mean")
    return result;
  ExprPtr count =
      build.number(static_cast<double>(terms.size()), expr.location, true);
  return build.map(MapOp::Div, {result, count}, expr.location);
}

ExprPtr Checker::checkHistory(const syntax::Expr &expr) {
  if (!isUnrolled(expr)) {
    error(expr.location,
          "reading history, " + quote(print(expr)) + ", is not supported yet");
    return nullptr;
  }
  const syntax::Branch &branch = expr.branches[0];
  if (branch.values.size() != 1 || !expr.arguments.empty()) {
    error(expr.location,
          quote(print(expr)) + " over constants takes one value");
    return nullptr;
  }
  std::vector<ExprPtr> terms;
  if (!unroll(expr, branch, 0, terms))
    return nullptr;
  return joinTerms(expr, std::move(terms));
}

} // namespace trowel::sema
