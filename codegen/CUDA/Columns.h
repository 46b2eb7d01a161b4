// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What of a chunk program depends on its states, if it can be done apart for
// the columns of one axis: then a warp keeps some columns of every state in its
// registers from the first chunk to the last, and no warp needs another's.
#ifndef TROWEL_CODEGEN_CUDA_COLUMNS_H
#define TROWEL_CODEGEN_CUDA_COLUMNS_H

#include "dialect/Chunk/Chunk.h"

namespace trowel::cuda {

/// Looks for an axis such that all that follows from states with it keeps its
/// columns apart: elementwise operations, and products with matrices that
/// follow from no such state. If there is one, marks these operations, moves
/// them behind all others, and makes products with inverses of their triangular
/// systems. The program keeps the axis as its attribute `columns`.
void markColumns(chunk::ProgramOp program);

/// The axis whose columns are apart; null if there is none.
mlir::StringAttr columnAxisOf(chunk::ProgramOp program);

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_COLUMNS_H
