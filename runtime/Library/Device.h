// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a call whose tensors are on a device needs, without the device.
#ifndef TROWEL_RUNTIME_LIBRARY_DEVICE_H
#define TROWEL_RUNTIME_LIBRARY_DEVICE_H

#include "runtime/Library/Check.h"

namespace trowel::library {

constexpr int64_t workspaceAlignment = 128;

/// The kernel for the call's function, one of those that devices have.
inline const KernelInfo &kernelOf(const ProgramInfo &program,
                                  const Call &call) {
  return call.isDecode() ? *program.device->step : *program.device->forward;
}

/// How many bytes of the device's memory the call needs as its workspace.
int32_t deviceWorkspace(const ProgramInfo &program, const Call &call,
                        size_t &bytes);

/// Runs a checked call.
int32_t runOnDevice(const ProgramInfo &program, const Call &call);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_DEVICE_H
