// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies that a thread starts and waits for later (PTX ISA 9.7.9, `cp.async`,
// `cp.async.commit_group`, `cp.async.wait_group`). Until then nobody may touch
// what a copy writes, or change what it reads: so it makes no difference when
// the bytes really move. The copies of a thread are a party of their own, of
// which the thread learns when it waits.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

constexpr uint32_t mostBytes = 16;

/// `a`: where to, `b`: where from, `c`: how many bytes are read, the others of
/// the `immediate` ones are zeros.
static Step copy(Thread &thread, const Instruction &at) {
  Machine &machine = *thread.machine;
  uint64_t to = thread[at.a], from = thread[at.b], read = thread[at.c];
  uint32_t written = at.immediate;
  if (read > written)
    return thread.fail(at, Problem::Value,
                       "reads " + llvm::Twine(read) + " bytes for a copy of " +
                           llvm::Twine(written));
  uint8_t bytes[mostBytes] = {};
  Party party{machine.copiesOf(thread), ++thread.copies, thread.known};
  if (read)
    if (Step step = machine.load(thread, at, 1, from, bytes, read, party);
        step != Step::Next)
      return step;
  machine.traffic.note(thread.warp(), thread.lane(), at, true, true, to,
                       written);
  machine.traffic.note(thread.warp(), thread.lane(), at, false, false, from,
                       read);
  return machine.store(thread, at, 3, to, bytes, written, party);
}

static llvm::Error decodeCopy(Decoder &decoder, Operation *op) {
  auto async = cast<NVVM::CpAsyncOp>(op);
  Instruction &instruction = decoder.emit(op, copy);
  instruction.immediate = async.getSize();
  instruction.alignment = async.getSize();
  if (!async.getCpSize())
    instruction.c = decoder.constant(async.getSize());
  return llvm::Error::success();
}

static Step commit(Thread &thread, const Instruction &) {
  thread.groups.push_back(thread.copies);
  return Step::Next;
}

/// All but the last `immediate` groups are complete behind it.
static Step wait(Thread &thread, const Instruction &at) {
  while (thread.groups.size() > uint64_t(at.immediate)) {
    thread.known.seen.raise(thread.machine->copiesOf(thread),
                            thread.groups.front());
    thread.groups.pop_front();
  }
  return Step::Next;
}

static llvm::Error decodeCommit(Decoder &decoder, Operation *op) {
  decoder.emit(op, commit);
  return llvm::Error::success();
}

static llvm::Error decodeWait(Decoder &decoder, Operation *op) {
  decoder.emit(op, wait).immediate = cast<NVVM::CpAsyncWaitGroupOp>(op).getN();
  return llvm::Error::success();
}

void addAsyncCopies(Table &table) {
  table["nvvm.cp.async.shared.global"] = decodeCopy;
  table["nvvm.cp.async.commit.group"] = decodeCommit;
  table["nvvm.cp.async.wait.group"] = decodeWait;
}

} // namespace trowel::emulator
