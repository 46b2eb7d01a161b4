// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a value with named axes lie in memory, and a place in a
// nest of loops over such axes.
#ifndef TROWEL_CODEGEN_CPU_VIEW_H
#define TROWEL_CODEGEN_CPU_VIEW_H

#include "dialect/Rec/Axes.h"

#include "llvm/ADT/SmallVector.h"

namespace trowel::cpu {

/// How many elements a vector has. Rows of buffers are padded to multiples.
constexpr int64_t lanes = 16;

inline int64_t roundUp(int64_t size) {
  return (size + lanes - 1) / lanes * lanes;
}

/// A distance in elements: a number, or a value of the generated code.
struct Stride {
  int64_t fixed = 0;
  mlir::Value dynamic;

  bool is(int64_t number) const { return !dynamic && fixed == number; }
};

/// Bytes of one element of a type in memory.
inline int64_t bytesOf(rec::DTypeKind type) {
  switch (type) {
  case rec::DTypeKind::F32:
  case rec::DTypeKind::TF32: // as f32
  case rec::DTypeKind::I32:
    return 4;
  case rec::DTypeKind::BF16:
  case rec::DTypeKind::F16:
    return 2;
  case rec::DTypeKind::E4M3:
  case rec::DTypeKind::E5M2:
    return 1;
  }
  llvm_unreachable("all types are listed");
}

/// Strided elements. Axes of size one are left out. A stride of zero repeats an
/// element. The pad behind a row holds any bits.
struct View {
  mlir::Value base;
  int64_t offset = 0;
  mlir::Type element; // f32, i32 or i1; an i1 lies in memory as a 32-bit 0 or 1
  /// How an f32 lies in memory. Only the caller's tensors differ from f32.
  rec::DTypeKind format = rec::DTypeKind::F32;
  llvm::SmallVector<mlir::StringAttr, 4> axes;
  llvm::SmallVector<int64_t, 4> sizes;
  llvm::SmallVector<Stride, 4> strides;
  /// Rows along the last axis may be written up to a multiple of 16.
  bool padded = false;
  /// The caller's memory: not even read past its end.
  bool external = false;
  /// Zero where `t.s` lies after `t`.
  bool causal = false;

  /// True if elements are converted when they are loaded and stored.
  bool isConverted() const { return format != rec::DTypeKind::F32; }
  /// Bytes of one element in memory.
  int64_t bytes() const { return bytesOf(format); }
  bool isNarrow() const { return bytes() < 4; }

  int find(mlir::StringAttr axis) const {
    const auto *it = llvm::find(axes, axis);
    return it == axes.end() ? -1 : static_cast<int>(it - axes.begin());
  }
  bool has(mlir::StringAttr axis) const { return find(axis) >= 0; }
  mlir::StringAttr last() const {
    return axes.empty() ? mlir::StringAttr() : axes.back();
  }
  Stride stride(mlir::StringAttr axis) const {
    int i = find(axis);
    return i < 0 ? Stride() : strides[i];
  }
  /// The axis's size; one if it has no such axis.
  int64_t size(mlir::StringAttr axis) const {
    int i = find(axis);
    return i < 0 ? 1 : sizes[i];
  }
  void erase(int i) {
    axes.erase(axes.begin() + i);
    sizes.erase(sizes.begin() + i);
    strides.erase(strides.begin() + i);
  }
  View renamed(mlir::StringAttr from, mlir::StringAttr to) const {
    View result = *this;
    llvm::replace(result.axes, from, to);
    return result;
  }
  /// The part at a constant position.
  View picked(mlir::StringAttr axis, int64_t index) const {
    View result = *this;
    int i = find(axis);
    if (i < 0)
      return result;
    result.offset += index * strides[i].fixed;
    if (i + 1 == static_cast<int>(axes.size()))
      result.padded = false;
    result.erase(i);
    return result;
  }
  /// True if vectors along its last axis can be loaded without a mask.
  bool loadsWhole() const {
    return !axes.empty() && strides.back().is(1) &&
           (!external || sizes.back() % lanes == 0);
  }
  bool storesWhole() const {
    return !axes.empty() && strides.back().is(1) &&
           (padded || sizes.back() % lanes == 0);
  }
};

/// Views that lie at equal distances as one view with another axis behind the
/// first one; none if they do not lie so.
std::optional<View> sideBySide(llvm::ArrayRef<View> views,
                               mlir::StringAttr axis);

/// Indices by axis, of which there are a handful.
class Indices {
public:
  void set(mlir::StringAttr axis, mlir::Value index) {
    for (auto &entry : entries)
      if (entry.first == axis) {
        entry.second = index;
        return;
      }
    entries.push_back({axis, index});
  }
  /// Null for an axis that is not part of the nest.
  mlir::Value lookup(mlir::StringAttr axis) const {
    for (const auto &entry : entries)
      if (entry.first == axis)
        return entry.second;
    return mlir::Value();
  }

private:
  llvm::SmallVector<std::pair<mlir::StringAttr, mlir::Value>, 6> entries;
};

/// A place in a nest: the index along every axis of the nest, of the first of
/// the 16 lanes along the axis `vector` (null: all lanes are the same element).
struct Point {
  Indices at;
  mlir::StringAttr vector;
  /// The axis's end if lanes may lie behind it, else null.
  mlir::Value bound;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_VIEW_H
