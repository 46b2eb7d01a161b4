// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values of a token program depend on which states, and the stages that
// follow from it.
#ifndef TROWEL_PASSES_NORMALIZE_STATEGRAPH_H
#define TROWEL_PASSES_NORMALIZE_STATEGRAPH_H

#include "dialect/Rec/Axes.h"

#include "llvm/ADT/BitVector.h"

namespace trowel {

/// Everything an operation of the program's block uses: its operands and, for
/// a stage already formed, what its region uses from outside.
llvm::SmallVector<mlir::Value> usedValues(mlir::Operation *op);

/// The states of a token program and what reads them. States are numbered in
/// program order; operations inside of stages already formed are not looked at.
class StateGraph {
public:
  explicit StateGraph(rec::ProgramOp program);

  unsigned size() const { return states.size(); }
  rec::StateOp state(unsigned i) const { return states[i]; }
  rec::UpdateOp update(unsigned i) const { return updates[i]; }

  /// The states that `value` depends on at this token (through delays too).
  llvm::BitVector dependences(mlir::Value value) const;

  /// True if `value` depends on one of `stage`'s states.
  bool dependsOn(mlir::Value value, const llvm::BitVector &stage) const {
    return dependences(value).anyCommon(stage);
  }

  /// The operations that the updates of `stage`'s states need, in program
  /// order.
  llvm::SmallVector<mlir::Operation *>
  updateSlice(const llvm::BitVector &stage) const;

  /// Strongly connected components, earlier ones first.
  llvm::SmallVector<llvm::BitVector> components() const;

private:
  llvm::SmallVector<rec::StateOp> states;
  llvm::SmallVector<rec::UpdateOp> updates;
  // Values built after the graph are looked up through their operands.
  mutable llvm::DenseMap<mlir::Value, llvm::BitVector> dependencesOf;
  llvm::BitVector none;
};

} // namespace trowel

#endif // TROWEL_PASSES_NORMALIZE_STATEGRAPH_H
