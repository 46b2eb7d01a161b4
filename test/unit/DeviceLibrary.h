// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A library with kernels, built, linked and loaded as a host does it, before a
// driver that runs them on the emulator.
#ifndef TROWEL_TEST_UNIT_DEVICELIBRARY_H
#define TROWEL_TEST_UNIT_DEVICELIBRARY_H

#include "codegen/Library/Build.h"
#include "codegen/Library/Call.h"
#include "codegen/Library/Link.h"
#include "test/unit/Derived.h"
#include "test/unit/EmulatedDevice.h"
#include "test/unit/LoadedFile.h"

namespace trowel::test {

class DeviceLibrary {
public:
  using Function = int32_t(const trowel_call *);

  /// `refusal` says why there is no such library.
  explicit DeviceLibrary(const Program &program, int64_t tokens = 0,
                         std::vector<library::Machine> machines = {}) {
    setenv("TROWEL_CUDA_DRIVER", TROWEL_FAKE_DRIVER, 1);
    auto module = deriveIn(*context, program, tokens);
    auto forKernels = deriveIn(*context, program, tokens, cuda::mostChunkRows);
    auto single = deriveIn(*context, program, 1);
    auto made =
        library::build(program, *module, *single, {}, *forKernels,
                       {std::move(machines), {library::Chip()}}, "test");
    if (!made) {
      refusal = llvm::toString(made.takeError());
      return;
    }
    built = std::move(*made);
    auto linked = library::linkLibrary(built.objects, program.name + ".so");
    if (!linked) {
      refusal = llvm::toString(linked.takeError());
      return;
    }
    file.load(*linked);
    file.find(forward, program.name + "_forward");
    file.find(step, program.name + "_step");
    file.find(verify, program.name + "_verify");
    file.find(commit, program.name + "_commit");
    file.find(workspaceSize, program.name + "_workspace_size");
    file.find(lastError, program.name + "_last_error");
    file.find(describe, program.name + "_describe");
    // The kernels once more, as the emulator takes them.
    auto again = library::emitDeviceKernels(*forKernels, *single);
    EXPECT_TRUE(bool(again)) << llvm::toString(again.takeError());
    kernels = std::move(*again);
    device.emplace(*kernels.module);
    fakeDriver() = FakeDriver();
    fakeDriver().launch = [this](const FakeLaunch &call) {
      device->launch(call);
    };
  }
  ~DeviceLibrary() { fakeDriver().launch = nullptr; }

  const std::vector<library::TensorEntry> &tensors() const {
    return built.tables->tensors();
  }

private:
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  cuda::Kernels kernels;
  LoadedFile file;

public:
  std::string refusal;
  library::Built built;
  std::optional<EmulatedDevice> device;
  Function *forward = nullptr, *step = nullptr, *verify = nullptr,
           *commit = nullptr;
  int32_t (*workspaceSize)(const trowel_call *, size_t *) = nullptr;
  const char *(*lastError)() = nullptr;
  const char *(*describe)() = nullptr;
};

/// A call that was prepared on the host, on the device.
class DeviceCall {
public:
  DeviceCall(DeviceLibrary &library, const trowel_call &host, int64_t gap)
      : library(library), host(host), raw(host), gap(gap) {
    for (size_t i = 0; i < library.tensors().size(); ++i) {
      const library::TensorEntry &entry = library.tensors()[i];
      const DLTensor *tensor = host.tensors[i];
      auto declared = static_cast<int32_t>(entry.sizes.size());
      // Of states, what is declared lies densely.
      int32_t outer =
          tensor ? tensor->ndim - (isState(entry) ? declared : 1) : 0;
      pointers.push_back(put(tensor, isRead(entry.role), outer));
    }
    raw.tensors = pointers.data();
    raw.cu_seqlens = put(host.cu_seqlens, true, 0);
    raw.carry_in = put(host.carry_in, true, 2);
    raw.carry_out = put(host.carry_out, false, 2);
    raw.threads = 0;
    raw.flags = 0;
  }

  static bool isState(const library::TensorEntry &entry) {
    return entry.role == library::Role::InitialState ||
           entry.role == library::Role::FinalState;
  }
  static bool isRead(library::Role role) {
    return role == library::Role::Input || role == library::Role::Param ||
           role == library::Role::InitialState;
  }

  const DLTensor *put(const DLTensor *tensor, bool isRead, int32_t outer) {
    if (!tensor)
      return nullptr;
    tensors.push_back(std::make_unique<DeviceTensor>(*library.device, *tensor,
                                                     isRead, outer, gap));
    return tensors.back()->get();
  }

  /// With memory for what the library asks for.
  int32_t run(DeviceLibrary::Function *function, trowel_function number) {
    size_t bytes = 0;
    raw.function = number;
    if (int32_t status = library.workspaceSize(&raw, &bytes))
      return status;
    raw.workspace = library.device->allocate(bytes).bytes.data();
    raw.workspace_size = bytes;
    return function(&raw);
  }

  void takeBack() {
    for (const auto &tensor : tensors)
      tensor->takeBack();
  }

  DeviceLibrary &library;
  trowel_call host, raw;
  std::vector<const DLTensor *> pointers;

private:
  int64_t gap;
  std::vector<std::unique_ptr<DeviceTensor>> tensors;
};

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_DEVICELIBRARY_H
