// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled programs called as the meaning is: tensors by name in, tensors by
// name out. In between they have their declared types.
#ifndef TROWEL_CODEGEN_CPU_RUN_H
#define TROWEL_CODEGEN_CPU_RUN_H

#include "codegen/CPU/Phases.h"
#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"
#include "runtime/Host/Launch.h"

#include <optional>

namespace trowel::cpu {

/// What a call needs to know of an argument; its `data` is null.
HostTensor hostTensor(const Argument &argument);

/// The type of an argument's elements in memory: states are kept in f32.
DType memoryType(const Argument &argument);

struct RunOptions {
  /// Fill workspaces with NaN first (for tests).
  bool poison = false;
  /// Where the time without conversions before and after is added, if not null.
  double *seconds = nullptr;
};

/// Runs a kernel on arguments that `validate` accepts. The result has every
/// output, rounded to its type, debug ones included, and every final state in
/// f32. Nothing if there is not enough memory.
std::optional<TensorMap> run(const Kernel &kernel, const Batch &batch,
                             const TensorMap &arguments, ThreadPool &pool,
                             const RunOptions &options = {});

/// The phases of a program in order, with the reductions between them.
std::optional<TensorMap> run(const std::vector<Phase> &phases,
                             const Batch &batch, const TensorMap &arguments,
                             ThreadPool &pool, const RunOptions &options = {});

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_RUN_H
