// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs GPU kernels, as modules of the LLVM and NVVM dialects, on the CPU: every
// thread, in an order that a seed picks, and looks for what a device would not
// tell. See docs/emulator.md.
#ifndef TROWEL_CODEGEN_EMULATOR_EMULATOR_H
#define TROWEL_CODEGEN_EMULATOR_EMULATOR_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace trowel::emulator {

/// Global memory: bytes, and which of them were ever written.
class Buffer {
public:
  /// Memory that nobody has written.
  explicit Buffer(size_t size) : bytes(size, 0xff), written(size, 0) {}
  template <typename T>
  explicit Buffer(const std::vector<T> &values)
      : bytes(values.size() * sizeof(T)), written(bytes.size(), 1) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }

  template <typename T> std::vector<T> as() const {
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }

  std::vector<uint8_t> bytes;
  std::vector<uint8_t> written;
};

/// A byte within a buffer.
struct Within {
  Buffer *buffer;
  uint64_t offset;
};

/// How a tensor lies in global memory, and which box of it is copied (PTX ISA
/// 5.5). The innermost dimension comes first.
struct TensorMap {
  Buffer *buffer = nullptr;
  uint64_t offset = 0; // of the first element, in bytes
  uint32_t elementBytes = 2;
  std::vector<uint64_t> sizes;   // in elements
  std::vector<uint64_t> strides; // in bytes, of all dimensions but the first
  std::vector<uint32_t> box;     // in elements
  unsigned swizzle = 0;          // 0, 32, 64 or 128 bytes
};

/// What a kernel is called with: the bits of a scalar, a buffer, or a tensor
/// map. A buffer that is given several times is the same memory.
using Argument = std::variant<uint64_t, Buffer *, Within, const TensorMap *>;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint32_t count() const { return x * y * z; }
};

struct Shape {
  Dim3 grid;
  Dim3 block;
  Dim3 cluster;               // in CTAs
  uint32_t dynamicShared = 0; // bytes
};

struct Options {
  /// The order of the threads; each seed is another one.
  uint64_t seed = 0;
  /// Instructions that a CTA may execute: what loops forever ends here.
  uint64_t limit = 1ull << 32;
};

/// What the accesses of warps to shared memory cost.
struct SharedTraffic {
  uint64_t instructions = 0; // of whole warps
  uint64_t wavefronts = 0;
  uint64_t least = 0; // wavefronts without a bank conflict

  SharedTraffic &operator+=(const SharedTraffic &other) {
    instructions += other.instructions;
    wavefronts += other.wavefronts;
    least += other.least;
    return *this;
  }
};

/// What a launch did, summed over its threads.
struct Counters {
  std::map<std::string, uint64_t> executed;   // by the name of the operation
  uint64_t globalRead = 0, globalWritten = 0; // bytes
  uint64_t sharedRead = 0, sharedWritten = 0;
  /// 32 bytes of global memory that a warp accesses in one instruction.
  uint64_t globalSectorsRead = 0, globalSectorsWritten = 0;
  SharedTraffic shared;
  std::map<std::string, SharedTraffic> sharedBy; // by operation and line
};

/// Why a launch ended early.
enum class Problem {
  Argument,  // the launch itself makes no sense
  Address,   // outside of what is allocated, or not aligned
  Unwritten, // read before anything was written there
  Race,
  Deadlock,
  Divergence, // lanes of a warp apart where they must be together
  Barrier,    // a barrier used in a way that has no meaning
  Registers,  // of an asynchronous instruction, used too early
  Value,      // undefined behaviour of an arithmetic operation
  Endless,
};

class Failure : public llvm::ErrorInfo<Failure> {
public:
  static char ID;
  Failure(Problem problem, std::string text)
      : problem(problem), text(std::move(text)) {}
  void log(llvm::raw_ostream &stream) const override { stream << text; }
  std::error_code convertToErrorCode() const override {
    return llvm::inconvertibleErrorCode();
  }

  Problem problem;
  std::string text;
};

struct Kernels;

class Emulator {
public:
  /// `module`: holds the kernels, and must outlive the emulator.
  explicit Emulator(mlir::Operation *module, Options options = {});
  ~Emulator();

  /// Runs a kernel to its end, or to the first thing that is wrong with it. An
  /// operation that the emulator does not know is an error before anything
  /// runs.
  llvm::Expected<Counters> launch(llvm::StringRef kernel, const Shape &shape,
                                  llvm::ArrayRef<Argument> arguments);

private:
  mlir::Operation *module;
  Options options;
  std::unique_ptr<Kernels> kernels;
};

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_EMULATOR_H
