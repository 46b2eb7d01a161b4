// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A value's part in the registers of a warp, as `mma.sync` has its results: 16
// columns of the program a tile along the tile's rows, and along its columns
// eight places of the value's other axes.
#ifndef TROWEL_CODEGEN_CUDA_FRAGMENT_H
#define TROWEL_CODEGEN_CUDA_FRAGMENT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

#include "llvm/ADT/SmallVector.h"

namespace trowel::cuda {

/// Warps that share out the columns of a program.
constexpr int64_t columnWarps = 4;

struct Fragment {
  /// The axes but for the columns' of a value, those of one position left out,
  /// tokens last. Eight positions of the last axis are a tile; the last tile
  /// may have fewer.
  llvm::SmallVector<mlir::StringAttr, 3> axes;
  llvm::SmallVector<int64_t, 3> sizes;
  /// Tiles along the columns, each warp's, and along the other axes.
  int64_t columnTiles = 0, tiles = 0;
  /// Four a tile: (row, column), (row, column + 1), (row + 8, column),
  /// (row + 8, column + 1) with row = lane / 4, column = 2 * (lane % 4).
  llvm::SmallVector<mlir::Value, 0> elements;

  /// Without elements.
  static Fragment of(mlir::Type type, mlir::StringAttr columns);

  int64_t elementCount() const { return columnTiles * tiles * 4; }
  int64_t place(int64_t columnTile, int64_t tile, int64_t element) const {
    return (columnTile * tiles + tile) * 4 + element;
  }
  mlir::StringAttr last() const {
    return axes.empty() ? mlir::StringAttr() : axes.back();
  }
  /// The position that a tile begins at along each axis.
  llvm::SmallVector<int64_t, 3> positionsOf(int64_t tile) const;
  /// The tile at these positions.
  int64_t tileAt(llvm::ArrayRef<int64_t> positions) const;
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_FRAGMENT_H
