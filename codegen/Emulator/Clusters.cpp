// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Clusters of CTAs (PTX ISA 9.7.13, `barrier.cluster`, and 9.7.9, `mapa`). The
// shared memory of another CTA is there from its start to its end: who accesses
// it has to know of the one, and the CTA of the access before the other.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

/// The last arrival ends a phase: who waits knows what all knew that arrived.
static void endPhase(ClusterBarrier &barrier) {
  barrier.count = 0;
  ++barrier.phase;
  barrier.completed.join(barrier.arrived);
  for (Thread *waiter : barrier.waiting) {
    waiter->known.join(barrier.completed);
    waiter->machine->wake(*waiter);
  }
  barrier.waiting.clear();
}

template <bool releases>
static Step arrive(Thread &thread, const Instruction &at) {
  ClusterBarrier &barrier = thread.machine->clusterBarrier;
  if (thread.clusterArrivals > thread.clusterWaits)
    return thread.fail(at, Problem::Barrier,
                       "arrives twice without a wait in between");
  ++thread.clusterArrivals;
  if (releases) {
    barrier.arrived.join(thread.known);
    thread.advance();
  }
  if (++barrier.count == thread.machine->threads.size())
    endPhase(barrier);
  return Step::Next;
}

static Step wait(Thread &thread, const Instruction &at) {
  ClusterBarrier &barrier = thread.machine->clusterBarrier;
  if (thread.clusterArrivals == thread.clusterWaits)
    return thread.fail(at, Problem::Barrier, "waits without having arrived");
  ++thread.clusterWaits;
  if (barrier.phase < thread.clusterWaits) {
    barrier.waiting.push_back(&thread);
    return Step::Sleep;
  }
  thread.known.join(barrier.completed);
  return Step::Next;
}

/// The address of the same place in the shared memory of the CTA of a rank.
static Step mapToCta(Thread &thread, const Instruction &at) {
  uint64_t pointer = thread[at.a], rank = uint32_t(thread[at.b]);
  if (rank >= thread.machine->ctas.size())
    return thread.fail(at, Problem::Value,
                       "the cluster has no CTA of rank " + llvm::Twine(rank));
  thread[at.result] =
      (pointer & address::sharedWindow) | address::inCta(rank, pointer);
  return Step::Next;
}

/// The aligned forms are those of whole warps.
template <Handler run>
static Step inWarp(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    // A lane that sleeps is woken when the barrier completes.
    Step outcome = Step::Next;
    for (Thread *lane : lanes)
      if (Step step = run(*lane, at); step != Step::Next)
        outcome = step;
    return outcome;
  };
  return thread.machine->meet(thread, at, ~0u, together);
}

template <typename Op, Handler run>
static llvm::Error decode(Decoder &decoder, Operation *op) {
  bool aligned = cast<Op>(op).getAligned().value_or(false);
  decoder.emit(op, aligned ? inWarp<run> : run);
  return llvm::Error::success();
}

static llvm::Error decodeMap(Decoder &decoder, Operation *op) {
  decoder.emit(op, mapToCta);
  return llvm::Error::success();
}

void addClusters(Table &table) {
  table["nvvm.cluster.arrive"] = decode<NVVM::ClusterArriveOp, arrive<true>>;
  table["nvvm.cluster.arrive.relaxed"] =
      decode<NVVM::ClusterArriveRelaxedOp, arrive<false>>;
  table["nvvm.cluster.wait"] = decode<NVVM::ClusterWaitOp, wait>;
  table["nvvm.mapa"] = decodeMap;
}

} // namespace trowel::emulator
