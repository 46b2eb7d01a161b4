// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far results are from the meaning: one figure, the same everywhere.
#ifndef TROWEL_FRONTEND_REFERENCE_COMPARE_H
#define TROWEL_FRONTEND_REFERENCE_COMPARE_H

#include "dialect/Reference/Tensor.h"

#include <string>

namespace trowel {

/// RMS(actual - reference) / max(RMS(reference), 1e-3 * RMS(magnitude)), with
/// `magnitude` from `evaluateMagnitudes`: outputs that cancel to nothing are
/// measured against what they were made from. The sums run over the elements
/// where the reference is finite. Where it is not, the actual value must be the
/// same infinity, or a NaN where it is a NaN. A breach, a NaN or infinity out
/// of place, or a shape that differs gives infinity. 0 if both are empty.
double errorRatio(const Tensor &actual, const Tensor &reference,
                  const Tensor &magnitude);

struct Comparison {
  double ratio = 0;   // the largest over all names
  std::string name;   // whose it is; empty: nothing differs
  std::string reason; // if the ratio is infinite: what is out of place
};

/// Compares every tensor of `reference`; one that `actual` lacks is a breach.
/// What else `actual` holds is not looked at.
Comparison compare(const TensorMap &actual, const TensorMap &reference,
                   const TensorMap &magnitudes);

/// The largest absolute value among finite elements; infinity if any element is
/// infinite or NaN.
double largestMagnitude(const TensorMap &tensors);

} // namespace trowel

#endif // TROWEL_FRONTEND_REFERENCE_COMPARE_H
