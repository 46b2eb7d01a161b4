// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments to try a program on: random ones, and the hard ones that break
// derived forms. All lie within the declared ranges and are rounded to the
// declared types.
#ifndef TROWEL_FRONTEND_REFERENCE_INPUTS_H
#define TROWEL_FRONTEND_REFERENCE_INPUTS_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"

#include <vector>

namespace trowel {

/// What the arguments look like. A "gate" is an input or param declared <= 0, a
/// "factor" one declared from 0 to 1 or 2 (or any other positive number). What
/// a regime does not speak of is as in Random.
enum class Regime {
  Random,      // gates of every strength, factors uniform
  Gentle,      // gates of -0.1 and weaker
  StrongGates, // gates at -20 a token, single channels at -40
  ZeroGates,   // gates exactly 0, factors at either end
  Resets,      // gates at -1000 or factors at 0 now and then, else weak
  EqualKeys,   // vectors nearly the same at all tokens and among inputs
  ExtremeBeta, // factors at 0, 1 or their upper bound
  Huge,        // inputs and states 30 times as large, except what would grow
               // without bound: vectors contracted on the way to a state
  Tiny         // inputs and states a thousandth as large
};

const std::vector<Regime> &allRegimes();
const char *nameOf(Regime regime);

struct InputOptions {
  Regime regime = Regime::Random;
  uint64_t seed = 0;
  /// Gives every state one, too: what it is after some tokens of such inputs,
  /// so that a state that the program keeps positive is positive.
  bool initialStates = false;
};

/// Every input and param of `program`, and with `initialStates` every state.
/// The same options give the same numbers on every machine, up to the last bit
/// of log and cos; an input's or param's depend on its own name and shape only.
///
/// Without a declared range: what is contracted gets vectors of norm 0.7 to
/// 0.99 along the contracted axes, so that no `v - k @ S` grows; the rest is
/// normal with deviation 1, params 0.5. i32 arguments are small.
TensorMap generateInputs(const Program &program, const Batch &batch,
                         const InputOptions &options = {});

} // namespace trowel

#endif // TROWEL_FRONTEND_REFERENCE_INPUTS_H
