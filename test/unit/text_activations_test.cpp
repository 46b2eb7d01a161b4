// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/text-activations/Activations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace trowel;

namespace {

const std::string text = "the cat and the hat and the cat and the bat, the rat";

/// FNV-1a over the bits of every value.
uint64_t fingerprint(const std::vector<float> &values) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    hash = (hash ^ bits) * 0x100000001b3u;
  }
  return hash;
}

TEST(TextActivations, AreTheSameOnEveryMachine) {
  auto values = project(embedText(text, text.size(), 1), 32, "k", 1, 0, 1);
  EXPECT_EQ(fingerprint(values), 15275214930124815u);
  EXPECT_NE(
      fingerprint(project(embedText(text, text.size(), 2), 32, "k", 2, 0, 1)),
      fingerprint(values));
  EXPECT_NE(
      fingerprint(project(embedText(text, text.size(), 1), 32, "q", 1, 0, 1)),
      fingerprint(values));
}

TEST(TextActivations, DependOnThePastOnly) {
  std::string other = text;
  other.replace(20, std::string::npos, "something else entirely here!!!!");
  auto a = embedText(text, 40, 1), b = embedText(other, 40, 1);
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + 20 * embeddingSize, b.begin()));
  EXPECT_FALSE(std::equal(a.begin(), a.end(), b.begin()));
}

TEST(TextActivations, RepeatedWordsGiveRepeatedRows) {
  // "the cat" stands at 0 and at 24; the last letters follow the same four
  // bytes.
  auto e = embedText(text, text.size(), 1);
  size_t second = text.find("the cat", 1);
  EXPECT_TRUE(std::equal(e.begin() + 6 * embeddingSize,
                         e.begin() + 7 * embeddingSize,
                         e.begin() + (second + 6) * embeddingSize));
}

TEST(TextActivations, HaveTheMomentsThatWereAskedFor) {
  auto values = project(embedText(text, text.size(), 3), 512, "v", 3, 2.0, 0.5);
  double sum = 0, squares = 0;
  for (float value : values) {
    sum += value;
    squares += value * value;
  }
  double mean = sum / values.size();
  EXPECT_NEAR(mean, 2.0, 0.1);
  EXPECT_NEAR(std::sqrt(squares / values.size() - mean * mean), 0.5, 0.1);

  double low = 1e9, high = -1e9;
  for (float value : parameterValues(1000, "p", 3, -1.0, 0.25)) {
    low = std::min<double>(low, value);
    high = std::max<double>(high, value);
  }
  EXPECT_NEAR(low, -1.0 - 0.25 * std::sqrt(3.0), 0.02);
  EXPECT_NEAR(high, -1.0 + 0.25 * std::sqrt(3.0), 0.02);
}

TEST(TextActivations, RequestsAreReadOrExplained) {
  CallSizes sizes{2, 10, 4, 2};
  TensorRequest request;
  std::string error;
  ASSERT_TRUE(parseRequest("k=B,T,G,8", sizes, request, error)) << error;
  EXPECT_EQ(request.shape, (std::vector<int64_t>{2, 10, 2, 8}));
  EXPECT_TRUE(request.perToken);
  EXPECT_EQ(makeTensor(request, text, sizes, 1).size(), 2u * 10 * 2 * 8);
  ASSERT_TRUE(parseRequest("A_log=H:1.5,0.25", sizes, request, error)) << error;
  EXPECT_FALSE(request.perToken);
  EXPECT_EQ(request.centre, 1.5);
  EXPECT_EQ(request.spread, 0.25);
  EXPECT_EQ(makeTensor(request, text, sizes, 1).size(), 4u);

  for (const char *bad :
       {"k", "=B,T", "k=", "k=B,,T", "k=B,T,0", "k=B,T,8x", "k=H,T", "k=H:1",
        "k=H:1,x", "k=H:1,2,3", "k=-4", "k=H:1,2,3,"})
    EXPECT_FALSE(parseRequest(bad, sizes, request, error)) << bad;
}

TEST(TextActivations, StayBetweenTheBoundsThatWereAskedFor) {
  CallSizes sizes{1, 40, 4, 1};
  TensorRequest request;
  std::string error;
  ASSERT_TRUE(parseRequest("b=B,T,H:0.5,0.5,0,1", sizes, request, error));
  auto values = makeTensor(request, text, sizes, 1);
  EXPECT_EQ(*std::min_element(values.begin(), values.end()), 0.0f);
  EXPECT_EQ(*std::max_element(values.begin(), values.end()), 1.0f);
}

TEST(TextActivations, EachSequenceReadsItsOwnPieceOfTheText) {
  CallSizes two{2, 10, 1, 1};
  TensorRequest request;
  std::string error;
  ASSERT_TRUE(parseRequest("k=B,T,H,8", two, request, error));
  auto values = makeTensor(request, text, two, 1);
  CallSizes first{1, 10, 1, 1};
  ASSERT_TRUE(parseRequest("k=B,T,H,8", first, request, error));
  auto begin = makeTensor(request, text, first, 1);
  auto rest = makeTensor(request, text.substr(10), first, 1);
  EXPECT_TRUE(std::equal(begin.begin(), begin.end(), values.begin()));
  EXPECT_TRUE(
      std::equal(rest.begin(), rest.end(), values.begin() + begin.size()));
}

} // namespace
