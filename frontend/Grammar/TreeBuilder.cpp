// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files, statements and declarations. Expressions are in Expressions.cpp.

#include "frontend/Grammar/TreeBuilder.h"

#include <charconv>

namespace trowel {

using namespace syntax;
using Parser = TrowelParser;

void TreeBuilder::error(Location location, std::string message,
                        std::string help) {
  Diagnostic diagnostic;
  diagnostic.location = location;
  diagnostic.message = std::move(message);
  diagnostic.help = std::move(help);
  Diagnostics.push_back(std::move(diagnostic));
}

Location TreeBuilder::locate(antlr4::Token *first, antlr4::Token *last) const {
  return Source.locate(first->getStartIndex(), last->getStopIndex() + 1,
                       first->getLine(), first->getCharPositionInLine() + 1);
}

Location TreeBuilder::locate(Context *context) const {
  return locate(context->getStart(), context->getStop());
}

std::string TreeBuilder::text(antlr4::Token *token) const {
  return Source.slice(token->getStartIndex(), token->getStopIndex() + 1);
}

std::optional<int64_t> TreeBuilder::integer(antlr4::Token *token) {
  std::string digits;
  for (char c : text(token))
    if (c != '_')
      digits += c;
  int64_t value = 0;
  auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
  // Beyond 2^53 not every integer is a number of the language.
  if (code == std::errc() && value <= (int64_t(1) << 53))
    return value;
  error(locate(token), "this integer is too big",
        "integers go up to 2^53; write a larger number as `1e20`");
  return std::nullopt;
}

// Files.

File TreeBuilder::file(Parser::FileContext *context) {
  File result;
  for (auto *child : context->item())
    item(child, result);
  return result;
}

void TreeBuilder::item(Parser::ItemContext *context, File &file) {
  if (auto *import = context->importFile()) {
    std::string quoted = text(import->STRING()->getSymbol());
    file.imports.push_back(
        {quoted.substr(1, quoted.size() - 2), locate(import)});
  } else if (auto *fn = context->function()) {
    file.functions.push_back(function(fn));
  } else if (auto *body = context->attention()) {
    file.attentions.push_back(attention(body));
  } else if (auto *layers = context->stack()) {
    file.stacks.push_back(stack(layers));
  }
}

Function TreeBuilder::function(Parser::FunctionContext *context) {
  Function result;
  result.location = locate(context);
  result.name = name(context->name());
  bool inAxes = false;
  for (auto *child : context->children) {
    if (auto *list = dynamic_cast<Parser::NamesContext *>(child))
      (inAxes ? result.axes : result.parameters) = names(list);
    else if (auto *leaf = dynamic_cast<antlr4::tree::TerminalNode *>(child))
      inAxes = leaf->getSymbol()->getType() == Parser::OPEN_SQUARE;
  }
  result.body = expression(context->expr());
  return result;
}

Stack TreeBuilder::stack(Parser::StackContext *context) {
  Stack result;
  result.location = locate(context);
  result.name = name(context->name());
  if (context->INT())
    result.layers = integer(context->INT()->getSymbol());
  result.items = pattern(context->pattern());
  return result;
}

std::vector<Stack::Item> TreeBuilder::pattern(Parser::PatternContext *context) {
  std::vector<Stack::Item> result;
  for (auto *child : context->patternItem()) {
    Stack::Item item;
    if (child->INT())
      item.count = integer(child->INT()->getSymbol()).value_or(1);
    if (child->name())
      item.attention = name(child->name());
    else
      item.group = pattern(child->pattern());
    result.push_back(std::move(item));
  }
  return result;
}

Attention TreeBuilder::attention(Parser::AttentionContext *context) {
  Attention result;
  attentionHead(context->attentionHead(), result);
  for (auto *child : context->statement())
    result.body.push_back(statement(child));
  return result;
}

void TreeBuilder::attentionHead(Parser::AttentionHeadContext *context,
                                Attention &attention) {
  attention.location = locate(context);
  attention.name = name(context->name());
  antlr4::Token *first = context->getStart();
  attention.comment = Source.commentAbove(first->getStartIndex(),
                                          first->getCharPositionInLine());
  for (auto *child : context->size()) {
    Size size;
    size.name = name(child->name());
    size.value = integer(child->INT()->getSymbol()).value_or(1);
    attention.sizes.push_back(std::move(size));
  }
}

// Statements.

StatementPtr TreeBuilder::statement(Parser::StatementContext *context) {
  auto result = std::make_unique<Statement>();
  result->location = locate(context);
  auto finish = [&](Statement::Kind kind) { result->kind = kind; };
  if (auto *dim = context->dim()) {
    finish(Statement::Kind::Dim);
    result->names.push_back(name(dim->name()));
    result->value = expression(dim->expr());
  } else if (auto *in = context->input()) {
    finish(Statement::Kind::Input);
    declaration(in->names(), in->type(), in->sharing(), in->valueRange(),
                *result);
    if (in->scale())
      result->scale = type(in->scale()->type());
  } else if (auto *param = context->param()) {
    finish(Statement::Kind::Param);
    declaration(param->names(), param->type(), param->sharing(),
                param->valueRange(), *result);
  } else if (auto *child = context->state()) {
    finish(Statement::Kind::State);
    state(child, *result);
  } else if (auto *let = context->let()) {
    finish(Statement::Kind::Let);
    if (let->name())
      result->names.push_back(name(let->name()));
    else
      result->names = names(let->names());
    result->value = expression(let->expr());
  } else if (auto *out = context->output()) {
    finish(Statement::Kind::Output);
    output(out, *result);
  } else if (auto *child = context->index()) {
    finish(Statement::Kind::Index);
    index(child, *result);
  } else if (auto *assignment = context->assignment()) {
    finish(Statement::Kind::Assign);
    result->names.push_back(name(assignment->name()));
    result->op = text(assignment->op);
    result->value = expression(assignment->expr());
  } else if (auto *child = context->loop()) {
    finish(Statement::Kind::For);
    loop(child, *result);
  } else if (auto *debug = context->debug()) {
    finish(Statement::Kind::Debug);
    result->value = expression(debug->expr());
  }
  return result;
}

void TreeBuilder::declaration(Parser::NamesContext *list,
                              Parser::TypeContext *typeContext,
                              Parser::SharingContext *sharing,
                              Parser::ValueRangeContext *rangeContext,
                              Statement &statement) {
  statement.names = names(list);
  statement.type = type(typeContext);
  if (sharing)
    statement.sharing = text(sharing->getStart());
  if (rangeContext)
    statement.range = range(rangeContext);
}

void TreeBuilder::state(Parser::StateContext *context, Statement &statement) {
  declaration(context->names(), context->type(), context->sharing(),
              context->valueRange(), statement);
  if (context->expr())
    statement.value = expression(context->expr());
}

void TreeBuilder::output(Parser::OutputContext *context, Statement &statement) {
  statement.names.push_back(name(context->name()));
  statement.type = type(context->type());
  if (context->sharing())
    statement.sharing = text(context->sharing()->getStart());
  statement.value = expression(context->expr());
}

void TreeBuilder::index(Parser::IndexContext *context, Statement &statement) {
  statement.names.push_back(name(context->name()));
  statement.value = expression(context->expr(0));
  for (auto *child : context->clause())
    statement.clauses.push_back(clause(child));
  statement.score = expression(context->expr(1));
  if (!context->force())
    return;
  for (auto *child : context->force()->pick()) {
    Pick pick;
    pick.location = locate(child);
    pick.last = child->which->getType() == Parser::LAST;
    pick.count = expression(child->sum());
    statement.force.push_back(std::move(pick));
  }
}

void TreeBuilder::loop(Parser::LoopContext *context, Statement &statement) {
  loopHead(context->loopHead(), statement);
  for (auto *child : context->statement())
    statement.body.push_back(this->statement(child));
}

void TreeBuilder::loopHead(Parser::LoopHeadContext *context,
                           Statement &statement) {
  statement.location = locate(context);
  statement.names.push_back(name(context->name()));
  std::vector<ExprPtr> bounds = span(context->span());
  statement.span.begin = std::move(bounds[0]);
  if (bounds.size() > 1)
    statement.span.end = std::move(bounds[1]);
}

// Declarations.

Type TreeBuilder::type(Parser::TypeContext *context) {
  Type result;
  result.location = locate(context);
  result.dtype = name(context->name());
  for (auto *extent : context->sum())
    result.extents.push_back(expression(extent));
  return result;
}

Range TreeBuilder::range(Parser::ValueRangeContext *context) {
  Range result;
  result.location = locate(context);
  result.op = context->op ? text(context->op) : "in";
  result.low = expression(context->unary(0));
  if (context->op)
    return result;
  result.high = expression(context->unary(1));
  result.lowOpen = context->open->getType() == Parser::OPEN_PAREN;
  result.highOpen = context->close->getType() == Parser::CLOSE_PAREN;
  return result;
}

Name TreeBuilder::name(Parser::NameContext *context) {
  antlr4::Token *token = context->getStart();
  return {text(token), locate(token)};
}

std::vector<Name> TreeBuilder::names(Parser::NamesContext *context) {
  std::vector<Name> result;
  for (auto *child : context->name())
    result.push_back(name(child));
  return result;
}

} // namespace trowel
