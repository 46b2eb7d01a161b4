// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A checked call as a launch of one kernel on the caller's stream. Nothing is
// allocated on the device, and nothing waits for it.
#ifndef TROWEL_RUNTIME_CUDA_LAUNCH_H
#define TROWEL_RUNTIME_CUDA_LAUNCH_H

#include "runtime/Library/Check.h"

extern "C" {
/// DeviceCode::launch of every library with kernels.
int32_t trowel_library_launch(const trowel::library::ProgramInfo *program,
                              const trowel::library::Call *call);
}

#endif // TROWEL_RUNTIME_CUDA_LAUNCH_H
