// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The adjoint of a stage in normal form, and of one that runs token by token.
#ifndef TROWEL_PASSES_GRADIENT_STAGEADJOINT_H
#define TROWEL_PASSES_GRADIENT_STAGEADJOINT_H

#include "passes/Gradient/Adjoints.h"

#include "llvm/ADT/StringMap.h"

namespace trowel {

/// States of the backward program by name: the forward program's, and their
/// gradients.
struct StatePairs {
  llvm::StringMap<mlir::Value> forward, gradient;
};

/// The name of a gradient.
inline std::string gradientName(llvm::StringRef name) {
  return ("d" + name).str();
}

/// The stage with every row among its results, behind those that it had.
rec::StageOp exportRows(rec::StageOp stage);

/// Builds the stage that carries the gradients of `stage`'s states from the
/// last token to the first, and what else its coefficients' gradients need.
/// `stage` comes from `exportRows`; the gradients of its results are known.
void addStageAdjoint(rec::StageOp stage, const StatePairs &states,
                     Adjoints &adjoints);

/// The stage with its states, as each token began, behind its results.
rec::SequentialOp exportStates(rec::SequentialOp stage);

/// The same for a stage that runs token by token; it comes from `exportStates`.
/// An error, at its place, if it holds an operation without a gradient.
mlir::LogicalResult addSequentialAdjoint(rec::SequentialOp stage,
                                         Adjoints &adjoints);

} // namespace trowel

#endif // TROWEL_PASSES_GRADIENT_STAGEADJOINT_H
