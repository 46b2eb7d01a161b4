// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random programs: every derived form means what the program means. 500 here;
// TROWEL_RANDOM_FIRST and TROWEL_RANDOM_COUNT choose others. A failing program
// is shrunk before it is shown.

#include "dialect/Reference/ChunkInterpreter.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Meaning.h"
#include "test/generator/ProgramGenerator.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

using namespace trowel;
using namespace trowel::test;

namespace {

struct Outcome {
  enum class Kind { Agrees, Differs, Grows, Unchecked } kind = Kind::Agrees;
  std::string detail;
  bool chunked = false;
};

/// The largest root mean square of a difference. What decays or cancels leaves
/// the rounding of what it was, so besides the ratio to the result an error of
/// some roundings of the states and inputs at the start, which are about one,
/// is no fault.
double largestDifference(const TensorMap &actual, const TensorMap &reference) {
  double largest = 0;
  for (const auto &[name, tensor] : reference) {
    auto other = actual.find(name);
    if (other == actual.end() || other->second.shape != tensor.shape)
      return std::numeric_limits<double>::infinity();
    double sum = 0;
    for (size_t i = 0; i < tensor.data.size(); ++i) {
      double difference = other->second.data[i] - tensor.data[i];
      sum += difference * difference;
    }
    if (!std::isfinite(sum))
      return std::numeric_limits<double>::infinity();
    if (!tensor.data.empty())
      largest = std::max(
          largest, std::sqrt(sum / static_cast<double>(tensor.data.size())));
  }
  return largest;
}

std::string inWords(const Comparison &comparison) {
  std::ostringstream text;
  text << comparison.name << " is off by " << comparison.ratio << " "
       << comparison.reason;
  return text.str();
}

/// A random program with a call and what it means.
struct Sample {
  Checked checked;
  Batch batch;
  TensorMap arguments, meaning;
};

/// Nothing if the program is no test; then `why` says so. Numbers up to `most`
/// are.
std::optional<Sample> makeSample(const RandomProgram &random, int64_t heads,
                                 double most, Outcome &why) {
  Sample sample{checkText(random.text()), {1, 33, heads, 1, {}}, {}, {}};
  const std::optional<Program> &program = sample.checked.program;
  if (!program) {
    why = {Outcome::Kind::Unchecked, sample.checked.messages()};
    return std::nullopt;
  }
  sample.arguments = randomArguments(random, sample.batch);
  sample.meaning = evaluate(*program, sample.batch, sample.arguments);
  if (largestMagnitude(sample.meaning) < most)
    return sample;
  why = {Outcome::Kind::Grows, ""};
  return std::nullopt;
}

Outcome tryProgram(const RandomProgram &random) {
  Outcome why;
  std::optional<Sample> sample = makeSample(random, 1, 1e6, why);
  if (!sample)
    return why;
  auto &[checked, batch, arguments, meaning] = *sample;
  TensorMap magnitudes = evaluateMagnitudes(*checked.program, batch, arguments);
  Outcome outcome{Outcome::Kind::Agrees, ""};
  for (const auto &[state, kind] : classesOf(*derive(*checked.program).module))
    outcome.chunked |= kind == "chunk";
  for (int64_t tokens : {1, 7, 33}) {
    Derived derived = derive(*checked.program, tokens);
    if (!derived.succeeded)
      return {Outcome::Kind::Differs, "a pass failed"};
    TensorMap actual = evaluateChunks(*derived.module, batch, arguments);
    Comparison comparison = compare(actual, meaning, magnitudes);
    if (!(comparison.ratio < 1e-9) &&
        !(largestDifference(actual, meaning) < 1e-13))
      return {Outcome::Kind::Differs,
              "C = " + std::to_string(tokens) + ": " + inWords(comparison)};
  }
  return outcome;
}

/// The largest root mean square of a gradient: what rounding is relative to if
/// another gradient cancels.
double largestGradient(const TensorMap &gradients) {
  TensorMap zeros;
  for (const auto &[name, tensor] : gradients)
    zeros[name] = Tensor(tensor.shape);
  return largestDifference(zeros, gradients);
}

/// The derived backward against the gradient of the meaning.
Outcome tryGradient(const RandomProgram &random) {
  Outcome why;
  std::optional<Sample> sample = makeSample(random, 1, 1e6, why);
  if (!sample)
    return why;
  auto &[checked, batch, arguments, meaning] = *sample;
  TensorMap seeds = generateSeeds(*checked.program, batch, random.seed);
  Gradients expected = differentiate(*checked.program, batch, arguments, seeds);
  if (!(largestMagnitude(expected.values) < 1e9))
    return {Outcome::Kind::Grows, ""};
  double scale = std::max(1.0, largestGradient(expected.values));
  for (int64_t tokens : {1, 7, 33}) {
    Derived derived = derive(*checked.program, tokens, /*gradient=*/true);
    if (!derived.succeeded)
      return {Outcome::Kind::Differs, "a pass failed"};
    TensorMap actual =
        evaluateGradients(*derived.module, batch, arguments, seeds);
    Comparison comparison =
        compare(actual, expected.values, expected.magnitudes);
    if (!(comparison.ratio < 1e-9) &&
        !(largestDifference(actual, expected.values) < 1e-13 * scale))
      return {Outcome::Kind::Differs,
              "C = " + std::to_string(tokens) + ": " + inWords(comparison)};
  }
  return {Outcome::Kind::Agrees, ""};
}

/// Numbers that f32 cannot hold count as zero.
void flush(TensorMap &tensors) {
  for (auto &[name, tensor] : tensors)
    for (double &x : tensor.data)
      x = std::abs(x) < 1e-30 ? 0 : x;
}

/// The CPU's code in f32. Numbers that grow lose digits in any f32 program, so
/// only calm ones are judged.
Outcome tryCpu(const RandomProgram &random) {
  Outcome why;
  std::optional<Sample> sample = makeSample(random, 2, 30, why);
  if (!sample)
    return why;
  auto &[checked, batch, arguments, meaning] = *sample;
  TensorMap magnitudes = evaluateMagnitudes(*checked.program, batch, arguments);
  Derived derived = derive(*checked.program, 0);
  cpu::CpuOptions options;
  options.optimisation = 1;
  auto code =
      library::InProcess::create(*checked.program, *derived.module, options);
  if (!code)
    return {Outcome::Kind::Differs, llvm::toString(code.takeError())};
  TensorMap actual = runCode(**code, batch, arguments);
  flush(actual);
  flush(meaning);
  Comparison comparison = compare(actual, meaning, magnitudes);
  if (!(comparison.ratio < 1e-5) &&
      !(largestDifference(actual, meaning) < 5e-7))
    return {Outcome::Kind::Differs, "CPU: " + inWords(comparison)};
  return {Outcome::Kind::Agrees, ""};
}

/// The backward code in f32; gradients that grow are not judged either.
Outcome tryCpuGradient(const RandomProgram &random) {
  Outcome why;
  std::optional<Sample> sample = makeSample(random, 2, 30, why);
  if (!sample)
    return why;
  auto &[checked, batch, arguments, meaning] = *sample;
  TensorMap seeds = generateSeeds(*checked.program, batch, random.seed);
  Gradients expected = differentiate(*checked.program, batch, arguments, seeds);
  if (!(largestMagnitude(expected.values) < 1e3))
    return {Outcome::Kind::Grows, ""};
  Derived derived = derive(*checked.program, 0),
          gradient = derive(*checked.program, 7, /*gradient=*/true);
  cpu::CpuOptions options;
  options.optimisation = 1;
  auto code =
      library::InProcess::create(*checked.program, *derived.module, options,
                                 nullptr, {}, *gradient.module);
  if (!code)
    return {Outcome::Kind::Differs, llvm::toString(code.takeError())};
  library::CallResults results;
  if ((*code)->callBackward(batch, arguments, seeds, {}, results) != TROWEL_OK)
    return {Outcome::Kind::Differs, (*code)->lastError()};
  flush(results.values);
  flush(expected.values);
  double scale = std::max(1.0, largestGradient(expected.values));
  Comparison comparison =
      compare(results.values, expected.values, expected.magnitudes);
  if (!(comparison.ratio < 1e-4) &&
      !(largestDifference(results.values, expected.values) < 1e-6 * scale))
    return {Outcome::Kind::Differs, "gradient: " + inWords(comparison)};
  return {Outcome::Kind::Agrees, ""};
}

/// The smallest program that still differs.
template <typename Try>
RandomProgram shrink(RandomProgram program, Try attempt) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const RandomProgram &candidate : smallerPrograms(program))
      if (attempt(candidate).kind == Outcome::Kind::Differs) {
        program = candidate;
        smaller = true;
        break;
      }
  }
  return program;
}

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

/// The outcomes of `count` programs. Those that differ are shown, made small
/// before.
template <typename Try>
std::vector<Outcome> tryPrograms(uint64_t count, Try attempt) {
  uint64_t first = fromEnvironment("TROWEL_RANDOM_FIRST", 0), failed = 0;
  std::vector<Outcome> outcomes;
  for (uint64_t seed = first; seed < first + count && failed < 5; ++seed) {
    RandomProgram program = randomProgram(seed);
    outcomes.push_back(attempt(program));
    EXPECT_NE(outcomes.back().kind, Outcome::Kind::Unchecked)
        << program.text() << outcomes.back().detail;
    if (outcomes.back().kind != Outcome::Kind::Differs)
      continue;
    ++failed;
    RandomProgram small = shrink(program, attempt);
    ADD_FAILURE() << "seed " << seed << ": " << outcomes.back().detail
                  << "; smaller: " << attempt(small).detail << "\n"
                  << small.text();
  }
  return outcomes;
}

uint64_t agreeing(const std::vector<Outcome> &outcomes) {
  return static_cast<uint64_t>(
      llvm::count_if(outcomes, [](const Outcome &outcome) {
        return outcome.kind == Outcome::Kind::Agrees;
      }));
}

uint64_t programCount() { return fromEnvironment("TROWEL_RANDOM_COUNT", 500); }

TEST(RandomPrograms, DerivedFormsAgreeWithTheMeaning) {
  uint64_t count = programCount();
  std::vector<Outcome> outcomes = tryPrograms(count, tryProgram);
  auto chunked = static_cast<uint64_t>(llvm::count_if(
      outcomes, [](const Outcome &outcome) { return outcome.chunked; }));
  // Most programs stay finite, and most have a chunk form.
  EXPECT_GT(agreeing(outcomes) * 10, count * 7);
  EXPECT_GT(chunked * 10, count * 6);
}

TEST(RandomPrograms, GradientsAgreeWithTheMeaning) {
  uint64_t count = programCount() / 2;
  EXPECT_GT(agreeing(tryPrograms(count, tryGradient)) * 2, count);
}

TEST(RandomPrograms, CpuCodeAgreesWithTheMeaning) {
  uint64_t count = programCount() / 2;
  EXPECT_GT(agreeing(tryPrograms(count, tryCpu)) * 2, count);
}

TEST(RandomPrograms, CpuGradientsAgreeWithTheMeaning) {
  uint64_t count = programCount() * 2 / 5;
  EXPECT_GT(agreeing(tryPrograms(count, tryCpuGradient)) * 3, count);
}

TEST(RandomPrograms, MistakesAreRefusedAtTheirLine) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    WrongProgram wrong = withMistake(randomProgram(seed));
    Checked checked = checkText(wrong.text);
    EXPECT_FALSE(checked.program) << wrong.text;
    ASSERT_FALSE(checked.diagnostics.empty()) << wrong.text;
    bool atLine = false;
    for (const Diagnostic &diagnostic : checked.diagnostics)
      atLine |= diagnostic.severity == Diagnostic::Severity::Error &&
                std::abs(diagnostic.location.line - wrong.line) <= 1;
    EXPECT_TRUE(atLine) << wrong.text << checked.messages();
  }
}

} // namespace
