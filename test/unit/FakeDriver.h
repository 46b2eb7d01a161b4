// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CUDA driver without a device, for TROWEL_CUDA_DRIVER: a library of its own,
// which the test and what it tests share. It is as strict as a real one about
// what is current and what was asked for, and leaves kernels to the test.
#ifndef TROWEL_TEST_UNIT_FAKEDRIVER_H
#define TROWEL_TEST_UNIT_FAKEDRIVER_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace trowel::test {

struct FakeLaunch {
  std::string kernel;
  unsigned grid, block, sharedBytes;
  void *stream;
  void **parameters;
};

struct FakeDriver {
  // What it is to do.
  int capability = 90;
  int initResult = 0;
  bool refusesCubins = false, refusesPtx = false;
  int launchResult = 0;
  std::function<void(const FakeLaunch &)> launch;

  // What it has seen.
  std::vector<std::string> loaded; // "cubin" or "ptx" for each module
  std::vector<int> current; // the devices of the contexts, the last one is it
  int captureMode = 0;
  bool loadedWhileCapturing = false;
};

/// The one of this process.
FakeDriver &fakeDriver();

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_FAKEDRIVER_H
