// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#ifndef TROWEL_TEST_UNIT_SAMEBITS_H
#define TROWEL_TEST_UNIT_SAMEBITS_H

#include "dialect/Reference/Tensor.h"

#include <cstring>

namespace trowel::test {

inline bool sameBits(const Tensor &a, const Tensor &b) {
  size_t bytes = a.data.size() * sizeof(double);
  return a.shape == b.shape &&
         (bytes == 0 || std::memcmp(a.data.data(), b.data.data(), bytes) == 0);
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_SAMEBITS_H
