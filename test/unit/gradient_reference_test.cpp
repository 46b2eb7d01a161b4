// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference gradient against central differences of the meaning, along
// random directions, and its conventions.
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Random.h"
#include "test/unit/Programs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

using namespace trowel;
using namespace trowel::test;
using trowel::reference::Random;

namespace {

Tensor randomLike(const Tensor &tensor, Random &random) {
  Tensor result = tensor;
  for (double &x : result.data)
    x = random.normal();
  return result;
}

double dot(const Tensor &a, const Tensor &b) {
  double sum = 0;
  for (size_t i = 0; i < a.data.size(); ++i)
    sum += a.data[i] * b.data[i];
  return sum;
}

double loss(const Program &program, const Batch &batch,
            const TensorMap &arguments, const TensorMap &seeds) {
  TensorMap results = evaluate(program, batch, arguments);
  double sum = 0;
  for (const auto &[name, seed] : seeds)
    sum += dot(seed, results.at(name.substr(1)));
  return sum;
}

std::string gradientName(const Program &program, const std::string &name) {
  for (const Declaration &state : program.states)
    if (state.name == name)
      return "d" + name + "0";
  return "d" + name;
}

/// Whether the meaning is as smooth as its gradient says: casts are steps.
bool hasSteps(const Expr &expr) {
  if (expr.kind == Expr::Kind::Cast || expr.kind == Expr::Kind::Stop)
    return true;
  for (const ExprPtr &operand : expr.operands)
    if (hasSteps(*operand))
      return true;
  return false;
}

bool hasSteps(const Program &program) {
  for (const Statement &statement : program.body)
    if (hasSteps(*statement.value))
      return true;
  return false;
}

class GradientOf : public testing::TestWithParam<std::string> {};

TEST_P(GradientOf, AgreesWithCentralDifferences) {
  for (const Program &program : checkedPrograms(GetParam())) {
    if (hasSteps(program))
      continue;
    SCOPED_TRACE(program.name);
    Batch batch{1, 11, 4, 2, {0, 6, 6, 11}};
    TensorMap arguments =
        generateInputs(program, batch, {Regime::Gentle, 3, true});
    Random random(17, program.name);
    TensorMap seeds = generateSeeds(program, batch, 17);
    if (!std::isfinite(loss(program, batch, arguments, seeds)))
      continue; // a logarithm of what these inputs let become negative
    Gradients gradients = differentiate(program, batch, arguments, seeds);

    TensorMap direction;
    double expected = 0;
    for (const auto &[name, tensor] : arguments) {
      auto gradient = gradients.values.find(gradientName(program, name));
      if (gradient == gradients.values.end())
        continue; // integers
      direction[name] = randomLike(tensor, random);
      expected += dot(direction[name], gradient->second);
    }
    auto at = [&](double step) {
      TensorMap moved = arguments;
      for (const auto &[name, along] : direction)
        for (size_t i = 0; i < along.data.size(); ++i)
          moved[name].data[i] += step * along.data[i];
      return loss(program, batch, moved, seeds);
    };
    // Small enough to lie on one side of every kink, no smaller than needed.
    double best = INFINITY;
    for (double h : {1e-4, 1e-5, 1e-6, 1e-7}) {
      double found =
          (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      if (std::isfinite(at(h)))
        best = std::min(best, std::fabs(found - expected));
      else
        ADD_FAILURE() << "the meaning is no number";
    }
    EXPECT_LT(best, 1e-7 * (1 + std::fabs(expected)));
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, GradientOf, testing::ValuesIn(allPrograms()),
                         [](const auto &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

/// The gradients of a program of one input, head and token, for a seed of one.
TensorMap gradientsOf(const std::string &text, TensorMap arguments) {
  auto checked = checkText(text);
  Batch batch{1, 1, 1, 1, {}};
  TensorMap seeds, results = evaluate(*checked.program, batch, arguments);
  for (auto &[name, tensor] : results)
    seeds["d" + name] = Tensor(tensor.shape, 1);
  return differentiate(*checked.program, batch, arguments, seeds).values;
}

Tensor row(std::vector<double> values) {
  Tensor tensor({1, 1, 1, static_cast<int64_t>(values.size())});
  tensor.data = std::move(values);
  return tensor;
}

std::vector<double> slopes(const std::string &expression,
                           std::vector<double> x) {
  std::string text = "attention f(K = " + std::to_string(x.size()) +
                     ") {\n  in x : f32[K]\n  out o : f32[K] = " + expression +
                     "\n}\n";
  return gradientsOf(text, {{"x", row(std::move(x))}}).at("dx").data;
}

using Numbers = std::vector<double>;

TEST(GradientConventions, ZeroAtKinks) {
  EXPECT_EQ(slopes("relu(x)", {-1, 0, 2}), (Numbers{0, 0, 1}));
  EXPECT_EQ(slopes("abs(x)", {-1, 0, 2}), (Numbers{-1, 0, 1}));
  EXPECT_EQ(slopes("x * 0 + norm(x)", {0, 0}), (Numbers{0, 0}));
}

TEST(GradientConventions, TiesGoToTheFirst) {
  EXPECT_EQ(slopes("max(x, 2 * x)", {0}), (Numbers{1}));
  EXPECT_EQ(slopes("min(3 * x, x)", {0}), (Numbers{3}));
  EXPECT_EQ(slopes("x * 0 + max(x)", {1, 4, 4}), (Numbers{0, 3, 0}));
}

TEST(GradientConventions, StepsStopIt) {
  EXPECT_EQ(slopes("round(x) + floor(x) + sign(x)", {0.3}), (Numbers{0}));
  EXPECT_EQ(slopes("stop(x) * x", {3}), (Numbers{3}));
  EXPECT_EQ(slopes("e4m3(x)", {0.3}), (Numbers{1}));
}

TEST(GradientConventions, BranchesNotTakenPassNothing) {
  EXPECT_EQ(slopes("where(x > 0, log(x), x)", {0, 2}), (Numbers{1, 0.5}));
  EXPECT_EQ(slopes("where(x > 0, 1 / x * x, 0)", {0, 2}), (Numbers{0, 0}));
  EXPECT_EQ(slopes("where(x > 0, sqrt(x) * log(x), 0)", {0, 1}),
            (Numbers{0, 1}));
}

/// A difference of one and tanh(x)^2 would have lost its digits there.
TEST(GradientConventions, TanhIsKnownWhereItIsFlat) {
  Numbers x{0, 3, -8, 12, 40}, found = slopes("tanh(x)", x);
  for (size_t i = 0; i < x.size(); ++i) {
    double away = std::exp(-2 * std::fabs(x[i]));
    double expected = 4 * away / ((1 + away) * (1 + away));
    EXPECT_NEAR(found[i], expected, 1e-14 * expected) << x[i];
  }
}

TEST(GradientConventions, DeclaredStartsPassThemOnToParams) {
  std::string text = "attention f(K = 2) {\n  param p : f32[K]\n"
                     "  in x : f32[K]\n  state s : f32[K] = 3 * p\n"
                     "  s = 5 * s + x\n  out o : f32[K] = s\n}\n";
  Tensor p({1, 2}, 1);
  TensorMap free = gradientsOf(text, {{"x", row({1, 1})}, {"p", p}});
  // The output and the final state are both seeded.
  EXPECT_EQ(free.at("ds0").data, (Numbers{10, 10}));
  EXPECT_EQ(free.at("dp").data, (Numbers{30, 30}));
  TensorMap given = gradientsOf(
      text, {{"x", row({1, 1})}, {"p", p}, {"s", Tensor({1, 1, 2})}});
  EXPECT_EQ(given.at("ds0").data, (Numbers{10, 10}));
  EXPECT_EQ(given.at("dp").data, (Numbers{0, 0}));
}

} // namespace
