// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where tensors lie, and their elements' formats, against slow definitions.
#include "dialect/Reference/Rounding.h"
#include "runtime/Library/Elements.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <set>

using namespace trowel;
using namespace trowel::library;

namespace {

/// A view of up to three axes somewhere in the first bytes.
struct Sample {
  explicit Sample(std::mt19937 &random) {
    auto below = [&](int n) {
      return static_cast<int>(random() % unsigned(n));
    };
    view.type = below(2) ? ElementType::F32 : ElementType::BF16;
    view.rank = below(4);
    view.extents = extents;
    view.strides = strides;
    for (int i = 0; i < view.rank; ++i) {
      extents[i] = 1 + below(4);
      strides[i] = below(4) ? below(13) - 4 : 0;
    }
    int64_t size = bytesOf(view.type);
    int64_t begin = 512 + 2 * below(24) * size / 2;
    view.data = memory + begin;
    visit(0, begin, size);
    view.low = reinterpret_cast<uintptr_t>(memory) + uintptr_t(*bytes.begin());
    view.high =
        reinterpret_cast<uintptr_t>(memory) + uintptr_t(*bytes.rbegin()) + 1;
  }
  void visit(int axis, int64_t at, int64_t size) {
    if (axis < view.rank) {
      for (int64_t i = 0; i < extents[axis]; ++i)
        visit(axis + 1, at + i * strides[axis] * size, size);
      return;
    }
    for (int64_t i = 0; i < size; ++i)
      distinct &= bytes.insert(at + i).second;
  }

  static char memory[1024];
  int64_t extents[3], strides[3];
  View view;
  std::set<int64_t> bytes;
  bool distinct = true;
};
char Sample::memory[1024];

TEST(LibraryMemory, DisjointTensorsShareNoByte) {
  std::mt19937 random(1);
  int found = 0, between = 0;
  for (int round = 0; round < 100000; ++round) {
    Sample a(random), b(random);
    bool meet = false;
    for (int64_t byte : a.bytes)
      meet |= b.bytes.count(byte) > 0;
    bool disjoint = areDisjoint(a.view, b.view);
    EXPECT_EQ(disjoint, areDisjoint(b.view, a.view));
    ASSERT_FALSE(disjoint && meet);
    found += disjoint;
    between += disjoint && a.view.low < b.view.high && b.view.low < a.view.high;
    // Apart by their ranges: never taken for an overlap.
    EXPECT_TRUE(disjoint ||
                (a.view.low < b.view.high && b.view.low < a.view.high));
  }
  EXPECT_GT(found, 10000);
  EXPECT_GT(between, 100);
}

TEST(LibraryMemory, DistinctElementsShareNoByte) {
  std::mt19937 random(2);
  int found = 0, missed = 0;
  for (int round = 0; round < 100000; ++round) {
    Sample sample(random);
    bool distinct = hasDistinctElements(sample.view);
    ASSERT_FALSE(distinct && !sample.distinct);
    found += distinct;
    missed += sample.distinct && !distinct;
  }
  EXPECT_GT(found, 10000);
  EXPECT_LT(missed, found / 4);
}

struct Format {
  const char *name;
  ElementType type;
  FloatFormat format;
};

class LibraryFormats : public testing::TestWithParam<Format> {};

float floatOf(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

uint32_t storeOne(ElementType type, float x) {
  uint32_t stored = 0;
  View view;
  view.type = type;
  view.data = reinterpret_cast<char *>(&stored);
  store(view, 0, 0, &x);
  return stored;
}

float loadOne(ElementType type, uint32_t stored) {
  View view;
  view.type = type;
  view.data = reinterpret_cast<char *>(&stored);
  float x;
  load(&x, view, 0, 0);
  return x;
}

TEST_P(LibraryFormats, RoundAsTheReference) {
  auto [name, type, format] = GetParam();
  std::mt19937 random(3);
  for (uint64_t i = 0; i < 400000; ++i) {
    // Every exponent with mantissas that are often ties, then any bits.
    uint32_t bits = i % 2 ? random()
                          : uint32_t(random() % 512) << 23 |
                                uint32_t(random() % 64) << (random() % 18);
    float x = floatOf(bits);
    if (type == ElementType::TF32) { // NaN as it is
      float rounded = floatOf(storeOne(type, x));
      ASSERT_TRUE(std::isnan(x) ? std::isnan(rounded)
                                : rounded == roundTo(format, x))
          << bits;
      continue;
    }
    ASSERT_EQ(storeOne(type, x), encode(format, x))
        << name << " " << std::hex << bits;
  }
}

TEST_P(LibraryFormats, ReadEveryBitPattern) {
  auto [name, type, format] = GetParam();
  if (type == ElementType::TF32)
    return;
  for (uint32_t bits = 0; bits < 1u << format.bits(); ++bits) {
    double expected = decode(format, bits);
    float x = loadOne(type, bits);
    ASSERT_TRUE(std::isnan(expected)
                    ? std::isnan(x)
                    : x == expected &&
                          std::signbit(x) == std::signbit(expected))
        << name << " " << bits;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, LibraryFormats,
    testing::Values(Format{"bf16", ElementType::BF16, formats::bf16},
                    Format{"f16", ElementType::F16, formats::f16},
                    Format{"e4m3", ElementType::E4M3, formats::e4m3},
                    Format{"e5m2", ElementType::E5M2, formats::e5m2},
                    Format{"tf32", ElementType::TF32, formats::tf32}),
    [](const testing::TestParamInfo<Format> &info) { return info.param.name; });

} // namespace
