// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds `rec` values: infers their axes, folds zeros and ones, and gives the
// same value for the same expression.
#ifndef TROWEL_DIALECT_REC_VALUEBUILDER_H
#define TROWEL_DIALECT_REC_VALUEBUILDER_H

#include "dialect/Rec/Axes.h"

#include "llvm/ADT/MapVector.h"

namespace trowel::rec {

/// A builder of values in one block of a `rec.program` or `chunk.program`.
/// Equal expressions are built once as long as the insertion point only moves
/// forward in the block; the first one's location stands.
class ValueBuilder {
public:
  ValueBuilder(mlir::OpBuilder &builder, AxisOrder order)
      : builder(builder), order(std::move(order)) {}

  mlir::OpBuilder &getBuilder() { return builder; }
  const AxisOrder &getOrder() const { return order; }
  AxisOrder &getOrder() { return order; }
  void setLocation(mlir::Location location) { this->location = location; }
  mlir::Location getLocation() const;

  mlir::Value real(double value);
  mlir::Value integer(int64_t value);
  /// A constant with axes, every element the same; the element type is f32, i32
  /// or i1.
  mlir::Value constant(double value, llvm::ArrayRef<mlir::StringAttr> axes,
                       mlir::Type element);
  mlir::Value splat(double value, llvm::ArrayRef<mlir::StringAttr> axes);
  /// One at `index` along the axis, else zero.
  mlir::Value oneHot(mlir::StringAttr axis, int64_t index);

  /// A real constant that numbers its elements from 0, the last axis fastest.
  mlir::Value positionsAlong(llvm::ArrayRef<mlir::StringAttr> axes);

  /// The token's position, an i32.
  mlir::Value position() {
    return remember(PositionOp::create(builder, getLocation(),
                                       type({}, builder.getI32Type())));
  }

  /// Elementwise; the result's element type follows from the kind.
  mlir::Value map(MapKind kind, llvm::ArrayRef<mlir::Value> operands);
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return map(MapKind::Add, {a, b});
  }
  mlir::Value mul(mlir::Value a, mlir::Value b) {
    return map(MapKind::Mul, {a, b});
  }
  mlir::Value neg(mlir::Value a) { return map(MapKind::Neg, {a}); }

  /// Sum over `axes`; an axis that only one operand has is summed there.
  mlir::Value contract(mlir::Value lhs, mlir::Value rhs,
                       llvm::ArrayRef<mlir::StringAttr> axes);
  mlir::Value reduce(ReduceKind kind, mlir::Value operand,
                     llvm::ArrayRef<mlir::StringAttr> axes);
  mlir::Value rename(mlir::Value operand, mlir::StringAttr from,
                     mlir::StringAttr to);
  mlir::Value pick(mlir::Value operand, mlir::StringAttr axis, int64_t index);
  mlir::Value stack(llvm::ArrayRef<mlir::Value> parts, mlir::StringAttr axis);
  mlir::Value repeat(mlir::Value operand, mlir::StringAttr from,
                     mlir::StringAttr to);
  /// `rec.cast`.
  mlir::Value round(mlir::Value operand, DTypeKind dtype);
  mlir::Value delay(mlir::Value operand, int64_t amount);
  mlir::Value stop(mlir::Value operand);
  mlir::Value reduceHeads(ReduceKind kind, mlir::Value operand, SharingKind to);
  /// The operand with at least these axes.
  mlir::Value spread(mlir::Value operand,
                     llvm::ArrayRef<mlir::StringAttr> axes);

  mlir::RankedTensorType type(llvm::ArrayRef<mlir::StringAttr> axes,
                              mlir::Type element = {}) const;

private:
  mlir::Value remember(mlir::Operation *op);

  mlir::OpBuilder &builder;
  AxisOrder order;
  std::optional<mlir::Location> location;
  llvm::DenseMap<llvm::hash_code, llvm::SmallVector<mlir::Operation *, 1>>
      known;
};

/// True if the value is a constant whose elements all equal `number`.
bool isConstant(mlir::Value value, double number);

} // namespace trowel::rec

#endif // TROWEL_DIALECT_REC_VALUEBUILDER_H
