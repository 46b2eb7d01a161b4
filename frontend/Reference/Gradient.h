// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradient of a program by reverse mode over the meaning: what every
// derived backward is compared with.
#ifndef TROWEL_FRONTEND_REFERENCE_GRADIENT_H
#define TROWEL_FRONTEND_REFERENCE_GRADIENT_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"

namespace trowel {

struct Gradients {
  /// "d<name>" for every float input and param, "d<name>0" for every float
  /// state, in the shape of what they are the gradient of.
  TensorMap values;
  /// How large the terms are that each was summed from, as
  /// `evaluateMagnitudes` has it: a token finds the gradients of states with
  /// the absolute value that they have.
  TensorMap magnitudes;
};

/// The gradient, in float64, of the sum over all outputs and final states of
/// value times seed. `seeds` holds "d<name>" for outputs and states; what is
/// not there is zero. The call is as `evaluate` takes it.
///
/// The conventions are those of docs/language.md, section 11.6. A term whose
/// gradient is zero passes nothing on, whatever its derivative: an infinity or
/// NaN in the branch of `where` that is not taken reaches no gradient. A state
/// that starts from its declared value passes its gradient on to the params
/// therein, besides reporting it.
Gradients differentiate(const Program &program, const Batch &batch,
                        const TensorMap &arguments, const TensorMap &seeds);

/// Seeds for every output and final state: normal numbers, the same for the
/// same program, batch and `seed`.
TensorMap generateSeeds(const Program &program, const Batch &batch,
                        uint64_t seed);

} // namespace trowel

#endif // TROWEL_FRONTEND_REFERENCE_GRADIENT_H
