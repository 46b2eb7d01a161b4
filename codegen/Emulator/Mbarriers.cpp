// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers in shared memory (PTX ISA 9.7.13, `mbarrier`). To use one reads its
// memory, to make or end one writes it: so everybody has to learn that it is
// there first.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

constexpr uint32_t objectBytes = 8;
constexpr uint64_t mostArrivals = (1 << 20) - 1;

/// Touches the object's memory. `immediate`: the address space.
static Step touch(Thread &thread, const Instruction &at, bool writes) {
  uint64_t pointer = thread[at.a], contents = 0;
  if (at.immediate == 0 && !isInSharedWindow(pointer))
    return thread.fail(at, Problem::Address,
                       "the address is not one of shared memory");
  Machine &machine = *thread.machine;
  return writes ? machine.store(thread, at, at.immediate, pointer, &contents,
                                objectBytes)
                : machine.load(thread, at, at.immediate, pointer, &contents,
                               objectBytes);
}

static uint64_t key(Thread &thread, const Instruction &at) {
  return thread[at.a] & ~address::sharedWindow;
}

/// The barrier at the address; null: the launch has failed.
static Mbarrier *find(Thread &thread, const Instruction &at) {
  auto found = thread.cta->mbarriers.find(key(thread, at));
  if (found == thread.cta->mbarriers.end()) {
    thread.fail(at, Problem::Barrier, "no mbarrier is there");
    return nullptr;
  }
  return touch(thread, at, false) == Step::Next ? &found->second : nullptr;
}

static Step init(Thread &thread, const Instruction &at) {
  uint64_t count = thread[at.b];
  if (count < 1 || count > mostArrivals)
    return thread.fail(at, Problem::Barrier,
                       "an mbarrier does not count to " + llvm::Twine(count));
  if (thread.cta->mbarriers.count(key(thread, at)))
    return thread.fail(at, Problem::Barrier, "an mbarrier is there already");
  Mbarrier barrier;
  barrier.expected = barrier.pending = count;
  thread.cta->mbarriers[key(thread, at)] = barrier;
  return touch(thread, at, true);
}

static Step inval(Thread &thread, const Instruction &at) {
  if (!find(thread, at))
    return Step::Failed;
  thread.cta->mbarriers.erase(key(thread, at));
  return touch(thread, at, true);
}

static bool isComplete(const Mbarrier &barrier, uint64_t parity) {
  return barrier.phase % 2 != parity;
}

/// The phase ends: who waits for it knows what all knew that arrived.
static void endPhase(Mbarrier &barrier) {
  ++barrier.phase;
  barrier.pending = barrier.expected;
  barrier.completed.join(barrier.arrived);
  barrier.arrived = Knowledge();
  std::vector<std::pair<Thread *, uint64_t>> still;
  for (auto [waiter, parity] : barrier.waiting)
    if (isComplete(barrier, parity)) {
      waiter->known.join(barrier.completed);
      waiter->machine->wake(*waiter);
    } else {
      still.push_back({waiter, parity});
    }
  barrier.waiting = std::move(still);
}

static Step arrive(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = find(thread, at);
  if (!barrier)
    return Step::Failed;
  uint64_t count = thread[at.b];
  if (count < 1 || count > barrier->pending)
    return thread.fail(at, Problem::Barrier,
                       "arrives " + llvm::Twine(count) + " times where " +
                           llvm::Twine(barrier->pending) + " are missing");
  barrier->arrived.join(thread.known);
  thread.advance();
  barrier->pending -= count;
  if (barrier->pending == 0)
    endPhase(*barrier);
  return Step::Next;
}

static Step wait(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = find(thread, at);
  if (!barrier)
    return Step::Failed;
  uint64_t parity = thread[at.b];
  if (parity > 1)
    return thread.fail(at, Problem::Barrier, "a parity is 0 or 1");
  if (!isComplete(*barrier, parity)) {
    barrier->waiting.push_back({&thread, parity});
    return Step::Sleep;
  }
  thread.known.join(barrier->completed);
  return Step::Next;
}

static llvm::Expected<Instruction *> emitUse(Decoder &decoder, Operation *op,
                                             Handler run) {
  unsigned space = spaceOf(op->getOperand(0).getType());
  if (space != 0 && space != 3)
    return refuse(op, "only barriers of the own CTA run");
  Instruction &instruction = decoder.emit(op, run);
  instruction.immediate = space;
  instruction.alignment = objectBytes;
  return &instruction;
}

template <Handler run>
static llvm::Error decodeUse(Decoder &decoder, Operation *op) {
  return emitUse(decoder, op, run).takeError();
}

static llvm::Error decodeInit(Decoder &decoder, Operation *op) {
  if (cast<NVVM::MBarrierInitOp>(op).getPredicate())
    return refuse(op, "it does not run with a predicate");
  return decodeUse<init>(decoder, op);
}

static llvm::Error decodeArrive(Decoder &decoder, Operation *op) {
  auto arrival = cast<NVVM::MBarrierArriveOp>(op);
  if (arrival.getRelaxed() || !op->use_empty())
    return refuse(op, "it runs with release, and without a token");
  auto instruction = emitUse(decoder, op, arrive);
  if (!instruction)
    return instruction.takeError();
  if (!arrival.getCount())
    (*instruction)->b = decoder.constant(1);
  return llvm::Error::success();
}

void addMbarriers(Table &table) {
  table["nvvm.mbarrier.init"] = decodeInit;
  table["nvvm.mbarrier.inval"] = decodeUse<inval>;
  table["nvvm.mbarrier.arrive"] = decodeArrive;
  table["nvvm.mbarrier.try_wait.parity"] = decodeUse<wait>;
}

} // namespace trowel::emulator
