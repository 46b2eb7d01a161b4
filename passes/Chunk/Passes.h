// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that derive the chunk program.
#ifndef TROWEL_PASSES_CHUNK_PASSES_H
#define TROWEL_PASSES_CHUNK_PASSES_H

#include "dialect/Chunk/Chunk.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace trowel {

#define GEN_PASS_DECL
#include "passes/Chunk/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Chunk/Passes.h.inc"

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_PASSES_H
