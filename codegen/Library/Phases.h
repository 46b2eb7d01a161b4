// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The programs that reductions over heads cut a program into, run one after the
// other.
#ifndef TROWEL_CODEGEN_LIBRARY_PHASES_H
#define TROWEL_CODEGEN_LIBRARY_PHASES_H

#include "codegen/Library/Tables.h"

#include "mlir/IR/OwningOpRef.h"

namespace trowel::library {

/// Each chunk program of the module, in order, in a module of its own.
std::vector<mlir::OwningOpRef<mlir::ModuleOp>>
splitPrograms(mlir::ModuleOp module);

/// What a program says of its phase before it is compiled. Puts programs for
/// slices of its columns and for the map of its segments behind it.
CompiledPhase beginPhase(mlir::ModuleOp single);

/// Notes what came of the programs for one machine.
void addCode(CompiledPhase &phase, const std::vector<cpu::Interface> &programs,
             llvm::ArrayRef<TrowelKernel *> entries);

/// The phase of a program that runs on devices alone.
CompiledPhase devicePhase(mlir::ModuleOp single,
                          const cpu::Interface &interface);

/// Adds code that goes token by token. It is called as the phase's chunked code
/// is, and the carry of either is the other's: an error if they differ in that.
llvm::Error addStep(CompiledPhase &phase, const cpu::Interface &interface,
                    TrowelKernel *entry);

/// An error if code with this interface is not called as the phase's is.
llvm::Error checkInterface(const CompiledPhase &phase,
                           const cpu::Interface &interface);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_PHASES_H
