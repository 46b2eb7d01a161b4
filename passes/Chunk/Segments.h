// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a chunk program does to its states, as a linear map, so that segments of
// a sequence can run at the same time.
#ifndef TROWEL_PASSES_CHUNK_SEGMENTS_H
#define TROWEL_PASSES_CHUNK_SEGMENTS_H

#include "dialect/Chunk/Chunk.h"

namespace trowel {

/// True if every column of the states, all of which have this axis, becomes the
/// same linear map of that column, plus what does not depend on the states;
/// nothing else goes from chunk to chunk but the position. The program must be
/// separable along the axis.
bool hasLinearColumns(chunk::ProgramOp program, mlir::StringAttr axis);

/// Puts behind `last` a program that updates the states alone, with as many
/// columns as a column of all states together has elements. On the columns of
/// the identity it computes the map. It has neither outputs nor inputs and
/// params with the axis. Null if it does much more than `program`.
chunk::ProgramOp addColumnMap(chunk::ProgramOp program, chunk::ProgramOp last,
                              mlir::StringAttr axis);

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_SEGMENTS_H
