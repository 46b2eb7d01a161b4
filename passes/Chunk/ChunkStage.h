// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The chunk form of one stage in normal form.
#ifndef TROWEL_PASSES_CHUNK_CHUNKSTAGE_H
#define TROWEL_PASSES_CHUNK_CHUNKSTAGE_H

#include "passes/Chunk/Transitions.h"

namespace trowel {

/// Gives the tile of a value of the token program.
using TileOf = llvm::function_ref<mlir::Value(mlir::Value)>;

/// Builds the tiles of a stage's results and its states as the chunk ends.
/// `states` are the states as the chunk begins, in the stage's order; on return
/// they are those as it ends.
llvm::SmallVector<mlir::Value>
chunkStage(rec::StageOp stage, rec::ValueBuilder &values, TileOf tileOf,
           llvm::SmallVectorImpl<mlir::Value> &states);

/// The rows of a token that take part in the stage's triangular solve.
unsigned solvedRowCount(rec::StageOp stage);

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_CHUNKSTAGE_H
