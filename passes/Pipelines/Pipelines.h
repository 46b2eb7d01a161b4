// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order in which passes run.
#ifndef TROWEL_PASSES_PIPELINES_PIPELINES_H
#define TROWEL_PASSES_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"

#include <cstdint>

namespace trowel {

/// Token program to normal form: `--rec-normalise`.
void addNormalise(mlir::OpPassManager &manager);

/// Adds the backward program behind each program in normal form.
void addDifferentiate(mlir::OpPassManager &manager);

/// Rows of a solve, at most, unless something else is asked for.
constexpr int64_t usualRows = 32;

/// Normal form to chunk program. `tokens` in a chunk; 0 chooses, such that a
/// solve has at most so many rows.
void addChunk(mlir::OpPassManager &manager, int64_t tokens = 0,
              int64_t rows = usualRows);

/// Makes every pass and pipeline of ours known by name.
void registerTrowelPasses();

} // namespace trowel

#endif // TROWEL_PASSES_PIPELINES_PIPELINES_H
