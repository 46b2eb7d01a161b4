// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From ANTLR's parse tree to the syntax tree. Finds what the grammar leaves
// open: numbers that are too big, and argument lists that hold neither plain
// arguments nor a range.
#ifndef TROWEL_FRONTEND_GRAMMAR_TREEBUILDER_H
#define TROWEL_FRONTEND_GRAMMAR_TREEBUILDER_H

#include "frontend/AST/SyntaxTree.h"
#include "frontend/Grammar/Antlr.h"
#include "frontend/Grammar/Source.h"

namespace trowel {

class TreeBuilder {
public:
  TreeBuilder(const SourceText &source, std::vector<Diagnostic> &diagnostics)
      : Source(source), Diagnostics(diagnostics) {}

  // TreeBuilder.cpp: files and statements.
  syntax::File file(TrowelParser::FileContext *context);
  void item(TrowelParser::ItemContext *context, syntax::File &file);
  void attentionHead(TrowelParser::AttentionHeadContext *context,
                     syntax::Attention &attention);
  syntax::StatementPtr statement(TrowelParser::StatementContext *context);
  void loopHead(TrowelParser::LoopHeadContext *context,
                syntax::Statement &statement);

private:
  using Context = antlr4::ParserRuleContext;
  using Node = antlr4::tree::ParseTree;

  syntax::Function function(TrowelParser::FunctionContext *context);
  syntax::Attention attention(TrowelParser::AttentionContext *context);
  syntax::Stack stack(TrowelParser::StackContext *context);
  std::vector<syntax::Stack::Item>
  pattern(TrowelParser::PatternContext *context);

  void declaration(TrowelParser::NamesContext *names,
                   TrowelParser::TypeContext *type,
                   TrowelParser::SharingContext *sharing,
                   TrowelParser::ValueRangeContext *range,
                   syntax::Statement &statement);
  void state(TrowelParser::StateContext *context, syntax::Statement &statement);
  void output(TrowelParser::OutputContext *context,
              syntax::Statement &statement);
  void index(TrowelParser::IndexContext *context, syntax::Statement &statement);
  void loop(TrowelParser::LoopContext *context, syntax::Statement &statement);
  syntax::Type type(TrowelParser::TypeContext *context);
  syntax::Range range(TrowelParser::ValueRangeContext *context);
  syntax::Name name(TrowelParser::NameContext *context);
  std::vector<syntax::Name> names(TrowelParser::NamesContext *context);

  // Expressions.cpp.
  syntax::ExprPtr expression(Node *node);
  syntax::ExprPtr chain(Context *context);
  syntax::ExprPtr comparison(Context *context);
  syntax::ExprPtr prefix(Context *context);
  syntax::ExprPtr primary(TrowelParser::PrimaryContext *context);
  syntax::ExprPtr number(antlr4::Token *token, bool isInteger);
  syntax::ExprPtr reference(TrowelParser::ReferenceContext *context);
  void call(TrowelParser::ReferenceContext *context, syntax::Expr &expr);
  void reducedAxes(TrowelParser::ReferenceContext *context, syntax::Expr &expr);
  syntax::Picker picker(TrowelParser::BracketContext *context);
  syntax::Branch branch(TrowelParser::BranchContext *context, bool isLast,
                        syntax::Expr &expr);
  syntax::Argument argument(TrowelParser::EntryContext *context);
  syntax::Clause clauseOf(TrowelParser::EntryContext *context);
  syntax::Clause clause(TrowelParser::ClauseContext *context);
  syntax::Clause membership(TrowelParser::NameContext *variable,
                            TrowelParser::DomainContext *domain);
  syntax::Clause condition(Context *context);
  void blocks(TrowelParser::ArgumentsContext *context, syntax::Clause &clause);
  std::vector<syntax::ExprPtr> span(TrowelParser::SpanContext *context);

  std::optional<int64_t> integer(antlr4::Token *token);
  std::string text(antlr4::Token *token) const;
  Location locate(antlr4::Token *first, antlr4::Token *last) const;
  Location locate(Context *context) const;
  Location locate(antlr4::Token *token) const { return locate(token, token); }
  void error(Location location, std::string message, std::string help = "");

  const SourceText &Source;
  std::vector<Diagnostic> &Diagnostics;
};

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_TREEBUILDER_H
