// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the checked program to the `rec` dialect.
#ifndef TROWEL_FRONTEND_MLIRGEN_MLIRGEN_H
#define TROWEL_FRONTEND_MLIRGEN_MLIRGEN_H

#include "frontend/AST/Program.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace trowel {

/// A module that holds one `rec.program`, which means what `program` means.
///
/// - The declarations come first, every one, then the statements' values, then
///   one `rec.update` for each state. A state's value is a value like any
///   other: what follows an update uses the updated one.
/// - `prefix_sum` becomes a hidden state named "prefix_sum.N"; an output of
///   `debug` is named "debug.N" and carries its source as the attribute `text`.
/// - A scale's input carries the attribute `scales`, the name of what it
/// scales.
/// - Values whose inferred range has a bound carry it as the discardable
///   attribute `range`, `[low, high]`.
/// - The value of a `let` carries its name as the discardable attribute `let`.
/// - Every operation has the place of its expression; `sourceLocation` yields
/// it.
///
/// Loads the dialect into `context`. `fileName` stands in the locations.
mlir::OwningOpRef<mlir::ModuleOp> generate(mlir::MLIRContext &context,
                                           const Program &program,
                                           llvm::StringRef fileName = "");

/// The place in the source that an operation's location stands for; of a fused
/// one the first that is known. Unknown if there is none.
Location sourceLocation(mlir::Location location);

} // namespace trowel

#endif // TROWEL_FRONTEND_MLIRGEN_MLIRGEN_H
