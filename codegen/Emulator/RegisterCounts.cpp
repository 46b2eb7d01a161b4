// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers that warpgroups give back and take (PTX ISA 9.7.19, `setmaxnreg`):
// those of a CTA are as many as at its start, and who wants more waits.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

static bool serve(RegisterPool &pool, const RegisterPool::Request &request) {
  uint32_t &held = pool.held[request.group];
  if (pool.free + held < request.count)
    return false;
  pool.free -= request.count - held;
  held = request.count;
  return true;
}

/// Who has waited longest gets what it wants first.
static void serveAll(Machine &machine, RegisterPool &pool) {
  while (!pool.waiting.empty() && serve(pool, pool.waiting.front())) {
    for (Thread &thread : pool.waiting.front().threads)
      machine.wake(thread);
    pool.waiting.pop_front();
  }
}

/// `immediate`: registers of a thread.
template <bool takes> static Step set(Thread &thread, const Instruction &at) {
  auto together = [&](llvm::MutableArrayRef<Thread> threads) {
    RegisterPool &pool = thread.cta->registers;
    uint32_t group = thread.index / groupSize, count = at.immediate;
    uint32_t &held = pool.held[group];
    if (takes ? count < held : count > held)
      return thread.fail(
          at, Problem::Registers,
          "has " + llvm::Twine(held) + " registers a thread, and cannot go " +
              (takes ? "up" : "down") + " to " + llvm::Twine(count));
    if (takes) {
      pool.waiting.push_back({group, count, threads});
      if (pool.waiting.size() > 1 || !serve(pool, pool.waiting.front()))
        return Step::Sleep;
      pool.waiting.pop_front();
      return Step::Next;
    }
    pool.free += held - count;
    held = count;
    serveAll(*thread.machine, pool);
    return Step::Next;
  };
  return thread.machine->meetInGroup(thread, at, together);
}

static llvm::Error decodeSetMax(Decoder &decoder, Operation *op) {
  auto request = cast<NVVM::SetMaxRegisterOp>(op);
  bool takes = request.getAction() == NVVM::SetMaxRegisterAction::increase;
  decoder.emit(op, takes ? set<true> : set<false>).immediate =
      request.getRegCount();
  return llvm::Error::success();
}

void addRegisterCounts(Table &table) {
  table["nvvm.setmaxregister"] = decodeSetMax;
}

} // namespace trowel::emulator
