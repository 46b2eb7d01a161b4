// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the CPU's code owes beside being near the meaning: elementary functions
// over their whole range, bits that depend on nothing else, any sizes.

#include "dialect/Reference/Rounding.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

using namespace trowel;
using namespace trowel::test;

namespace {

std::unique_ptr<library::InProcess>
compileProgram(const Program &program, int64_t tokens = 0,
               const cpu::CpuOptions &options = {}) {
  Derived derived = derive(program, tokens);
  EXPECT_TRUE(derived.succeeded);
  return compileCode(program, *derived.module, options);
}

//===--- Elementary functions ---------------------------------------------===//

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Every magnitude of both signs, and what is not a number.
std::vector<float> allMagnitudes() {
  std::vector<float> values = {0.0f,          -0.0f,  infinity, -infinity,
                               std::nanf(""), 1.0f,   -1.0f,    88.7f,
                               88.8f,         -87.4f, -103.9f,  -104.1f,
                               0.5f,          -0.5f,  1e-45f,   -1e-45f};
  for (int exponent = -149; exponent < 128; ++exponent)
    for (double mantissa : {1.0, 1.1547, 1.4142135, 1.41422, 1.7})
      for (int sign : {1, -1})
        values.push_back(
            static_cast<float>(sign * std::ldexp(mantissa, exponent)));
  for (int i = -2000; i <= 2000; ++i)
    values.push_back(static_cast<float>(i * 0.0517));
  return values;
}

struct Function {
  const char *text;
  double (*exact)(double);
  double tolerance; // relative, beside half a unit in the last place
};

double gelu(double x) {
  return std::fabs(x) / 2 * (1 + std::erf(std::fabs(x) / std::sqrt(2.0)));
}
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) {
  return std::isnan(x)
             ? x
             : std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

const Function functions[] = {
    {"exp(x)", [](double x) { return std::exp(x); }, 2e-7},
    {"log(x)", [](double x) { return std::log(x); }, 2e-7},
    {"log1p(x)", [](double x) { return std::log1p(x); }, 3e-7},
    {"expm1(x)", [](double x) { return std::expm1(x); }, 4e-7},
    {"tanh(x)", [](double x) { return std::tanh(x); }, 5e-7},
    {"sigmoid(x)", sigmoid, 3e-7},
    {"softplus(x)", softplus, 4e-7},
    {"sqrt(x)", [](double x) { return std::sqrt(x); }, 1e-7},
    {"rsqrt(x)", [](double x) { return 1 / std::sqrt(x); }, 2e-7},
    {"sin(x)", [](double x) { return std::sin(x); }, 2e-7},
    {"cos(x)", [](double x) { return std::cos(x); }, 2e-7},
    {"gelu(abs(x))", gelu, 3e-7},
    {"floor(x)", [](double x) { return std::floor(x); }, 0},
    {"round(x)", [](double x) { return std::nearbyint(x); }, 0},
    {"sign(x)", [](double x) { return x > 0   ? 1
                                      : x < 0 ? -1
                                              : x; }, 0},
    {"abs(x)", [](double x) { return std::fabs(x); }, 0},
    {"x ^ 3", [](double x) { return std::pow(x, 3); }, 3e-7},
    {"logaddexp(x, 0)", softplus, 4e-7},
    {"bf16(x)", [](double x) { return roundTo(formats::bf16, x); }, 0},
    {"f16(x)", [](double x) { return roundTo(formats::f16, x); }, 0},
    {"tf32(x)", [](double x) { return roundTo(formats::tf32, x); }, 0},
    {"e4m3(x)", [](double x) { return roundTo(formats::e4m3, x); }, 0},
    {"e5m2(x)", [](double x) { return roundTo(formats::e5m2, x); }, 0},
};

void expectNear(const Function &function, double exact, double x,
                double actual) {
  auto single = static_cast<float>(exact);
  if (std::isnan(exact) || std::isinf(single)) {
    EXPECT_TRUE(std::isnan(exact) ? std::isnan(actual)
                                  : actual == static_cast<double>(single) ||
                                        std::fabs(exact) < 3.4028241e38)
        << function.text << " at " << x << ": " << actual << ", not " << exact;
    return;
  }
  double unit = std::fmax(std::fabs(exact) * 1e-7, 1.5e-45);
  EXPECT_LE(std::fabs(actual - exact), function.tolerance * std::fabs(exact) +
                                           (function.tolerance == 0 ? 0 : unit))
      << function.text << " at " << x << ": " << actual << ", not " << exact;
}

TEST(CpuNumbers, ElementaryFunctionsAreRightEverywhere) {
  std::vector<float> points = allMagnitudes();
  Batch batch;
  batch.tokens = static_cast<int64_t>(points.size());
  TensorMap arguments;
  arguments["x"] = Tensor({1, batch.tokens, 1});
  std::copy(points.begin(), points.end(), arguments["x"].data.begin());
  for (const Function &function : functions) {
    Program program = checkedProgram(
        std::string("attention a() {\n  in x : f32\n  out o : f32 = ") +
        function.text + "\n}\n");
    std::unique_ptr<library::InProcess> kernel = compileProgram(program);
    ASSERT_TRUE(kernel) << function.text;
    TensorMap results = runCode(*kernel, batch, arguments);
    for (size_t i = 0; i < points.size(); ++i)
      expectNear(function, function.exact(points[i]), points[i],
                 results["o"].data[i]);
  }
}

/// Signs, whole numbers, what lies between, and the ends of the range.
std::vector<float> operands() {
  std::vector<float> values = {
      0.0f,   -0.0f,          infinity,    -infinity,  3.4e38f,    -3.4e38f,
      1e-45f, 1.1754944e-38f, 0.99999994f, 1.0000001f, 16777217.0f};
  values.push_back(std::nanf(""));
  for (float x : {1.0f, 2.0f, 3.0f, 7.0f, 0.5f, 0.3f, 1.7f, 2.5f, 11.3f, 40.0f,
                  1e-3f, 1e-20f, 1e5f, 1e9f, 1e20f})
    for (float sign : {1.0f, -1.0f})
      values.push_back(sign * x);
  return values;
}

TEST(CpuNumbers, FunctionsOfTwoNumbersAreRightEverywhere) {
  const Function pairs[] = {{"x ^ y", nullptr, 2e-7}, {"x % y", nullptr, 1e-7}};
  std::vector<float> values = operands();
  Batch batch;
  batch.tokens = static_cast<int64_t>(values.size() * values.size());
  TensorMap arguments;
  for (const char *name : {"x", "y"})
    arguments[name] = Tensor({1, batch.tokens, 1});
  for (size_t i = 0; i < arguments["x"].data.size(); ++i) {
    arguments["x"].data[i] = values[i / values.size()];
    arguments["y"].data[i] = values[i % values.size()];
  }
  for (const Function &function : pairs) {
    Program program = checkedProgram(
        std::string("attention a() {\n  in x, y : f32\n  out o : f32 = ") +
        function.text + "\n}\n");
    std::unique_ptr<library::InProcess> kernel = compileProgram(program);
    ASSERT_TRUE(kernel) << function.text;
    TensorMap meaning = evaluate(program, batch, arguments);
    TensorMap results = runCode(*kernel, batch, arguments);
    for (size_t i = 0; i < meaning["o"].data.size(); ++i) {
      double exact = meaning["o"].data[i], x = arguments["x"].data[i];
      SCOPED_TRACE("y = " + std::to_string(arguments["y"].data[i]));
      expectNear(function, exact, x, results["o"].data[i]);
      if (exact == 0 && results["o"].data[i] == 0)
        EXPECT_EQ(std::signbit(exact), std::signbit(results["o"].data[i]))
            << function.text << " at " << x;
    }
  }
}

//===--- Bits -------------------------------------------------------------===//

const char *const programs[] = {
    R"(attention plain(K = 20, V = 40) {
  in q, k : f32[K]
  in v : f32[V]
  state S : f32[K, V]
  S += k * v
  out o : f32[V] = q @ S
})",
    R"(attention channels(K = 17, V = 33) {
  in q, k : f32[K]
  in v : f32[V]
  in g : f32[K] <= 0
  in beta : f32 in [0, 1]
  state S : f32[K, V]
  S *= exp(g)
  S += beta * k * (v - k @ S)
  out o : f32[V] = q @ S
})",
    R"(attention values(K = 5, V = 48) {
  in q, k : f32[K]
  in v : f32[V]
  in g : f32[V] <= 0
  state S : f32[K, V]
  S *= exp(g)
  S += k * (v - k @ S)
  out o : f32[V] = q @ S + v[t - 2]
})",
    R"(attention momentum(K = 16, V = 16) {
  in q, k : f32[K]
  in v : f32[V]
  in a, b : f32 in [0, 1]
  state M : f32[K, V]
  state S : f32[K, V]
  M = a * M + k * (v - k @ S)
  S = b * S + M
  out o : f32[V] = q @ S
})",
    R"(attention tokens(K = 9) {
  in x : f32[K]
  in w : f32 in [0, 1]
  state h : f32[K]
  h = tanh(w * h + x + x[t - 40])
  out o : f32[K] = h
})",
    R"(attention functions(K = 9) {
  in x : f32[K]
  in y : f32
  out o : f32[K] = sin(x * t) + cos(y) * gelu(x) + abs(x) ^ y + x % 0.7
  out m : f32 = mean[K](x) + max[K](x)
})"};

bool sameBits(const Tensor &a, const Tensor &b, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    auto x = static_cast<float>(a.data[i]), y = static_cast<float>(b.data[i]);
    if (std::memcmp(&x, &y, sizeof x) != 0)
      return false;
  }
  return true;
}

TEST(CpuNumbers, BitsDoNotDependOnThreadsOrTheBatch) {
  for (const char *text : programs) {
    Program program = checkedProgram(text);
    std::unique_ptr<library::InProcess> kernel = compileProgram(program);
    ASSERT_TRUE(kernel);
    Batch batch;
    batch.batch = 3;
    batch.heads = 2;
    batch.tokens = 77;
    TensorMap arguments = generateInputs(program, batch, {});
    TensorMap once = runCode(*kernel, batch, arguments, 1);
    TensorMap again = runCode(*kernel, batch, arguments, 3);
    for (auto &[name, tensor] : once)
      EXPECT_TRUE(sameBits(tensor, again[name], tensor.data.size())) << text;
    // The first sequence alone.
    Batch single = batch;
    single.batch = 1;
    for (auto &[name, tensor] : arguments)
      if (tensor.shape[0] == 3) {
        tensor.shape[0] = 1;
        tensor.data.resize(tensor.elementCount());
      }
    TensorMap alone = runCode(*kernel, single, arguments, 1);
    for (auto &[name, tensor] : alone)
      EXPECT_TRUE(sameBits(tensor, once[name], tensor.data.size())) << text;
  }
}

TEST(CpuNumbers, BitsDoNotDependOnTheMachine) {
  cpu::CpuOptions narrow, older;
  narrow.narrow = true;
  older.machine = cpu::Machine::Avx2;
  for (const char *text : programs) {
    Program program = checkedProgram(text);
    std::unique_ptr<library::InProcess> kernel = compileProgram(program);
    ASSERT_TRUE(kernel);
    Batch batch;
    batch.tokens = 77;
    TensorMap arguments = generateInputs(program, batch, {});
    TensorMap expected = runCode(*kernel, batch, arguments);
    for (const cpu::CpuOptions &options : {narrow, older}) {
      if (!cpu::runsHere(options.machine))
        continue;
      std::unique_ptr<library::InProcess> other =
          compileProgram(program, 0, options);
      ASSERT_TRUE(other);
      TensorMap actual = runCode(*other, batch, arguments);
      for (auto &[name, tensor] : expected)
        EXPECT_TRUE(sameBits(tensor, actual[name], tensor.data.size())) << text;
    }
  }
}

TEST(CpuNumbers, LaterTokensChangeNoBit) {
  for (const char *text : programs) {
    Program program = checkedProgram(text);
    std::unique_ptr<library::InProcess> kernel = compileProgram(program);
    ASSERT_TRUE(kernel);
    Batch batch;
    batch.tokens = 75;
    TensorMap arguments = generateInputs(program, batch, {});
    TensorMap whole = runCode(*kernel, batch, arguments);
    InputOptions others;
    others.seed = 99;
    TensorMap different = generateInputs(program, batch, others);
    for (int64_t cut : {1, 7, 13, 16, 31, 32, 45, 74}) {
      TensorMap changed = arguments;
      for (auto &[name, tensor] : changed) {
        size_t from = tensor.data.size() / batch.tokens * cut;
        std::copy(different[name].data.begin() + from,
                  different[name].data.end(), tensor.data.begin() + from);
      }
      TensorMap results = runCode(*kernel, batch, changed);
      const Tensor &o = results["o"];
      EXPECT_TRUE(sameBits(o, whole["o"], o.data.size() / batch.tokens * cut))
          << text << " cut at " << cut;
    }
  }
}

//===--- Sizes ------------------------------------------------------------===//

TEST(CpuNumbers, AnySizesWork) {
  const char *text = programs[1];
  for (auto [K, V] : std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                              {7, 16},
                                                              {16, 7},
                                                              {60, 100},
                                                              {64, 1},
                                                              {128, 128},
                                                              {100, 192}}) {
    CheckOptions options;
    options.sizes = {{"K", K}, {"V", V}};
    Program program = checkedProgram(text, options);
    std::unique_ptr<library::InProcess> kernel = compileProgram(program);
    ASSERT_TRUE(kernel);
    for (int64_t tokens : {1, 63, 64, 65, 1000}) {
      Batch batch;
      batch.tokens = tokens;
      TensorMap arguments = generateInputs(program, batch, {});
      Comparison comparison =
          compare(runCode(*kernel, batch, arguments),
                  evaluate(program, batch, arguments),
                  evaluateMagnitudes(program, batch, arguments));
      EXPECT_LT(comparison.ratio, 1e-5)
          << "K = " << K << ", V = " << V << ", T = " << tokens << ": "
          << comparison.name << " " << comparison.reason;
    }
  }
}

} // namespace
