// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stages that run token after token.
#ifndef TROWEL_PASSES_NORMALIZE_SEQUENTIALSTAGE_H
#define TROWEL_PASSES_NORMALIZE_SEQUENTIALSTAGE_H

#include "passes/Normalize/LinearForm.h"
#include "passes/Normalize/StateGraph.h"

namespace trowel {

/// True if every update of the stage is affine in its states and elementwise:
/// an associative scan computes it.
bool isScan(const StateGraph &graph, const llvm::BitVector &stage);

/// Moves the operations that need the stage's states as a whole into a
/// `rec.sequential` at the end of the program.
void emitSequential(rec::ProgramOp program, const StateGraph &graph,
                    const llvm::BitVector &stage, bool scan,
                    const Obstacle &obstacle);

} // namespace trowel

#endif // TROWEL_PASSES_NORMALIZE_SEQUENTIALSTAGE_H
