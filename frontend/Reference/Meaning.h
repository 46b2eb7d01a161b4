// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The meaning of a program: what every derived form is compared with.
#ifndef TROWEL_FRONTEND_REFERENCE_MEANING_H
#define TROWEL_FRONTEND_REFERENCE_MEANING_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"
#include "frontend/Reference/Layout.h"

namespace trowel {

/// Runs `program` in float64, sequence by sequence, token by token, statement
/// by statement, all heads of a token side by side.
///
/// `arguments` holds every input and param and any initial state, in the layout
/// of `boundaryShape`; `validate(program, batch, arguments)` must be empty. The
/// result holds every output, the final value of every state, and "debug.0",
/// "debug.1", … ([B, T, H | G | -] and the value's axes in canonical order).
///
/// Only casts round: outputs and states come out unrounded, whatever type they
/// are stored in. Arguments are taken as they are (see `roundToType`).
/// A reduction over heads visits every head, so a value that is coarser than a
/// head counts once for each head it serves.
TensorMap evaluate(const Program &program, const Batch &batch,
                   const TensorMap &arguments);

/// The same results with every term replaced by its magnitude: how large the
/// numbers are that the results were made from, to which rounding errors are
/// proportional. Beside each value goes a magnitude: of an argument its
/// absolute value; of a sum or difference the sum of the magnitudes; of a
/// product their product; of a quotient the dividend's by the divisor's
/// absolute value; of what selects (where, max, min, delays, renames, casts)
/// the selected one's; of any other function the absolute value of its result.
///
/// Magnitudes do not travel from token to token through a state: a token finds
/// each state with the absolute value that it has. In `S += k * (v - k @ S)`
/// the values stay bounded while their magnitudes would double every few
/// tokens, until any error at all were small beside them.
TensorMap evaluateMagnitudes(const Program &program, const Batch &batch,
                             const TensorMap &arguments);

} // namespace trowel

#endif // TROWEL_FRONTEND_REFERENCE_MEANING_H
