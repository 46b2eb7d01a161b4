// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls to try a program on, with what it means there, and how a derived form
// did on them.
#ifndef TROWEL_TOOLS_TROWEL_TRIALS_H
#define TROWEL_TOOLS_TROWEL_TRIALS_H

#include "frontend/AST/Program.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"

#include <string>
#include <vector>

namespace trowel::tool {

/// One call, its arguments, and its results by the meaning.
struct Trial {
  Batch batch;
  InputOptions inputs;
  TensorMap arguments;
  TensorMap meaning, magnitudes;
};

struct Trials {
  std::vector<Trial> list;
  int skipped = 0; // its magnitude passes `thresholds::magnitude`
};

/// The shapes of calls: one token, whole and broken chunks, several heads to a
/// group, several sequences in one (an empty one among them).
std::vector<Batch> allShapes();

/// Every shape under every regime, with initial states in every other one.
Trials makeTrials(const Program &program, const std::vector<Batch> &shapes,
                  const std::vector<Regime> &regimes, uint64_t seed);

/// How far the meaning moves, as an error ratio, when every argument changes by
/// half of its last bit in f32: what no f32 code can be asked to know.
double sensitivity(const Program &program, const Trial &trial);
double gradientSensitivity(const Program &program, const Trial &trial,
                           const TensorMap &seeds, const Gradients &expected);

/// "resets, T = 65, H = 4, seed 0", so that a failure can be repeated.
std::string describe(const Trial &trial);

/// Compares a derived form's results with the meaning.
Comparison compare(const Trial &trial, const TensorMap &actual);

/// How one derived form did.
struct Verdict {
  std::string form;  // "chunk program, C = 16"
  std::string sizes; // "K = 16, V = 16"
  double threshold = 0;
  int trials = 0, skipped = 0;
  double worst = 0;    // error ratio
  std::string failure; // of the worst trial, if it is above the threshold

  bool holds() const { return failure.empty(); }
  /// In a word; without a trial nothing is known.
  const char *outcome() const {
    return !holds() ? "FAILED" : trials > 0 ? "ok" : "untried";
  }
  void add(const Trial &trial, const Comparison &comparison);
};

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_TRIALS_H
