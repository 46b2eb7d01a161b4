// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a compiled program on a batch: one item of work for each sequence and
// head.
#ifndef TROWEL_RUNTIME_HOST_LAUNCH_H
#define TROWEL_RUNTIME_HOST_LAUNCH_H

#include "dialect/Reference/Tensor.h"
#include "runtime/Host/Kernel.h"
#include "runtime/Host/ThreadPool.h"

#include <cstdint>

namespace trowel {

/// A dense tensor of the caller's. Its shape is, with heads as `sharing` says
/// (H, G, or no such dimension):
///   Input, Output              [B, T, heads, sizes…]
///   Param                      [heads, sizes…]
///   InitialState, FinalState   [N, heads, sizes…]
struct HostTensor {
  enum class Role { Input, Param, InitialState, FinalState, Output };
  enum class Sharing { Head, Grouped, Shared };
  Role role;
  Sharing sharing;
  std::vector<int64_t> sizes;
  int64_t elementBytes = 4;
  /// Null: the program's own beginning of a state, or a result nobody wants.
  void *data = nullptr;

  bool isResult() const {
    return role == Role::FinalState || role == Role::Output;
  }
  std::vector<int64_t> shape(const Batch &batch) const;
  int64_t elementCount(const Batch &batch) const;
};

struct HostProgram {
  TrowelKernel *entry = nullptr;
  int64_t workspaceBytes = 0;
  int64_t carryBytes = 0;
  /// Fill every item's workspace with NaN first, so that a read of what was
  /// never written shows (for tests).
  bool poison = false;
};

/// `tensors` in the order that the program wants; `batch` as checked by the
/// caller: groups divide heads, cu_seqlens rise from 0 to T with B = 1. Results
/// do not depend on the number of threads; heads that share a result compute
/// the same, and the first one stores it. False if there is no memory for the
/// workspaces; then nothing has been written.
bool launch(const HostProgram &program, const std::vector<HostTensor> &tensors,
            const Batch &batch, ThreadPool &pool);

} // namespace trowel

#endif // TROWEL_RUNTIME_HOST_LAUNCH_H
