// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The programs of a backward function in the order in which they run.
#ifndef TROWEL_CODEGEN_LIBRARY_GRADIENTPHASES_H
#define TROWEL_CODEGEN_LIBRARY_GRADIENTPHASES_H

#include "codegen/Library/Tables.h"

#include "mlir/IR/OwningOpRef.h"

namespace trowel::library {

/// A program in a module of its own, and what is known of its phase.
struct GradientPhase {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  CompiledPhase phase;
};

/// Of a module of --rec-to-gradient: the forward programs, which only keep
/// their states and make what is reduced over heads, the backward programs from
/// the last to the first, and what the declared initial values pass on.
std::vector<GradientPhase> splitGradient(mlir::ModuleOp module);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_GRADIENTPHASES_H
