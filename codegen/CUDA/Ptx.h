// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From kernels in the LLVM and NVVM dialects to PTX, in this process.
#ifndef TROWEL_CODEGEN_CUDA_PTX_H
#define TROWEL_CODEGEN_CUDA_PTX_H

#include "codegen/Timing.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>

namespace trowel::cuda {

struct PtxOptions {
  std::string chip = "sm_90a";
  /// The version of PTX, as `+ptx86`: the first one that has the chip if empty.
  /// LLVM ends the process if the chip needs a later one.
  std::string features;
  /// Run MLIR's verifier over the module first.
  bool verify = true;
  /// Leave inline assembly as MLIR translates it, which is wrong: a test shows
  /// with it that marking it as convergent is needed.
  bool leaveAsmUnmarked = false;
};

/// The module's kernels (`llvm.func` with `nvvm.kernel`) as PTX, after LLVM's
/// optimisations. The module stays as it is; its dialects are loaded, and their
/// translations registered, in its context. Phases are appended to `timings` if
/// given.
llvm::Expected<std::string> emitPtx(mlir::ModuleOp module,
                                    const PtxOptions &options = {},
                                    codegen::Timings *timings = nullptr);

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_PTX_H
