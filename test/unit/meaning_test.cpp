// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Meaning.h"
#include "test/unit/ProgramBuilder.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace trowel;
using namespace trowel::test;

namespace {

/// `S += beta * k * (v - k @ S)`, `out o = q @ S`.
Program deltaRule(int64_t keySize, int64_t valueSize) {
  ProgramBuilder b;
  AxisId K = b.axis("K", keySize), V = b.axis("V", valueSize);
  ExprPtr q = b.input("q", {K}), k = b.input("k", {K}), v = b.input("v", {V}),
          beta = b.input("beta", {});
  ExprPtr S = b.state("S", {K, V});
  ExprPtr rest = b.map(MapOp::Sub, {v, b.contract(k, S)});
  ExprPtr write = b.map(MapOp::Mul, {b.map(MapOp::Mul, {beta, k}), rest});
  b.update(S, b.map(MapOp::Add, {S, write}));
  b.output("o", {V}, b.contract(q, S));
  return b.program;
}

Tensor counting(std::vector<int64_t> shape, double scale) {
  Tensor tensor(std::move(shape));
  for (size_t i = 0; i < tensor.data.size(); ++i)
    tensor.data[i] = scale * std::sin(0.7 * static_cast<double>(i) + scale);
  return tensor;
}

TEST(Meaning, DeltaRuleIsThePlainLoop) {
  const int64_t B = 2, T = 5, H = 3, K = 4, V = 2;
  Batch batch{B, T, H, 1, {}};
  TensorMap in = {{"q", counting({B, T, H, K}, 1)},
                  {"k", counting({B, T, H, K}, 0.5)},
                  {"v", counting({B, T, H, V}, 2)},
                  {"beta", counting({B, T, H}, 0.9)},
                  {"S", counting({B, H, K, V}, 0.3)}};
  TensorMap out = evaluate(deltaRule(K, V), batch, in);

  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h) {
      double S[K][V];
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = 0; j < V; ++j)
          S[i][j] = in["S"].data[((b * H + h) * K + i) * V + j];
      for (int64_t t = 0; t < T; ++t) {
        int64_t at = (b * T + t) * H + h;
        const double *q = &in["q"].data[at * K], *k = &in["k"].data[at * K],
                     *v = &in["v"].data[at * V];
        double beta = in["beta"].data[at];
        for (int64_t j = 0; j < V; ++j) {
          double read = 0;
          for (int64_t i = 0; i < K; ++i)
            read += k[i] * S[i][j];
          for (int64_t i = 0; i < K; ++i)
            S[i][j] += beta * k[i] * (v[j] - read);
          double o = 0;
          for (int64_t i = 0; i < K; ++i)
            o += q[i] * S[i][j];
          EXPECT_NEAR(out["o"].data[at * V + j], o, 1e-13);
        }
      }
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = 0; j < V; ++j)
          EXPECT_NEAR(out["S"].data[((b * H + h) * K + i) * V + j], S[i][j],
                      1e-13);
    }
}

TEST(Meaning, TheSizesOfRealModelsRunInSeconds) {
  const int64_t T = 1000, H = 2, K = 128, V = 128;
  TensorMap in = {{"q", counting({1, T, H, K}, 0.1)},
                  {"k", counting({1, T, H, K}, 0.08)},
                  {"v", counting({1, T, H, V}, 1)},
                  {"beta", counting({1, T, H}, 1)}};
  TensorMap out = evaluate(deltaRule(K, V), Batch{1, T, H, 1, {}}, in);
  EXPECT_TRUE(std::isfinite(out["o"].data.back()));
}

} // namespace
