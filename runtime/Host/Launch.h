// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a compiled program on a batch: one item of work for each sequence and
// head.
#ifndef TROWEL_RUNTIME_HOST_LAUNCH_H
#define TROWEL_RUNTIME_HOST_LAUNCH_H

#include "dialect/Reference/Tensor.h"
#include "runtime/Host/ThreadPool.h"

#include <cstdint>

namespace trowel {

/// The work of one head on one sequence: the tokens [begin, end) among all
/// B * T, in a workspace of any content, aligned to 64 bytes.
using HostEntry = void (*)(void *const *tensors, int64_t begin, int64_t end,
                           int64_t sequence, int64_t head, int64_t heads,
                           int64_t groups, void *workspace);

struct HostProgram {
  HostEntry entry = nullptr;
  int64_t workspaceBytes = 0;
  /// Fill every item's workspace with NaN first, so that a read of what was
  /// never written shows (for tests).
  bool poison = false;
};

/// `tensors` in the order that the program wants; `batch` as checked by the
/// caller: groups divide heads, cu_seqlens rise from 0 to T with B = 1. Results
/// do not depend on the number of threads. False if there is no memory for the
/// workspaces; then nothing has been written.
bool launch(const HostProgram &program, void *const *tensors,
            const Batch &batch, ThreadPool &pool);

} // namespace trowel

#endif // TROWEL_RUNTIME_HOST_LAUNCH_H
