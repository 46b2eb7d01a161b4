// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A corner of a call that is small enough for the float64 meaning.
#ifndef TROWEL_TOOLS_TROWEL_SLICE_H
#define TROWEL_TOOLS_TROWEL_SLICE_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"

namespace trowel::tool {

/// The first tokens of the first sequence that has any, and of the first head;
/// all heads where the program reduces over heads. What comes after a token
/// does not change it, so the results of the corner are the corner of the
/// results.
struct Corner {
  Batch batch;            // of the corner
  int64_t sequence = 0;   // in the whole call
  int64_t firstToken = 0; // among all of the call's tokens, T in a row
  bool isWhole = false;   // it reaches the sequence's end
};

Corner cornerOf(const Program &program, const Batch &whole, int64_t tokens);

/// The corner's inputs, params and initial states.
TensorMap sliceArguments(const Program &program, const Batch &whole,
                         const Corner &corner, const TensorMap &arguments);

/// The corner's outputs and, where it is whole, final states.
TensorMap sliceResults(const Program &program, const Batch &whole,
                       const Corner &corner, const TensorMap &results);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_SLICE_H
