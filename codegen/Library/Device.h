// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program's kernels for NVIDIA GPUs, as libraries carry them.
#ifndef TROWEL_CODEGEN_LIBRARY_DEVICE_H
#define TROWEL_CODEGEN_LIBRARY_DEVICE_H

#include "codegen/CUDA/Kernels.h"

namespace trowel::library {

/// The kernels NAME_forward, of the chunk programs, and NAME_step, of those of
/// one token a chunk. An error says which operation the target does not do.
llvm::Expected<cuda::Kernels>
emitDeviceKernels(mlir::ModuleOp module, mlir::ModuleOp step,
                  cpu::Timings *timings = nullptr);

/// A chip for which there can be kernels.
struct Chip {
  std::string name = "sm_90a";
  int64_t capability = 90;
  bool isExact = true;
};

struct DeviceImage {
  Chip chip;
  std::string cubin; // empty: there is no ptxas on this machine
  std::string ptx;
};

struct DeviceKernels {
  cuda::KernelInfo forward, step;
  std::vector<DeviceImage> images;
};

/// The same for each of `chips`, if there is a kernel for all that the program
/// does.
llvm::Expected<DeviceKernels> compileForDevice(mlir::ModuleOp module,
                                               mlir::ModuleOp step,
                                               const std::vector<Chip> &chips);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_DEVICE_H
