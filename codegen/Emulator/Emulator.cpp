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

/// What the driver demands of a tensor map; empty: nothing is wrong.
static std::string whyUnusable(const TensorMap &map) {
  size_t rank = map.sizes.size();
  if (!map.buffer || rank < 1 || rank > 5 || map.strides.size() != rank - 1 ||
      map.box.size() != rank)
    return "it has 1 to 5 dimensions, each with a size, a box and a stride";
  uint64_t each = map.elementBytes, rowBytes = map.box[0] * each;
  if (each != 1 && each != 2 && each != 4 && each != 8)
    return "its elements have 1, 2, 4 or 8 bytes";
  if (map.swizzle && map.swizzle != 32 && map.swizzle != 64 &&
      map.swizzle != 128)
    return "it is swizzled by 32, 64 or 128 bytes";
  if (map.offset % 16 || rowBytes % 16 ||
      (map.swizzle && rowBytes > map.swizzle))
    return "its start and the rows of its box are multiples of 16 bytes, and "
           "a row is no longer than the pattern";
  uint64_t behind = map.offset + map.sizes[0] * each;
  for (size_t i = 0; i < rank; ++i) {
    if (map.sizes[i] == 0 || map.box[i] == 0 || map.box[i] > 256)
      return "a box has 1 to 256 elements in each dimension";
    if (i > 0 && map.strides[i - 1] % 16)
      return "its strides are multiples of 16 bytes";
    if (i > 0)
      behind += (map.sizes[i] - 1) * map.strides[i - 1];
  }
  return behind > map.buffer->bytes.size() ? "it is larger than its buffer"
                                           : "";
}

namespace {

/// Global memory of a launch.
struct Global {
  std::vector<Region> regions;
  std::vector<Machine::Map> maps;
  std::map<Buffer *, uint64_t> addresses;

  /// A buffer is one region, however often it is passed.
  uint64_t addressOf(Buffer &buffer) {
    auto [known, isNew] = addresses.try_emplace(&buffer, 0);
    if (isNew) {
      regions.emplace_back(buffer.bytes.data(), buffer.written.data(),
                           buffer.bytes.size());
      known->second = regions.size() << address::bufferShift;
    }
    return known->second;
  }
};

} // namespace

/// The bits of a parameter.
static llvm::Expected<uint64_t> place(const Program::Argument &parameter,
                                      const Argument &argument,
                                      Global &global) {
  auto *map = std::get_if<const TensorMap *>(&argument);
  if (parameter.isMap != (map != nullptr))
    return unusable("a tensor map is passed for an argument that is one");
  if (auto *scalar = std::get_if<uint64_t>(&argument))
    return *scalar & ~0ull >> (64 - parameter.bits);
  if (auto *buffer = std::get_if<Buffer *>(&argument))
    return global.addressOf(**buffer);
  if (auto *within = std::get_if<Within>(&argument))
    return global.addressOf(*within->buffer) + within->offset;
  if (std::string why = whyUnusable(**map); !why.empty())
    return unusable("the tensor map makes no sense: " + why);
  global.maps.push_back({**map, global.addressOf(*(*map)->buffer)});
  return (address::firstMap + global.maps.size() - 1) << address::bufferShift;
}

/// Puts the arguments into a thread's first frame.
static llvm::Error place(const Program &program,
                         llvm::ArrayRef<Argument> arguments,
                         std::vector<uint64_t> &frame, Global &global) {
  if (arguments.size() != program.arguments.size())
    return unusable(
        llvm::formatv("the kernel takes {0} arguments, {1} are given",
                      program.arguments.size(), arguments.size()));
  for (auto [parameter, argument] : llvm::zip(program.arguments, arguments)) {
    if (parameter.slots.count != 1)
      return unusable("a kernel takes scalars and pointers only");
    llvm::Expected<uint64_t> bits = place(parameter, argument, global);
    if (!bits)
      return bits.takeError();
    frame[parameter.slots.first] = *bits;
  }
  return llvm::Error::success();
}

/// The limits of compute capability 9.0.
static llvm::Error check(const Program &program, const Shape &shape,
                         uint64_t sharedBytes) {
  auto differs = [](const std::array<uint32_t, 3> &said, const Dim3 &size) {
    return said[0] && said != std::array<uint32_t, 3>{size.x, size.y, size.z};
  };
  if (differs(program.block, shape.block))
    return unusable("the kernel says that its CTAs have another shape");
  if (differs(program.cluster, shape.cluster))
    return unusable("the kernel says that its clusters have another shape");
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
  if (llvm::Error error = check(**program, shape, sharedBytes))
    return error;
  std::vector<uint64_t> frame = (*program)->frame;
  Global global;
  std::vector<Region> constants;
  for (Buffer &constant : layout->constants)
    constants.emplace_back(constant.bytes.data(), constant.written.data(),
                           constant.bytes.size());
  if (llvm::Error error = place(**program, arguments, frame, global))
    return error;
  Machine machine(**program, shape, options, sharedBytes, global.regions,
                  constants, global.maps);
  if (llvm::Error error = machine.run(frame))
    return error;
  return machine.count();
}

} // namespace trowel::emulator
