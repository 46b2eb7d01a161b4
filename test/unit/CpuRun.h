// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs compiled programs for tests: what is not written shows as NaN.
#ifndef TROWEL_TEST_UNIT_CPURUN_H
#define TROWEL_TEST_UNIT_CPURUN_H

#include "codegen/Library/InProcess.h"

#include <gtest/gtest.h>

namespace trowel::test {

/// The code of the chunk programs that were derived from `program`; null after
/// a failure of the test.
inline std::unique_ptr<library::InProcess>
compileCode(const Program &program, mlir::ModuleOp module,
            const cpu::CpuOptions &options = {}) {
  auto code = library::InProcess::create(program, module, options);
  if (code)
    return std::move(*code);
  ADD_FAILURE() << program.name << ": " << llvm::toString(code.takeError());
  return nullptr;
}

/// Outputs and final states.
inline TensorMap runCode(const library::InProcess &code, const Batch &batch,
                         const TensorMap &values, int threads = 1) {
  library::CallOptions options;
  options.threads = threads;
  options.poison = true;
  library::CallResults results;
  EXPECT_EQ(code.call(batch, values, options, results), TROWEL_OK)
      << code.lastError();
  return std::move(results.values);
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_CPURUN_H
