// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What runs between the programs of a module that was cut at its reductions
// over heads.
#ifndef TROWEL_DIALECT_CHUNK_HEADREDUCTION_H
#define TROWEL_DIALECT_CHUNK_HEADREDUCTION_H

#include "dialect/Chunk/Chunk.h"

#include <algorithm>
#include <string>
#include <vector>

namespace trowel {

/// One entry of a program's attribute `heads`.
struct HeadReduction {
  std::string name;      // of the output, and of the later programs' input
  rec::ReduceKind kind;
  rec::SharingKind to;   // Grouped or Shared
  bool integer = false;  // of i32 values: sums wrap
};

/// The reductions that follow `program`, a `rec.program` or `chunk.program`.
std::vector<HeadReduction> headReductions(mlir::Operation *program);

/// Reduces a dense [rows, heads, size] tensor over all heads or each group's
/// consecutive ones, in the heads' order. The result is [rows, size] or
/// [rows, groups, size]: `result` has room for rows * targets * size.
template <typename Element>
void reduceHeads(const HeadReduction &reduction, const Element *operand,
                 int64_t rows, int64_t heads, int64_t groups, int64_t size,
                 Element *result) {
  int64_t targets = reduction.to == rec::SharingKind::Grouped ? groups : 1;
  int64_t members = heads / targets;
  for (int64_t i = 0; i < rows * targets; ++i)
    for (int64_t j = 0; j < size; ++j) {
      const Element *from = operand + i * members * size + j;
      Element value = *from;
      for (int64_t head = 1; head < members; ++head) {
        Element next = from[head * size];
        if (reduction.kind != rec::ReduceKind::Max)
          value += next;
        else if (next > value || next != next)
          value = next;
      }
      if (reduction.kind == rec::ReduceKind::Mean)
        value /= static_cast<Element>(members);
      if (reduction.integer)
        value = static_cast<Element>(
            static_cast<int32_t>(static_cast<int64_t>(value)));
      result[i * size + j] = value;
    }
}

} // namespace trowel

#endif // TROWEL_DIALECT_CHUNK_HEADREDUCTION_H
