// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds of values that the passes built from bounded ones.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_RANGES_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_RANGES_H

#include "mlir/IR/Value.h"

namespace trowel::explaining {

/// Closed; infinite where nothing is known.
struct Range {
  double low, high;
};

/// A sum; infinities that cancel leave nothing known.
Range add(const Range &a, const Range &b);
Range multiply(const Range &a, const Range &b);
Range divide(const Range &a, const Range &b);

/// From declared and inferred ranges of the program, through what the passes
/// made of them.
Range rangeOfValue(mlir::Value value);

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_RANGES_H
