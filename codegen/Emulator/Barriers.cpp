// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sixteen barriers of a CTA (PTX ISA 9.7.13, `barrier`), in their aligned
// forms: the lanes of a warp come together, then the warp arrives.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

namespace {

struct Barrier : Details {
  Slot number;
  std::optional<Slot> threads; // all of the CTA without it
  bool waits;
  std::optional<NVVM::BarrierReduction> reduction; // of `predicate`
  Slot predicate = 0;
};

} // namespace

static Step misused(Thread &thread, const Instruction &at,
                    const llvm::Twine &text) {
  return thread.fail(at, Problem::Barrier, text);
}

/// Nothing if the warp may arrive.
static std::optional<Step> check(Thread &thread, const Instruction &at,
                                 const NamedBarrier &barrier,
                                 uint32_t expected) {
  if (expected == 0 || expected % warpSize)
    return misused(thread, at,
                   "waits for " + llvm::Twine(expected) +
                       " threads, which are not whole warps");
  if (barrier.first && barrier.expected != expected)
    return misused(thread, at,
                   "waits for " + llvm::Twine(expected) + " threads, but " +
                       barrier.first->name() + " waits for " +
                       llvm::Twine(barrier.expected) + " at the same barrier");
  if (barrier.first &&
      barrier.first->as<Barrier>().reduction != at.as<Barrier>().reduction)
    return misused(thread, at,
                   "reduces otherwise than " + barrier.first->name() +
                       " at the same barrier");
  for (Thread *other : barrier.arrived)
    if (other->warp() == thread.warp())
      return misused(thread, at,
                     "the warp arrives twice before the barrier completes");
  return std::nullopt;
}

static uint64_t reduce(NVVM::BarrierReduction how,
                       const NamedBarrier &barrier) {
  switch (how) {
  case NVVM::BarrierReduction::POPC:
    return barrier.trues;
  case NVVM::BarrierReduction::AND:
    return barrier.trues == barrier.arrived.size();
  case NVVM::BarrierReduction::OR:
    return barrier.trues != 0;
  }
  return 0;
}

/// Who waited knows what all knew when they arrived.
static void complete(NamedBarrier &barrier, Thread &last) {
  for (auto [waiter, at] : barrier.waiting) {
    waiter->known.join(barrier.known);
    if (auto how = at->as<Barrier>().reduction)
      (*waiter)[at->result] = reduce(*how, barrier);
    if (waiter->warp() != last.warp())
      last.machine->wake(*waiter);
  }
  barrier = NamedBarrier();
}

/// The lanes of one warp arrive; `last` was the last of them.
static Step arriveAsWarp(const Lanes &lanes, Thread &last,
                         const Instruction &at) {
  const Barrier &details = at.as<Barrier>();
  uint32_t number = last[details.number];
  if (number >= namedBarriers)
    return misused(last, at,
                   "there is no barrier " + llvm::Twine(number) +
                       "; they are numbered 0 to 15");
  for (Thread *lane : lanes)
    if (lane && (*lane)[details.number] != number)
      return misused(*lane, at, "the lanes name different barriers");
  NamedBarrier &barrier = last.cta->barriers[number];
  uint32_t expected = details.threads ? last[*details.threads]
                                      : last.machine->shape.block.count();
  if (auto wrong = check(last, at, barrier, expected))
    return *wrong;
  barrier.expected = expected;
  barrier.first = &at;
  for (Thread *lane : lanes)
    if (lane) {
      barrier.arrived.push_back(lane);
      barrier.known.join(lane->known);
      lane->advance();
      if (details.reduction)
        barrier.trues += (*lane)[details.predicate] != 0;
      if (details.waits)
        barrier.waiting.push_back({lane, &at});
    }
  if (barrier.arrived.size() == expected) {
    complete(barrier, last);
    return Step::Next;
  }
  return details.waits ? Step::Sleep : Step::Next;
}

static Step arrive(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    return arriveAsWarp(lanes, thread, at);
  };
  return thread.machine->meet(thread, at, ~0u, together);
}

static Barrier &emitBarrier(Decoder &decoder, Operation *op, Value number,
                            Value threads, bool waits) {
  auto details = std::make_unique<Barrier>();
  details->number = number ? decoder.slot(number) : decoder.constant(0);
  if (threads)
    details->threads = decoder.slot(threads);
  details->waits = waits;
  Barrier &barrier = *details;
  decoder.emit(op, arrive).details = std::move(details);
  return barrier;
}

static llvm::Error decodeBarrier(Decoder &decoder, Operation *op) {
  auto barrier = cast<NVVM::BarrierOp>(op);
  Barrier &details = emitBarrier(decoder, op, barrier.getBarrierId(),
                                 barrier.getNumberOfThreads(), true);
  if (auto how = barrier.getReductionOp()) {
    details.reduction = *how;
    details.predicate = decoder.slot(barrier.getReductionPredicate());
  }
  return llvm::Error::success();
}

static llvm::Error decodeBarrier0(Decoder &decoder, Operation *op) {
  emitBarrier(decoder, op, Value(), Value(), true);
  return llvm::Error::success();
}

static llvm::Error decodeArrive(Decoder &decoder, Operation *op) {
  auto barrier = cast<NVVM::BarrierArriveOp>(op);
  emitBarrier(decoder, op, barrier.getBarrierId(), barrier.getNumberOfThreads(),
              false);
  return llvm::Error::success();
}

void addBarriers(Table &table) {
  table["nvvm.barrier0"] = decodeBarrier0;
  table["nvvm.barrier"] = decodeBarrier;
  table["nvvm.barrier.arrive"] = decodeArrive;
}

} // namespace trowel::emulator
