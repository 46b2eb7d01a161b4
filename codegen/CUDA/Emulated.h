// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CUDA kernels behind the interface of compiled code, run by the emulator: the
// target sm_90a-emulated.
#ifndef TROWEL_CODEGEN_CUDA_EMULATED_H
#define TROWEL_CODEGEN_CUDA_EMULATED_H

#include "codegen/CUDA/Kernels.h"
#include "codegen/Emulator/Emulator.h"

namespace trowel::cuda {

/// Each call of an entry launches a block. What the emulator finds wrong is in
/// `failure`, and the results are then not written.
llvm::Expected<std::unique_ptr<cpu::Kernel>>
compileForEmulator(mlir::ModuleOp module, const emulator::Options &options = {},
                   cpu::Timings *timings = nullptr);

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_EMULATED_H
