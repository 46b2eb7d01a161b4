// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named axes on builtin tensor types.
#ifndef TROWEL_DIALECT_REC_AXES_H
#define TROWEL_DIALECT_REC_AXES_H

#include "dialect/Rec/Rec.h"

#include <optional>

namespace trowel::rec {

/// The axes of a value, in canonical order.
llvm::ArrayRef<mlir::StringAttr> axesOf(mlir::Type type);
llvm::ArrayRef<mlir::StringAttr> axesOf(mlir::Value value);

bool hasAxis(mlir::Value value, mlir::StringAttr axis);
bool hasAxis(mlir::Value value, llvm::StringRef axis);

/// The size of a value's axis; the axis must exist.
int64_t axisSize(mlir::Value value, mlir::StringAttr axis);

/// The position of an axis among the tensor's dimensions, or -1.
int axisPosition(mlir::Type type, mlir::StringAttr axis);

/// The strings of a StrArrayAttr.
llvm::SmallVector<mlir::StringAttr> stringsOf(mlir::ArrayAttr array);

/// The `[low, high]` that a value's declaration promises or that was inferred
/// for it (its operation's attribute `range`); bounds may be infinite.
std::optional<std::pair<double, double>> rangeOf(mlir::Value value);

/// The name that the source gives a value: a declaration's, or a `let`'s (its
/// operation's attribute `let`). Empty if it has none.
llvm::StringRef nameOf(mlir::Value value);

/// The canonical order of a program's axes, with their sizes. The chunk's own
/// axes come first.
class AxisOrder {
public:
  AxisOrder() = default;
  AxisOrder(mlir::ArrayAttr names, llvm::ArrayRef<int64_t> sizes);

  /// The order for a `rec.program` or `chunk.program` around `op`.
  static AxisOrder around(mlir::Operation *op);

  int rank(mlir::StringAttr axis) const;
  int64_t size(mlir::StringAttr axis) const;
  void setSize(mlir::StringAttr axis, int64_t size) { sizes[axis] = size; }

  /// A tensor type with these axes (sorted here) and element type.
  mlir::RankedTensorType type(mlir::MLIRContext *context,
                              llvm::ArrayRef<mlir::StringAttr> axes,
                              mlir::Type element) const;

  /// The union of axes, in canonical order.
  llvm::SmallVector<mlir::StringAttr>
  unite(llvm::ArrayRef<mlir::StringAttr> a,
        llvm::ArrayRef<mlir::StringAttr> b) const;

private:
  llvm::DenseMap<mlir::StringAttr, int> ranks;
  llvm::DenseMap<mlir::StringAttr, int64_t> sizes;
};

} // namespace trowel::rec

#endif // TROWEL_DIALECT_REC_AXES_H
