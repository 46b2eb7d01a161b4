// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The meaning against plain loops and hand-computed numbers, one construct of
// the language at a time.
#include "frontend/Reference/Meaning.h"
#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace trowel;
using namespace trowel::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

Tensor tensor(std::vector<int64_t> shape, std::vector<double> values) {
  Tensor made(std::move(shape));
  EXPECT_EQ(made.data.size(), values.size());
  made.data = std::move(values);
  return made;
}

Tensor waves(std::vector<int64_t> shape, double scale) {
  Tensor made(std::move(shape));
  for (size_t i = 0; i < made.data.size(); ++i)
    made.data[i] = scale * std::sin(0.7 * static_cast<double>(i) + scale);
  return made;
}

/// One value a token, one head: x goes in, o comes out.
std::vector<double> runScalar(const std::string &body,
                              const std::vector<double> &x,
                              std::vector<int64_t> cuSeqlens = {}) {
  Program program =
      checkedProgram("attention a(K = 2) {\n  in x : f32\n" + body + "\n}");
  int64_t tokens = static_cast<int64_t>(x.size());
  Batch batch{1, tokens, 1, 1, std::move(cuSeqlens)};
  return evaluate(program, batch, {{"x", tensor({1, tokens, 1}, x)}})
      .at("o")
      .data;
}

using Values = std::vector<double>;

//===--- The delta rule, by a plain loop ----------------------------------===//

const char *deltaRule = R"(
  attention delta(K = 4, V = 2) {
    in q, k : f32[K]
    in v    : f32[V]
    in beta : f32
    state S : f32[K, V]
    S += beta * k * (v - k @ S)
    out o : f32[V] = q @ S
  })";

TEST(Meaning, DeltaRuleIsThePlainLoop) {
  const int64_t B = 2, T = 5, H = 3, K = 4, V = 2;
  TensorMap in = {{"q", waves({B, T, H, K}, 1)},
                  {"k", waves({B, T, H, K}, 0.5)},
                  {"v", waves({B, T, H, V}, 2)},
                  {"beta", waves({B, T, H}, 0.9)},
                  {"S", waves({B, H, K, V}, 0.3)}};
  TensorMap out =
      evaluate(checkedProgram(deltaRule), Batch{B, T, H, 1, {}}, in);

  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h) {
      double S[K][V];
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = 0; j < V; ++j)
          S[i][j] = in["S"].data[((b * H + h) * K + i) * V + j];
      for (int64_t t = 0; t < T; ++t) {
        int64_t at = (b * T + t) * H + h;
        const double *q = &in["q"].data[at * K], *k = &in["k"].data[at * K],
                     *v = &in["v"].data[at * V];
        double beta = in["beta"].data[at];
        for (int64_t j = 0; j < V; ++j) {
          double read = 0;
          for (int64_t i = 0; i < K; ++i)
            read += k[i] * S[i][j];
          for (int64_t i = 0; i < K; ++i)
            S[i][j] += beta * k[i] * (v[j] - read);
          double o = 0;
          for (int64_t i = 0; i < K; ++i)
            o += q[i] * S[i][j];
          EXPECT_NEAR(out["o"].data[at * V + j], o, 1e-13);
        }
      }
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = 0; j < V; ++j)
          EXPECT_NEAR(out["S"].data[((b * H + h) * K + i) * V + j], S[i][j],
                      1e-13);
    }
}

TEST(Meaning, DeltaRuleByHand) {
  // k = (1, 0), v = (2, 4), beta = 0.5: S = [[1, 2], [0, 0]]; then k = (1, 1),
  // v = (3, 2), beta = 1: the read is (1, 2), so (2, 0) is added to both rows.
  Program program = checkedProgram(deltaRule, {{{"K", 2}}});
  TensorMap out = evaluate(program, Batch{1, 2, 1, 1, {}},
                           {{"q", tensor({1, 2, 1, 2}, {1, 1, 1, 2})},
                            {"k", tensor({1, 2, 1, 2}, {1, 0, 1, 1})},
                            {"v", tensor({1, 2, 1, 2}, {2, 4, 3, 2})},
                            {"beta", tensor({1, 2, 1}, {0.5, 1})}});
  EXPECT_EQ(out["S"].data, (Values{3, 2, 2, 0}));
  EXPECT_EQ(out["o"].data, (Values{1, 2, 7, 2}));
}

TEST(Meaning, TheSizesOfRealModelsRunInSeconds) {
  Program program = checkedProgram(deltaRule, {{{"K", 128}, {"V", 128}}});
  const int64_t T = 1000, H = 2;
  TensorMap out = evaluate(program, Batch{1, T, H, 1, {}},
                           {{"q", waves({1, T, H, 128}, 0.1)},
                            {"k", waves({1, T, H, 128}, 0.08)},
                            {"v", waves({1, T, H, 128}, 1)},
                            {"beta", waves({1, T, H}, 1)}});
  EXPECT_TRUE(std::isfinite(out["o"].data.back()));
}

//===--- Statements -------------------------------------------------------===//

TEST(Meaning, ARightHandSideReadsTheStateBefore) {
  EXPECT_EQ(runScalar(R"(
    state s : f32
    s = 2 * s + (s + x) + x
    out o : f32 = s)",
                      {1, 10}),
            (Values{2, 26}));
}

TEST(Meaning, AReadAboveTheUpdateIsOfThePreviousToken) {
  EXPECT_EQ(runScalar(R"(
    state s : f32
    out o : f32 = s
    s += x)",
                      {1, 2, 3}),
            (Values{0, 1, 3}));
}

TEST(Meaning, ALetKeepsWhatTheStateWas) {
  EXPECT_EQ(runScalar(R"(
    state s : f32
    let p = s
    s += x
    s *= 3
    out o : f32 = 100 * p + s)",
                      {1, 2}),
            (Values{3, 315}));
}

TEST(Meaning, StatesSwapThroughLets) {
  EXPECT_EQ(runScalar(R"(
    state a, b : f32
    let a0 = a
    a = b + x
    b = a0
    out o : f32 = 10 * a + b)",
                      {1, 2, 3}),
            (Values{10, 21, 42}));
}

TEST(Meaning, AnOutputNamesItsUnroundedValue) {
  Program program = checkedProgram(R"(
    attention a() {
      in x : f32
      out o : bf16 = x / 3
      out p : f32 = 3 * o
    })");
  TensorMap out =
      evaluate(program, Batch{1, 1, 1, 1, {}}, {{"x", tensor({1, 1, 1}, {1})}});
  EXPECT_EQ(out["o"].data[0], 1.0 / 3);
  EXPECT_EQ(out["p"].data[0], 1);
}

TEST(Meaning, DeclaredInitialStates) {
  const char *text = R"(
    attention a(K = 2) {
      in x : f32
      param w : f32[K]
      state m : f32 = -inf
      state s : f32[K] = 2 * w + 1
      m = max(m, x)
      s = s + x
      out o : f32 = m
    })";
  Program program = checkedProgram(text);
  Batch batch{2, 2, 1, 1, {}};
  TensorMap in = {{"x", tensor({2, 2, 1}, {-5, -6, -7, -3})},
                  {"w", tensor({1, 2}, {10, 20})}};
  TensorMap out = evaluate(program, batch, in);
  EXPECT_EQ(out["o"].data, (Values{-5, -5, -7, -3}));
  EXPECT_EQ(out["s"].data, (Values{10, 30, 11, 31}));
  in["m"] = tensor({2, 1}, {0, -4});
  EXPECT_EQ(evaluate(program, batch, in)["o"].data, (Values{0, 0, -4, -3}));
}

TEST(Meaning, DebugValuesComeOut) {
  Program program = checkedProgram(R"(
    attention a(K = 2) {
      in x : f32[K]
      debug(sum(x))
      debug(2 * x)
      out o : f32[K] = x
    })");
  TensorMap out = evaluate(program, Batch{1, 2, 1, 1, {}},
                           {{"x", tensor({1, 2, 1, 2}, {1, 2, 3, 4})}});
  EXPECT_EQ(out["debug.0"].shape, (std::vector<int64_t>{1, 2, 1}));
  EXPECT_EQ(out["debug.0"].data, (Values{3, 7}));
  EXPECT_EQ(out["debug.1"].shape, (std::vector<int64_t>{1, 2, 1, 2}));
  EXPECT_EQ(out["debug.1"].data, (Values{2, 4, 6, 8}));
}

//===--- Time -------------------------------------------------------------===//

TEST(Meaning, DelaysAreZeroBeforeTheStart) {
  EXPECT_EQ(runScalar("out o : f32 = x + 10 * x[t - 1] + 100 * x[t - 3]",
                      {1, 2, 3, 4, 5}),
            (Values{1, 12, 23, 134, 245}));
  // A delayed let is the let's value then, not the let of a delayed zero.
  EXPECT_EQ(runScalar("let y = x + 1\n out o : f32 = y[t - 2]", {1, 2, 3, 4}),
            (Values{0, 0, 2, 3}));
}

TEST(Meaning, PrefixSumsIncludeTheToken) {
  EXPECT_EQ(runScalar("out o : f32 = prefix_sum(x)", {1, 2, 4, 8}),
            (Values{1, 3, 7, 15}));
}

TEST(Meaning, ThePositionIsAnInteger) {
  EXPECT_EQ(runScalar("out o : f32 = t % 2 + t / 2", {0, 0, 0, 0}),
            (Values{0, 1.5, 1, 2.5}));
}

TEST(Meaning, EverySequenceBeginsAnew) {
  // Two sequences of 2 and 3 tokens, an empty one between them.
  EXPECT_EQ(runScalar(R"(
    state s : f32
    s += x
    out o : f32 = s + 100 * x[t - 1] + 10000 * prefix_sum(x) + 1000000 * t)",
                      {1, 2, 3, 4, 5}, {0, 2, 2, 5}),
            (Values{10001, 1030103, 30003, 1070307, 2120412}));
}

TEST(Meaning, StatesOfPackedSequences) {
  Program program = checkedProgram(R"(
    attention a() {
      in x : f32
      state s : f32
      s += x
      out o : f32 = s
    })");
  Batch batch{1, 4, 1, 1, {0, 1, 1, 4}};
  TensorMap out = evaluate(program, batch,
                           {{"x", tensor({1, 4, 1}, {1, 2, 3, 4})},
                            {"s", tensor({3, 1}, {10, 20, 30})}});
  EXPECT_EQ(out["s"].data, (Values{11, 20, 39}));
  EXPECT_EQ(out["o"].data, (Values{11, 32, 35, 39}));
}

TEST(Meaning, NoTokens) {
  Program program = checkedProgram(deltaRule);
  TensorMap out = evaluate(program, Batch{2, 0, 1, 1, {}},
                           {{"q", Tensor({2, 0, 1, 4})},
                            {"k", Tensor({2, 0, 1, 4})},
                            {"v", Tensor({2, 0, 1, 2})},
                            {"beta", Tensor({2, 0, 1})},
                            {"S", waves({2, 1, 4, 2}, 1)}});
  EXPECT_EQ(out["S"].data, waves({2, 1, 4, 2}, 1).data);
  EXPECT_TRUE(out["o"].data.empty());
}

//===--- Heads ------------------------------------------------------------===//

TEST(Meaning, AGroupServesConsecutiveHeads) {
  Program program = checkedProgram(R"(
    attention a() {
      in x : f32
      in g : f32 grouped
      in s : f32 shared
      param p : f32
      param pg : f32 grouped
      param ps : f32 shared
      state c : f32 grouped
      c += g
      out o : f32 = x + g + s + p + pg + ps
      out og : f32 grouped = c + s
      out os : f32 shared = 2 * s
    })");
  TensorMap out = evaluate(program, Batch{1, 2, 4, 2, {}},
                           {{"x", tensor({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})},
                            {"g", tensor({1, 2, 2}, {10, 20, 30, 40})},
                            {"s", tensor({1, 2}, {100, 200})},
                            {"p", tensor({4}, {.1, .2, .3, .4})},
                            {"pg", tensor({2}, {1000, 2000})},
                            {"ps", tensor({}, {10000})}});
  Values expected = {11111.1, 11112.2, 12123.3, 12124.4,
                     11235.1, 11236.2, 12247.3, 12248.4};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(out["o"].data[i], expected[i], 1e-9);
  EXPECT_EQ(out["og"].data, (Values{110, 120, 240, 260}));
  EXPECT_EQ(out["os"].data, (Values{200, 400}));
  EXPECT_EQ(out["c"].data, (Values{40, 60}));
}

TEST(Meaning, ReductionsOverHeads) {
  Program program = checkedProgram(R"(
    attention a(K = 2) {
      in x : f32[K]
      in g : f32 grouped
      out total : f32[K] shared = sum[heads](x)
      out average : f32[K] shared = mean[heads](x)
      out most : f32[K] shared = max[heads](x)
      out each : f32[K] grouped = sum[group](x)
      out middle : f32[K] grouped = mean[group](x)
      out counted : f32 shared = sum[heads](g)
      out back : f32[K] = x - mean[group](x)
    })");
  // Four heads in two groups.
  TensorMap out =
      evaluate(program, Batch{1, 1, 4, 2, {}},
               {{"x", tensor({1, 1, 4, 2}, {1, 2, 3, 4, 5, 6, 7, -8})},
                {"g", tensor({1, 1, 2}, {10, 1})}});
  EXPECT_EQ(out["total"].data, (Values{16, 4}));
  EXPECT_EQ(out["average"].data, (Values{4, 1}));
  EXPECT_EQ(out["most"].data, (Values{7, 6}));
  EXPECT_EQ(out["each"].data, (Values{4, 6, 12, -2}));
  EXPECT_EQ(out["middle"].data, (Values{2, 3, 6, -1}));
  EXPECT_EQ(out["counted"].data, (Values{22})); // once for every head
  EXPECT_EQ(out["back"].data, (Values{-1, -1, 1, 1, -1, 7, 1, -7}));
}

TEST(Meaning, HeadsMeetWithinAToken) {
  // Each head's output takes in the sum of all heads' states of this token.
  Program program = checkedProgram(R"(
    attention a() {
      in x : f32
      state s : f32
      s += x
      out o : f32 = s + sum[heads](s)
    })");
  TensorMap out = evaluate(program, Batch{1, 2, 2, 1, {}},
                           {{"x", tensor({1, 2, 2}, {1, 2, 0, 1})}});
  EXPECT_EQ(out["o"].data, (Values{4, 5, 5, 7}));
}

//===--- Axes -------------------------------------------------------------===//

/// Evaluates `out o : f32[axes] = e` for x = (1, 2), y = (3, 4, 5).
Values runAxes(const std::string &axes, const std::string &e) {
  Program program = checkedProgram("attention a(K = 2, V = 3) {\n"
                                   "  dim J = K\n"
                                   "  in x : f32[K]\n  in y : f32[V]\n"
                                   "  in m : f32[V, K]\n  in n : f32[2, K]\n"
                                   "  out o : f32" +
                                   axes + " = " + e + "\n}");
  return evaluate(program, Batch{1, 1, 1, 1, {}},
                  {{"x", tensor({1, 1, 1, 2}, {1, 2})},
                   {"y", tensor({1, 1, 1, 3}, {3, 4, 5})},
                   {"m", tensor({1, 1, 1, 3, 2}, {1, 2, 3, 4, 5, 6})},
                   {"n", tensor({1, 1, 1, 2, 2}, {7, 8, 9, 10})}})
      .at("o")
      .data;
}

TEST(Meaning, LayoutsFollowTheDeclaration) {
  EXPECT_EQ(runAxes("[K, V]", "x * y"), (Values{3, 4, 5, 6, 8, 10}));
  EXPECT_EQ(runAxes("[V, K]", "x * y"), (Values{3, 6, 4, 8, 5, 10}));
  EXPECT_EQ(runAxes("[K, V]", "m"), (Values{1, 3, 5, 2, 4, 6}));
}

TEST(Meaning, ContractionsSumWhatIsShared) {
  EXPECT_EQ(runAxes("[V]", "x @ m"), (Values{5, 11, 17}));
  EXPECT_EQ(runAxes("[V]", "m @ x"), (Values{5, 11, 17}));
  EXPECT_EQ(runAxes("[K]", "y @ m"), (Values{40, 52}));
  EXPECT_EQ(runAxes("", "x @ m @ y"), (Values{144}));
  EXPECT_EQ(runAxes("", "m @ m"), (Values{91}));
  EXPECT_EQ(runAxes("[K, J]", "m @ m[K -> J]"), (Values{35, 44, 44, 56}));
}

TEST(Meaning, RenamesAndPicks) {
  EXPECT_EQ(runAxes("[K, J]", "x * 10 + x[K -> J]"), (Values{11, 12, 21, 22}));
  EXPECT_EQ(runAxes("[J, V]", "m[K -> J]"), (Values{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(runAxes("[K]", "n[1]"), (Values{9, 10}));
  EXPECT_EQ(runAxes("[K]", "m[V = 2]"), (Values{5, 6}));
  EXPECT_EQ(runAxes("[V]", "m[K = 1]"), (Values{2, 4, 6}));
}

TEST(Meaning, Reductions) {
  EXPECT_EQ(runAxes("", "sum(y)"), (Values{12}));
  EXPECT_EQ(runAxes("", "mean(y)"), (Values{4}));
  EXPECT_EQ(runAxes("[V]", "sum[K](m)"), (Values{3, 7, 11}));
  EXPECT_EQ(runAxes("[K]", "max[V](m)"), (Values{5, 6}));
  EXPECT_EQ(runAxes("[K]", "max[V](-m)"), (Values{-1, -2}));
  Values softmax = runAxes("[K]", "softmax(x)");
  EXPECT_NEAR(softmax[0], 1 / (1 + std::exp(1)), 1e-15);
  EXPECT_NEAR(softmax[1], 1 / (1 + std::exp(-1)), 1e-15);
  EXPECT_NEAR(runAxes("", "norm(x)")[0], std::sqrt(5), 1e-15);
  EXPECT_NEAR(runAxes("[K]", "normalize(x, eps = 4)")[1], 2.0 / 3, 1e-15);
  EXPECT_NEAR(runAxes("[K]", "rmsnorm(x, eps = 0)")[1], 2 / std::sqrt(2.5),
              1e-15);
}

TEST(Meaning, ScalesMultiplyWhatIsRead) {
  Program program = checkedProgram(R"(
    attention a(D = 4) {
      in a : e4m3[D] scale f32
      in b : e4m3[D] scale f32[D/2]
      out oa : f32[D] = a
      out ob : f32[D] = b
      out od : f32[D] = b[t - 1]
    })");
  TensorMap out =
      evaluate(program, Batch{1, 2, 1, 1, {}},
               {{"a", tensor({1, 2, 1, 4}, {1, 2, 3, 4, 5, 6, 7, 8})},
                {"a_scale", tensor({1, 2, 1}, {10, 100})},
                {"b", tensor({1, 2, 1, 4}, {1, 2, 3, 4, 5, 6, 7, 8})},
                {"b_scale", tensor({1, 2, 1, 2}, {10, 100, 1, 2})}});
  EXPECT_EQ(out["oa"].data, (Values{10, 20, 30, 40, 500, 600, 700, 800}));
  EXPECT_EQ(out["ob"].data, (Values{10, 20, 300, 400, 5, 6, 14, 16}));
  EXPECT_EQ(out["od"].data, (Values{0, 0, 0, 0, 10, 20, 300, 400}));
}

//===--- Elements ---------------------------------------------------------===//

double runElement(const std::string &e, double x) {
  return runScalar("out o : f32 = " + e, {x})[0];
}

TEST(Meaning, WhereSelects) {
  EXPECT_EQ(runElement("where(x > 0, 1 / x, 0)", 0), 0);
  EXPECT_EQ(runElement("where(x > 0, log(x), x)", -1), -1);
  EXPECT_EQ(runElement("where(x == 0, 5, 0 * (1 / x))", 0), 5);
  EXPECT_EQ(runElement("where(0 < x <= 2 and not x == 1, 1, 0)", 2), 1);
  EXPECT_EQ(runElement("where(0 < x <= 2 and not x == 1, 1, 0)", 1), 0);
  EXPECT_EQ(runElement("where(x < 0 or x >= 3, 1, 0)", nan), 0);
}

TEST(Meaning, IeeeRulesHold) {
  EXPECT_EQ(runElement("1 / x", 0), infinity);
  EXPECT_TRUE(std::isnan(runElement("0 * (1 / x)", 0)));
  EXPECT_EQ(runElement("exp(-1 / x)", 0), 0);
  EXPECT_TRUE(std::isnan(runElement("log(x)", -1)));
  EXPECT_TRUE(std::isnan(runElement("max(x, 1)", nan)));
  EXPECT_TRUE(std::isnan(runElement("min(1, x)", nan)));
  EXPECT_TRUE(std::isnan(runElement("clamp(x, 0, 1)", nan)));
}

TEST(Meaning, AContractionKeepsInfinities) {
  Program program = checkedProgram(R"(
    attention a(K = 2) {
      in x, y : f32[K]
      out o : f32 = x @ y
    })");
  auto dot = [&](Values x, Values y) {
    return evaluate(program, Batch{1, 1, 1, 1, {}},
                    {{"x", tensor({1, 1, 1, 2}, std::move(x))},
                     {"y", tensor({1, 1, 1, 2}, std::move(y))}})
        .at("o")
        .data[0];
  };
  EXPECT_TRUE(std::isnan(dot({0, 1}, {infinity, 1})));
  EXPECT_EQ(dot({2, 1}, {infinity, 1}), infinity);
}

TEST(Meaning, Functions) {
  EXPECT_DOUBLE_EQ(runElement("exp(x)", 1.5), std::exp(1.5));
  EXPECT_DOUBLE_EQ(runElement("log(x)", 1.5), std::log(1.5));
  EXPECT_DOUBLE_EQ(runElement("log1p(x)", 1e-20), 1e-20);
  EXPECT_DOUBLE_EQ(runElement("expm1(x)", 1e-20), 1e-20);
  EXPECT_DOUBLE_EQ(runElement("rsqrt(x)", 4), 0.5);
  EXPECT_DOUBLE_EQ(runElement("sign(x)", -3), -1);
  EXPECT_DOUBLE_EQ(runElement("sign(x)", 0), 0);
  EXPECT_DOUBLE_EQ(runElement("sigmoid(x)", -800), 0);
  EXPECT_DOUBLE_EQ(runElement("sigmoid(x)", 2), 1 / (1 + std::exp(-2)));
  EXPECT_DOUBLE_EQ(runElement("silu(x)", 2), 2 / (1 + std::exp(-2)));
  EXPECT_DOUBLE_EQ(runElement("softplus(x)", 800), 800);
  EXPECT_DOUBLE_EQ(runElement("softplus(x)", 0), std::log(2));
  EXPECT_DOUBLE_EQ(runElement("logsigmoid(x)", -800), -800);
  EXPECT_DOUBLE_EQ(runElement("relu(x)", -2), 0);
  EXPECT_DOUBLE_EQ(runElement("elu(x)", -1), std::expm1(-1));
  EXPECT_DOUBLE_EQ(runElement("elu(x)", 3), 3);
  EXPECT_DOUBLE_EQ(runElement("gelu(x)", 1),
                   0.5 * (1 + std::erf(1 / std::sqrt(2))));
  EXPECT_DOUBLE_EQ(runElement("tanh(x)", 0.5), std::tanh(0.5));
  EXPECT_DOUBLE_EQ(runElement("sin(x) + cos(x)", 1), std::sin(1) + std::cos(1));
  EXPECT_DOUBLE_EQ(runElement("logaddexp(x, 0)", 0), std::log(2));
  EXPECT_EQ(runElement("logaddexp(x, x)", -infinity), -infinity);
  EXPECT_EQ(runElement("logaddexp(x, 1)", -infinity), 1);
  EXPECT_EQ(runElement("logaddexp(x, 1)", infinity), infinity);
  EXPECT_EQ(runElement("floor(x)", -1.5), -2);
  EXPECT_EQ(runElement("round(x)", 2.5), 2); // to even
  EXPECT_EQ(runElement("round(x)", 3.5), 4);
  EXPECT_EQ(runElement("abs(x)", -3), 3);
  EXPECT_EQ(runElement("clamp(x, -1, 2)", 3), 2);
  EXPECT_EQ(runElement("-x^2", 3), -9);
  EXPECT_EQ(runElement("2^x^2", 3), 512);
  EXPECT_EQ(runElement("x % 3", -1), 2); // the divisor's sign
  EXPECT_EQ(runElement("x % -3", 1), -2);
  EXPECT_EQ(runElement("x % 0.75", 2), 0.5);
  EXPECT_DOUBLE_EQ(runElement("sin(pi * x)", 0.5), 1);
}

TEST(Meaning, CastsRoundToNearestEven) {
  EXPECT_EQ(runElement("bf16(x)", 1 + 0x1p-8), 1);
  EXPECT_EQ(runElement("bf16(x)", 1 + 0x1.8p-7), 1 + 0x1p-6);
  EXPECT_EQ(runElement("f16(x)", 70000), infinity);
  EXPECT_EQ(runElement("tf32(x)", 1 + 0x1p-11), 1);
  EXPECT_EQ(runElement("e4m3(x)", 1000), 448); // saturates
  EXPECT_EQ(runElement("e4m3(x)", 17), 16);
  EXPECT_EQ(runElement("e5m2(x)", -1e9), -57344);
}

TEST(Meaning, IntegersAreExactAndWrap) {
  Program program = checkedProgram(R"(
    attention a() {
      in n, m : i32
      out total : i32 = n + m
      out product : i32 = n * m
      out rest : i32 = n % m
    })");
  auto run = [&](double n, double m) {
    TensorMap out = evaluate(
        program, Batch{1, 1, 1, 1, {}},
        {{"n", tensor({1, 1, 1}, {n})}, {"m", tensor({1, 1, 1}, {m})}});
    return Values{out["total"].data[0], out["product"].data[0],
                  out["rest"].data[0]};
  };
  EXPECT_EQ(run(7, -3), (Values{4, -21, -2}));
  EXPECT_EQ(run(-7, 3), (Values{-4, -21, 2}));
  EXPECT_EQ(run(2147483647, 2), (Values{-2147483647, -2, 1}));
  // 123456789 * 987654321 = 121932631112635269: beyond a double's digits.
  EXPECT_EQ(run(123456789, 987654321)[1], -67153019);
  EXPECT_EQ(run(-2147483648.0, -1)[2], 0);
  EXPECT_EQ(run(5, 0)[2], 0);
}

//===--- Magnitudes -------------------------------------------------------===//

double magnitudeOf(const std::string &e, double x) {
  Program program = checkedProgram(
      "attention a() {\n  in x : f32\n  out o : f32 = " + e + "\n}");
  return evaluateMagnitudes(program, Batch{1, 1, 1, 1, {}},
                            {{"x", tensor({1, 1, 1}, {x})}})
      .at("o")
      .data[0];
}

TEST(Meaning, MagnitudesOfTerms) {
  EXPECT_EQ(magnitudeOf("x - x", 3), 6);
  EXPECT_EQ(magnitudeOf("x * (x - 3)", 3), 18);
  EXPECT_EQ(magnitudeOf("-x", 3), 3);
  EXPECT_EQ(magnitudeOf("(x - 3) / -2", 3), 3);
  EXPECT_EQ(magnitudeOf("exp(x - x)", 3), 1); // of the value
  EXPECT_EQ(magnitudeOf("where(x > 0, x - 1, 100)", 3), 4);
  EXPECT_EQ(magnitudeOf("max(x - 1, -9)", 3), 4);
  EXPECT_EQ(magnitudeOf("bf16(x - 1)", 3), 4);
}

TEST(Meaning, MagnitudesBeginAnewAtEveryToken) {
  Program program = checkedProgram(R"(
    attention a(K = 2) {
      in k : f32[K]
      state s : f32[K]
      s += k
      s += k
      out o : f32 = k @ s
      out p : f32 = prefix_sum(k @ k - k @ k)
    })");
  TensorMap in = {{"k", tensor({1, 2, 1, 2}, {1, -2, -1, 2})}};
  Batch batch{1, 2, 1, 1, {}};
  EXPECT_EQ(evaluate(program, batch, in)["s"].data, (Values{0, 0}));
  TensorMap magnitudes = evaluateMagnitudes(program, batch, in);
  // The second token finds s = (2, -4) and takes (1, -2) from it twice.
  EXPECT_EQ(magnitudes["s"].data, (Values{4, 8}));
  EXPECT_EQ(magnitudes["o"].data, (Values{10, 20}));
  EXPECT_EQ(magnitudes["p"].data, (Values{10, 20})); // a sum keeps its terms
}

TEST(Meaning, MagnitudesStayBoundedWhereTheValuesDo) {
  Program program = checkedProgram(deltaRule);
  const int64_t T = 2000;
  TensorMap magnitudes = evaluateMagnitudes(program, Batch{1, T, 1, 1, {}},
                                            {{"q", Tensor({1, T, 1, 4}, 0.5)},
                                             {"k", waves({1, T, 1, 4}, 0.7)},
                                             {"v", waves({1, T, 1, 2}, 1)},
                                             {"beta", Tensor({1, T, 1}, 1)}});
  for (double x : magnitudes["o"].data)
    EXPECT_LT(x, 100);
}

//===--- What does not fit ------------------------------------------------===//

TEST(Meaning, ValidateNamesTheArgument) {
  Program program = checkedProgram(deltaRule);
  Batch batch{1, 2, 1, 1, {}};
  TensorMap in = {{"q", Tensor({1, 2, 1, 4})},
                  {"k", Tensor({1, 2, 1, 4})},
                  {"v", Tensor({1, 2, 1, 2})},
                  {"beta", Tensor({1, 2, 1})}};
  EXPECT_EQ(validate(program, batch, in), "");
  in["S"] = Tensor({1, 1, 2, 4});
  EXPECT_EQ(validate(program, batch, in),
            "`S` has shape [1, 1, 2, 4], not [N, H, K=4, V=2] = [1, 1, 4, 2]");
  in.erase("S");
  in["z"] = Tensor({1});
  EXPECT_EQ(validate(program, batch, in), "unknown argument `z`");
  in.erase("z");
  in.erase("v");
  EXPECT_EQ(validate(program, batch, in), "missing `v`");
}

TEST(Meaning, ValidateKnowsTheRulesOfSizes) {
  EXPECT_EQ(validate(Batch{1, 4, 3, 2, {}}), "H = 3 is no multiple of G = 2");
  EXPECT_EQ(validate(Batch{2, 4, 1, 1, {0, 4}}),
            "`cu_seqlens` needs B = 1, not 2");
  EXPECT_EQ(validate(Batch{1, 4, 1, 1, {1, 4}}),
            "`cu_seqlens` starts at 1, not at 0");
  EXPECT_EQ(validate(Batch{1, 4, 1, 1, {0, 3, 2, 4}}),
            "`cu_seqlens` decreases from 3 to 2 at entry 2");
  EXPECT_EQ(validate(Batch{1, 4, 1, 1, {0, 3}}),
            "`cu_seqlens` ends at 3, not at T = 4");
  EXPECT_EQ(validate(Batch{1, 4, 1, 1, {0, 0, 4, 4}}), "");
}

} // namespace
