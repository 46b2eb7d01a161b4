// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What has been loaded stays loaded: a list with an entry for each context. The
// cubin is tried first, then the PTX, which the driver compiles.
#include "runtime/CUDA/Modules.h"

#include "runtime/Library/Message.h"
#include "trowel/trowel.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <pthread.h>
#include <utility>

namespace trowel::library {

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

namespace {

class Lock {
public:
  Lock() { pthread_mutex_lock(&mutex); }
  ~Lock() { pthread_mutex_unlock(&mutex); }
};

struct Entry {
  const DeviceCode *code;
  unsigned long long context; // its id: another context has another one
  LoadedKernels kernels;
  Entry *next;
};

/// A device's primary context, which is kept.
struct Primary {
  int device;
  CudaContext context;
  Primary *next;
};

/// While a thread records a stream into a graph, the driver refuses it whatever
/// might be meant for the graph. Loading is not.
class OutsideCapture {
public:
  explicit OutsideCapture(const Driver &driver) : driver(driver) {
    driver.exchangeCaptureMode(&mode);
  }
  ~OutsideCapture() { driver.exchangeCaptureMode(&mode); }

private:
  const Driver &driver;
  int mode = Relaxed;
};

} // namespace

static Entry *entries = nullptr;
static Primary *primaries = nullptr;

template <typename T> static bool push(T *&list, const T &value) {
  T *added = static_cast<T *>(std::malloc(sizeof(T)));
  if (!added)
    return false;
  *added = value;
  added->next = list;
  list = added;
  return true;
}

//===--- Contexts ---------------------------------------------------------===//

static int32_t findPrimary(const Driver &driver, int device,
                           CudaContext &context) {
  Lock lock;
  for (Primary *known = primaries; known; known = known->next)
    if (known->device == device) {
      context = known->context;
      return TROWEL_OK;
    }
  if (CudaResult result = driver.retainPrimary(&context, device))
    return failInDriver(driver, TROWEL_ERROR_DRIVER, "cuDevicePrimaryCtxRetain",
                        result);
  if (!push(primaries, {device, context, nullptr}))
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  return TROWEL_OK;
}

CurrentContext::CurrentContext(const Driver &driver, int device)
    : driver(driver), state(TROWEL_OK) {
  int its = -1;
  if (driver.getCurrent(&context) == 0 && context &&
      driver.getCurrentDevice(&its) == 0 && its == device)
    return;
  if ((state = findPrimary(driver, device, context)))
    return;
  if (CudaResult result = driver.pushCurrent(context))
    state =
        failInDriver(driver, TROWEL_ERROR_DRIVER, "cuCtxPushCurrent", result);
  else
    pushed = true;
}

CurrentContext::~CurrentContext() {
  CudaContext popped;
  if (pushed)
    driver.popCurrent(&popped);
}

//===--- Modules ----------------------------------------------------------===//

/// A later device may run code that is not for one chip alone.
static bool fits(const ImageInfo &image, int64_t capability) {
  return image.isExact ? capability == image.capability
                       : capability >= image.capability;
}

static int32_t refuseDevice(const Driver &driver, const DeviceCode &code,
                            int device, int64_t capability) {
  char name[64] = "";
  driver.getDeviceName(name, sizeof(name), device);
  return fail(TROWEL_ERROR_KERNEL,
              "device %d (%s) is an sm_%lld; this library has kernels for %s",
              device, name, static_cast<long long>(capability),
              code.images[0].chip);
}

static CudaResult loadImage(const Driver &driver, const char *image,
                            CudaModule &module, char *log, size_t logBytes) {
  int options[] = {ErrorLog, ErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(logBytes)};
  return driver.loadModule(&module, image, 2, options, values);
}

/// For tests of what drivers make of it.
static bool isPtxWanted() {
  const char *only = std::getenv("TROWEL_CUDA_CODE");
  return only && std::strcmp(only, "ptx") == 0;
}

static int32_t loadModule(const Driver &driver, const DeviceCode &code,
                          int device, CudaModule &module) {
  int major = 0, minor = 0;
  for (auto [attribute, to] :
       {std::pair(CapabilityMajor, &major), std::pair(CapabilityMinor, &minor)})
    if (CudaResult result = driver.getAttribute(to, attribute, device))
      return failInDriver(driver, TROWEL_ERROR_DRIVER, "cuDeviceGetAttribute",
                          result);
  const ImageInfo *image = code.images, *end = image + code.imageCount;
  while (image != end && !fits(*image, 10 * major + minor))
    ++image;
  if (image == end)
    return refuseDevice(driver, code, device, 10 * major + minor);
  char log[300] = "";
  // A driver that is older than the assembler refuses the cubin.
  if (image->cubin && !isPtxWanted() &&
      loadImage(driver, image->cubin, module, log, sizeof(log)) == 0)
    return TROWEL_OK;
  log[0] = 0;
  CudaResult result = loadImage(driver, image->ptx, module, log, sizeof(log));
  if (result == 0)
    return TROWEL_OK;
  if (*log)
    return fail(TROWEL_ERROR_KERNEL,
                "the driver refuses the kernels for %s: %s", image->chip, log);
  return failInDriver(driver, TROWEL_ERROR_KERNEL, "cuModuleLoadDataEx",
                      result);
}

static int32_t findFunction(const Driver &driver, CudaModule module,
                            const KernelInfo &info, CudaFunction &function) {
  if (CudaResult result = driver.getFunction(&function, module, info.name))
    return failInDriver(driver, TROWEL_ERROR_KERNEL, "cuModuleGetFunction",
                        result);
  constexpr int64_t withoutAsking = 48 * 1024;
  if (info.sharedBytes <= withoutAsking)
    return TROWEL_OK;
  if (CudaResult result = driver.setAttribute(
          function, MaxDynamicSharedBytes, static_cast<int>(info.sharedBytes)))
    return failInDriver(driver, TROWEL_ERROR_KERNEL, "cuFuncSetAttribute",
                        result);
  return TROWEL_OK;
}

int32_t findKernels(const Driver &driver, const DeviceCode &code, int device,
                    CudaContext context, LoadedKernels &kernels) {
  unsigned long long id;
  if (CudaResult result = driver.getId(context, &id))
    return failInDriver(driver, TROWEL_ERROR_DRIVER, "cuCtxGetId", result);
  Lock lock;
  for (Entry *known = entries; known; known = known->next)
    if (known->code == &code && known->context == id) {
      kernels = known->kernels;
      return TROWEL_OK;
    }
  OutsideCapture outside(driver);
  CudaModule module = nullptr;
  if (int32_t status = loadModule(driver, code, device, module))
    return status;
  if (int32_t status =
          findFunction(driver, module, *code.forward, kernels.forward))
    return status;
  if (int32_t status = findFunction(driver, module, *code.step, kernels.step))
    return status;
  if (!push(entries, {&code, id, kernels, nullptr}))
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  return TROWEL_OK;
}

} // namespace trowel::library
