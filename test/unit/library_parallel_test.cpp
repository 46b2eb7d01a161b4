// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One head on several threads: which programs are divided, that slices of
// columns give the bits of the whole, and that segments of the sequence are
// right.

#include "codegen/Library/InProcess.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "passes/Chunk/Slices.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

//===--- Which programs are divided ---------------------------------------===//

/// The axes along which a program, whose axes are A and B, is separable.
std::string separableAxes(const std::string &body) {
  Derived derived = derive(
      checkedProgram("attention a(A = 32, B = 32) {\n" + body + "}\n"), 0);
  std::string axes;
  for (const char *axis : {"A", "B"})
    if (isSeparable(derived.chunkProgram(),
                    mlir::StringAttr::get(derived.context.get(), axis)))
      axes += axis;
  return axes;
}

TEST(Separable, ColumnsOfAState) {
  EXPECT_EQ(separableAxes("in k : f32[A]\nin v : f32[B]\nstate S : f32[A, B]\n"
                          "S += k * v\nout o : f32[B] = k @ S\n"),
            "B");
  // The delta rule reads what it corrects, column by column.
  EXPECT_EQ(separableAxes("in k : f32[A]\nin v : f32[B]\nstate S : f32[A, B]\n"
                          "S += k * (v - k @ S)\nout o : f32[B] = k @ S\n"),
            "B");
}

TEST(Separable, ElementsOfAVector) {
  EXPECT_EQ(separableAxes("in x : f32[A]\nin g : f32[A] in [0, 1]\n"
                          "state h : f32[A]\nh = g * h + x\n"
                          "out o : f32[A] = tanh(h)\n"),
            "AB");
}

TEST(Separable, NotWhatIsSummedInTheEnd) {
  EXPECT_EQ(separableAxes("in k : f32[A]\nin v : f32[B]\nstate S : f32[A, B]\n"
                          "S += k * v\nlet r = k @ S\n"
                          "out o : f32[B] = r / (1 + sum(abs(r)))\n"),
            "");
}

TEST(Separable, NotWhatIsReadAlongBoth) {
  EXPECT_EQ(separableAxes("in k : f32[A]\nin v, u : f32[B]\n"
                          "state S : f32[A, B]\nS += k * v\n"
                          "out o : f32[B] = k @ S\nout p : f32[A] = S @ u\n"),
            "");
}

//===--- The same bits ----------------------------------------------------===//

/// Sizes of so many columns.
template <int64_t columns>
CheckOptions sizesOf(const syntax::Attention &attention) {
  CheckOptions options;
  for (const syntax::Size &size : attention.sizes)
    if (size.value > 6)
      options.sizes.push_back({size.name.text, columns});
  return options;
}

/// Four vectors, so that there are slices of a half and a quarter.
constexpr SizesOf dividedSizes = sizesOf<64>;

/// A NaN's sign is the machine's own business.
bool sameBits(const Tensor &a, const Tensor &b) {
  return a.shape == b.shape &&
         std::equal(a.data.begin(), a.data.end(), b.data.begin(),
                    [](double x, double y) {
                      return (x != x && y != y) ||
                             std::memcmp(&x, &y, sizeof x) == 0;
                    });
}

void expectSame(const library::CallResults &a, const library::CallResults &b) {
  for (const auto &[name, tensor] : a.values)
    EXPECT_TRUE(sameBits(tensor, b.values.at(name))) << name;
  for (const auto &[name, tensor] : a.statesAtBoundaries)
    EXPECT_TRUE(sameBits(tensor, b.statesAtBoundaries.at(name)))
        << name << " at boundaries";
  EXPECT_EQ(a.carry, b.carry);
}

/// How many parts the program's largest division has.
int64_t mostParts(const library::ProgramInfo &info) {
  int64_t parts = 1;
  for (int64_t i = 0; i < info.phaseCount; ++i)
    for (int64_t j = 0; j < info.phases[i].divisionCount; ++j)
      parts = std::max(parts, info.phases[i].divisions[j].parts);
  return parts;
}

class OneHead {
public:
  explicit OneHead(const Program &program) : program(program) {
    Derived derived = derive(program, 0);
    auto made = library::InProcess::create(program, *derived.module);
    EXPECT_TRUE(static_cast<bool>(made)) << llvm::toString(made.takeError());
    if (made)
      library = std::move(*made);
  }

  const library::ProgramInfo &info() const { return library->tables().info(); }

  library::CallResults call(int threads, const std::string &carry = "") const {
    int64_t chunk = info().chunkTokens;
    Batch batch{1, 2 * chunk + 9, 1, 1, {}};
    InputOptions inputs;
    inputs.regime = Regime::Gentle;
    inputs.initialStates = true;
    library::CallOptions options;
    options.threads = threads;
    options.carry = carry;
    options.boundaries = {static_cast<int32_t>(chunk)};
    options.poison = true;
    library::CallResults results;
    EXPECT_EQ(library->call(batch, generateInputs(program, batch, inputs),
                            options, results),
              TROWEL_OK)
        << library->lastError();
    return results;
  }

  std::unique_ptr<library::InProcess> library;
  const Program &program;
};

class Slices : public testing::TestWithParam<std::string> {};

TEST_P(Slices, GiveTheBitsOfTheWhole) {
  for (const Program &program : checkedPrograms(GetParam(), dividedSizes)) {
    OneHead head(program);
    if (!head.library || mostParts(head.info()) == 1)
      continue;
    library::CallResults whole = head.call(1),
                         behind = head.call(1, whole.carry);
    for (int threads : {2, 4}) {
      expectSame(whole, head.call(threads));
      expectSame(behind, head.call(threads, whole.carry));
    }
  }
}

std::string nameOf(const testing::TestParamInfo<std::string> &info) {
  return std::regex_replace(info.param, std::regex("[^A-Za-z0-9]"), "_");
}

INSTANTIATE_TEST_SUITE_P(Programs, Slices, testing::ValuesIn(allPrograms()),
                         nameOf);

TEST(Division, IsMadeWhereItHelps) {
  auto partsOf = [](const char *file) {
    return mostParts(
        OneHead(checkedPrograms(file, dividedSizes).front()).info());
  };
  EXPECT_EQ(partsOf("examples/kimi_delta_attention.trowel"), 4);
  EXPECT_EQ(partsOf("examples/linear_attention.trowel"), 4);
  // One of two phases, and products with a matrix of all elements.
  EXPECT_EQ(partsOf("examples/gated_slot_attention.trowel"), 2);
  EXPECT_EQ(partsOf("test/language/lstm.trowel"), 1);
}

//===--- Segments ---------------------------------------------------------===//

bool hasSegments(const library::ProgramInfo &info) {
  for (int64_t i = 0; i < info.phaseCount; ++i)
    if (info.phases[i].map)
      return true;
  return false;
}

class Segments : public testing::TestWithParam<std::string> {
protected:
  void expectRight(const OneHead &head, Regime regime) {
    InputOptions inputs;
    inputs.regime = regime;
    inputs.initialStates = true;
    int64_t chunk = head.info().chunkTokens, tokens = 5 * chunk + 9;
    // The second sequence has fewer chunks than segments.
    Batch batch{1, tokens, 2, 1, {0, 4 * chunk + 2, tokens}};
    TensorMap arguments = generateInputs(head.program, batch, inputs);
    TensorMap meaning = evaluate(head.program, batch, arguments);
    TensorMap magnitudes = evaluateMagnitudes(head.program, batch, arguments);
    if (!(largestMagnitude(meaning) < 1e6))
      return; // near or beyond what f32 holds
    library::CallOptions options;
    options.boundaries = {static_cast<int32_t>(chunk),
                          static_cast<int32_t>(2 * chunk)};
    options.poison = true;
    auto call = [&](int64_t segments, int threads) {
      library::CallResults results;
      options.segments = segments;
      options.threads = threads;
      EXPECT_EQ(head.library->call(batch, arguments, options, results),
                TROWEL_OK)
          << head.library->lastError();
      return results;
    };
    library::CallResults whole = call(1, 1);
    double limit =
        std::max(1e-5, compare(whole.values, meaning, magnitudes).ratio);
    for (int64_t segments : {2, 3, 5}) {
      library::CallResults one = call(segments, 1);
      Comparison comparison = compare(one.values, meaning, magnitudes);
      EXPECT_LE(comparison.ratio, limit)
          << nameOf(regime) << ", " << segments
          << " segments: " << comparison.name << " " << comparison.reason;
      expectSame(one, call(segments, 3));
      EXPECT_EQ(one.carry, whole.carry);
      expectClose(one.statesAtBoundaries, whole.statesAtBoundaries);
    }
  }

  static void expectClose(const TensorMap &a, const TensorMap &b) {
    for (const auto &[name, tensor] : a)
      for (size_t i = 0; i < tensor.data.size(); ++i)
        EXPECT_NEAR(tensor.data[i], b.at(name).data[i],
                    1e-4 * (1 + std::abs(tensor.data[i])))
            << name;
  }
};

TEST_P(Segments, AreRight) {
  for (const Program &declared : checkedPrograms(GetParam(), sizesOf<32>)) {
    Program program = inF32(declared);
    OneHead head(program);
    if (head.library && hasSegments(head.info()))
      for (Regime regime : allRegimes())
        expectRight(head, regime);
  }
}

TEST(Segmentation, IsDoneWhereMapsAreLinear) {
  auto isSegmented = [](const char *file) {
    return hasSegments(
        OneHead(checkedPrograms(file, dividedSizes).front()).info());
  };
  EXPECT_TRUE(isSegmented("examples/kimi_delta_attention.trowel"));
  EXPECT_TRUE(isSegmented("examples/lightning_attention.trowel"));
  EXPECT_TRUE(isSegmented("examples/titans.trowel")); // two coupled states
  EXPECT_FALSE(isSegmented("examples/lstm.trowel"));
  EXPECT_FALSE(isSegmented("examples/fast_weights_2016.trowel"));
}

/// A map that makes errors grow is not used: the bits are those of the whole.
TEST(Segmentation, GivesWayToGrowth) {
  Program program = checkedProgram(
      "attention grows(K = 64, V = 64) {\nin q, k : f32[K]\nin v : f32[V]\n"
      "param a : f32\nstate S : f32[K, V]\nS *= a\nS += k * v\n"
      "out o : f32[V] = q @ S\n}\n");
  OneHead head(program);
  ASSERT_TRUE(hasSegments(head.info()));
  Batch batch{1, 4 * head.info().chunkTokens, 1, 1, {}};
  TensorMap arguments = generateInputs(program, batch, {Regime::Gentle, 0});
  auto call = [&](double factor, int64_t segments) {
    arguments["a"].data = {factor};
    library::CallOptions options;
    options.segments = segments;
    library::CallResults results;
    EXPECT_EQ(head.library->call(batch, arguments, options, results),
              TROWEL_OK);
    return results;
  };
  expectSame(call(1.3, 4), call(1.3, 1));
  EXPECT_FALSE(sameBits(call(0.99, 4).values["S"], call(0.99, 1).values["S"]));
}

INSTANTIATE_TEST_SUITE_P(Programs, Segments, testing::ValuesIn(allPrograms()),
                         nameOf);

} // namespace
