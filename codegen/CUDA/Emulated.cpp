// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry is a plain function without a place for an object, so there is a
// stock of functions that each know a number, under which the object is found.
#include "codegen/CUDA/Emulated.h"

#include <array>
#include <atomic>
#include <mutex>

using namespace mlir;

namespace trowel::cuda {

using cpu::Argument;

namespace {

class Launcher {
public:
  Launcher(ModuleOp module, const KernelInfo &info,
           const emulator::Options &options)
      : info(info), emulator(module, options) {}

  void run(void *const *data, const int64_t *strides, void *carry,
           int64_t tokens);
  std::string failure;

private:
  static int64_t extent(const Argument &argument, const int64_t *strides,
                        int64_t tokens);

  KernelInfo info;
  emulator::Emulator emulator;
  std::mutex one; // launch at a time
};

constexpr size_t stock = 256;
std::array<std::atomic<Launcher *>, stock> launchers;

template <size_t number>
void entry(void *const *data, const int64_t *strides, void *carry,
           int64_t tokens, void *) {
  launchers[number].load()->run(data, strides, carry, tokens);
}

template <size_t... numbers>
constexpr std::array<TrowelKernel *, stock>
makeEntries(std::index_sequence<numbers...>) {
  return {entry<numbers>...};
}
constexpr std::array<TrowelKernel *, stock> stockOfEntries =
    makeEntries(std::make_index_sequence<stock>());

class EmulatedKernel : public cpu::Kernel {
public:
  explicit EmulatedKernel(Kernels made) : kernels(std::move(made)) {}
  ~EmulatedKernel() override {
    for (size_t place : places)
      launchers[place] = nullptr;
  }

  llvm::Error place(const emulator::Options &options) {
    for (const KernelInfo &info : kernels.kernels) {
      owned.push_back(
          std::make_unique<Launcher>(*kernels.module, info, options));
      size_t place = 0;
      for (Launcher *none = nullptr;
           place < stock &&
           !launchers[place].compare_exchange_strong(none, owned.back().get());
           none = nullptr)
        ++place;
      if (place == stock)
        return llvm::createStringError("too many emulated kernels at a time");
      places.push_back(place);
      functions.push_back(stockOfEntries[place]);
      interfaces.push_back(info.interface);
    }
    return llvm::Error::success();
  }

  std::string failure() const override {
    for (const auto &launcher : owned)
      if (!launcher->failure.empty())
        return launcher->failure;
    return {};
  }

private:
  Kernels kernels;
  std::vector<std::unique_ptr<Launcher>> owned;
  std::vector<size_t> places;
};

} // namespace

/// How many bytes from a tensor's first element to behind its last one.
int64_t Launcher::extent(const Argument &argument, const int64_t *strides,
                         int64_t tokens) {
  int64_t last = 0;
  bool hasTokens = argument.hasTokens();
  if (hasTokens && tokens == 0)
    return 0;
  if (hasTokens)
    last += (tokens - 1) * *strides++;
  if (argument.strideCount() == 0 && !hasTokens) {
    int64_t count = 1;
    for (int64_t size : argument.sizes)
      count *= size;
    return count * argument.elementBytes();
  }
  for (size_t i = 0; i < argument.sizes.size(); ++i)
    last += (argument.sizes[i] - 1) *
            (i + 1 < argument.sizes.size() ? strides[i] : 1);
  return (last + 1) * argument.elementBytes();
}

void Launcher::run(void *const *data, const int64_t *strides, void *carry,
                   int64_t tokens) {
  std::lock_guard<std::mutex> lock(one);
  if (!failure.empty())
    return;
  std::vector<std::unique_ptr<emulator::Buffer>> buffers;
  struct Result {
    emulator::Buffer *buffer;
    void *address;
  };
  std::vector<Result> results;
  auto view = [&](void *address, int64_t bytes, bool isRead,
                  bool isWritten) -> emulator::Argument {
    if (!address)
      return uint64_t(0);
    auto &buffer = buffers.emplace_back(std::make_unique<emulator::Buffer>(
        static_cast<size_t>(std::max<int64_t>(bytes, 16))));
    if (isRead) {
      std::memcpy(buffer->bytes.data(), address, bytes);
      std::fill_n(buffer->written.begin(), bytes, 1);
    }
    if (isWritten)
      results.push_back({buffer.get(), address});
    return buffer.get();
  };
  std::vector<emulator::Argument> arguments{
      uint64_t(1), static_cast<uint64_t>(tokens),
      uint64_t(0), uint64_t(0),
      uint64_t(0), uint64_t(0)};
  int64_t carryBytes = info.interface.carryBytes;
  for (bool isResult : {false, true}) {
    arguments.push_back(view(carryBytes > 0 ? carry : nullptr, carryBytes,
                             !isResult, isResult));
    arguments.insert(arguments.end(), {uint64_t(0), uint64_t(0)});
  }
  emulator::Buffer workspace(static_cast<size_t>(info.workspaceBytes));
  arguments.push_back(info.workspaceBytes > 0
                          ? emulator::Argument(&workspace)
                          : emulator::Argument(uint64_t(0)));
  for (const Argument &argument : info.interface.arguments) {
    bool isResult = argument.isResult();
    arguments.push_back(
        view(*data++, extent(argument, strides, tokens), !isResult, isResult));
    arguments.insert(arguments.end(), {uint64_t(0), uint64_t(0), uint64_t(1)});
    for (int64_t k = 0; k < argument.strideCount(); ++k)
      arguments.push_back(static_cast<uint64_t>(*strides++));
  }
  emulator::Shape shape;
  shape.block.x = static_cast<uint32_t>(info.threads);
  shape.dynamicShared = static_cast<uint32_t>(info.sharedBytes);
  auto counters = emulator.launch(info.name, shape, arguments);
  if (!counters) {
    failure = llvm::toString(counters.takeError());
    return;
  }
  for (auto [buffer, address] : results)
    for (size_t i = 0; i < buffer->bytes.size(); ++i)
      if (buffer->written[i])
        static_cast<uint8_t *>(address)[i] = buffer->bytes[i];
}

llvm::Expected<std::unique_ptr<cpu::Kernel>>
compileForEmulator(ModuleOp module, const emulator::Options &options,
                   cpu::Timings *timings) {
  auto kernels = emitKernels(module, timings);
  if (!kernels)
    return kernels.takeError();
  auto result = std::make_unique<EmulatedKernel>(std::move(*kernels));
  if (llvm::Error failure = result->place(options))
    return std::move(failure);
  return std::move(result);
}

} // namespace trowel::cuda
