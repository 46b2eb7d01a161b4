// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Trials.h"

#include "frontend/Reference/Meaning.h"
#include "tools/trowel/Thresholds.h"

#include <sstream>

namespace trowel::tool {

std::vector<Batch> allShapes() {
  // batch, tokens, heads, groups, offsets
  return {{2, 1, 1, 1, {}},
          {1, 63, 2, 1, {}},
          {1, 64, 1, 1, {}},
          {1, 65, 4, 2, {}},
          {1, 65, 1, 1, {0, 0, 1, 40, 65}}};
}

Trials makeTrials(const Program &program, const std::vector<Batch> &shapes,
                  const std::vector<Regime> &regimes, uint64_t seed) {
  Trials trials;
  size_t count = 0;
  for (Regime regime : regimes)
    for (const Batch &batch : shapes) {
      Trial trial;
      trial.batch = batch;
      trial.inputs = {regime, seed, count++ % 2 == 1};
      trial.arguments = generateInputs(program, batch, trial.inputs);
      trial.meaning = evaluate(program, batch, trial.arguments);
      if (largestMagnitude(trial.meaning) > thresholds::magnitude) {
        ++trials.skipped;
        continue;
      }
      trial.magnitudes = evaluateMagnitudes(program, batch, trial.arguments);
      trials.list.push_back(std::move(trial));
    }
  return trials;
}

std::string describe(const Trial &trial) {
  std::ostringstream text;
  text << nameOf(trial.inputs.regime) << ", B = " << trial.batch.batch
       << ", T = " << trial.batch.tokens << ", H = " << trial.batch.heads
       << ", G = " << trial.batch.groups;
  if (!trial.batch.cuSeqlens.empty())
    text << ", " << trial.batch.sequences() << " sequences in a row";
  if (trial.inputs.initialStates)
    text << ", initial states";
  text << ", seed " << trial.inputs.seed;
  return text.str();
}

/// The arguments, each moved by half of its last bit.
static TensorMap movedArguments(const Program &program, const Trial &trial) {
  constexpr double halfBit = 1.0 / (1 << 24);
  TensorMap moved = trial.arguments;
  int sign = 1;
  for (const auto *list : {&program.inputs, &program.params, &program.states})
    for (const Declaration &declaration : *list) {
      auto it = moved.find(declaration.name);
      if (declaration.dtype == DType::I32 || it == moved.end())
        continue; // integers are exact
      for (double &x : it->second.data) {
        x *= 1 + sign * halfBit;
        sign = -sign;
      }
    }
  return moved;
}

double sensitivity(const Program &program, const Trial &trial) {
  TensorMap moved = movedArguments(program, trial);
  return compare(trial, evaluate(program, trial.batch, moved)).ratio;
}

double gradientSensitivity(const Program &program, const Trial &trial,
                           const TensorMap &seeds, const Gradients &expected) {
  Gradients moved = differentiate(program, trial.batch,
                                  movedArguments(program, trial), seeds);
  return compare(moved.values, expected.values, expected.magnitudes).ratio;
}

Comparison compare(const Trial &trial, const TensorMap &actual) {
  return compare(actual, trial.meaning, trial.magnitudes);
}

void Verdict::add(const Trial &trial, const Comparison &comparison) {
  bool isWorst = trials == 0 || comparison.ratio > worst;
  ++trials;
  if (!isWorst)
    return;
  worst = comparison.ratio;
  if (worst <= threshold)
    return;
  std::ostringstream text;
  text.precision(2);
  text << "`" << comparison.name << "` is off by " << worst << " of its size";
  if (!comparison.reason.empty())
    text << " (" << comparison.reason << ")";
  text << " on inputs: " << describe(trial);
  failure = text.str();
}

} // namespace trowel::tool
