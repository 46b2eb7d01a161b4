// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Relaxed atomics (PTX ISA 9.7.13, `atom`, `red`). They do not conflict with
// each other, and order nothing else: stronger orders are refused.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;

namespace trowel::emulator {

/// In global memory subnormal numbers are zeros to a device.
static float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

static uint64_t addFloats(uint64_t old, uint64_t value, bool flushes) {
  float a = llvm::bit_cast<float>(uint32_t(old));
  float b = llvm::bit_cast<float>(uint32_t(value));
  float sum = flushes ? flushed(flushed(a) + flushed(b)) : a + b;
  return llvm::bit_cast<uint32_t>(sum);
}

/// `immediate` is the address space, `width` the bits.
template <LLVM::AtomicBinOp operation>
static Step change(Thread &thread, const Instruction &at) {
  uint64_t pointer = thread[at.a], value = thread[at.b], old = 0;
  bool shared = at.immediate == 3 || at.immediate == 7 ||
                (at.immediate == 0 && isInSharedWindow(pointer));
  auto update = [&](uint64_t before) -> uint64_t {
    int64_t x = llvm::SignExtend64(before, at.width);
    int64_t y = llvm::SignExtend64(value, at.width);
    switch (operation) {
    case LLVM::AtomicBinOp::add:
      return before + value;
    case LLVM::AtomicBinOp::_and:
      return before & value;
    case LLVM::AtomicBinOp::_or:
      return before | value;
    case LLVM::AtomicBinOp::_xor:
      return before ^ value;
    case LLVM::AtomicBinOp::max:
      return x > y ? before : value;
    case LLVM::AtomicBinOp::min:
      return x < y ? before : value;
    case LLVM::AtomicBinOp::umax:
      return std::max(before, value);
    case LLVM::AtomicBinOp::umin:
      return std::min(before, value);
    case LLVM::AtomicBinOp::fadd:
      return addFloats(before, value, !shared);
    default:
      return value; // xchg
    }
  };
  Machine &machine = *thread.machine;
  machine.traffic.note(thread.warp(), thread.lane(), at, shared, true, pointer,
                       at.width / 8);
  Step step = machine.change(thread, at, at.immediate, pointer, at.width / 8,
                             old, update);
  thread[at.result] = old;
  return step;
}

static Handler handlerOf(LLVM::AtomicBinOp operation) {
  switch (operation) {
  case LLVM::AtomicBinOp::add:
    return change<LLVM::AtomicBinOp::add>;
  case LLVM::AtomicBinOp::_and:
    return change<LLVM::AtomicBinOp::_and>;
  case LLVM::AtomicBinOp::_or:
    return change<LLVM::AtomicBinOp::_or>;
  case LLVM::AtomicBinOp::_xor:
    return change<LLVM::AtomicBinOp::_xor>;
  case LLVM::AtomicBinOp::max:
    return change<LLVM::AtomicBinOp::max>;
  case LLVM::AtomicBinOp::min:
    return change<LLVM::AtomicBinOp::min>;
  case LLVM::AtomicBinOp::umax:
    return change<LLVM::AtomicBinOp::umax>;
  case LLVM::AtomicBinOp::umin:
    return change<LLVM::AtomicBinOp::umin>;
  case LLVM::AtomicBinOp::fadd:
    return change<LLVM::AtomicBinOp::fadd>;
  case LLVM::AtomicBinOp::xchg:
    return change<LLVM::AtomicBinOp::xchg>;
  default:
    return nullptr;
  }
}

static llvm::Error decodeAtomic(Decoder &decoder, Operation *op) {
  auto atomic = cast<LLVM::AtomicRMWOp>(op);
  Type type = op->getResult(0).getType();
  Handler handler = handlerOf(atomic.getBinOp());
  bool isFloat = atomic.getBinOp() == LLVM::AtomicBinOp::fadd;
  if (!handler ||
      (isFloat ? !type.isF32() : !type.isInteger(32) && !type.isInteger(64)))
    return refuse(op, "the emulator has no such atomic operation");
  if (atomic.getOrdering() != LLVM::AtomicOrdering::monotonic)
    return refuse(op, "atomics run relaxed only (`monotonic`)");
  auto scope = atomic.getSyncscope();
  if (scope && !scope->empty() && *scope != "device")
    return refuse(op, "atomics run in the scope of the device or the system");
  unsigned space = spaceOf(atomic.getPtr().getType());
  if (space != 0 && space != 1 && space != 3 && space != 7)
    return refuse(op, "the emulator has no atomics in this address space");
  Instruction &instruction = decoder.emit(op, handler);
  instruction.immediate = space;
  instruction.alignment = instruction.width / 8;
  return llvm::Error::success();
}

void addAtomics(Table &table) { table["llvm.atomicrmw"] = decodeAtomic; }

} // namespace trowel::emulator
