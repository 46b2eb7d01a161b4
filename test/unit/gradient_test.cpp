// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The derived backward programs in float64 against the gradient of the meaning,
// on every program that ships.
#include "dialect/Reference/ChunkInterpreter.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

class Backward : public testing::TestWithParam<std::string> {};

TEST_P(Backward, AgreesWithTheMeaning) {
  for (const Program &program : checkedPrograms(GetParam())) {
    SCOPED_TRACE(program.name);
    for (int64_t tokens : {1, 7, 16}) {
      Derived derived = derive(program, tokens, /*gradient=*/true);
      ASSERT_TRUE(derived.succeeded);
      for (Regime regime : allRegimes()) {
        SCOPED_TRACE(std::to_string(tokens) + " tokens, " + nameOf(regime));
        Batch batch{1, 23, 4, 2, {0, 12, 12, 23}};
        TensorMap arguments = generateInputs(program, batch, {regime, 3, true});
        TensorMap results = evaluate(program, batch, arguments);
        if (!std::isfinite(largestMagnitude(results)))
          continue; // these inputs make no numbers
        TensorMap seeds = generateSeeds(program, batch, 5);
        Gradients expected = differentiate(program, batch, arguments, seeds);
        TensorMap found =
            evaluateGradients(*derived.module, batch, arguments, seeds);
        Comparison worst = compare(found, expected.values, expected.magnitudes);
        EXPECT_LT(worst.ratio, 1e-9) << worst.name << ": " << worst.reason;
        if (HasFailure())
          return;
      }
    }
  }
}

/// Where functions are flat a small gradient is no difference of large numbers.
TEST(BackwardOfTanh, KnowsTheGradientWhereTanhIsFlat) {
  Program program = checkedProgram(
      "attention f() {\n  in x : f32\n  out o : f32 = tanh(x)\n}\n");
  Derived derived = derive(program, 4, /*gradient=*/true);
  ASSERT_TRUE(derived.succeeded);
  Batch batch{1, 4, 1, 1, {}};
  Tensor x({1, 4, 1}), ones({1, 4, 1}, 1);
  x.data = {3, -8, 12, 40};
  TensorMap found =
      evaluateGradients(*derived.module, batch, {{"x", x}}, {{"do", ones}});
  for (size_t i = 0; i < x.data.size(); ++i) {
    double away = std::exp(-2 * std::fabs(x.data[i]));
    double expected = 4 * away / ((1 + away) * (1 + away));
    EXPECT_NEAR(found.at("dx").data[i], expected, 1e-14 * expected)
        << x.data[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Backward, testing::ValuesIn(allPrograms()),
                         [](const auto &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

} // namespace
