// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers in shared memory (PTX ISA 9.7.13, `mbarrier`). To use one reads its
// memory, to make or end one writes it: so everybody has to learn that it is
// there first.
#include "codegen/Emulator/Mbarriers.h"

#include "codegen/Emulator/Decoder.h"

using namespace mlir;

namespace trowel::emulator {

constexpr uint32_t objectBytes = 8;
constexpr int64_t mostArrivals = (1 << 20) - 1, mostBytes = (1 << 20) - 1;

namespace {

/// `immediate` is the address space of the object.
struct Use : Details {
  Slot count = 0; // arrivals
  std::optional<Slot> bytes;
  std::optional<Slot> predicate;
  std::optional<Slot> token;
};

} // namespace

/// Touches the object's memory.
static Step touch(Thread &thread, const Instruction &at, unsigned space,
                  uint64_t pointer, bool writes, const Party &party) {
  if (space == 0 && !isInSharedWindow(pointer))
    return thread.fail(at, Problem::Address,
                       "the address is not one of shared memory");
  if (pointer % objectBytes)
    return thread.fail(at, Problem::Address,
                       "the address of an mbarrier is not a multiple of 8");
  uint64_t contents = 0;
  Machine &machine = *thread.machine;
  return writes ? machine.store(thread, at, space, pointer, &contents,
                                objectBytes, party)
                : machine.load(thread, at, space, pointer, &contents,
                               objectBytes, party);
}

static Mbarrier *lookUp(Thread &thread, const Instruction &at, unsigned space,
                        uint64_t pointer) {
  Cta *cta = thread.machine->ownerOf(thread, space, pointer);
  auto &known = cta ? cta->mbarriers : thread.cta->mbarriers;
  auto found = known.find(address::withinCta(pointer));
  if (!cta || found == known.end()) {
    thread.fail(at, Problem::Barrier, "no mbarrier is there");
    return nullptr;
  }
  return &found->second;
}

/// The barrier that the operation names.
static Mbarrier *find(Thread &thread, const Instruction &at) {
  unsigned space = at.immediate;
  uint64_t pointer = thread[at.a];
  Mbarrier *barrier = lookUp(thread, at, space, pointer);
  if (!barrier)
    return nullptr;
  Step step = touch(thread, at, space, pointer, false, thread.party());
  return step == Step::Next ? barrier : nullptr;
}

Mbarrier *findForCopy(Thread &thread, const Instruction &at, unsigned space,
                      uint64_t pointer, const Party &party) {
  Mbarrier *barrier = lookUp(thread, at, space, pointer);
  if (!barrier)
    return nullptr;
  if (!barrier->isAnnounced) {
    Step step = touch(thread, at, space, pointer, false, party);
    return step == Step::Next ? barrier : nullptr;
  }
  if (party.known.seen[barrier->maker] >= barrier->madeAt)
    return barrier;
  thread.fail(at, Problem::Race,
              "race: nothing tells the thread that the mbarrier is there");
  return nullptr;
}

static bool isSkipped(Thread &thread, const Instruction &at) {
  const std::optional<Slot> &predicate = at.as<Use>().predicate;
  return predicate && !thread[*predicate];
}

static Step init(Thread &thread, const Instruction &at) {
  if (isSkipped(thread, at))
    return Step::Next;
  uint64_t count = thread[at.b], pointer = thread[at.a];
  if (count < 1 || count > mostArrivals)
    return thread.fail(at, Problem::Barrier,
                       "an mbarrier does not count to " + llvm::Twine(count));
  auto &known = thread.cta->mbarriers;
  if (known.count(address::withinCta(pointer)))
    return thread.fail(at, Problem::Barrier, "an mbarrier is there already");
  Mbarrier barrier;
  barrier.expected = barrier.pending = count;
  barrier.maker = thread.number;
  barrier.madeAt = thread.tick();
  Step step = touch(thread, at, at.immediate, pointer, true, thread.party());
  known[address::withinCta(pointer)] = barrier;
  return step;
}

static Step inval(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = find(thread, at);
  if (!barrier)
    return Step::Failed;
  if (thread.machine->isAwaited(*barrier) || !barrier->waiting.empty())
    return thread.fail(at, Problem::Barrier,
                       "threads wait for the mbarrier, or copies will tell it "
                       "of their end");
  thread.cta->mbarriers.erase(address::withinCta(thread[at.a]));
  return touch(thread, at, at.immediate, thread[at.a], true, thread.party());
}

static bool isComplete(const Mbarrier &barrier, uint64_t parity) {
  return barrier.phase % 2 != parity;
}

/// Who waits for a phase knows, when it ends, what all knew that arrived.
static void endPhaseIfComplete(Mbarrier &barrier) {
  if (barrier.pending || barrier.bytes)
    return;
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

void completeTransaction(Mbarrier &barrier, uint64_t bytes, uint32_t party,
                         uint32_t tick) {
  barrier.arrived.seen.raise(party, tick);
  barrier.bytes -= bytes;
  endPhaseIfComplete(barrier);
}

static Step expect(Thread &thread, const Instruction &at, Mbarrier &barrier,
                   uint64_t bytes) {
  barrier.bytes += bytes;
  if (int64_t(bytes) > mostBytes || std::abs(barrier.bytes) > mostBytes)
    return thread.fail(at, Problem::Barrier,
                       "an mbarrier does not count so many bytes");
  return Step::Next;
}

static Step expectBytes(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = find(thread, at);
  return barrier ? expect(thread, at, *barrier, thread[at.b]) : Step::Failed;
}

/// Expects bytes, if it names any, then arrives.
static Step arrive(Thread &thread, const Instruction &at) {
  if (isSkipped(thread, at))
    return Step::Next;
  Mbarrier *barrier = find(thread, at);
  if (!barrier)
    return Step::Failed;
  const Use &use = at.as<Use>();
  if (use.bytes)
    if (Step step = expect(thread, at, *barrier, thread[*use.bytes]);
        step != Step::Next)
      return step;
  uint64_t count = thread[use.count];
  if (count < 1 || count > barrier->pending)
    return thread.fail(at, Problem::Barrier,
                       "arrives " + llvm::Twine(count) + " times where " +
                           llvm::Twine(barrier->pending) + " are missing");
  if (use.token)
    thread[*use.token] = barrier->phase;
  barrier->arrived.join(thread.known);
  thread.advance();
  barrier->pending -= count;
  endPhaseIfComplete(*barrier);
  return Step::Next;
}

/// A barrier that the thread may wait for.
static Mbarrier *findOwn(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = find(thread, at);
  uint64_t pointer = thread[at.a];
  if (barrier &&
      thread.machine->ownerOf(thread, at.immediate, pointer) != thread.cta) {
    thread.fail(at, Problem::Barrier, "the mbarrier is another CTA's");
    return nullptr;
  }
  return barrier;
}

static Step wait(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = findOwn(thread, at);
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

/// Whether the phase of a parity, or of a token, is complete.
template <bool byToken>
static Step test(Thread &thread, const Instruction &at) {
  Mbarrier *barrier = findOwn(thread, at);
  if (!barrier)
    return Step::Failed;
  uint64_t phase = thread[at.b];
  if (byToken ? phase > barrier->phase || phase + 1 < barrier->phase
              : phase > 1)
    return thread.fail(at, Problem::Barrier,
                       byToken ? "the token is not one of this phase or the "
                                 "one before"
                               : "a parity is 0 or 1");
  bool complete =
      byToken ? phase < barrier->phase : isComplete(*barrier, phase);
  if (complete)
    thread.known.join(barrier->completed);
  thread[at.result] = complete;
  return Step::Next;
}

/// Copies to come see the barriers that the thread has made.
static Step announce(Thread &thread, const Instruction &) {
  for (auto &[pointer, barrier] : thread.cta->mbarriers)
    if (barrier.maker == thread.number)
      barrier.isAnnounced = true;
  return Step::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static llvm::Expected<Use *> emitUse(Decoder &decoder, Operation *op,
                                     Handler run) {
  unsigned space = spaceOf(op->getOperand(0).getType());
  if (space != 0 && space != 3 && space != 7)
    return refuse(op, "an mbarrier lies in shared memory");
  Instruction &instruction = decoder.emit(op, run);
  instruction.immediate = space;
  instruction.alignment = 1;
  auto details = std::make_unique<Use>();
  Use *use = details.get();
  instruction.details = std::move(details);
  return use;
}

template <Handler run>
static llvm::Error decodeUse(Decoder &decoder, Operation *op) {
  return emitUse(decoder, op, run).takeError();
}

static llvm::Error decodeInit(Decoder &decoder, Operation *op) {
  auto use = emitUse(decoder, op, init);
  if (!use)
    return use.takeError();
  if (Value predicate = cast<NVVM::MBarrierInitOp>(op).getPredicate())
    (*use)->predicate = decoder.slot(predicate);
  return llvm::Error::success();
}

template <typename Op>
static llvm::Expected<Use *> emitArrival(Decoder &decoder, Op op) {
  if (op.getRelaxed())
    return refuse(op, "it runs with release only");
  auto use = emitUse(decoder, op, arrive);
  if (use && op->getNumResults())
    (*use)->token = decoder.slot(op->getResult(0));
  return use;
}

static llvm::Error decodeArrive(Decoder &decoder, Operation *op) {
  auto arrival = cast<NVVM::MBarrierArriveOp>(op);
  auto use = emitArrival(decoder, arrival);
  if (!use)
    return use.takeError();
  Value count = arrival.getCount();
  (*use)->count = count ? decoder.slot(count) : decoder.constant(1);
  return llvm::Error::success();
}

static llvm::Error decodeArriveExpect(Decoder &decoder, Operation *op) {
  auto arrival = cast<NVVM::MBarrierArriveExpectTxOp>(op);
  auto use = emitArrival(decoder, arrival);
  if (!use)
    return use.takeError();
  (*use)->count = decoder.constant(1);
  (*use)->bytes = decoder.slot(arrival.getTxcount());
  if (Value predicate = arrival.getPredicate())
    (*use)->predicate = decoder.slot(predicate);
  return llvm::Error::success();
}

template <typename Op>
static llvm::Error decodeTest(Decoder &decoder, Operation *op) {
  if (cast<Op>(op).getRelaxed())
    return refuse(op, "it runs with acquire only");
  bool byToken = bitsOf(op->getOperand(1).getType()) == 64;
  return emitUse(decoder, op, byToken ? test<true> : test<false>).takeError();
}

static llvm::Error decodeAnnounce(Decoder &decoder, Operation *op) {
  decoder.emit(op, announce);
  return llvm::Error::success();
}

void addMbarriers(Table &table) {
  table["nvvm.mbarrier.init"] = decodeInit;
  table["nvvm.mbarrier.inval"] = decodeUse<inval>;
  table["nvvm.mbarrier.expect_tx"] = decodeUse<expectBytes>;
  table["nvvm.mbarrier.arrive"] = decodeArrive;
  table["nvvm.mbarrier.arrive.expect_tx"] = decodeArriveExpect;
  table["nvvm.mbarrier.try_wait.parity"] = decodeUse<wait>;
  table["nvvm.mbarrier.try_wait"] = decodeTest<NVVM::MBarrierTryWaitOp>;
  table["nvvm.mbarrier.test.wait"] = decodeTest<NVVM::MBarrierTestWaitOp>;
  table["nvvm.fence.mbarrier.init"] = decodeAnnounce;
}

} // namespace trowel::emulator
