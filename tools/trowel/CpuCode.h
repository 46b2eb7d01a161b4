// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program compiled for this machine, called as the meaning is: tensors by
// name in, tensors by name out.
#ifndef TROWEL_TOOLS_TROWEL_CPUCODE_H
#define TROWEL_TOOLS_TROWEL_CPUCODE_H

#include "codegen/CPU/Phases.h"
#include "dialect/Reference/Tensor.h"
#include "runtime/Host/ThreadPool.h"

#include <memory>
#include <optional>
#include <vector>

namespace trowel::tool {

class CpuCode {
public:
  explicit CpuCode(std::vector<cpu::Phase> phases)
      : phases(std::move(phases)) {}

  /// Runs the code on arguments that `validate` accepts. The result has every
  /// output, debug ones included, and every final state, in f32 and unrounded.
  /// Nothing if there is not enough memory. `seconds`, if given, is the time
  /// without the conversions before and after.
  std::optional<TensorMap> run(const Batch &batch, const TensorMap &arguments,
                               ThreadPool &pool,
                               double *seconds = nullptr) const;

private:
  std::vector<cpu::Phase> phases;
};

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_CPUCODE_H
