// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random programs of a few statements over one to three matrix states, some
// with a vector or a scalar state beside them, and their arguments: aliases,
// copies, several reads, reads of every axis alone and beside others, reads and
// writes along an axis of their own, states with two key axes, values scaled on
// either side and on both at once, delays, running sums, conditions, loops, zero,
// negative and growing factors, and rules that are not affine. Also programs with
// a mistake.
#ifndef TROWEL_TEST_GENERATOR_PROGRAMGENERATOR_H
#define TROWEL_TEST_GENERATOR_PROGRAMGENERATOR_H

#include "dialect/Reference/Tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace trowel::test {

/// One statement as a sum of terms, so that a failing program can be shrunk by
/// leaving out statements and terms.
struct RandomStatement {
  std::string head; // "S0 =", "S1 +=", "let p0 =", "out o0 : f32[V] ="
  std::vector<std::string> terms; // joined by " + "
  std::string defines; // the name that later statements may use, if any
};

struct RandomProgram {
  uint64_t seed = 0;
  int64_t keySize = 1, valueSize = 1, extraSize = 1; // K; V; N and J
  std::vector<std::string> states;                   // declarations
  std::vector<RandomStatement> statements;

  /// The `.trowel` text; inputs are declared as they are used.
  std::string text() const;
};

RandomProgram randomProgram(uint64_t seed);

/// The program without one statement, one term or one state, for each that it
/// can do without; empty if nothing can go. Some of them do not check.
std::vector<RandomProgram> smallerPrograms(const RandomProgram &program);

/// The text with one mistake in it that must be refused, and its line.
struct WrongProgram {
  std::string text;
  int line = 0;
};
WrongProgram withMistake(const RandomProgram &program);

/// Arguments for the inputs that `text()` declares and, half of the time,
/// initial states. Factors are 0 now and then, negative, or above one.
TensorMap randomArguments(const RandomProgram &program, const Batch &batch);

} // namespace trowel::test

#endif // TROWEL_TEST_GENERATOR_PROGRAMGENERATOR_H
