// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What becomes of each value of a chunk program: whether it has a place of its
// own, whether it is computed once ahead of all chunks, and the last step that
// reads it.
#ifndef TROWEL_CODEGEN_CPU_LIVENESS_H
#define TROWEL_CODEGEN_CPU_LIVENESS_H

#include "dialect/Chunk/Chunk.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace trowel::cpu {

class Liveness {
public:
  /// The step of values that are needed until the chunk's end.
  static constexpr int64_t forever = int64_t(1) << 40;

  explicit Liveness(chunk::ProgramOp program);

  /// Operations count up in program order, those of a stage's region included.
  int64_t stepOf(mlir::Operation *op) const { return steps.lookup(op); }
  /// True if the operation is part of its only user's elementwise tree.
  bool isInlined(mlir::Operation *op) const { return inlined.contains(op); }
  /// True if the operation is a contraction that is added to its only user's
  /// place: a term of a sum.
  bool isAbsorbed(mlir::Operation *op) const { return absorbed.contains(op); }
  /// True if the value depends on constants and parameters alone.
  bool isInvariant(mlir::Operation *op) const { return invariant.contains(op); }
  /// The last step that reads the value or a part of it.
  int64_t lastUse(mlir::Value value) const { return lastUses.lookup(value); }
  /// The value whose place this one is or is part of.
  static mlir::Value rootOf(mlir::Value value);

private:
  void number(mlir::Block &block);
  void classify(mlir::Block &block);
  void visitUses(mlir::Block &block);
  void use(mlir::Value value, int64_t step);
  void absorb(mlir::Block &block);

  llvm::DenseMap<mlir::Operation *, int64_t> steps;
  llvm::DenseSet<mlir::Operation *> inlined, absorbed, invariant;
  llvm::DenseMap<mlir::Value, int64_t> lastUses;
  int64_t next = 1;
};

/// An operation with this attribute is not for the emitter: its target does it
/// in its own way, behind all other operations of a chunk.
constexpr llvm::StringLiteral elsewhere = "elsewhere";
inline bool isElsewhere(mlir::Operation *op) { return op->hasAttr(elsewhere); }

/// The operation only says where another value's elements are.
bool isViewOperation(mlir::Operation *op);

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_LIVENESS_H
