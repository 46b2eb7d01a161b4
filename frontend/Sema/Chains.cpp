// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chains: `a + b - c` and `a * b @ c / d`, which group from the left and end at
// parentheses.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"

#include <algorithm>

namespace trowel::sema {

static bool isLink(const syntax::Expr &expr, bool isProduct) {
  if (expr.kind != syntax::Expr::Kind::Binary || expr.operands.size() != 2 ||
      !expr.operands[0] || !expr.operands[1])
    return false;
  const char *ops = isProduct ? "*/%@" : "+-";
  return expr.op.size() == 1 &&
         std::string(ops).find(expr.op) != std::string::npos;
}

/// The operands of the chain from left to right, each but the first with the
/// expression that ends with it.
std::vector<Checker::Link> Checker::linksOf(const syntax::Expr &expr,
                                            bool isProduct) {
  std::vector<Link> links;
  const syntax::Expr *whole = &expr;
  while (isLink(*whole, isProduct) &&
         (whole == &expr || !whole->parenthesised)) {
    Link link;
    link.operand = whole->operands[1].get();
    link.whole = whole;
    links.push_back(link);
    whole = whole->operands[0].get();
  }
  Link first;
  first.operand = whole;
  first.whole = whole;
  links.push_back(first);
  std::reverse(links.begin(), links.end());
  for (Link &link : links)
    link.value = arithmetic(check(link.operand), *link.operand);
  return links;
}

static std::string printLinks(const std::vector<const syntax::Expr *> &operands,
                              const std::vector<std::string> &ops) {
  std::string text;
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i ? " " + ops[i - 1] + " " : "") + print(*operands[i]);
  return operands.size() > 1 ? "(" + text + ")" : text;
}

/// In a chain with an `@`, operands that are not neighbours may share no axis:
/// grouping from the left would otherwise pick one of two meanings.
bool Checker::obeysNeighbourRule(const std::vector<Link> &links) {
  bool hasContraction =
      std::any_of(links.begin() + 1, links.end(),
                  [](const Link &link) { return link.whole->op == "@"; });
  if (!hasContraction)
    return true;
  for (size_t i = 0; i < links.size(); ++i)
    for (size_t j = i + 2; j < links.size(); ++j) {
      if (!links[i].value || !links[j].value)
        continue;
      Axes shared = common(links[i].value->axes, links[j].value->axes);
      if (shared.empty())
        continue;
      std::vector<const syntax::Expr *> operands;
      std::vector<std::string> ops;
      for (size_t k = i; k <= j; ++k) {
        operands.push_back(links[k].operand);
        if (k > i)
          ops.push_back(links[k].whole->op);
      }
      std::string left = print(*operands.front()) + " " + ops.front() + " " +
                         printLinks({operands.begin() + 1, operands.end()},
                                    {ops.begin() + 1, ops.end()});
      std::string right = printLinks({operands.begin(), operands.end() - 1},
                                     {ops.begin(), ops.end() - 1}) +
                          " " + ops.back() + " " + print(*operands.back());
      Diagnostic &diagnostic =
          error(links[i].operand->location,
                quote(*links[i].operand) + " and " + quote(*links[j].operand) +
                    " share " + nameAxes(program, shared) +
                    " but are not neighbours in a product with `@`",
                "parentheses say which product is meant: " + quote(left) +
                    " or " + quote(right));
      note(diagnostic, links[j].operand->location, "the other operand is here");
      return false;
    }
  return true;
}

ExprPtr Checker::contract(const ExprPtr &left, const Link &link,
                          const syntax::Expr &leftSource) {
  const ExprPtr &right = link.value;
  Location at = link.whole->location;
  if (!common(left->axes, right->axes).empty())
    return build.contract(build.asReal(left), build.asReal(right), at);
  bool hasScalar = left->axes.empty() || right->axes.empty();
  if (hasScalar) {
    bool isLeft = left->axes.empty();
    std::string text = print(isLeft ? leftSource : *link.operand);
    const Symbol *symbol = find(text);
    bool isAxis = symbol && symbol->kind == Symbol::Kind::Axis;
    error(at, quote(text) + " has no axes, so `@` has nothing to sum over",
          isAxis ? quote(text) + " is an axis; as a value it is its size, " +
                       std::to_string(program.axes[symbol->index].size)
                 : "use `*` to multiply by a single number");
    return nullptr;
  }
  error(at,
        quote(leftSource) + " has " + printAxes(program, left->axes) + " and " +
            quote(*link.operand) + " has " + printAxes(program, right->axes) +
            ": they share no axis to sum over",
        "use `*` for an outer product");
  return nullptr;
}

ExprPtr Checker::combine(const ExprPtr &left, const Link &link,
                         const syntax::Expr &leftSource) {
  if (!left || !link.value)
    return nullptr;
  const std::string &op = link.whole->op;
  if (op == "@")
    return contract(left, link, leftSource);
  MapOp mapOp = op == "+"   ? MapOp::Add
                : op == "-" ? MapOp::Sub
                : op == "*" ? MapOp::Mul
                : op == "/" ? MapOp::Div
                            : MapOp::Mod;
  return build.map(mapOp, {left, link.value}, link.whole->location);
}

ExprPtr Checker::checkChain(const syntax::Expr &expr, bool isProduct) {
  std::vector<Link> links = linksOf(expr, isProduct);
  if (isProduct && !obeysNeighbourRule(links))
    return nullptr;
  ExprPtr value = links[0].value;
  for (size_t i = 1; i < links.size(); ++i) {
    value = combine(value, links[i], *links[i - 1].whole);
    if (value)
      sources.emplace(value, links[i].whole);
  }
  return value;
}

} // namespace trowel::sema
