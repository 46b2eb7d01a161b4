// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `trowel run --grad` takes beside a program's own tensors, and gives.
#ifndef TROWEL_TOOLS_TROWEL_RUNGRADIENTS_H
#define TROWEL_TOOLS_TROWEL_RUNGRADIENTS_H

#include "frontend/AST/Program.h"
#include "tools/trowel/RunFiles.h"

namespace trowel::tool {

/// The program with the gradients of outputs and final states that `names` has
/// among its inputs and states, so that files are bound to them as to these.
Program withSeeds(const Program &program,
                  const std::vector<std::string> &names);

/// Moves "d<output>" and "d<state>" out of the arguments. If there are none, it
/// is the sum of all outputs whose gradient is taken: ones.
TensorMap takeSeeds(const Program &program, const Batch &batch,
                    TensorMap &arguments);

/// A gradient's name in --in or --out that something else there has, too;
/// empty if there is none.
std::string ambiguousName(const Program &program);

/// "d<input>", "d<param>", "d<state>0".
std::vector<Writable> gradients(const Program &program);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_RUNGRADIENTS_H
