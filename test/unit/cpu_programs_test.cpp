// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CPU's code for whole programs, in f32 and in the types that they declare,
// against the meaning in float64.

#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"
#include "test/unit/Nudged.h"

#include <gtest/gtest.h>

#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

/// The code; null where the program has no chunk form.
std::unique_ptr<library::InProcess> compileProgram(const Program &program,
                                                   int64_t tokens) {
  Derived derived = derive(program, tokens);
  if (!derived.succeeded || !derived.chunkProgram())
    return nullptr;
  return compileCode(program, *derived.module);
}

/// How far the meaning moves when every argument moves by half a unit in the
/// last place of f32: no f32 code can be held to less.
double sensitivity(const Program &program, const Batch &batch,
                   const TensorMap &arguments, const TensorMap &meaning,
                   const TensorMap &magnitudes) {
  uint64_t bits = 1;
  TensorMap moved = evaluate(program, batch, nudged(arguments, bits));
  return compare(moved, meaning, magnitudes).ratio;
}

bool isInF32(const Program &program) {
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &stored : *list)
      if (stored.dtype != DType::F32 && stored.dtype != DType::I32)
        return false;
  return true;
}

class CpuPrograms : public testing::TestWithParam<std::string> {};

void expectMeaning(const Program &program, const library::InProcess &code,
                   const Batch &batch, const InputOptions &options,
                   int64_t tokens) {
  TensorMap arguments = generateInputs(program, batch, options);
  TensorMap meaning = evaluate(program, batch, arguments);
  roundResults(program, meaning);
  TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
  if (!(largestMagnitude(meaning) < 1e6))
    return;
  TensorMap actual = runCode(code, batch, arguments);
  Comparison comparison = compare(actual, meaning, magnitudes);
  double limit = isInF32(program) ? 1e-5 : 5e-3;
  if (comparison.ratio >= limit)
    limit = std::max(
        limit, 2 * sensitivity(program, batch, arguments, meaning, magnitudes));
  EXPECT_LT(comparison.ratio, limit)
      << program.name << ", C = " << tokens << ", T = " << batch.tokens
      << ", regime " << nameOf(options.regime) << ": " << comparison.name << " "
      << comparison.reason;
}

void expectMeaning(const Program &program) {
  for (int64_t tokens : {0, 7}) {
    std::unique_ptr<library::InProcess> code = compileProgram(program, tokens);
    if (!code)
      continue;
    uint64_t seed = 1;
    for (Regime regime : allRegimes()) {
      Batch batch;
      batch.heads = 2;
      batch.batch = seed % 4 == 0 ? 2 : 1;
      batch.groups = seed % 2 == 0 ? 2 : 1;
      batch.tokens = (seed % 3 == 0) ? 1 : (seed % 3 == 1) ? 37 : 65;
      if (seed == 5)
        batch.cuSeqlens = {0, 9, 9, 10, batch.tokens};
      InputOptions options;
      options.regime = regime;
      options.seed = seed;
      options.initialStates = seed % 2 == 0;
      expectMeaning(program, *code, batch, options, tokens);
      ++seed;
    }
  }
}

TEST_P(CpuPrograms, ComputeTheirMeaning) {
  for (const Program &program : checkedPrograms(GetParam()))
    expectMeaning(inF32(program));
}

TEST_P(CpuPrograms, ComputeTheirMeaningInTheirTypes) {
  for (const Program &program : checkedPrograms(GetParam()))
    if (!isInF32(program))
      expectMeaning(program);
}

INSTANTIATE_TEST_SUITE_P(Programs, CpuPrograms,
                         testing::ValuesIn(allPrograms()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

} // namespace
