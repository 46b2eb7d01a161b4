// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How ANTLR's parser meets an error here: it stops, and says what it had.
#ifndef TROWEL_FRONTEND_GRAMMAR_STOPATERROR_H
#define TROWEL_FRONTEND_GRAMMAR_STOPATERROR_H

#include "frontend/Grammar/Antlr.h"

namespace trowel {

/// The first token that cannot stand where it does.
struct Failure {
  antlr4::Token *token = nullptr;
  antlr4::misc::IntervalSet expected; // types of tokens that could
  std::vector<size_t> rules;          // being parsed, innermost first
  const antlr4::dfa::Vocabulary *vocabulary = nullptr;

  bool expects(size_t type) const {
    return expected.contains(static_cast<ssize_t>(type));
  }
  bool isInside(size_t rule) const;
};

/// Ends the parse at the first error with a ParseCancellationException.
class StopAtError : public antlr4::BailErrorStrategy {
public:
  void reportError(antlr4::Parser *parser,
                   const antlr4::RecognitionException &error) override;
  antlr4::Token *recoverInline(antlr4::Parser *parser) override;

  Failure failure;
};

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_STOPATERROR_H
