// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From arrays by name to a call that fits a program: what `trowel run` checks
// before anything runs.
#ifndef TROWEL_RUNTIME_HOST_ARGUMENTS_H
#define TROWEL_RUNTIME_HOST_ARGUMENTS_H

#include "runtime/Host/Array.h"

#include <string>
#include <vector>

namespace trowel::host {

struct Call {
  Batch batch;
  TensorMap arguments; // inputs, params, initial states
  TensorMap gradients; // by d<name>: of outputs and final states
};

struct BindOptions {
  /// Takes d<output> and d<state> as well: the gradients of a loss.
  bool gradients = false;
};

/// Finds B, T, H, G (and N) from the shapes and the values from the bytes.
/// `arrays` holds inputs, params, any initial states and `cu_seqlens` (int32 or
/// int64). Without a per-head argument H is G, without a grouped one G is 1.
///
/// Nothing, and a message for each independent error, if an input or param is
/// missing, a name is unknown, a type or shape does not fit, two arguments
/// disagree about a size, a size is 0, H is no multiple of G, or `cu_seqlens`
/// breaks its rules. Each message names its argument.
std::optional<Call> bindArguments(const Program &program,
                                  const ArrayMap &arrays,
                                  const BindOptions &options,
                                  std::vector<std::string> &errors);

/// A message for each argument with a value outside its declared range (NaN is
/// outside every one), naming the first such place.
std::vector<std::string> checkRanges(const Program &program, const Call &call);

} // namespace trowel::host

#endif // TROWEL_RUNTIME_HOST_ARGUMENTS_H
