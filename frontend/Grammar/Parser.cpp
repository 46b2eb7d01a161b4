// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fast path: the whole file, by the grammar, with the cheap prediction
// mode.

#include "frontend/Grammar/Parser.h"

#include "frontend/Grammar/Nesting.h"
#include "frontend/Grammar/TreeBuilder.h"

namespace trowel {

namespace {
/// Stops at the first error, and remembers where.
class StopAtError : public antlr4::BailErrorStrategy {
public:
  void reportError(antlr4::Parser *parser,
                   const antlr4::RecognitionException &) override {
    Offending = parser->getCurrentToken();
  }
  antlr4::Token *recoverInline(antlr4::Parser *parser) override {
    Offending = parser->getCurrentToken();
    return BailErrorStrategy::recoverInline(parser);
  }
  antlr4::Token *Offending = nullptr;
};
} // namespace

static ParseResult parseText(const SourceFile &source) {
  ParseResult result;
  SourceText text;
  if (auto error = text.read(source.text)) {
    result.diagnostics.push_back(*error);
    return result;
  }
  antlr4::ANTLRInputStream input(text.ascii());
  TrowelLexer lexer(&input);
  lexer.removeErrorListeners();
  antlr4::CommonTokenStream tokens(&lexer);
  tokens.fill();
  if (auto error = checkNesting(tokens.getTokens(), text)) {
    result.diagnostics.push_back(*error);
    return result;
  }
  TrowelParser parser(&tokens);
  parser.removeErrorListeners();
  auto strategy = std::make_shared<StopAtError>();
  parser.setErrorHandler(strategy);
  parser.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
      antlr4::atn::PredictionMode::SLL);
  TreeBuilder builder(text, result.diagnostics);
  try {
    result.file = builder.file(parser.file());
  } catch (const antlr4::ParseCancellationException &) {
    antlr4::Token *token = strategy->Offending;
    Diagnostic error;
    error.location =
        text.locate(token->getStartIndex(), token->getStopIndex() + 1,
                    token->getLine(), token->getCharPositionInLine() + 1);
    error.message =
        "unexpected `" +
        text.slice(token->getStartIndex(), token->getStopIndex() + 1) + "`";
    result.diagnostics.push_back(error);
  }
  if (!result.diagnostics.empty())
    result.file = {};
  return result;
}

ParseResult parse(const SourceFile &source) { return parseText(source); }

} // namespace trowel
