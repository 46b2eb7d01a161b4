// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TROWEL_PASSES_CHUNK_DEADOPS_H
#define TROWEL_PASSES_CHUNK_DEADOPS_H

#include "dialect/Chunk/Chunk.h"

namespace trowel {

/// Erases operations that nobody needs: not what the program is called with,
/// nor what `isKept`, if given.
void eraseDead(chunk::ProgramOp program,
               llvm::function_ref<bool(mlir::Operation &)> isKept = nullptr);

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_DEADOPS_H
