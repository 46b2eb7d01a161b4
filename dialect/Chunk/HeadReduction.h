// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What runs between the programs of a module that was cut at its reductions
// over heads.
#ifndef TROWEL_DIALECT_CHUNK_HEADREDUCTION_H
#define TROWEL_DIALECT_CHUNK_HEADREDUCTION_H

#include "dialect/Chunk/Chunk.h"
#include "dialect/Reference/Tensor.h"

#include <string>
#include <vector>

namespace trowel {

/// One entry of a program's attribute `heads`.
struct HeadReduction {
  std::string name; // of the output, and of the later programs' input
  rec::ReduceKind kind;
  rec::SharingKind to;  // Grouped or Shared
  bool integer = false; // of i32 values: sums wrap
};

/// The reductions that follow `program`, a `rec.program` or `chunk.program`.
std::vector<HeadReduction> headReductions(mlir::Operation *program);

/// Reduces [B, T, H, sizes] over all heads or each group's consecutive ones, in
/// the heads' order, to [B, T, sizes] or [B, T, G, sizes].
Tensor reduceHeads(const HeadReduction &reduction, const Tensor &operand,
                   const Batch &batch);

/// The gradient of `operand`, given `gradient` of `result`. Of several largest
/// heads the first takes it.
Tensor unreduceHeads(const HeadReduction &reduction, const Tensor &operand,
                     const Tensor &result, const Tensor &gradient,
                     const Batch &batch);

} // namespace trowel

#endif // TROWEL_DIALECT_CHUNK_HEADREDUCTION_H
