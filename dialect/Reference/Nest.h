// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks several tensors at once along their named axes.
#ifndef TROWEL_DIALECT_REFERENCE_NEST_H
#define TROWEL_DIALECT_REFERENCE_NEST_H

#include "dialect/Rec/Axes.h"

#include <array>

namespace trowel::interpreter {

/// How a tensor lies in memory: a stride for each of its named axes.
struct View {
  struct Axis {
    mlir::StringAttr name;
    int64_t size, stride;
  };
  llvm::SmallVector<Axis, 4> axes;
  int64_t start = 0;

  /// The last axis fastest.
  static View dense(mlir::Type type);
  static View dense(llvm::ArrayRef<mlir::StringAttr> names,
                    llvm::ArrayRef<int64_t> sizes);

  const Axis *find(mlir::StringAttr name) const;
  Axis *find(mlir::StringAttr name);
  int64_t elements() const;
};

/// A loop for each axis that any of up to four tensors has; a tensor without
/// it stays where it is.
class Nest {
public:
  using Offsets = std::array<int64_t, 4>;

  /// `order` says which loop is outside of which. Axes named in `bounded` take
  /// only `bound` steps.
  Nest(llvm::ArrayRef<View> views, const rec::AxisOrder &order,
       llvm::ArrayRef<mlir::StringAttr> bounded, int64_t bound);

  /// Calls `body` with the offsets of every point.
  template <class Body> void forEach(Body body) const { walk(0, starts, body); }

private:
  struct Loop {
    mlir::StringAttr axis;
    int64_t size;
    Offsets strides;
  };
  llvm::SmallVector<Loop, 6> loops; // at least one
  Offsets starts{};

  template <class Body> void walk(size_t depth, Offsets at, Body &body) const {
    const Loop &loop = loops[depth];
    for (int64_t i = 0; i < loop.size; ++i) {
      if (depth + 1 == loops.size())
        body(at);
      else
        walk(depth + 1, at, body);
      for (size_t k = 0; k < at.size(); ++k)
        at[k] += loop.strides[k];
    }
  }
};

} // namespace trowel::interpreter

#endif // TROWEL_DIALECT_REFERENCE_NEST_H
