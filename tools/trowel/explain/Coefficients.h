// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an update of a scan makes of a state: its coefficient.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_COEFFICIENTS_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_COEFFICIENTS_H

#include "dialect/Rec/Ranges.h"
#include "tools/trowel/explain/Expressions.h"

namespace trowel::explaining {

struct Coefficient {
  Text text = {"0"};
  rec::Range range = {0, 0};
  bool isKnown = true; // else the text and range say nothing
};

/// The coefficient of `entry` in `value`, which is affine in it.
Coefficient coefficientOf(mlir::Value value, mlir::Value entry,
                          Expressions &expressions);

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_COEFFICIENTS_H
