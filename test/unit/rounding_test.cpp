// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every bit pattern of the 8- and 16-bit formats, every midpoint between
// neighbours, and known patterns from the formats' specifications.
#include "dialect/Reference/Rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace trowel;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

struct Named {
  const char *name;
  FloatFormat format;
};

class EveryPattern : public testing::TestWithParam<Named> {};

TEST_P(EveryPattern, SurvivesARoundTrip) {
  FloatFormat format = GetParam().format;
  for (uint32_t bits = 0; bits < 1u << format.bits(); ++bits) {
    double value = decode(format, bits);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(decode(format, encode(format, value))));
      continue;
    }
    if (std::isinf(value) && format.saturates) {
      EXPECT_EQ(roundTo(format, value), std::copysign(format.largest(), value));
      continue;
    }
    EXPECT_EQ(roundTo(format, value), value);
    EXPECT_EQ(encode(format, value), bits) << value;
  }
}

TEST_P(EveryPattern, MidpointsGoToTheEvenNeighbour) {
  FloatFormat format = GetParam().format;
  for (uint32_t bits = 0;; ++bits) {
    double low = decode(format, bits), high = decode(format, bits + 1);
    if (!std::isfinite(high) || std::isnan(high))
      break;
    double middle = (low + high) / 2; // exact
    double even = bits % 2 ? high : low;
    for (double sign : {1.0, -1.0}) {
      EXPECT_EQ(roundTo(format, sign * middle), sign * even);
      EXPECT_EQ(roundTo(format, sign * std::nextafter(middle, 0)), sign * low);
      EXPECT_EQ(roundTo(format, sign * std::nextafter(middle, infinity)),
                sign * high);
    }
  }
}

TEST_P(EveryPattern, OverflowsAsTheFormatSays) {
  FloatFormat format = GetParam().format;
  double largest = format.largest();
  double over = format.saturates ? largest : infinity;
  EXPECT_EQ(roundTo(format, infinity), over);
  EXPECT_EQ(roundTo(format, -1e300), -over);
  EXPECT_EQ(roundTo(format, largest), largest);
  double unit = std::ldexp(1.0, std::ilogb(largest) - format.mantissaBits);
  EXPECT_EQ(roundTo(format, std::nextafter(largest + unit / 2, 0)), largest);
  EXPECT_EQ(roundTo(format, largest + unit), over);
  EXPECT_TRUE(std::isnan(roundTo(format, nan)));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, EveryPattern,
    testing::Values(Named{"bf16", formats::bf16}, Named{"f16", formats::f16},
                    Named{"e4m3", formats::e4m3}, Named{"e5m2", formats::e5m2}),
    [](const testing::TestParamInfo<Named> &info) { return info.param.name; });

TEST(Rounding, KnownPatterns) {
  EXPECT_EQ(encode(formats::bf16, 1.0), 0x3F80u);
  EXPECT_EQ(encode(formats::bf16, -2.0), 0xC000u);
  EXPECT_EQ(encode(formats::bf16, 3.140625), 0x4049u);
  EXPECT_EQ(encode(formats::bf16, infinity), 0x7F80u);
  EXPECT_EQ(encode(formats::bf16, 0x1p-133), 0x0001u);
  EXPECT_EQ(encode(formats::f16, 1.0), 0x3C00u);
  EXPECT_EQ(encode(formats::f16, 65504), 0x7BFFu);
  EXPECT_EQ(encode(formats::f16, 65519.99), 0x7BFFu);
  EXPECT_EQ(encode(formats::f16, 65520), 0x7C00u);
  EXPECT_EQ(encode(formats::f16, 0x1p-24), 0x0001u);
  EXPECT_EQ(encode(formats::f16, 0x1p-25), 0x0000u);
  EXPECT_EQ(encode(formats::f16, 1.0 / 3), 0x3555u);
  EXPECT_EQ(encode(formats::e4m3, 448), 0x7Eu);
  EXPECT_EQ(encode(formats::e4m3, 1000), 0x7Eu);
  EXPECT_EQ(encode(formats::e4m3, 1), 0x38u);
  EXPECT_EQ(encode(formats::e4m3, 0x1p-9), 0x01u);
  EXPECT_EQ(encode(formats::e4m3, nan), 0x7Fu);
  EXPECT_EQ(encode(formats::e5m2, 57344), 0x7Bu);
  EXPECT_EQ(encode(formats::e5m2, -infinity), 0xFBu);
  EXPECT_EQ(encode(formats::e5m2, 1), 0x3Cu);
  EXPECT_EQ(encode(formats::e5m2, 0x1p-16), 0x01u);
  EXPECT_EQ(formats::e4m3.largest(), 448);
  EXPECT_EQ(formats::bf16.largest(), 0x1.FEp127);
}

TEST(Rounding, KeepsTheSignOfZero) {
  EXPECT_EQ(encode(formats::f16, -0.0), 0x8000u);
  EXPECT_EQ(encode(formats::bf16, -1e-300), 0x8000u);
}

TEST(Rounding, SinglePrecisionIsTheMachines) {
  uint64_t state = 1;
  for (int i = 0; i < 100000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    double x;
    uint64_t bits = state ^ state >> 29;
    std::memcpy(&x, &bits, sizeof x);
    if (std::isnan(x))
      continue;
    if (i % 2) // half of them where an f32 is
      x = std::ldexp(1 + std::fabs(std::remainder(x, 1.0)), i % 300 - 160);
    float expected = static_cast<float>(x);
    EXPECT_EQ(roundTo(formats::f32, x), static_cast<double>(expected));
    uint32_t expectedBits;
    std::memcpy(&expectedBits, &expected, sizeof expectedBits);
    EXPECT_EQ(encode(formats::f32, x), expectedBits);
    EXPECT_EQ(decode(formats::f32, expectedBits), expected);
  }
}

TEST(Rounding, Tf32HasTenBitsAndTheRangeOfF32) {
  EXPECT_EQ(roundTo(formats::tf32, 1 + 0x1p-11), 1.0);
  EXPECT_EQ(roundTo(formats::tf32, 1 + 0x1.8p-10), 1 + 0x1p-9);
  EXPECT_EQ(roundTo(formats::tf32, 1e38), roundTo(formats::tf32, 1.0001e38));
  EXPECT_EQ(roundTo(formats::tf32, 1e39), infinity);
}

} // namespace
