// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts the work of a token: of a chunk program, and of the same token by
// token.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_COSTS_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_COSTS_H

#include "dialect/Chunk/Chunk.h"
#include "dialect/Rec/Axes.h"

namespace trowel::explaining {

/// Operations per token and head. A multiplication and an addition count one
/// each, and so does a function such as `exp`. Products are counted dense over
/// the chunk, without what a triangle saves.
struct Work {
  double products = 0;    // matrix products
  double solves = 0;      // triangular solves
  double decays = 0;      // products of factors, and what they scale
  double elementwise = 0; // everything else of the chunk
  double sequential = 0;  // stages that run token after token

  double total() const {
    return products + solves + decays + elementwise + sequential;
  }
};

/// Of the chunk program, divided by the tokens of a chunk.
Work workOfChunks(chunk::ProgramOp program);

/// Of the normal form, one token after the other.
double workOfTokens(rec::ProgramOp program);

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_COSTS_H
