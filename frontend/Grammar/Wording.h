// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words of a syntax error: what was expected, what was found, what helps.
#ifndef TROWEL_FRONTEND_GRAMMAR_WORDING_H
#define TROWEL_FRONTEND_GRAMMAR_WORDING_H

#include "frontend/Grammar/Chunks.h"
#include "frontend/Grammar/Source.h"
#include "frontend/Grammar/StopAtError.h"

namespace trowel {

/// A failure at token `at` of the file, in the chunk that starts at `begin`;
/// `at` is the chunk's end if the chunk was left incomplete.
struct FailedChunk {
  const TokenList &tokens;
  const SourceText &source;
  const Failure &failure;
  Chunk chunk;
  size_t at;

  bool atEnd() const { return at == chunk.end; }
  size_t type(size_t i) const {
    return i < tokens.size() ? tokens[i]->getType() : antlr4::Token::EOF;
  }
  /// As the source has it; empty past the end of the file.
  std::string text(size_t i) const;
  Location locate(size_t i) const;
  /// The place just behind token `i`.
  Location after(size_t i) const;
  /// Where the failure is: a token, or the end of an unfinished line.
  Location place() const;
};

/// The whole message for one failure.
Diagnostic describe(const FailedChunk &failed);

/// Mistakes.cpp: the mistakes that people make, by name. Sets the help, and the
/// message where it can say more than what was expected.
void adviseOn(const FailedChunk &failed, Diagnostic &diagnostic);

/// The innermost bracket that is open before token `at`; none: chunk.end.
size_t openBracket(const FailedChunk &failed);

/// What was found at the failure, in words.
std::string found(const FailedChunk &failed);

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_WORDING_H
