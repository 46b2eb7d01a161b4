// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TROWEL_PASSES_CHUNK_CHUNKTRANSITIONGRADIENT_H
#define TROWEL_PASSES_CHUNK_CHUNKTRANSITIONGRADIENT_H

#include "passes/Chunk/ChunkStage.h"

namespace trowel {

/// The gradients of transitions from products of tiles, where every state that
/// has one stands alone, without a decay of values; else nothing.
llvm::SmallVector<mlir::Value>
chunkTransitionGradient(rec::TransitionGradientOp op, rec::ValueBuilder &values,
                        TileOf tileOf);

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_CHUNKTRANSITIONGRADIENT_H
