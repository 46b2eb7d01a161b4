// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the generated code is compared with: careful loops over the tokens of
// the gated delta rule, with 128 key channels and 128 value columns.
#ifndef TROWEL_TEST_BENCH_TOKENLOOPS_H
#define TROWEL_TEST_BENCH_TOKENLOOPS_H

namespace trowel::bench {

/// Tensors [T, H, 128], beta [T, H]; g is [T, H], or [T, H, 128] if each
/// channel has its own decay.
struct DeltaRule {
  const float *q, *k, *v, *g, *beta;
  float *o;
  long tokens, heads;
  bool channels;
};

/// The state as [V, K], row after row: scale, dot, axpy, dot.
void rowLoop(const DeltaRule &rule, long head);

/// The state as [K, V] with value columns in lanes, in slices of `columns` (32
/// or 64) value columns that stay in the first-level cache.
void slicedLoop(const DeltaRule &rule, long head, int columns);

} // namespace trowel::bench

#endif // TROWEL_TEST_BENCH_TOKENLOOPS_H
