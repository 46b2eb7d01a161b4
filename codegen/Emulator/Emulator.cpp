// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Emulator/Emulator.h"

#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace trowel::emulator {

char Failure::ID;

/// Decoded once, run many times.
struct Kernels {
  std::map<std::string, Program> programs;
};

Emulator::Emulator(Operation *module, Options options)
    : module(module), options(options), kernels(std::make_unique<Kernels>()) {}

Emulator::~Emulator() = default;

static llvm::Error unusable(const llvm::Twine &text) {
  return llvm::make_error<Failure>(Problem::Argument, text.str());
}

static llvm::Expected<const Program *> decoded(Kernels &kernels,
                                               Operation *module,
                                               const Layout &layout,
                                               llvm::StringRef name) {
  auto known = kernels.programs.find(name.str());
  if (known != kernels.programs.end())
    return &known->second;
  auto kernel = dyn_cast_or_null<LLVM::LLVMFuncOp>(
      SymbolTable::lookupSymbolIn(module, name));
  if (!kernel || kernel.isExternal())
    return unusable("there is no kernel '" + name + "'");
  llvm::Expected<Program> program = Decoder(layout).decode(kernel);
  if (!program)
    return program.takeError();
  return &kernels.programs.emplace(name.str(), std::move(*program))
              .first->second;
}

/// Puts the arguments into a thread's first frame; buffers become regions.
static llvm::Error place(const Program &program,
                         llvm::ArrayRef<Argument> arguments,
                         std::vector<uint64_t> &frame,
                         std::vector<Region> &global) {
  if (arguments.size() != program.arguments.size())
    return unusable(
        llvm::formatv("the kernel takes {0} arguments, {1} are given",
                      program.arguments.size(), arguments.size()));
  std::map<Buffer *, uint64_t> numbers;
  for (auto [parameter, argument] : llvm::zip(program.arguments, arguments)) {
    auto [range, bits] = parameter;
    if (range.count != 1)
      return unusable("a kernel takes scalars and pointers only");
    if (auto *scalar = std::get_if<uint64_t>(&argument)) {
      frame[range.first] = *scalar & ~0ull >> (64 - bits);
      continue;
    }
    auto *place = std::get_if<Within>(&argument);
    Buffer *buffer = place ? place->buffer : std::get<Buffer *>(argument);
    auto [known, isNew] = numbers.try_emplace(buffer, global.size() + 1);
    if (isNew)
      global.emplace_back(buffer->bytes.data(), buffer->written.data(),
                          buffer->bytes.size());
    frame[range.first] =
        (known->second << address::bufferShift) + (place ? place->offset : 0);
  }
  return llvm::Error::success();
}

/// The limits of compute capability 9.0.
static llvm::Error check(const Shape &shape, uint64_t sharedBytes) {
  if (shape.block.count() == 0 || shape.block.count() > 1024)
    return unusable("a CTA has 1 to 1024 threads");
  if (shape.block.count() % warpSize)
    return unusable("the emulator runs whole warps only");
  if (shape.grid.count() == 0)
    return unusable("the grid has no CTA");
  const Dim3 &cluster = shape.cluster;
  if (cluster.count() == 0 || cluster.count() > 8 || shape.grid.x % cluster.x ||
      shape.grid.y % cluster.y || shape.grid.z % cluster.z)
    return unusable("a cluster has 1 to 8 CTAs and divides the grid");
  if (uint64_t(shape.grid.count()) / cluster.count() * partiesOf(shape) >> 32)
    return unusable("the grid has too many threads");
  if (sharedBytes > 227 * 1024)
    return unusable(llvm::formatv(
        "{0} bytes of shared memory; a CTA has at most 232448", sharedBytes));
  return llvm::Error::success();
}

llvm::Expected<Counters> Emulator::launch(llvm::StringRef name,
                                          const Shape &shape,
                                          llvm::ArrayRef<Argument> arguments) {
  llvm::Expected<Layout> layout = layOut(module);
  if (!layout)
    return layout.takeError();
  auto program = decoded(*kernels, module, *layout, name);
  if (!program)
    return program.takeError();
  uint64_t sharedBytes =
      layout->staticEnd - address::firstShared + shape.dynamicShared;
  if (llvm::Error error = check(shape, sharedBytes))
    return error;
  std::vector<uint64_t> frame = (*program)->frame;
  std::vector<Region> global, constants;
  for (Buffer &constant : layout->constants)
    constants.emplace_back(constant.bytes.data(), constant.written.data(),
                           constant.bytes.size());
  if (llvm::Error error = place(**program, arguments, frame, global))
    return error;
  Machine machine(**program, shape, options, sharedBytes, global, constants);
  if (llvm::Error error = machine.run(frame))
    return error;
  return machine.count();
}

} // namespace trowel::emulator
