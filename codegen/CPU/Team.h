// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The threads that do a kernel's work together: all run the same code, and
// share out the loops in it.
#ifndef TROWEL_CODEGEN_CPU_TEAM_H
#define TROWEL_CODEGEN_CPU_TEAM_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

class Team {
public:
  virtual ~Team() = default;

  /// One thread runs `body` for each index below `count`; afterwards all see
  /// what was written. Within a body there is one thread: then this is a loop.
  virtual void share(Value count, llvm::function_ref<void(Value)> body) = 0;
  /// The same for a body that runs once.
  virtual void single(llvm::function_ref<void()> body) = 0;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_TEAM_H
