// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tables of a library whose code is written by hand, so that the runtime
// can be tested without a compiler and under sanitizers:
//
//   in x : f32[K]            param w : f32[K]          in c : f32 shared
//   in v : f32[V] grouped
//   state S : f32[K, V]      state Z : bf16[K] shared
//   S = S / 2 + w * x * v    Z += c
//   out o : f32[V] = x @ S + (number of tokens before this one, from the carry)
//   out z : f32[K] shared = Z
//
// with chunks of 4 tokens.
#ifndef TROWEL_TEST_UNIT_SMALLLIBRARY_H
#define TROWEL_TEST_UNIT_SMALLLIBRARY_H

#include "runtime/Library/Library.h"

namespace trowel::test::small {

constexpr int64_t K = 3, V = 5, chunk = 4;

enum Tensors {
  in_x,
  in_v,
  in_c,
  param_w,
  out_o,
  out_z,
  state_in_S,
  state_in_Z,
  state_out_S,
  state_out_Z,
  state_at_S,
  state_at_Z,
  tensor_count
};

/// `columns`: of V, one or all.
template <int64_t columns>
void kernel(void *const *data, const int64_t *strides, void *carry,
            int64_t tokens, void *workspace) {
  auto in = [&](int i) { return static_cast<const float *>(data[i]); };
  auto out = [&](int i) { return static_cast<float *>(data[i]); };
  const float *x = in(0), *v = in(1), *c = in(2), *w = in(3);
  const float *initialS = in(4), *initialZ = in(5);
  float *finalS = out(6), *finalZ = out(7), *o = out(8), *z = out(9);
  auto *count = static_cast<int64_t *>(carry);
  auto *S = static_cast<float *>(workspace), *Z = S + K * columns;
  for (int64_t i = 0; i < K * columns; ++i)
    S[i] = initialS ? initialS[i] : 0;
  for (int64_t k = 0; k < K; ++k)
    Z[k] = initialZ ? initialZ[k] : 1;
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t k = 0; k < K; ++k)
      for (int64_t i = 0; i < columns; ++i) {
        S[k * columns + i] *= 0.5f;
        S[k * columns + i] +=
            w[k] * x[t * strides[0] + k] * v[t * strides[1] + i];
      }
    for (int64_t k = 0; k < K; ++k)
      Z[k] += c[t * strides[2]];
    for (int64_t i = 0; o && i < columns; ++i) {
      float sum = static_cast<float>(count[0]);
      for (int64_t k = 0; k < K; ++k)
        sum += x[t * strides[0] + k] * S[k * columns + i];
      o[t * strides[3] + i] = sum;
    }
    for (int64_t k = 0; z && k < K; ++k)
      z[t * strides[4] + k] = Z[k];
    ++count[0];
  }
  for (int64_t i = 0; finalS && i < K * columns; ++i)
    finalS[i] = S[i];
  for (int64_t k = 0; finalZ && k < K; ++k)
    finalZ[k] = Z[k];
}

inline const library::ProgramInfo &program() {
  using namespace library;
  using E = ElementType;
  static const int64_t sizesK[] = {K}, sizesV[] = {V}, sizesKV[] = {K, V};
  static const TensorInfo tensors[] = {
      {"`x`", "[B, T, H, K=3]", "", Role::Input, E::F32, Sharing::Head, -1, 1,
       sizesK},
      {"`v`", "[B, T, G, V=5]", "", Role::Input, E::F32, Sharing::Grouped, -1,
       1, sizesV},
      {"`c`", "[B, T]", "", Role::Input, E::F32, Sharing::Shared, -1, 0,
       nullptr},
      {"`w`", "[H, K=3]", "", Role::Param, E::F32, Sharing::Head, -1, 1,
       sizesK},
      {"`o`", "[B, T, H, V=5]", "", Role::Output, E::F32, Sharing::Head, -1, 1,
       sizesV},
      {"`z`", "[B, T, K=3]", "", Role::Output, E::F32, Sharing::Shared, -1, 1,
       sizesK},
      {"the initial `S`", "[N, H, K=3, V=5]", "[N, H, V=5, K=3]",
       Role::InitialState, E::F32, Sharing::Head, 0, 2, sizesKV},
      {"the initial `Z`", "[N, K=3]", "[N, K=3]", Role::InitialState, E::BF16,
       Sharing::Shared, 1, 1, sizesK},
      {"the final `S`", "[N, H, K=3, V=5]", "[N, H, V=5, K=3]",
       Role::FinalState, E::F32, Sharing::Head, 0, 2, sizesKV},
      {"the final `Z`", "[N, K=3]", "[N, K=3]", Role::FinalState, E::BF16,
       Sharing::Shared, 1, 1, sizesK},
      {"`S` at boundaries", "[M, H, K=3, V=5]", "[M, H, V=5, K=3]",
       Role::StateAt, E::F32, Sharing::Head, 0, 2, sizesKV},
      {"`Z` at boundaries", "[M, K=3]", "[M, K=3]", Role::StateAt, E::BF16,
       Sharing::Shared, 1, 1, sizesK},
  };
  static const ArgumentInfo arguments[] = {
      {Role::Input, in_x, -1, -1, -1, Sharing::Head, -1},
      {Role::Input, in_v, -1, -1, -1, Sharing::Grouped, 0},
      {Role::Input, in_c, -1, -1, -1, Sharing::Shared, -1},
      {Role::Param, param_w, -1, -1, -1, Sharing::Head, -1},
      {Role::InitialState, state_in_S, -1, 0, -1, Sharing::Head, 1},
      {Role::InitialState, state_in_Z, -1, 1, -1, Sharing::Shared, -1},
      {Role::FinalState, state_out_S, -1, 0, state_at_S, Sharing::Head, 1},
      {Role::FinalState, state_out_Z, -1, 1, state_at_Z, Sharing::Shared, -1},
      {Role::Output, out_o, -1, -1, -1, Sharing::Head, 0},
      {Role::Output, out_z, -1, -1, -1, Sharing::Shared, -1},
  };
  static const CodeInfo whole[] = {{kernel<V>, (K * V + K) * 4}};
  static const CodeInfo slice[] = {{kernel<1>, (K + K) * 4}};
  static const CarriedInfo carried[] = {{0, 0, 1, 8, false}};
  static const DivisionInfo divisions[] = {{1, 5, whole, carried, 1},
                                           {V, 2, slice, carried, 1}};
  static const PhaseInfo phases[] = {
      {arguments, 10, divisions, 2, divisions, nullptr, 8}};
  static const int64_t stateElements[] = {K * V, K};
  static const Machine machines[] = {Machine::Host};
  static const ProgramInfo info = {"small",
                                   tensors,
                                   tensor_count,
                                   stateElements,
                                   2,
                                   nullptr,
                                   0,
                                   phases,
                                   1,
                                   machines,
                                   1,
                                   chunk,
                                   8};
  return info;
}

inline int32_t forward(const trowel_call &call) {
  return trowel_library_forward(&program(), &call);
}

inline int32_t step(const trowel_call &call) {
  return trowel_library_step(&program(), &call);
}
inline int32_t verify(const trowel_call &call) {
  return trowel_library_verify(&program(), &call);
}
inline int32_t commit(const trowel_call &call) {
  return trowel_library_commit(&program(), &call);
}

} // namespace trowel::test::small

#endif // TROWEL_TEST_UNIT_SMALLLIBRARY_H
