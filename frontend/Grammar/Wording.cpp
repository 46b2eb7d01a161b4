// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// "expected …, found …" from what the parser could have gone on with.

#include "frontend/Grammar/Wording.h"

namespace trowel {

using P = TrowelParser;

std::string FailedChunk::text(size_t i) const {
  return i < tokens.size() ? source.slice(tokens[i]->getStartIndex(),
                                          tokens[i]->getStopIndex() + 1)
                           : "";
}

Location FailedChunk::locate(size_t i) const {
  const antlr4::Token *token = tokens[i];
  return source.locate(token->getStartIndex(), token->getStopIndex() + 1,
                       token->getLine(), token->getCharPositionInLine() + 1);
}

Location FailedChunk::after(size_t i) const {
  Location location = locate(i);
  location.column += location.length;
  location.length = 1;
  return location;
}

static bool isOnLineOfPrevious(const FailedChunk &failed) {
  return failed.at < failed.tokens.size() && failed.at > 0 &&
         failed.tokens[failed.at]->getLine() ==
             failed.tokens[failed.at - 1]->getLine();
}

Location FailedChunk::place() const {
  if (!atEnd() || isOnLineOfPrevious(*this))
    return locate(at);
  return after(at - 1);
}

size_t openBracket(const FailedChunk &failed) {
  std::vector<size_t> open;
  for (size_t i = failed.chunk.begin; i < failed.at; ++i) {
    switch (failed.type(i)) {
    case P::OPEN_PAREN:
    case P::OPEN_SQUARE:
    case P::OPEN_BRACE:
      open.push_back(i);
      break;
    case P::CLOSE_PAREN:
    case P::CLOSE_SQUARE:
    case P::CLOSE_BRACE:
      if (!open.empty())
        open.pop_back();
      break;
    default:
      break;
    }
  }
  return open.empty() ? failed.chunk.end : open.back();
}

static bool isKeyword(size_t type) {
  return type >= P::ATTENTION && type <= P::NOT;
}

std::string found(const FailedChunk &failed) {
  if (failed.atEnd() && !isOnLineOfPrevious(failed))
    return failed.at < failed.tokens.size() ? "the end of the line"
                                            : "the end of the file";
  bool isWord = isKeyword(failed.type(failed.at));
  return (isWord ? "the keyword `" : "`") + failed.text(failed.at) + "`";
}

/// A sign or keyword as it is written, in backticks.
static std::string sign(const Failure &failure, size_t type) {
  std::string quoted = failure.vocabulary->getLiteralName(type);
  return quoted.size() < 3 ? quoted
                           : "`" + quoted.substr(1, quoted.size() - 2) + "`";
}

/// A name, by the place it is missing from.
static std::string nameWords(const Failure &failure) {
  if (failure.isInside(P::RuleType) && !failure.isInside(P::RuleExpr))
    return "a type";
  if (failure.isInside(P::RulePatternItem))
    return "an attention";
  return "a name";
}

static std::string expressionWords(const FailedChunk &failed) {
  const Failure &failure = failed.failure;
  if (failure.isInside(P::RuleBracket))
    return "an index";
  if (failure.isInside(P::RuleType) || failure.isInside(P::RulePick))
    return "a size";
  return "an expression";
}

/// All of the set, for sets of a few signs.
static std::string listed(const Failure &failure) {
  std::vector<std::string> words;
  if (failure.expects(P::NAME)) // stands for the words that are names as well
    words.push_back(nameWords(failure));
  for (ssize_t type : failure.expected.toList()) {
    if (type == P::INT)
      words.push_back("a whole number");
    else if (type == P::STRING)
      words.push_back("a file name in quotes");
    else if (type > 0 && !(failure.expects(P::NAME) && isNameToken(type)))
      words.push_back(sign(failure, type));
  }
  std::string result;
  for (size_t i = 0; i < words.size(); ++i)
    result += (i == 0 ? "" : i + 1 < words.size() ? ", " : " or ") + words[i];
  return result;
}

/// The last part of the statement could go on with an operator.
static bool endsInExpression(const FailedChunk &failed) {
  switch (failed.type(failed.chunk.begin)) {
  case P::DIM:
  case P::LET:
  case P::OUT:
  case P::FN:
    return true;
  default:
    return isNameToken(failed.type(failed.chunk.begin));
  }
}

static std::string expected(const FailedChunk &failed) {
  const Failure &failure = failed.failure;
  bool afterOpen = failed.at > failed.chunk.begin &&
                   failed.type(failed.at - 1) == P::OPEN_PAREN;
  if (failure.expects(P::INT) && failure.expects(P::OPEN_PAREN) &&
      failure.expects(P::SUB))
    return expressionWords(failed);
  if (afterOpen && failure.isInside(P::RuleArguments))
    return "an expression";
  if (failure.expects(P::ATTENTION))
    return "`attention`, `fn`, `stack` or `import`";
  if (failure.expects(P::LET))
    return "a statement";
  if (failure.expects(antlr4::Token::EOF))
    return endsInExpression(failed) ? "an operator or the next statement"
                                    : "the next statement";
  return listed(failure);
}

Diagnostic describe(const FailedChunk &failed) {
  Diagnostic result;
  result.location = failed.place();
  result.message = "expected " + expected(failed) + ", found " + found(failed);
  adviseOn(failed, result);
  return result;
}

} // namespace trowel
