// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs compiled programs for tests: what is not written shows as NaN.
#ifndef TROWEL_TEST_UNIT_CPURUN_H
#define TROWEL_TEST_UNIT_CPURUN_H

#include "codegen/CPU/Run.h"

namespace trowel::test {

/// A kernel's, or several phases', outputs and final states.
template <class Code>
TensorMap runCode(const Code &code, const Batch &batch, const TensorMap &values,
                  unsigned threads = 1) {
  ThreadPool pool(threads);
  cpu::RunOptions options;
  options.poison = true;
  return *cpu::run(code, batch, values, pool, options);
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_CPURUN_H
