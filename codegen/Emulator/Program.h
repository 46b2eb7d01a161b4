// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels in the form in which they run: flat arrays of instructions over
// numbered slots.
#ifndef TROWEL_CODEGEN_EMULATOR_PROGRAM_H
#define TROWEL_CODEGEN_EMULATOR_PROGRAM_H

#include "mlir/IR/Operation.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace trowel::emulator {

struct Thread;
struct Instruction;

/// What a thread does after an instruction.
enum class Step {
  Next,  // goes on behind it
  Jump,  // `pc` was set
  Sleep, // goes on behind it once another thread wakes it
  Exit,
  Failed, // the launch ends with the error that was reported
};

using Handler = Step (*)(Thread &, const Instruction &);

/// A scalar, each element of a vector and each member of a struct has one slot
/// of 64 bits; what is narrower is extended with zeros.
using Slot = uint32_t;

struct SlotRange {
  Slot first;
  uint32_t count;
};

/// What an instruction family needs to know about one instruction beyond the
/// fields below.
struct Details {
  virtual ~Details() = default;
};

struct Instruction {
  Handler run = nullptr;
  Slot result = 0;
  Slot a = 0, b = 0, c = 0;
  uint32_t count = 1; // components
  uint32_t width = 0; // bits of a component
  int64_t immediate = 0;
  uint32_t alignment = 0; // of an access to memory, in bytes
  std::unique_ptr<Details> details;
  mlir::Operation *op = nullptr;
  uint32_t index = 0;

  template <typename T> const T &as() const {
    return static_cast<const T &>(*details);
  }
  /// "llvm.load at kernel.mlir:12".
  std::string name() const;
};

/// The registers that an instruction reads and writes.
struct Uses {
  std::vector<SlotRange> reads, writes;
};

/// One kernel.
struct Program {
  std::vector<Instruction> code;
  std::vector<Uses> uses;       // by instruction
  bool tracksRegisters = false; // asynchronous instructions use them
  /// The slots of a thread at its start: constants are there already.
  std::vector<uint64_t> frame;
  struct Argument {
    SlotRange slots;
    unsigned bits;
    bool isMap; // a tensor map
  };
  std::vector<Argument> arguments;
  /// What the kernel says of its launch; 0: nothing.
  uint32_t maxRegisters = 0;
  std::array<uint32_t, 3> block{}, cluster{};

  /// Registers of a thread at the start: a CTA has all of them unless the
  /// kernel says less.
  uint32_t registersOf(uint32_t threads) const {
    constexpr uint32_t all = 65536, step = 8, most = 248;
    return maxRegisters ? maxRegisters
                        : std::min(all / threads / step * step, most);
  }
};

/// Pointers to shared memory are offsets from the start of its window; generic
/// addresses have it at `sharedWindow` (PTX ISA 5.1.7).
namespace address {
constexpr uint64_t firstShared = 1024; // below it lies what the system uses
constexpr uint64_t sharedWindow = 1ull << 60;
constexpr unsigned bufferShift = 36;        // global memory, by buffer
constexpr uint64_t firstConstant = 1 << 20; // variables, numbered as buffers
constexpr uint64_t firstMap = 1 << 21;      // tensor maps, likewise
// Shared memory of a cluster: the rank of a CTA, from 1 on; 0 is the own one.
constexpr unsigned rankShift = 24;

/// The offset of an address of shared memory in the CTA that it belongs to.
inline uint64_t withinCta(uint64_t pointer) {
  return pointer & ((1ull << rankShift) - 1);
}
inline uint64_t inCta(uint32_t rank, uint64_t pointer) {
  return withinCta(pointer) | uint64_t(rank + 1) << rankShift;
}
} // namespace address

/// Of a generic address.
inline bool isInSharedWindow(uint64_t pointer) {
  return pointer & address::sharedWindow;
}

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_PROGRAM_H
