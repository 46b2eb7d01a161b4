// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every example has a meaning on random and hard inputs: results are numbers
// and, however a batch or a sequence is cut up, the same numbers.
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

using namespace trowel;
using namespace trowel::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> examples() {
  std::vector<std::string> names;
  for (const auto &entry :
       fs::directory_iterator(fs::path(TROWEL_SOURCE_DIR) / "examples"))
    if (entry.path().extension() == ".trowel")
      names.push_back(entry.path().stem());
  return names;
}

/// The example with small sizes, or nothing if it is not supported.
std::optional<Program> load(const std::string &name) {
  std::string text = readFile(std::string(TROWEL_SOURCE_DIR) + "/examples/" +
                              name + ".trowel");
  CheckOptions options;
  std::optional<Program> program = checkText(text).program;
  if (!program)
    return std::nullopt;
  for (const auto &[size, value] : program->sizes)
    if (value > 12)
      options.sizes.push_back({size, 12});
  std::optional<Program> small = checkText(text, options).program;
  return small ? small : program;
}

class Catalogue : public testing::TestWithParam<std::string> {};

TEST_P(Catalogue, GivesNumbersInEveryRegime) {
  std::optional<Program> program = load(GetParam());
  if (!program)
    GTEST_SKIP() << "not supported";
  Batch batch{1, 40, 4, 2, {}};
  for (Regime regime : allRegimes()) {
    SCOPED_TRACE(nameOf(regime));
    TensorMap out =
        evaluate(*program, batch, generateInputs(*program, batch, {regime, 7}));
    for (const Declaration &output : program->outputs)
      for (double x : out.at(output.name).data)
        ASSERT_FALSE(std::isnan(x)) << output.name;
    if (regime == Regime::Random || regime == Regime::Gentle)
      EXPECT_LT(largestMagnitude(out), 1e4);
  }
}

/// Rows `begin` to `end` of a [1, T, …] tensor.
Tensor rows(const Tensor &tensor, int64_t begin, int64_t end) {
  Tensor part = tensor;
  part.shape[1] = end - begin;
  int64_t row = tensor.elementCount() / tensor.shape[1];
  part.data.assign(tensor.data.begin() + begin * row,
                   tensor.data.begin() + end * row);
  return part;
}

TEST_P(Catalogue, PackedSequencesAreWhatTheyAreAlone) {
  std::optional<Program> program = load(GetParam());
  if (!program)
    GTEST_SKIP() << "not supported";
  Batch packed{1, 9, 4, 2, {0, 4, 4, 9}};
  TensorMap in = generateInputs(*program, packed, {Regime::Random, 3});
  TensorMap together = evaluate(*program, packed, in);
  for (auto [begin, end] : {std::pair(0, 4), std::pair(4, 9)}) {
    TensorMap own = in;
    for (const Declaration &input : program->inputs)
      own[input.name] = rows(in[input.name], begin, end);
    TensorMap alone = evaluate(*program, Batch{1, end - begin, 4, 2, {}}, own);
    for (const Declaration &output : program->outputs)
      EXPECT_EQ(rows(together[output.name], begin, end).data,
                alone[output.name].data);
  }
}

// Results past 1e6 are no measure of anything; inputs that lead there often
// would leave little that is tested.
TEST(CatalogueAsAWhole, HardInputsLeadToUsableNumbers) {
  int runs = 0, beyond = 0;
  for (const std::string &name : examples()) {
    std::optional<Program> program = load(name);
    if (!program)
      continue;
    Batch batch{1, 200, 2, 1, {}};
    for (Regime regime : allRegimes()) {
      TensorMap in = generateInputs(*program, batch, {regime, 11, true});
      ++runs;
      beyond +=
          !(largestMagnitude(evaluateMagnitudes(*program, batch, in)) < 1e6);
    }
  }
  EXPECT_GT(runs, 200);
  EXPECT_LE(beyond, runs / 20);
}

INSTANTIATE_TEST_SUITE_P(Examples, Catalogue, testing::ValuesIn(examples()),
                         [](const auto &info) { return info.param; });

} // namespace
