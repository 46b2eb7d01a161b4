// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parses a text that has errors chunk by chunk, and keeps count of its blocks.

#include "frontend/Grammar/Explain.h"

#include "frontend/Grammar/Slips.h"
#include "frontend/Grammar/TreeBuilder.h"
#include "frontend/Grammar/Wording.h"

#include <algorithm>
#include <tuple>

namespace trowel {

using P = TrowelParser;

namespace {
/// An open `{`: its token, and where the line of its head starts.
struct Block {
  size_t brace;
  size_t column;
};

class Explainer {
public:
  Explainer(const TokenList &tokens, const SourceText &source,
            std::vector<Diagnostic> &diagnostics)
      : Tokens(tokens), Source(source), Diagnostics(diagnostics) {}

  void run();

private:
  enum class Kind { Item, AttentionHead, LoopHead, End, Statement };
  Kind kindOf(const Chunk &chunk) const;
  void explain(const Chunk &chunk);
  void parse(const Chunk &chunk, Kind kind);
  bool isContinuation(const Chunk &chunk) const;
  void build(P &parser, Kind kind);
  void enter(const Chunk &chunk, Kind kind);
  void close(size_t brace);
  void expectClosed(const Block &block, size_t before);
  void outside(const Chunk &chunk);

  size_t type(size_t i) const { return Tokens[i]->getType(); }
  FailedChunk failedAt(const Failure &failure, const Chunk &chunk,
                       size_t at) const {
    return {Tokens, Source, failure, chunk, at};
  }

  const TokenList &Tokens;
  const SourceText &Source;
  std::vector<Diagnostic> &Diagnostics;
  std::vector<Block> Blocks;
  bool SaidOutside = false;    // about the statements that follow as well
  bool LeftIncomplete = false; // the last chunk failed at its end
};
} // namespace

Explainer::Kind Explainer::kindOf(const Chunk &chunk) const {
  switch (type(chunk.begin)) {
  case P::IMPORT:
  case P::FN:
  case P::STACK:
    return Kind::Item;
  case P::ATTENTION:
    return Kind::AttentionHead;
  case P::FOR:
    return Kind::LoopHead;
  case P::CLOSE_BRACE:
    return Kind::End;
  default:
    return Kind::Statement;
  }
}

/// What a failure before it has made meaningless: the rest of the line, or a
/// line that only continues.
bool Explainer::isContinuation(const Chunk &chunk) const {
  return LeftIncomplete &&
         (!chunk.isCertain ||
          Tokens[chunk.begin]->getLine() == Tokens[chunk.begin - 1]->getLine());
}

void Explainer::run() {
  for (const Chunk &chunk : splitIntoChunks(Tokens)) {
    if (Diagnostics.size() >= maximalErrors)
      return;
    explain(chunk);
  }
  if (!Blocks.empty())
    expectClosed(Blocks.back(), Tokens.size());
}

void Explainer::explain(const Chunk &chunk) {
  Kind kind = kindOf(chunk);
  if (kind == Kind::End) {
    close(chunk.begin);
    LeftIncomplete = false;
    return;
  }
  bool isItem = kind == Kind::Item || kind == Kind::AttentionHead;
  bool skipped = isContinuation(chunk);
  LeftIncomplete = false;
  if (isItem && !skipped) {
    if (!Blocks.empty())
      expectClosed(Blocks.back(), chunk.begin);
    Blocks.clear();
    SaidOutside = false;
  }
  bool isOutside = !isItem && Blocks.empty();
  if (isOutside && !skipped)
    outside(chunk);
  else if (!skipped)
    parse(chunk, kind);
  enter(chunk, kind);
}

/// Keeps count of the blocks, whether or not their heads were good.
void Explainer::enter(const Chunk &chunk, Kind kind) {
  size_t last = chunk.end - 1;
  bool opens = type(last) == P::OPEN_BRACE && opensBlock(Tokens, last);
  if (!opens && kind != Kind::AttentionHead)
    return;
  size_t first = chunk.begin; // of the line
  while (first > 0 &&
         Tokens[first - 1]->getLine() == Tokens[chunk.begin]->getLine())
    --first;
  Blocks.push_back({last, Tokens[first]->getCharPositionInLine()});
}

void Explainer::close(size_t brace) {
  if (Blocks.empty()) {
    if (!SaidOutside) {
      Diagnostic error;
      error.location = failedAt({}, {}, 0).locate(brace);
      error.message = "this `}` closes nothing";
      Diagnostics.push_back(std::move(error));
    }
    SaidOutside = true;
    return;
  }
  // A brace under the head of an outer block was meant for that one.
  const antlr4::Token *token = Tokens[brace];
  bool first = brace == 0 || Tokens[brace - 1]->getLine() < token->getLine();
  size_t column = token->getCharPositionInLine();
  bool meantForOuter = first && Blocks.back().column > column &&
                       Blocks.size() > 1 &&
                       Blocks[Blocks.size() - 2].column == column;
  if (meantForOuter) {
    expectClosed(Blocks.back(), brace);
    Blocks.pop_back();
  }
  Blocks.pop_back();
}

void Explainer::expectClosed(const Block &block, size_t before) {
  if (type(block.brace) != P::OPEN_BRACE)
    return; // the head lacks its brace, which has been said
  Failure failure;
  FailedChunk failed = failedAt(failure, {block.brace, before, true}, before);
  Diagnostic error;
  if (before == Tokens.size()) {
    error.location = failed.after(before - 1);
    error.message = "expected `}`, found the end of the file";
  } else {
    error.location = failed.locate(before);
    error.message = type(before) == P::CLOSE_BRACE
                        ? "expected another `}`"
                        : "expected `}`, found `" + failed.text(before) + "`";
  }
  error.notes.push_back({failed.locate(block.brace), "to close this `{`"});
  Diagnostics.push_back(std::move(error));
}

void Explainer::outside(const Chunk &chunk) {
  if (SaidOutside || isSlip(Tokens[chunk.begin]))
    return;
  SaidOutside = true;
  Failure failure;
  failure.expected.add(P::ATTENTION);
  Diagnostics.push_back(describe(failedAt(failure, chunk, chunk.begin)));
}

// One chunk through the grammar.

static std::vector<std::unique_ptr<antlr4::Token>>
copyOf(const TokenList &tokens, const Chunk &chunk) {
  std::vector<std::unique_ptr<antlr4::Token>> result;
  for (size_t i = chunk.begin; i < chunk.end; ++i)
    result.push_back(std::make_unique<antlr4::CommonToken>(tokens[i]));
  auto end = std::make_unique<antlr4::CommonToken>(tokens[chunk.end - 1]);
  end->setType(antlr4::Token::EOF);
  result.push_back(std::move(end));
  return result;
}

void Explainer::build(P &parser, Kind kind) {
  TreeBuilder builder(Source, Diagnostics);
  syntax::File file;
  syntax::Attention attention;
  syntax::Statement loop;
  switch (kind) {
  case Kind::Item:
    return builder.item(parser.item(), file);
  case Kind::AttentionHead:
    return builder.attentionHead(parser.attentionHead(), attention);
  case Kind::LoopHead:
    return builder.loopHead(parser.loopHead(), loop);
  default:
    builder.statement(parser.statement());
  }
}

void Explainer::parse(const Chunk &chunk, Kind kind) {
  for (size_t i = chunk.begin; i < chunk.end; ++i)
    if (isSlip(Tokens[i]))
      return; // reported already, and what follows it means nothing
  antlr4::ListTokenSource list(copyOf(Tokens, chunk));
  antlr4::CommonTokenStream stream(&list);
  P parser(&stream);
  parser.removeErrorListeners();
  auto strategy = std::make_shared<StopAtError>();
  parser.setErrorHandler(strategy);
  Failure &failure = strategy->failure;
  try {
    build(parser, kind);
    if (parser.getCurrentToken()->getType() == antlr4::Token::EOF)
      return;
    failure.token = parser.getCurrentToken();
    failure.expected.add(antlr4::Token::EOF);
    failure.vocabulary = &parser.getVocabulary();
  } catch (const antlr4::ParseCancellationException &) {
  }
  FailedChunk failed =
      failedAt(failure, chunk, chunk.begin + failure.token->getTokenIndex());
  LeftIncomplete = failed.atEnd();
  Diagnostics.push_back(describe(failed));
}

std::vector<Diagnostic> explainErrors(const TokenList &tokens,
                                      const SourceText &source) {
  std::vector<Diagnostic> result;
  TokenList repaired = repairSlips(tokens, source, result);
  if (result.size() < maximalErrors)
    Explainer(repaired, source, result).run();
  std::sort(result.begin(), result.end(),
            [](const Diagnostic &a, const Diagnostic &b) {
              return std::tie(a.location.line, a.location.column, a.message) <
                     std::tie(b.location.line, b.location.column, b.message);
            });
  if (result.size() > maximalErrors)
    result.resize(maximalErrors);
  return result;
}

} // namespace trowel
