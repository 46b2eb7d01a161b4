// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Some of the columns of a chunk program: a program that does the work of a
// slice of an axis, if no column of it needs another one.
#ifndef TROWEL_PASSES_CHUNK_SLICES_H
#define TROWEL_PASSES_CHUNK_SLICES_H

#include "dialect/Chunk/Chunk.h"

#include "mlir/IR/BuiltinOps.h"

namespace trowel {

/// True if every element of every value with this axis follows from elements at
/// the same position of the axis and from values without it.
bool isSeparable(chunk::ProgramOp program, mlir::StringAttr axis);

/// A rough measure of a chunk's work: the points that its operations visit.
int64_t workOf(chunk::ProgramOp program);

/// The same program, in front of which `builder` stands, on `size` positions of
/// an axis along which it is separable.
chunk::ProgramOp sliceOf(chunk::ProgramOp program, mlir::StringAttr axis,
                         int64_t size);

/// Puts behind the module's one program what does a half of its columns, a
/// quarter, as long as that is a multiple of `columns` and saves work. `parts`
/// are how many of each make the whole: 2, 4.
struct Slice {
  mlir::StringAttr axis;
  int64_t parts;
  chunk::ProgramOp program;
};
llvm::SmallVector<Slice> addSlices(mlir::ModuleOp module, int64_t columns);

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_SLICES_H
