// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reverse mode over the values of a token: what each value's gradient has been
// summed up to while the operations are visited from the last to the first.
#ifndef TROWEL_PASSES_GRADIENT_ADJOINTS_H
#define TROWEL_PASSES_GRADIENT_ADJOINTS_H

#include "dialect/Rec/ValueBuilder.h"

#include "llvm/ADT/DenseSet.h"

namespace trowel {

class Adjoints {
public:
  explicit Adjoints(rec::ValueBuilder &values) : values(values) {}

  /// Adds to the gradient of `primal`: summed over the axes that `primal`
  /// lacks, repeated along those that `gradient` lacks. A null gradient is
  /// zero; integers, conditions and constants have none.
  void add(mlir::Value primal, mlir::Value gradient);
  /// The same for one that may be zero where a branch was not taken, which its
  /// operation does not show.
  void addMasked(mlir::Value primal, mlir::Value gradient) {
    masked.insert(gradient);
    add(primal, gradient);
  }
  /// Adds `factor * gradient`, summed as above.
  void addProduct(mlir::Value primal, mlir::Value factor, mlir::Value gradient);

  /// The gradient so far, null if there is none.
  mlir::Value of(mlir::Value primal) const { return sums.lookup(primal); }

  /// Passes the gradients of an operation's result on to its operands. False
  /// if the operation is none that makes a value from values of its token.
  bool propagate(mlir::Operation *op);

  rec::ValueBuilder &valueBuilder() { return values; }

private:
  // Maps (Derivatives.cpp).
  void propagateMap(rec::MapOp op, mlir::Value gradient);
  bool propagateUnary(rec::MapOp op, mlir::Value gradient);
  void propagateBinary(rec::MapOp op, mlir::Value gradient);
  void propagatePower(rec::MapOp op, mlir::Value gradient);
  void addScaled(mlir::Value primal, mlir::Value factor, mlir::Value gradient);
  void addSelected(mlir::Value primal, mlir::Value condition,
                   mlir::Value gradient, bool negated);
  // The others.
  void propagateContract(rec::ContractOp op, mlir::Value gradient);
  void propagateReduce(rec::ReduceOp op, mlir::Value gradient);
  void propagatePick(rec::PickOp op, mlir::Value gradient);
  void propagateRepeat(rec::RepeatOp op, mlir::Value gradient);

  static bool hasGradient(mlir::Value value);
  mlir::Value fit(mlir::Value gradient, mlir::Value primal);
  bool isMasked(mlir::Value gradient) const { return masked.count(gradient); }

  rec::ValueBuilder &values;
  llvm::DenseMap<mlir::Value, mlir::Value> sums;
  /// Gradients that are zero where a branch was not taken: an infinity or NaN
  /// there must not become a NaN.
  llvm::DenseSet<mlir::Value> masked;
};

} // namespace trowel

#endif // TROWEL_PASSES_GRADIENT_ADJOINTS_H
