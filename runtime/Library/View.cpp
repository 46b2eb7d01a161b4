// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "runtime/Library/View.h"

namespace trowel::library {

static uint64_t magnitude(int64_t x) {
  return x < 0 ? ~static_cast<uint64_t>(x) + 1 : static_cast<uint64_t>(x);
}

/// Where a tensor lies in every period of so many bytes: [begin, begin +
/// bytes), with begin in the period. False if it is not confined.
static bool findWindow(const View &view, uint64_t period, uint64_t &begin,
                       uint64_t &bytes) {
  uint64_t size = static_cast<uint64_t>(bytesOf(view.type));
  uint64_t below = 0, above = size; // of the first element
  for (int64_t i = 0; i < view.rank; ++i) {
    uint64_t stride = magnitude(view.strides[i]) * size;
    if (view.extents[i] == 1 || stride % period == 0)
      continue;
    uint64_t reach = stride * static_cast<uint64_t>(view.extents[i] - 1);
    (view.strides[i] < 0 ? below : above) += reach;
  }
  bytes = below + above;
  begin = (reinterpret_cast<uintptr_t>(view.data) - below) % period;
  return bytes <= period;
}

static bool areDisjointBy(const View &a, const View &b, uint64_t period) {
  uint64_t beginA, bytesA, beginB, bytesB;
  if (!findWindow(a, period, beginA, bytesA) ||
      !findWindow(b, period, beginB, bytesB))
    return false;
  // From the one's begin to the other's, around the period.
  uint64_t fromA = (beginB + period - beginA) % period;
  uint64_t fromB = (beginA + period - beginB) % period;
  return fromA >= bytesA && fromB >= bytesB;
}

static bool areDisjointByOwnStride(const View &a, const View &b) {
  for (int64_t i = 0; i < a.rank; ++i) {
    uint64_t period =
        magnitude(a.strides[i]) * static_cast<uint64_t>(bytesOf(a.type));
    if (a.extents[i] > 1 && period > 0 && areDisjointBy(a, b, period))
      return true;
  }
  return false;
}

bool areDisjoint(const View &a, const View &b) {
  if (a.high <= b.low || b.high <= a.low)
    return true;
  return areDisjointByOwnStride(a, b) || areDisjointByOwnStride(b, a);
}

bool hasDistinctElements(const View &view) {
  // Each axis steps over all that the axes of smaller strides reach. The view's
  // range is known to be in the address space: nothing here overflows.
  for (int64_t i = 0; i < view.rank; ++i) {
    if (view.extents[i] <= 1)
      continue;
    uint64_t stride = magnitude(view.strides[i]), reach = 0;
    for (int64_t j = 0; j < view.rank; ++j) {
      uint64_t other = magnitude(view.strides[j]);
      if (j != i && view.extents[j] > 1 && other <= stride)
        reach += other * static_cast<uint64_t>(view.extents[j] - 1);
    }
    if (stride <= reach)
      return false;
  }
  return true;
}

} // namespace trowel::library
