// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The chunk program of every example, invention and language program, in
// float64, against the meaning.

#include "dialect/Reference/ChunkInterpreter.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

class Derivation : public testing::TestWithParam<std::string> {};

void expectChunksMatch(const Program &program, const Batch &batch,
                       const InputOptions &options,
                       std::vector<int64_t> sizes) {
  TensorMap arguments = generateInputs(program, batch, options);
  TensorMap meaning = evaluate(program, batch, arguments);
  TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
  if (!(largestMagnitude(meaning) < 1e6))
    return;
  for (int64_t tokens : sizes) {
    Derived derived = derive(program, tokens);
    ASSERT_TRUE(derived.succeeded) << program.name;
    TensorMap actual = evaluateChunks(*derived.module, batch, arguments);
    Comparison comparison = compare(actual, meaning, magnitudes);
    EXPECT_LT(comparison.ratio, 1e-10)
        << program.name << ", C = " << tokens << ", T = " << batch.tokens
        << ", regime " << nameOf(options.regime) << ": " << comparison.name
        << " " << comparison.reason;
  }
}

TEST_P(Derivation, ChunksMeanWhatTheProgramMeans) {
  for (const Program &program : checkedPrograms(GetParam())) {
    uint64_t seed = 1;
    for (Regime regime : allRegimes()) {
      Batch batch;
      batch.batch = 1;
      batch.heads = 2;
      batch.tokens = (seed % 3 == 0) ? 1 : (seed % 3 == 1) ? 37 : 65;
      InputOptions options;
      options.regime = regime;
      options.seed = seed;
      options.initialStates = seed % 2 == 0;
      expectChunksMatch(program, batch, options, {1, 7, 16, 64, batch.tokens});
      ++seed;
    }
  }
}

TEST_P(Derivation, SequencesBeginAnew) {
  for (const Program &program : checkedPrograms(GetParam())) {
    Batch batch;
    batch.heads = 2;
    batch.groups = 1;
    batch.tokens = 40;
    batch.cuSeqlens = {0, 9, 9, 10, 40};
    InputOptions options;
    options.initialStates = true;
    expectChunksMatch(program, batch, options, {16});
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Derivation, testing::ValuesIn(allPrograms()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

} // namespace
