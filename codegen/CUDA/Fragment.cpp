// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CUDA/Fragment.h"

#include "dialect/Rec/Axes.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace trowel::cuda {

static bool isToken(StringAttr axis) {
  return axis.getValue() == "t" || axis.getValue() == "t.s";
}

Fragment Fragment::of(Type type, StringAttr columns) {
  Fragment result;
  int64_t columnCount = 1;
  auto shape = cast<RankedTensorType>(type).getShape();
  for (bool tokens : {false, true})
    for (auto [axis, size] : llvm::zip(rec::axesOf(type), shape)) {
      if (axis == columns)
        columnCount = size;
      else if (size != 1 && isToken(axis) == tokens) {
        result.axes.push_back(axis);
        result.sizes.push_back(size);
      }
    }
  result.columnTiles = llvm::divideCeil(columnCount, 16 * columnWarps);
  result.tiles = 1;
  for (auto [axis, size] : llvm::zip(result.axes, result.sizes))
    result.tiles *=
        axis == result.last() ? int64_t(llvm::divideCeil(size, 8)) : size;
  return result;
}

SmallVector<int64_t, 3> Fragment::positionsOf(int64_t tile) const {
  SmallVector<int64_t, 3> positions(axes.size());
  for (size_t i = axes.size(); i-- > 0;) {
    bool isLast = i + 1 == axes.size();
    int64_t steps = isLast ? llvm::divideCeil(sizes[i], 8) : sizes[i];
    positions[i] = tile % steps * (isLast ? 8 : 1);
    tile /= steps;
  }
  return positions;
}

int64_t Fragment::tileAt(ArrayRef<int64_t> positions) const {
  int64_t tile = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    bool isLast = i + 1 == axes.size();
    tile = tile * (isLast ? llvm::divideCeil(sizes[i], 8) : sizes[i]) +
           positions[i] / (isLast ? 8 : 1);
  }
  return tile;
}

} // namespace trowel::cuda
