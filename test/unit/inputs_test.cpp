// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Types.h"
#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace trowel;
using namespace trowel::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A delta rule with a gate and inputs of every kind of range beside it.
Program manyInputs() {
  return checkedProgram(R"(
    attention many(K = 16, V = 4) {
      in q       : f32[K]
      in k       : bf16[K]
      in v       : f16[V]
      in g       : f32[K] <= 0
      in beta    : f32 in [0, 2]
      in open    : bf16 in (0, 1]
      in floored : f32 >= -5
      in below   : f32 in [-5, 0)
      in third   : bf16 in [-0.3, 0.3]
      in n       : i32 in [2, 5]
      in e       : e4m3[K] scale f32
      param w    : f32[K]
      state S    : f32[K, V]
      S *= exp(g)
      S += beta * k * (v - k @ S)
      let extra = open + floored + below + third + n + w @ e
      out o : f32[V] = q @ S + extra
    })");
}

const Batch call{2, 50, 3, 1, {}};

TensorMap inputs(Regime regime, uint64_t seed = 1) {
  return generateInputs(manyInputs(), call, {regime, seed, true});
}

std::pair<double, double> extremes(const Tensor &tensor) {
  auto [low, high] =
      std::minmax_element(tensor.data.begin(), tensor.data.end());
  return {*low, *high};
}

TEST(Inputs, EveryRegimeKeepsToRangesTypesAndShapes) {
  Program program = manyInputs();
  for (Regime regime : allRegimes()) {
    SCOPED_TRACE(nameOf(regime));
    TensorMap made = inputs(regime);
    EXPECT_EQ(validate(program, call, made), "");
    EXPECT_EQ(made.count("S"), 1u);
    for (const Declaration &input : program.inputs) {
      Tensor rounded = made.at(input.name);
      roundToType(rounded, input.dtype);
      EXPECT_EQ(rounded.data, made.at(input.name).data) << input.name;
      for (double x : rounded.data)
        EXPECT_TRUE(contains(input.range.value_or(Interval()), x))
            << input.name << " " << x;
    }
  }
}

TEST(Inputs, SeedsAndNamesDecideTheNumbers) {
  EXPECT_EQ(inputs(Regime::Random, 1).at("q").data,
            inputs(Regime::Random, 1).at("q").data);
  EXPECT_NE(inputs(Regime::Random, 1).at("q").data,
            inputs(Regime::Random, 2).at("q").data);
  TensorMap made = inputs(Regime::Random);
  EXPECT_NE(made.at("q").data, made.at("k").data);
}

TEST(Inputs, ContractedVectorsHaveNormsBelowOne) {
  TensorMap made = inputs(Regime::Random);
  for (const char *name : {"q", "k"})
    for (size_t start = 0; start < made.at(name).data.size(); start += 16) {
      double square = 0;
      for (size_t i = 0; i < 16; ++i)
        square += std::pow(made.at(name).data[start + i], 2);
      EXPECT_GT(square, 0.69 * 0.69);
      EXPECT_LT(square, 1);
    }
  auto [low, high] = extremes(made.at("v"));
  EXPECT_LT(low, -2);
  EXPECT_GT(high, 2);
}

TEST(Inputs, StrongGates) {
  const Tensor g = inputs(Regime::StrongGates).at("g");
  for (size_t i = 0; i < g.data.size(); ++i)
    EXPECT_EQ(g.data[i], i % 16 % 8 == 3 ? -40 : -20);
  // A declared lower bound is kept.
  EXPECT_EQ(extremes(inputs(Regime::StrongGates).at("below")).first, -5);
}

TEST(Inputs, ZeroGates) {
  TensorMap made = inputs(Regime::ZeroGates);
  EXPECT_EQ(extremes(made.at("g")), std::make_pair(0.0, 0.0));
  for (double x : made.at("beta").data)
    EXPECT_TRUE(x == 0 || x == 2);
  auto [low, high] = extremes(made.at("below"));
  EXPECT_LT(high, 0); // an open bound is not touched
  EXPECT_GT(low, -1e-37);
}

TEST(Inputs, Resets) {
  TensorMap made = inputs(Regime::Resets);
  int resets = 0, weak = 0;
  for (double x : made.at("g").data)
    x == -1000 ? ++resets : x >= -1e-3 ? ++weak : 0;
  EXPECT_EQ(resets + weak, static_cast<int>(made.at("g").data.size()));
  EXPECT_GT(resets, 50);
  EXPECT_GT(weak, 10 * resets);
  const std::vector<double> &beta = made.at("beta").data;
  EXPECT_GT(std::count(beta.begin(), beta.end(), 0.0), 5);
}

TEST(Inputs, EqualKeys) {
  TensorMap made = inputs(Regime::EqualKeys);
  const std::vector<double> &k = made.at("k").data, &q = made.at("q").data;
  for (size_t i = 0; i < k.size(); ++i) {
    EXPECT_NEAR(k[i], k[i % 16], 0.06);
    EXPECT_NEAR(k[i], q[i], 0.06);
  }
}

TEST(Inputs, ExtremeBeta) {
  const Tensor beta = inputs(Regime::ExtremeBeta).at("beta");
  for (double x : {0.0, 1.0, 2.0})
    EXPECT_GT(std::count(beta.data.begin(), beta.data.end(), x), 50);
  for (double x : beta.data)
    EXPECT_TRUE(x == 0 || x == 1 || x == 2);
}

TEST(Inputs, HugeLeavesKeysThatFeedBackAlone) {
  TensorMap made = inputs(Regime::Huge);
  EXPECT_GT(extremes(made.at("v")).second, 60);
  EXPECT_GT(extremes(made.at("q")).second, 10);
  EXPECT_GT(extremes(made.at("S")).second, 20);
  EXPECT_LT(extremes(made.at("k")).second, 1);
}

TEST(Inputs, Tiny) {
  TensorMap made = inputs(Regime::Tiny);
  EXPECT_LT(extremes(made.at("v")).second, 0.01);
  EXPECT_LT(extremes(made.at("k")).second, 1e-3);
  EXPECT_GT(extremes(made.at("v")).second, 0.001);
}

TEST(NearestWithin, MovesIntoTheRange) {
  Interval third{-0.3, 0.3, false, false};
  // 0.3 is no bf16; its nearest, 0.30078125, lies outside.
  EXPECT_EQ(nearestWithin(third, DType::BF16, 0.3), 0.298828125);
  EXPECT_EQ(nearestWithin(third, DType::BF16, -7), -0.298828125);
  Interval open{0, 1, true, true};
  EXPECT_EQ(nearestWithin(open, DType::F16, 0), 0x1p-24);
  EXPECT_EQ(nearestWithin(open, DType::F16, 2), 1 - 0x1p-11);
  Interval negative{-infinity, 0, false, true};
  EXPECT_EQ(nearestWithin(negative, DType::F16, 1), -0x1p-24);
  EXPECT_EQ(nearestWithin({2, 4, true, true}, DType::I32, 2), 3);
}

} // namespace
