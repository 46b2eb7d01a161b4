// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/Workspace.h"

#include "codegen/CPU/View.h"

namespace trowel::cpu {

int64_t Workspace::allocate(int64_t size) {
  size = roundUp(size);
  auto best = free.end();
  for (auto it = free.begin(); it != free.end(); ++it)
    if (it->second >= size && (best == free.end() || it->second < best->second))
      best = it;
  int64_t offset = end;
  if (best == free.end()) {
    end += size;
  } else {
    offset = best->first;
    int64_t rest = best->second - size;
    free.erase(best);
    if (rest > 0)
      free[offset + size] = rest;
  }
  used[offset] = size;
  return offset;
}

void Workspace::release(int64_t offset) {
  auto it = used.find(offset);
  int64_t size = it->second;
  used.erase(it);
  auto next = free.lower_bound(offset);
  if (next != free.end() && offset + size == next->first) {
    size += next->second;
    next = free.erase(next);
  }
  if (next != free.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      previous->second += size;
      return;
    }
  }
  free[offset] = size;
}

} // namespace trowel::cpu
