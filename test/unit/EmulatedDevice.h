// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device for the fake driver: its memory is this process's, and the emulator
// runs its kernels. The first thing that is wrong is in `failure`.
#ifndef TROWEL_TEST_UNIT_EMULATEDDEVICE_H
#define TROWEL_TEST_UNIT_EMULATEDDEVICE_H

#include "codegen/Emulator/Emulator.h"
#include "test/unit/FakeDriver.h"
#include "trowel/trowel.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <deque>

namespace trowel::test {

class EmulatedDevice {
public:
  explicit EmulatedDevice(mlir::ModuleOp kernels)
      : module(kernels), emulator(kernels) {}

  emulator::Buffer &allocate(size_t bytes) {
    return buffers.emplace_back(bytes);
  }

  void launch(const FakeLaunch &call) {
    auto kernel = module.lookupSymbol<mlir::LLVM::LLVMFuncOp>(call.kernel);
    if (!kernel) {
      failure = "there is no kernel " + call.kernel;
      return;
    }
    std::vector<emulator::Argument> arguments;
    for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
      uint64_t bits = *static_cast<uint64_t *>(call.parameters[i]);
      if (mlir::isa<mlir::LLVM::LLVMPointerType>(type))
        arguments.push_back(placeOf(bits));
      else
        arguments.push_back(bits);
    }
    emulator::Shape shape;
    shape.grid.x = call.grid;
    shape.block.x = call.block;
    shape.dynamicShared = call.sharedBytes;
    auto counters = emulator.launch(call.kernel, shape, arguments);
    if (!counters)
      failure = llvm::toString(counters.takeError());
  }

  std::string failure;

private:
  emulator::Argument placeOf(uint64_t address) {
    for (emulator::Buffer &buffer : buffers) {
      auto begin = reinterpret_cast<uint64_t>(buffer.bytes.data());
      if (address >= begin && address < begin + buffer.bytes.size())
        return emulator::Within{&buffer, address - begin};
    }
    return address;
  }

  mlir::ModuleOp module;
  emulator::Emulator emulator;
  std::deque<emulator::Buffer> buffers;
};

/// A copy of a host's dense tensor on such a device. Rows of the first `outer`
/// axes lie `gap` elements further apart than they must.
class DeviceTensor {
public:
  DeviceTensor(EmulatedDevice &device, const DLTensor &host, bool isRead,
               int32_t outer = 0, int64_t gap = 0)
      : isRead(isRead), host(host), tensor(host),
        shape(host.shape, host.shape + host.ndim), strides(shape.size()) {
    int64_t count = 1;
    for (int32_t i = host.ndim; i-- > 0; count *= shape[size_t(i)]) {
      if (i < outer)
        count += gap;
      strides[size_t(i)] = count;
    }
    buffer = &device.allocate(size_t(count) * elementBytes());
    tensor.device = {kDLCUDA, 0};
    tensor.data = buffer->bytes.data();
    tensor.shape = shape.data();
    tensor.strides = strides.data();
    if (isRead)
      copy([&](size_t there, char *here) {
        std::memcpy(&buffer->bytes[there], here, elementBytes());
        std::fill_n(&buffer->written[there], elementBytes(), 1);
      });
  }
  DeviceTensor(const DeviceTensor &) = delete;

  const DLTensor *get() const { return &tensor; }

  /// What the device has written, to the host.
  void takeBack() const {
    if (isRead)
      return;
    copy([&](size_t there, char *here) {
      if (buffer->written[there])
        std::memcpy(here, &buffer->bytes[there], elementBytes());
    });
  }

private:
  size_t elementBytes() const { return host.dtype.bits / 8; }

  /// Calls `visit(place on the device, address on the host)`.
  template <typename Visit> void copy(Visit visit) const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    for (int64_t element = 0; element < count; ++element) {
      int64_t rest = element, place = 0;
      for (size_t i = shape.size(); i-- > 0; rest /= shape[i])
        place += rest % shape[i] * strides[i];
      visit(size_t(place) * elementBytes(),
            static_cast<char *>(host.data) + size_t(element) * elementBytes());
    }
  }

  bool isRead;
  DLTensor host, tensor;
  std::vector<int64_t> shape, strides;
  emulator::Buffer *buffer;
};

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_EMULATEDDEVICE_H
