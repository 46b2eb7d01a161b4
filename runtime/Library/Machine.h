// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which of a library's code this processor runs.
#ifndef TROWEL_RUNTIME_LIBRARY_MACHINE_H
#define TROWEL_RUNTIME_LIBRARY_MACHINE_H

#include "runtime/Library/Program.h"

namespace trowel::library {

/// Finds the place in `ProgramInfo::machines` of the best that this processor
/// and the environment variable TROWEL_CPU (avx2 or avx512, for tests) allow.
/// Returns a status.
int32_t chooseMachine(const ProgramInfo &program, int64_t &machine);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_MACHINE_H
