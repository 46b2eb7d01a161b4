// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace trowel;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

Tensor vector(std::vector<double> values) {
  Tensor tensor({static_cast<int64_t>(values.size())});
  tensor.data = std::move(values);
  return tensor;
}

TEST(Compare, IsTheRatioOfRootMeanSquares) {
  // error (1, 0), reference (3, 4)
  EXPECT_DOUBLE_EQ(errorRatio(vector({4, 4}), vector({3, 4}), vector({0, 0})),
                   1.0 / 5);
}

TEST(Compare, MagnitudesBoundTheDenominatorFromBelow) {
  EXPECT_DOUBLE_EQ(errorRatio(vector({1e-3}), vector({0}), vector({100})),
                   1e-2);
  EXPECT_DOUBLE_EQ(errorRatio(vector({3}), vector({2}), vector({100})), 0.5);
}

TEST(Compare, NothingToMeasureAgainst) {
  EXPECT_EQ(errorRatio(vector({0}), vector({0}), vector({0})), 0);
  EXPECT_EQ(errorRatio(vector({1e-9}), vector({0}), vector({0})), infinity);
  EXPECT_EQ(errorRatio(vector({}), vector({}), vector({})), 0);
}

TEST(Compare, HugeNumbersDoNotOverflow) {
  EXPECT_DOUBLE_EQ(
      errorRatio(vector({1.5e200}), vector({1e200}), vector({1e200})), 0.5);
}

TEST(Compare, NonFiniteElementsMustBeTheSame) {
  Tensor magnitude = vector({1, 1});
  auto ratio = [&](double found, double expected) {
    return errorRatio(vector({found, 2}), vector({expected, 2}), magnitude);
  };
  EXPECT_EQ(ratio(nan, nan), 0);
  EXPECT_EQ(ratio(infinity, infinity), 0);
  EXPECT_EQ(ratio(-infinity, infinity), infinity);
  EXPECT_EQ(ratio(nan, infinity), infinity);
  EXPECT_EQ(ratio(infinity, nan), infinity);
  EXPECT_EQ(ratio(nan, 1), infinity);
  EXPECT_EQ(ratio(infinity, 1), infinity);
  EXPECT_EQ(ratio(1, nan), infinity);
}

TEST(Compare, NamesTheWorst) {
  TensorMap reference = {{"a", vector({1})}, {"b", vector({1})}};
  TensorMap actual = {{"a", vector({1.1})}, {"b", vector({1.5})}};
  Comparison comparison = compare(actual, reference, {});
  EXPECT_EQ(comparison.name, "b");
  EXPECT_DOUBLE_EQ(comparison.ratio, 0.5);
  EXPECT_EQ(comparison.reason, "");
}

TEST(Compare, SaysWhatIsOutOfPlace) {
  TensorMap reference = {{"o", Tensor({2, 3}, 1)}};
  EXPECT_EQ(compare({}, reference, {}).reason, "missing");
  EXPECT_EQ(compare({{"o", Tensor({3, 2}, 1)}}, reference, {}).reason,
            "shape [3, 2], not [2, 3]");
  Tensor poisoned({2, 3}, 1);
  poisoned.data[5] = nan;
  Comparison comparison = compare({{"o", poisoned}}, reference, {});
  EXPECT_EQ(comparison.ratio, infinity);
  EXPECT_EQ(comparison.reason, "nan where 1.000000 is expected, at [1, 2]");
}

TEST(Compare, LargestMagnitude) {
  EXPECT_EQ(largestMagnitude({{"a", vector({1, -3})}, {"b", vector({2})}}), 3);
  EXPECT_EQ(largestMagnitude({{"a", vector({nan})}}), infinity);
  EXPECT_EQ(largestMagnitude({}), 0);
}

} // namespace
