// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of CUDA's driver that libraries use, declared by hand: no header of
// CUDA's is needed to build them, and no driver to load them.
#ifndef TROWEL_RUNTIME_CUDA_DRIVER_H
#define TROWEL_RUNTIME_CUDA_DRIVER_H

#include <cstddef>
#include <cstdint>

namespace trowel::library {

// Handles of the driver's.
using CudaContext = struct CUctx_st *;
using CudaModule = struct CUmod_st *;
using CudaFunction = struct CUfunc_st *;
using CudaStream = struct CUstream_st *;

/// What the driver's functions return; zero is success.
using CudaResult = int;

// Numbers that the driver's interface fixes.
enum CudaDeviceAttribute : int { CapabilityMajor = 75, CapabilityMinor = 76 };
enum CudaFunctionAttribute : int { MaxDynamicSharedBytes = 8 };
enum CudaJitOption : int { ErrorLog = 5, ErrorLogBytes = 6 };
enum CudaCaptureMode : int { Relaxed = 2 };

// X(the function's symbol, its name here, its parameters)
#define TROWEL_CUDA_DRIVER(X)                                                  \
  X(cuInit, init, (unsigned flags))                                            \
  X(cuGetErrorName, getErrorName, (CudaResult, const char **))                 \
  X(cuGetErrorString, getErrorString, (CudaResult, const char **))             \
  X(cuDeviceGetAttribute, getAttribute, (int *, int attribute, int device))    \
  X(cuDeviceGetName, getDeviceName, (char *, int bytes, int device))           \
  X(cuDevicePrimaryCtxRetain, retainPrimary, (CudaContext *, int device))      \
  X(cuCtxGetCurrent, getCurrent, (CudaContext *))                              \
  X(cuCtxGetDevice, getCurrentDevice, (int *))                                 \
  X(cuCtxGetId, getId, (CudaContext, unsigned long long *))                    \
  X(cuCtxPushCurrent_v2, pushCurrent, (CudaContext))                           \
  X(cuCtxPopCurrent_v2, popCurrent, (CudaContext *))                           \
  X(cuThreadExchangeStreamCaptureMode, exchangeCaptureMode, (int *))           \
  X(cuModuleLoadDataEx, loadModule,                                            \
    (CudaModule *, const void *image, unsigned optionCount, int *options,      \
     void **values))                                                           \
  X(cuModuleGetFunction, getFunction,                                          \
    (CudaFunction *, CudaModule, const char *name))                            \
  X(cuFuncSetAttribute, setAttribute, (CudaFunction, int attribute, int))      \
  X(cuLaunchKernel, launch,                                                    \
    (CudaFunction, unsigned gridX, unsigned gridY, unsigned gridZ,             \
     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,  \
     CudaStream, void **parameters, void **extra))

struct Driver {
#define TROWEL_DECLARE(symbol, name, parameters) CudaResult(*name) parameters;
  TROWEL_CUDA_DRIVER(TROWEL_DECLARE)
#undef TROWEL_DECLARE
};

/// The driver, loaded and initialised by the first call: libcuda.so.1, or what
/// the environment variable TROWEL_CUDA_DRIVER names. Without one, says why
/// not.
int32_t findDriver(const Driver *&driver);

/// Says that a function of the driver's has failed. Returns `status`.
int32_t failInDriver(const Driver &driver, int32_t status, const char *function,
                     CudaResult result);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_CUDA_DRIVER_H
