// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expressions, calls and readings of history.

#include "frontend/Grammar/TreeBuilder.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace trowel {

using namespace syntax;
using Parser = TrowelParser;
using antlr4::tree::TerminalNode;

static antlr4::Token *symbol(antlr4::tree::ParseTree *node) {
  return static_cast<TerminalNode *>(node)->getSymbol();
}

static std::unique_ptr<Expr> makeExpr(Expr::Kind kind, Location location) {
  auto result = std::make_unique<Expr>();
  result->kind = kind;
  result->location = location;
  return result;
}

ExprPtr TreeBuilder::expression(Node *node) {
  auto *context = static_cast<Context *>(node);
  // A level of precedence without an operator of its own says nothing.
  while (context->children.size() == 1 &&
         context->getRuleIndex() < Parser::RulePrimary)
    context = static_cast<Context *>(context->children[0]);
  switch (context->getRuleIndex()) {
  case Parser::RulePrimary:
    return primary(static_cast<Parser::PrimaryContext *>(context));
  case Parser::RuleComparison:
    return comparison(context);
  case Parser::RuleNegation:
  case Parser::RuleUnary:
    return prefix(context);
  default: // expr, conjunction, sum, product: from the left; power has two
    return chain(context);
  }
}

ExprPtr TreeBuilder::chain(Context *context) {
  auto &children = context->children;
  ExprPtr result = expression(children[0]);
  for (size_t i = 1; i + 1 < children.size(); i += 2) {
    auto *right = static_cast<Context *>(children[i + 1]);
    auto binary = makeExpr(Expr::Kind::Binary,
                           locate(context->getStart(), right->getStop()));
    binary->op = text(symbol(children[i]));
    binary->operatorLocation = locate(symbol(children[i]));
    binary->operands.push_back(std::move(result));
    binary->operands.push_back(expression(right));
    result = std::move(binary);
  }
  return result;
}

ExprPtr TreeBuilder::comparison(Context *context) {
  auto result = makeExpr(Expr::Kind::Compare, locate(context));
  auto &children = context->children;
  result->operatorLocation = locate(symbol(children[1]));
  for (size_t i = 0; i < children.size(); ++i) {
    if (i % 2 == 0)
      result->operands.push_back(expression(children[i]));
    else
      result->ops.push_back(text(symbol(children[i])));
  }
  return result;
}

ExprPtr TreeBuilder::prefix(Context *context) {
  auto result = makeExpr(Expr::Kind::Unary, locate(context));
  result->op = text(symbol(context->children[0]));
  result->operatorLocation = locate(symbol(context->children[0]));
  result->operands.push_back(expression(context->children[1]));
  return result;
}

ExprPtr TreeBuilder::primary(Parser::PrimaryContext *context) {
  if (context->INT())
    return number(context->INT()->getSymbol(), true);
  if (context->FLOAT())
    return number(context->FLOAT()->getSymbol(), false);
  if (context->reference())
    return reference(context->reference());
  ExprPtr result = expression(context->expr());
  result->parenthesised = true;
  result->location = locate(context);
  return result;
}

ExprPtr TreeBuilder::number(antlr4::Token *token, bool isInteger) {
  auto result = makeExpr(Expr::Kind::Number, locate(token));
  result->isInteger = isInteger;
  if (isInteger) {
    result->number = static_cast<double>(integer(token).value_or(0));
    return result;
  }
  std::string digits;
  for (char c : text(token))
    if (c != '_')
      digits += c;
  auto [end, code] = std::from_chars(
      digits.data(), digits.data() + digits.size(), result->number);
  if (code == std::errc())
    return result;
  // Out of range: too small reads as zero, too big is a mistake.
  result->number = std::strtod(digits.c_str(), nullptr);
  if (std::isinf(result->number))
    error(result->location, "this number is too big", "`inf` is a constant");
  return result;
}

ExprPtr TreeBuilder::reference(Parser::ReferenceContext *context) {
  auto result = makeExpr(Expr::Kind::Reference, locate(context));
  result->name = name(context->name());
  if (context->arguments()) {
    call(context, *result);
    return result;
  }
  for (auto *child : context->bracket())
    result->pickers.push_back(picker(child));
  return result;
}

Picker TreeBuilder::picker(Parser::BracketContext *context) {
  Picker result;
  result.location = locate(context);
  auto kindOf = [](Parser::PickerContext *child) {
    return child->ARROW()    ? Picker::Kind::Rename
           : child->ASSIGN() ? Picker::Kind::Named
                             : Picker::Kind::Index;
  };
  std::vector<Parser::PickerContext *> pickers = context->picker();
  result.kind = kindOf(pickers[0]);
  for (auto *child : pickers) {
    if (kindOf(child) != result.kind ||
        (result.kind == Picker::Kind::Named && child != pickers[0]))
      error(locate(child), "these brackets mix two ways to pick",
            "brackets may repeat: `x[N = 0][t - 1]`");
    for (auto *part : child->name())
      result.names.push_back(name(part));
    if (child->sum())
      result.values.push_back(expression(child->sum()));
  }
  return result;
}

// Calls and history.

static bool readsHistory(const std::string &name) {
  return name == "attend" || name == "sum" || name == "mean" || name == "max" ||
         name == "logsumexp";
}

void TreeBuilder::call(Parser::ReferenceContext *context, Expr &expr) {
  std::vector<Parser::BranchContext *> branches =
      context->arguments()->branch();
  bool hasRange = false;
  for (auto *child : branches)
    hasRange |= child->COLON() != nullptr;
  expr.kind = hasRange ? Expr::Kind::History : Expr::Kind::Call;
  if (!hasRange) {
    reducedAxes(context, expr);
    if (expr.name.text == "attend" || expr.name.text == "logsumexp")
      error(expr.location, "`" + expr.name.text + "` reads a range of tokens",
            expr.name.text == "attend"
                ? "write `attend(s <= t : q @ k[s], v[s])`"
                : "write `logsumexp(s <= t : q @ k[s])`");
    if (branches.size() > 1)
      error(locate(branches[1]), "`|` joins ranges, and this is none",
            "a condition is joined by `or`");
  } else if (!readsHistory(expr.name.text)) {
    error(expr.name.location, "`" + expr.name.text + "` takes no range",
          "`attend`, `sum`, `mean`, `max` and `logsumexp` do");
  } else if (!context->bracket().empty()) {
    error(locate(context->bracket(0)), "a reduction over a range takes no axes",
          "reduce what is read: `sum(s <= t : sum[K](x[s]))`");
  }
  if (hasRange) {
    for (auto *child : branches)
      expr.branches.push_back(branch(child, child == branches.back(), expr));
    return;
  }
  for (auto *child : branches)
    for (auto *entry : child->entry())
      expr.arguments.push_back(argument(entry));
}

void TreeBuilder::reducedAxes(Parser::ReferenceContext *context, Expr &expr) {
  std::vector<Parser::BracketContext *> brackets = context->bracket();
  for (auto *child : brackets) {
    Picker picked = picker(child);
    bool plain = child == brackets[0] && picked.kind == Picker::Kind::Index;
    for (ExprPtr &value : picked.values) {
      plain &= value->kind == Expr::Kind::Reference && value->pickers.empty() &&
               !value->parenthesised;
      if (plain)
        expr.axes.push_back(value->name);
    }
    if (!plain)
      error(picked.location, "only names of axes can stand before arguments",
            "`sum[K](x)` reduces along `K`; to multiply, write `*`");
  }
}

Argument TreeBuilder::argument(Parser::EntryContext *context) {
  Argument result;
  if (context->domain()) {
    Clause clause = membership(context->name(), context->domain());
    error(clause.location, "a range needs `:` and what to read",
          "write `sum(" + clause.variable.text + " in … : e)`");
    result.value = makeExpr(Expr::Kind::Number, clause.location);
    return result;
  }
  if (context->name())
    result.name = name(context->name());
  result.value = expression(context->expr());
  return result;
}

Branch TreeBuilder::branch(Parser::BranchContext *context, bool isLast,
                           Expr &expr) {
  Branch result;
  if (!context->COLON())
    error(locate(context), "this branch has no range",
          "write `s <= t : e` on both sides of `|`");
  bool inRange = context->COLON() != nullptr, afterNamed = false;
  for (auto *child : context->children) {
    auto *entry = dynamic_cast<Parser::EntryContext *>(child);
    if (!entry) {
      inRange &= symbol(child)->getType() != Parser::COLON;
    } else if (inRange) {
      result.clauses.push_back(clauseOf(entry));
    } else if (entry->ASSIGN()) {
      expr.arguments.push_back(argument(entry));
      afterNamed = true;
      if (!isLast)
        error(locate(entry), "a named argument comes last",
              "it counts for all ranges: write it before the `)`");
    } else {
      if (afterNamed)
        error(locate(entry), "a value stands before the named arguments");
      result.values.push_back(argument(entry).value);
    }
  }
  return result;
}

Clause TreeBuilder::clauseOf(Parser::EntryContext *context) {
  if (context->domain())
    return membership(context->name(), context->domain());
  if (context->ASSIGN()) {
    error(locate(context), "a named argument cannot stand in a range",
          "named arguments come last; a condition is `==`");
    return {};
  }
  return condition(context->expr());
}

Clause TreeBuilder::clause(Parser::ClauseContext *context) {
  if (context->domain())
    return membership(context->name(), context->domain());
  return condition(context->comparison());
}

Clause TreeBuilder::condition(Context *context) {
  Clause result;
  result.kind = Clause::Kind::Compare;
  result.location = locate(context);
  result.values.push_back(expression(context));
  if (result.values[0]->kind != Expr::Kind::Compare)
    error(result.location, "this is no range",
          "a range reads `s <= t`, `t - W < s <= t` or `s in J`");
  return result;
}

Clause TreeBuilder::membership(Parser::NameContext *variable,
                               Parser::DomainContext *domain) {
  Clause result;
  result.variable = name(variable);
  result.location = locate(variable->getStart(), domain->getStop());
  result.kind = Clause::Kind::In;
  if (domain->span()) {
    result.values = span(domain->span());
    return result;
  }
  result.kind =
      domain->CLOSED() ? Clause::Kind::InClosedBlocks : Clause::Kind::InBlocks;
  blocks(domain->arguments(), result);
  return result;
}

void TreeBuilder::blocks(Parser::ArgumentsContext *context, Clause &clause) {
  std::vector<Parser::BranchContext *> branches = context->branch();
  bool good = branches.size() == 1 && !branches[0]->COLON();
  for (auto *child : branches) {
    for (auto *entry : child->entry()) {
      Argument given = argument(entry);
      if (given.name.text.empty())
        clause.values.push_back(std::move(given.value));
      else if (given.name.text == "stride" && !clause.stride)
        clause.stride = std::move(given.value);
      else
        good = false;
    }
  }
  if (!good || clause.values.size() != 1)
    error(locate(context), "blocks have a size and perhaps a stride",
          "write `blocks(64)` or `blocks(64, stride = 16)`");
}

std::vector<ExprPtr> TreeBuilder::span(Parser::SpanContext *context) {
  std::vector<ExprPtr> result;
  for (auto *child : context->sum())
    result.push_back(expression(child));
  return result;
}

} // namespace trowel
