// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/Launch.h"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace trowel {

namespace {
struct Free {
  void operator()(void *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, Free>;
} // namespace

bool launch(const HostProgram &program, void *const *tensors,
            const Batch &batch, ThreadPool &pool) {
  int64_t bytes = (program.workspaceBytes + 63) / 64 * 64;
  std::vector<Memory> workspaces;
  for (unsigned i = 0; i < pool.size(); ++i) {
    workspaces.emplace_back(std::aligned_alloc(64, static_cast<size_t>(bytes)));
    if (!workspaces.back())
      return false;
  }
  auto work = [&](int64_t item, unsigned thread) {
    int64_t sequence = item / batch.heads, head = item % batch.heads;
    int64_t begin = sequence * batch.tokens, end = begin + batch.tokens;
    if (!batch.cuSeqlens.empty()) {
      begin = batch.cuSeqlens[static_cast<size_t>(sequence)];
      end = batch.cuSeqlens[static_cast<size_t>(sequence) + 1];
    }
    void *workspace = workspaces[thread].get();
    if (program.poison)
      std::memset(workspace, 0xff, static_cast<size_t>(bytes));
    program.entry(tensors, begin, end, sequence, head, batch.heads,
                  batch.groups, workspace);
  };
  pool.run(batch.sequences() * batch.heads, work);
  return true;
}

} // namespace trowel
