// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Modules that were cut at their reductions over heads: several kernels, run
// one after the other.
#ifndef TROWEL_CODEGEN_CPU_PHASES_H
#define TROWEL_CODEGEN_CPU_PHASES_H

#include "codegen/CPU/CPU.h"
#include "dialect/Chunk/HeadReduction.h"

#include "mlir/IR/OwningOpRef.h"

namespace trowel::cpu {

/// A kernel, and which of its outputs are reduced over heads before the next
/// one runs. The reduced tensors are inputs, of the same names, of later ones.
struct Phase {
  std::unique_ptr<Kernel> kernel;
  std::vector<HeadReduction> reductions;
};

/// Each chunk program of the module, in order, in a module of its own.
std::vector<mlir::OwningOpRef<mlir::ModuleOp>>
splitPrograms(mlir::ModuleOp module);

/// Compiles every chunk program of the module, in order. The last phase has the
/// program's own outputs and states.
llvm::Expected<std::vector<Phase>> compilePhases(mlir::ModuleOp module,
                                                 const CpuOptions &options = {},
                                                 Timings *timings = nullptr);

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_PHASES_H
