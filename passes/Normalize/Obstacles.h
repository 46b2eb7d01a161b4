// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What keeps a stage from matrix products, said so that a person can change it:
// the expression, the reason, and what would do instead.
#ifndef TROWEL_PASSES_NORMALIZE_OBSTACLES_H
#define TROWEL_PASSES_NORMALIZE_OBSTACLES_H

#include "passes/Normalize/LinearForm.h"
#include "passes/Normalize/StateGraph.h"

namespace trowel {

/// "`a`", "`a` and `b`", "`a`, `b` and `c`".
std::string listQuoted(llvm::ArrayRef<llvm::StringRef> names);

/// "`x`" if the source gives the value a name, else `otherwise`.
std::string describe(mlir::Value value, llvm::StringRef otherwise);

/// The place of a factor: its own expression, or where it is used if that is a
/// declaration.
mlir::Location placeOf(mlir::Value factor, mlir::Location use);

/// A factor with key and value axes that is no product of two functions, or
/// not known to be one.
Obstacle inseparableFactor(mlir::Value factor,
                           llvm::ArrayRef<UnknownRange> unknown,
                           const StageAxes &axes, mlir::Location use);

/// A factor with a value axis between a read and the write that it feeds.
Obstacle factorOnRead(mlir::Value factor, const StageAxes &axes,
                      mlir::Location use);

/// A value decay between a read and the write that it feeds.
Obstacle decayOnRead(mlir::Value decay, mlir::Location read);

/// The state, or a read of it, under another axis name.
Obstacle mixedChannels(mlir::Operation *rename);

/// If the state's declared initial value holds an infinity. A chunk drops a
/// state by a factor of zero, of which an infinity would make a NaN.
std::optional<Obstacle> infiniteStart(rec::StateOp state);

/// Reads that feed writes sum over different axes: this one over `over`.
Obstacle readsDiffer(mlir::Operation *read,
                     llvm::ArrayRef<mlir::StringAttr> over,
                     llvm::ArrayRef<mlir::StringAttr> others);

/// A read leaves a key axis of its state open.
Obstacle readLeavesKey(mlir::Operation *read, mlir::StringAttr key);

/// A read along open axes is more rows than a token may have.
Obstacle tooManyRows(mlir::Operation *read,
                     llvm::ArrayRef<mlir::StringAttr> open,
                     const rec::AxisOrder &order);

/// A matrix is added that is no sum of a few outer products, or not known to be
/// one.
Obstacle fullRankTerm(mlir::Value term, llvm::ArrayRef<UnknownRange> unknown,
                      const StageAxes &axes, const rec::AxisOrder &order,
                      mlir::Location use);

/// States of the stage do not share their factors on value axes.
Obstacle decaysDiffer(llvm::StringRef state, mlir::Value factor,
                      const StageAxes &axes, mlir::Location use);

/// The state enters with several factors whose sum is no product.
Obstacle sumOfFactors(llvm::StringRef state, mlir::Location update);

/// The state is used as it is where a contraction is asked for.
Obstacle usedWhole(rec::StateOp state);

/// The first expression that makes the stage's updates not affine in its
/// states.
std::optional<Obstacle> findNonlinear(const StateGraph &graph,
                                      const llvm::BitVector &stage);

/// The updates are elementwise, entry by entry.
Obstacle elementwise(const StateGraph &graph, const llvm::BitVector &stage);

} // namespace trowel

#endif // TROWEL_PASSES_NORMALIZE_OBSTACLES_H
