// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fast path: the whole file, by the grammar, with the cheap prediction
// mode.

#include "frontend/Grammar/Parser.h"

#include "frontend/Grammar/Explain.h"
#include "frontend/Grammar/Nesting.h"
#include "frontend/Grammar/StopAtError.h"
#include "frontend/Grammar/TreeBuilder.h"
#include "frontend/Grammar/Wording.h"

namespace trowel {

/// The whole file by the grammar; nothing, and the failure, if it has an error.
static std::optional<ParseResult> parseWhole(antlr4::CommonTokenStream &tokens,
                                             const SourceText &source,
                                             antlr4::atn::PredictionMode mode,
                                             Failure &failure) {
  TrowelParser parser(&tokens);
  parser.removeErrorListeners();
  auto strategy = std::make_shared<StopAtError>();
  parser.setErrorHandler(strategy);
  parser.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
      mode);
  ParseResult result;
  try {
    TreeBuilder builder(source, result.diagnostics);
    result.file = builder.file(parser.file());
  } catch (const antlr4::ParseCancellationException &) {
    failure = strategy->failure;
    return std::nullopt;
  }
  if (!result.diagnostics.empty())
    result.file = {};
  return result;
}

static ParseResult parseText(const SourceText &source) {
  antlr4::ANTLRInputStream input(source.ascii());
  TrowelLexer lexer(&input);
  lexer.removeErrorListeners();
  antlr4::CommonTokenStream stream(&lexer);
  stream.fill();
  TokenList tokens = stream.getTokens();
  tokens.pop_back(); // the end of the file
  if (auto error = checkNesting(tokens, source))
    return {{}, {*error}};
  using antlr4::atn::PredictionMode;
  Failure failure;
  if (auto result = parseWhole(stream, source, PredictionMode::SLL, failure))
    return std::move(*result);
  if (auto errors = explainErrors(tokens, source); !errors.empty())
    return {{}, std::move(errors)};
  // Every chunk is good: the cheap prediction was wrong about the whole.
  stream.seek(0);
  if (auto result = parseWhole(stream, source, PredictionMode::LL, failure))
    return std::move(*result);
  Chunk whole{0, tokens.size(), true};
  FailedChunk failed{tokens, source, failure, whole,
                     failure.token->getTokenIndex()};
  return {{}, {describe(failed)}};
}

ParseResult parse(const SourceFile &source) {
  SourceText text;
  if (auto error = text.read(source.text))
    return {{}, {*error}};
  return parseText(text);
}

} // namespace trowel
