// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments beside those of a test: what moves with them no f32 code can know.
#ifndef TROWEL_TEST_UNIT_NUDGED_H
#define TROWEL_TEST_UNIT_NUDGED_H

#include "dialect/Reference/Tensor.h"

#include <cmath>

namespace trowel::test {

/// Every number half a unit in the last place of f32 up or down, by `bits`,
/// which moves on.
inline TensorMap nudged(TensorMap arguments, uint64_t &bits) {
  for (auto &[name, tensor] : arguments)
    for (double &x : tensor.data) {
      bits = bits * 6364136223846793005u + 1442695040888963407u;
      if (std::fabs(x) != std::floor(std::fabs(x))) // zeros and indices stay
        x *= 1 + (bits >> 63 ? 6e-8 : -6e-8);
    }
  return arguments;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_NUDGED_H
