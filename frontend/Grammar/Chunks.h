// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where statements start in a text that does not parse. Used only to recover:
// each chunk is parsed by itself, so that one error hides no other and causes
// no other.
#ifndef TROWEL_FRONTEND_GRAMMAR_CHUNKS_H
#define TROWEL_FRONTEND_GRAMMAR_CHUNKS_H

#include "frontend/Grammar/Antlr.h"

namespace trowel {

/// The tokens from `begin` to `end` (excluded): an item or a statement, the
/// head of an attention or loop with its `{`, or a `}` that closes one.
struct Chunk {
  size_t begin = 0, end = 0;
  bool isCertain = true; // starts with a keyword or `name op=`
};

/// Splits `tokens` (without the end of the file) into chunks.
std::vector<Chunk> splitIntoChunks(const TokenList &tokens);

/// A name, by the grammar's rule of that name.
bool isNameToken(size_t type);

/// A `{` that opens the body of an attention or a loop.
bool opensBlock(const TokenList &tokens, size_t i);

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_CHUNKS_H
