// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "test/unit/FakeDriver.h"

#include <algorithm>
#include <cstring>
#include <deque>

using trowel::test::FakeDriver;
using trowel::test::fakeDriver;

FakeDriver &trowel::test::fakeDriver() {
  static FakeDriver driver;
  return driver;
}

namespace {

// Numbers of the real one.
enum Result {
  Success = 0,
  InvalidValue = 1,
  InvalidImage = 200,
  InvalidContext = 201,
  NotFound = 500
};

constexpr int deviceCount = 2;

/// The context of a device is the address of its element.
char contexts[deviceCount];

struct Module {
  std::string image;
  int device;
};

struct Function {
  std::string name;
  int device;
  int mostSharedBytes;
};

std::deque<Module> modules;
std::deque<Function> functions;

bool isContext(void *context) {
  return context >= contexts && context < contexts + deviceCount;
}

int numberOf(void *context) {
  return static_cast<int>(static_cast<char *>(context) - contexts);
}

int currentDevice() {
  const std::vector<int> &current = fakeDriver().current;
  return current.empty() ? -1 : current.back();
}

bool isCubin(const char *image) {
  return std::memcmp(image, "\177ELF", 4) == 0;
}

/// An ELF file of 64 bits ends with its table of sections, or of segments.
size_t cubinBytes(const char *image) {
  auto number = [&](size_t at, size_t bytes) {
    uint64_t value = 0;
    std::memcpy(&value, image + at, bytes);
    return value;
  };
  return std::max(number(0x28, 8) + number(0x3a, 2) * number(0x3c, 2),
                  number(0x20, 8) + number(0x36, 2) * number(0x38, 2));
}

} // namespace

extern "C" {

int cuInit(unsigned flags) {
  return flags ? InvalidValue : fakeDriver().initResult;
}

int cuGetErrorName(int result, const char **name) {
  *name = result == InvalidImage ? "FAKE_INVALID_IMAGE" : "FAKE_ERROR";
  return Success;
}

int cuGetErrorString(int, const char **text) {
  *text = "words of the driver";
  return Success;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  if (device < 0 || device >= deviceCount || attribute < 75 || attribute > 76)
    return InvalidValue;
  int capability = fakeDriver().capability;
  *value = attribute == 75 ? capability / 10 : capability % 10;
  return Success;
}

int cuDeviceGetName(char *name, int bytes, int) {
  std::strncpy(name, "a fake", static_cast<size_t>(bytes));
  return Success;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
  if (device < 0 || device >= deviceCount)
    return InvalidValue;
  *context = contexts + device;
  return Success;
}

int cuCtxGetCurrent(void **context) {
  *context = currentDevice() < 0 ? nullptr : contexts + currentDevice();
  return Success;
}

int cuCtxGetDevice(int *device) {
  *device = currentDevice();
  return *device < 0 ? InvalidContext : Success;
}

int cuCtxGetId(void *context, unsigned long long *id) {
  if (!isContext(context))
    return InvalidContext;
  *id = static_cast<unsigned long long>(numberOf(context)) + 1;
  return Success;
}

int cuCtxPushCurrent_v2(void *context) {
  if (!isContext(context))
    return InvalidValue;
  fakeDriver().current.push_back(numberOf(context));
  return Success;
}

int cuCtxPopCurrent_v2(void **context) {
  if (currentDevice() < 0)
    return InvalidContext;
  *context = contexts + currentDevice();
  fakeDriver().current.pop_back();
  return Success;
}

int cuThreadExchangeStreamCaptureMode(int *mode) {
  std::swap(*mode, fakeDriver().captureMode);
  return Success;
}

int cuModuleLoadDataEx(void **module, const void *data, unsigned count,
                       int *options, void **values) {
  FakeDriver &driver = fakeDriver();
  if (currentDevice() < 0)
    return InvalidContext;
  driver.loadedWhileCapturing |= driver.captureMode != 2;
  const char *image = static_cast<const char *>(data);
  bool cubin = isCubin(image);
  if (cubin ? driver.refusesCubins : driver.refusesPtx) {
    for (unsigned i = 0; !cubin && i < count; ++i)
      if (options[i] == 5)
        std::strcpy(static_cast<char *>(values[i]), "a word of the log");
    return InvalidImage;
  }
  std::string text =
      cubin ? std::string(image, cubinBytes(image)) : std::string(image);
  if (!cubin && text.find(".target sm_") == std::string::npos)
    return InvalidImage;
  driver.loaded.push_back(cubin ? "cubin" : "ptx");
  modules.push_back({std::move(text), currentDevice()});
  *module = &modules.back();
  return Success;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  auto *from = static_cast<Module *>(module);
  std::string wanted = isCubin(from->image.data())
                           ? ".text." + std::string(name) + '\0'
                           : ".entry " + std::string(name) + "(";
  if (from->image.find(wanted) == std::string::npos)
    return NotFound;
  functions.push_back({name, from->device, 48 * 1024});
  *function = &functions.back();
  return Success;
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
  if (attribute != 8 || value > 227 * 1024)
    return InvalidValue;
  static_cast<Function *>(function)->mostSharedBytes = value;
  return Success;
}

int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                   unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void *stream,
                   void **parameters, void **) {
  const auto &called = *static_cast<Function *>(function);
  if (called.device != currentDevice())
    return InvalidContext;
  if (gridX == 0 || gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1 ||
      static_cast<int>(sharedBytes) > called.mostSharedBytes)
    return InvalidValue;
  if (fakeDriver().launchResult == 0 && fakeDriver().launch)
    fakeDriver().launch(
        {called.name, gridX, blockX, sharedBytes, stream, parameters});
  return fakeDriver().launchResult;
}
}
