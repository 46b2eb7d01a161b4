// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "runtime/CUDA/Driver.h"

#include "runtime/Library/Message.h"
#include "trowel/trowel.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <pthread.h>

namespace trowel::library {

static pthread_once_t driverOnce = PTHREAD_ONCE_INIT;
static Driver loaded;
static char whyNot[300]; // empty: it is loaded

static void refuse(const char *what, const char *why) {
  std::snprintf(whyNot, sizeof(whyNot), "%s%s", what, why ? why : "");
}

static void loadDriver() {
  const char *path = std::getenv("TROWEL_CUDA_DRIVER");
  void *library =
      dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return refuse("", dlerror());
#define TROWEL_FIND(symbol, name, parameters)                                  \
  loaded.name =                                                                \
      reinterpret_cast<CudaResult(*) parameters>(dlsym(library, #symbol));     \
  if (!loaded.name)                                                            \
    return refuse("it has no function " #symbol, nullptr);
  TROWEL_CUDA_DRIVER(TROWEL_FIND)
#undef TROWEL_FIND
  CudaResult result = loaded.init(0);
  const char *name = nullptr;
  if (result != 0 && loaded.getErrorString(result, &name) != 0)
    name = "an unknown error";
  if (result != 0)
    refuse("cuInit: ", name);
}

int32_t findDriver(const Driver *&driver) {
  pthread_once(&driverOnce, loadDriver);
  driver = &loaded;
  if (*whyNot)
    return fail(TROWEL_ERROR_DRIVER, "there is no CUDA driver to use: %s",
                whyNot);
  return TROWEL_OK;
}

int32_t failInDriver(const Driver &driver, int32_t status, const char *function,
                     CudaResult result) {
  const char *name = nullptr, *text = nullptr;
  driver.getErrorName(result, &name);
  driver.getErrorString(result, &text);
  return fail(status, "%s: %s (%s)", function, name ? name : "an unknown error",
              text ? text : "no words");
}

} // namespace trowel::library
