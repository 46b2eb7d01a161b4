// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A library's kernels on the devices where they are called.
#ifndef TROWEL_RUNTIME_CUDA_MODULES_H
#define TROWEL_RUNTIME_CUDA_MODULES_H

#include "runtime/CUDA/Driver.h"
#include "runtime/Library/Program.h"

namespace trowel::library {

/// Makes a context of the device the thread's current one as long as it lives:
/// the one that is current, if it is the device's, or else the primary one.
class CurrentContext {
public:
  CurrentContext(const Driver &driver, int device);
  ~CurrentContext();
  CurrentContext(const CurrentContext &) = delete;
  CurrentContext &operator=(const CurrentContext &) = delete;

  int32_t status() const { return state; }
  CudaContext get() const { return context; }

private:
  const Driver &driver;
  CudaContext context = nullptr;
  bool pushed = false;
  int32_t state;
};

struct LoadedKernels {
  CudaFunction forward = nullptr, step = nullptr;
};

/// The kernels in a context of the device, which is the current one. The first
/// call for a context loads them.
int32_t findKernels(const Driver &driver, const DeviceCode &code, int device,
                    CudaContext context, LoadedKernels &kernels);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_CUDA_MODULES_H
