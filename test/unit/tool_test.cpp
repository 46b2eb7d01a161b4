// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of the command line that its own tests (test/cli) cannot reach.

#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/unit/Checked.h"
#include "tools/trowel/Catalogue.h"
#include "tools/trowel/Messages.h"
#include "tools/trowel/Slice.h"
#include "tools/trowel/Trials.h"

#include "llvm/Support/ErrorHandling.h"

#include <gtest/gtest.h>

#include <cstdlib>

using namespace trowel;
using namespace trowel::tool;

namespace {

TEST(Messages, InternalErrorsAndCrashesEndAlike) {
  EXPECT_EXIT(internalError("this failed"), testing::ExitedWithCode(70),
              "internal error: this failed; please report");
  EXPECT_EXIT(
      {
        installCrashHandler();
        std::abort();
      },
      testing::ExitedWithCode(70), "internal error: .*; please report");
  EXPECT_EXIT(
      {
        installCrashHandler();
        llvm::report_fatal_error("no way on", false);
      },
      testing::ExitedWithCode(70), "internal error: no way on; please report");
}

TEST(Catalogue, FindsTitleAndYearInTheComment) {
  Origin origin = originOf("Attention in 1066 Steps: A\nTitle. A. Name, B. "
                           "Other, 2021. arXiv:2101.00001\n\nS = 1.5 S.");
  EXPECT_EQ(origin.title, "Attention in 1066 Steps: A Title");
  EXPECT_EQ(origin.year, "2021");
  EXPECT_EQ(originOf("No year here.").title, "No year here");
  EXPECT_EQ(originOf("No year here.").year, "");
  EXPECT_EQ(originOf("").title, "");
}

constexpr const char *everySharing = R"(
attention a(K = 3, V = 2) {
  in q, k  : f32[K] grouped
  in v     : f32[V]
  in c     : f32 shared
  param w  : f32[V]
  param p  : f32[K] grouped
  state S  : f32[K, V]
  state n  : f32 shared
  S += p * k * (v * w)
  n = n * 0.5 + c
  out o : f32[V] = q @ S + n
})";

/// The corner of the results is the result of the corner, to the last bit.
void expectCornerHolds(const Program &program, const Batch &whole,
                       int64_t tokens) {
  TensorMap arguments =
      generateInputs(program, whole, {Regime::Random, 3, true});
  TensorMap results = evaluate(program, whole, arguments);
  Corner corner = cornerOf(program, whole, tokens);
  TensorMap small = evaluate(program, corner.batch,
                             sliceArguments(program, whole, corner, arguments));
  TensorMap expected = sliceResults(program, whole, corner, results);
  EXPECT_EQ(expected.count("S"), corner.isWhole ? 1u : 0u);
  ASSERT_TRUE(expected.count("o"));
  for (const auto &[name, tensor] : expected) {
    EXPECT_EQ(small.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(small.at(name).data, tensor.data) << name;
  }
}

TEST(Slice, ACornerOfTheCallGivesTheCornerOfTheResults) {
  test::Checked checked = test::checkText(everySharing);
  ASSERT_TRUE(checked.program) << checked.messages();
  Batch rows{2, 5, 4, 2, {}}, offsets{1, 9, 4, 2, {0, 0, 4, 9}};
  for (const Batch &whole : {rows, offsets})
    for (int64_t tokens : {1, 3, 100})
      expectCornerHolds(*checked.program, whole, tokens);
}

TEST(Slice, ReductionsOverHeadsKeepEveryHead) {
  test::Checked checked = test::checkText(R"(
attention a(V = 2) {
  in v : f32[V]
  state S : f32[V]
  S += v
  out o : f32[V] = S - mean[heads](S)
})");
  ASSERT_TRUE(checked.program) << checked.messages();
  expectCornerHolds(*checked.program, {2, 5, 4, 2, {}}, 3);
}

TEST(Trials, TellSensitiveInputsFromWrongCode) {
  test::Checked checked = test::checkText(
      "attention a() { in x : f32  out o : f32 = sin(1000000 * x) }");
  ASSERT_TRUE(checked.program) << checked.messages();
  Trials trials = makeTrials(*checked.program, {{1, 63, 1, 1, {}}},
                             {Regime::Random, Regime::Tiny}, 0);
  ASSERT_EQ(trials.list.size(), 2u);
  EXPECT_GT(sensitivity(*checked.program, trials.list[0]), 1e-3);

  test::Checked counts = test::checkText(
      "attention a() { in i : i32  out o : f32 = sin(1000000 * i) }");
  ASSERT_TRUE(counts.program) << counts.messages();
  Trials whole =
      makeTrials(*counts.program, {{1, 63, 1, 1, {}}}, {Regime::Random}, 0);
  EXPECT_EQ(sensitivity(*counts.program, whole.list.at(0)), 0);

  Verdict verdict;
  verdict.threshold = 1e-5;
  TensorMap wrong = trials.list[1].meaning;
  verdict.add(trials.list[1], tool::compare(trials.list[1], wrong));
  EXPECT_TRUE(verdict.holds());
  wrong.at("o").data[7] += 0.5;
  verdict.add(trials.list[1], tool::compare(trials.list[1], wrong));
  EXPECT_FALSE(verdict.holds());
  EXPECT_NE(verdict.failure.find("`o` is off by"), std::string::npos);
  EXPECT_NE(verdict.failure.find("tiny, B = 1, T = 63"), std::string::npos)
      << verdict.failure;
}

} // namespace
