// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places in a thread's workspace, handed out and taken back while the code is
// written.
#ifndef TROWEL_CODEGEN_CPU_WORKSPACE_H
#define TROWEL_CODEGEN_CPU_WORKSPACE_H

#include <cstdint>
#include <map>

namespace trowel::cpu {

/// Offsets and sizes count elements of 32 bits; both are multiples of 16.
class Workspace {
public:
  /// The smallest free place that is large enough, else a new one at the end.
  int64_t allocate(int64_t size);
  void release(int64_t offset);
  /// How many elements have ever been in use, with room behind the last one
  /// for vectors that are read past a row's end.
  int64_t extent() const { return end + 64; }

private:
  int64_t end = 0;
  std::map<int64_t, int64_t> used, free; // offset to size
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_WORKSPACE_H
