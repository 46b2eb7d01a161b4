// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds of values that the passes built from bounded ones.
#ifndef TROWEL_DIALECT_REC_RANGES_H
#define TROWEL_DIALECT_REC_RANGES_H

#include "dialect/Rec/Rec.h"

#include "llvm/ADT/DenseMap.h"

namespace trowel::rec {

/// Closed; infinite where nothing is known.
struct Range {
  double low, high;
};

/// A sum; infinities that cancel leave nothing known.
Range add(const Range &a, const Range &b);
Range multiply(const Range &a, const Range &b);
Range divide(const Range &a, const Range &b);

/// Finds each value's range once: from the declared and inferred ranges of the
/// program, through what the passes made of them.
class RangeFinder {
public:
  Range find(mlir::Value value);
  /// True if every value lies in [low, high].
  bool isWithin(mlir::Value value, double low, double high);

private:
  Range derive(mlir::Value value);
  Range ofMap(MapOp op);
  Range mixture(MapOp op);

  llvm::DenseMap<mlir::Value, Range> known;
};

inline Range rangeOfValue(mlir::Value value) {
  return RangeFinder().find(value);
}

} // namespace trowel::rec

#endif // TROWEL_DIALECT_REC_RANGES_H
