// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tensor of the call, as far as it has been checked.
#ifndef TROWEL_RUNTIME_LIBRARY_VIEW_H
#define TROWEL_RUNTIME_LIBRARY_VIEW_H

#include "runtime/Library/Program.h"

namespace trowel::library {

inline int64_t bytesOf(ElementType type) {
  switch (type) {
  case ElementType::BF16:
  case ElementType::F16:
    return 2;
  case ElementType::E4M3:
  case ElementType::E5M2:
  case ElementType::U8:
    return 1;
  case ElementType::F32:
  case ElementType::TF32:
  case ElementType::I32:
    return 4;
  }
  return 4;
}

struct View {
  const char *label = nullptr;
  bool given = false;
  bool written = false;
  ElementType type = ElementType::F32;
  int64_t rank = 0;
  /// In elements; of states in the declared order, whichever the caller has.
  int64_t *extents = nullptr, *strides = nullptr;
  char *data = nullptr; // the first element
  /// Of a slice: the axis that has fewer positions than `extents` says.
  bool isSlice = false;
  int64_t slicedAxis = 0, slicedExtent = 0;
  /// The bytes that belong to it: [low, high). Both 0: none.
  uintptr_t low = 0, high = 0;

  int64_t extent(int64_t axis) const {
    return isSlice && axis == slicedAxis ? slicedExtent : extents[axis];
  }
  /// So many positions of an axis, from `first` on.
  View slice(int64_t axis, int64_t first, int64_t count) const {
    View part = *this;
    if (data)
      part.data = at(first * strides[axis]);
    part.isSlice = true;
    part.slicedAxis = axis;
    part.slicedExtent = count;
    return part;
  }
  bool isEmpty() const {
    for (int64_t i = 0; i < rank; ++i)
      if (extents[i] == 0)
        return true;
    return false;
  }
  /// Whether the axes from `first` on lie as in a dense tensor.
  bool isDense(int64_t first) const {
    int64_t dense = 1;
    for (int64_t i = rank; i-- > first; dense *= extent(i))
      if (extent(i) != 1 && strides[i] != dense)
        return false;
    return true;
  }
  char *at(int64_t element) const { return data + element * bytesOf(type); }
};

/// Whether no byte belongs to both. Ranges that do not meet, or tensors that
/// lie between one another: all of one within a window of each period, all of
/// the other in the rest of it.
bool areDisjoint(const View &a, const View &b);

/// Whether no two elements share memory, as far as nested strides show it.
bool hasDistinctElements(const View &view);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_VIEW_H
