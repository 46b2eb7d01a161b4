// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lanes of a warp do together: shuffles (PTX ISA 9.7.9, `shfl.sync`),
// votes, elections and the barrier of a warp (PTX ISA 9.7.13, `vote.sync`,
// `elect.sync`, `bar.warp.sync`). Of these only the barrier orders memory.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

/// The lane that `lane` reads, and whether it lies in range. `clamp` packs the
/// bits that split the warp into segments and the last lane of a segment.
static std::pair<uint32_t, bool> source(NVVM::ShflKind kind, uint32_t lane,
                                        uint32_t offset, uint32_t clamp) {
  uint32_t b = offset & 31, c = clamp & 31, segment = clamp >> 8 & 31;
  int last = (lane & segment) | (c & ~segment);
  int first = lane & segment;
  int from = kind == NVVM::ShflKind::up     ? int(lane) - int(b)
             : kind == NVVM::ShflKind::down ? int(lane + b)
             : kind == NVVM::ShflKind::bfly ? int(lane ^ b)
                                            : int(first | (b & ~segment));
  bool valid = kind == NVVM::ShflKind::up ? from >= last : from <= last;
  return {valid ? from : lane, valid};
}

/// `a` is the member mask, `b` the value; `immediate` the kind.
namespace {
struct Shuffle : Details {
  Slot offset, clamp;
  bool tellsValid;
};
} // namespace

static Step shuffle(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    const Shuffle &shuffle = at.as<Shuffle>();
    std::array<uint64_t, warpSize> values{};
    for (Thread *lane : lanes)
      if (lane)
        values[lane->lane()] = (*lane)[at.b];
    for (Thread *lane : lanes) {
      if (!lane)
        continue;
      auto [from, valid] =
          source(static_cast<NVVM::ShflKind>(at.immediate), lane->lane(),
                 (*lane)[shuffle.offset], (*lane)[shuffle.clamp]);
      if (!lanes[from])
        return lane->fail(at, Problem::Divergence,
                          "takes the value of lane " + llvm::Twine(from) +
                              ", which is not in the member mask");
      (*lane)[at.result] = values[from];
      if (shuffle.tellsValid)
        (*lane)[at.result + 1] = valid;
    }
    return Step::Next;
  };
  return thread.machine->meet(thread, at, thread[at.a], together);
}

static llvm::Error decodeShuffle(Decoder &decoder, Operation *op) {
  auto shuffled = cast<NVVM::ShflOp>(op);
  auto details = std::make_unique<Shuffle>();
  details->offset = decoder.slot(shuffled.getOffset());
  details->clamp = decoder.slot(shuffled.getMaskAndClamp());
  details->tellsValid = shuffled.getReturnValueAndIsValid().value_or(false);
  Instruction &instruction = decoder.emit(op, shuffle);
  instruction.immediate = static_cast<int64_t>(shuffled.getKind());
  instruction.details = std::move(details);
  return llvm::Error::success();
}

static Step vote(Thread &thread, const Instruction &at) {
  uint32_t members = thread[at.a];
  auto together = [&](const Lanes &lanes) {
    uint32_t ballot = 0;
    for (Thread *lane : lanes)
      if (lane && (*lane)[at.b])
        ballot |= 1u << lane->lane();
    uint32_t result = ballot;
    switch (static_cast<NVVM::VoteSyncKind>(at.immediate)) {
    case NVVM::VoteSyncKind::any:
      result = ballot != 0;
      break;
    case NVVM::VoteSyncKind::all:
      result = ballot == members;
      break;
    case NVVM::VoteSyncKind::uni:
      result = ballot == 0 || ballot == members;
      break;
    case NVVM::VoteSyncKind::ballot:
      break;
    }
    for (Thread *lane : lanes)
      if (lane)
        (*lane)[at.result] = result;
    return Step::Next;
  };
  return thread.machine->meet(thread, at, members, together);
}

static llvm::Error decodeVote(Decoder &decoder, Operation *op) {
  decoder.emit(op, vote).immediate =
      static_cast<int64_t>(cast<NVVM::VoteSyncOp>(op).getKind());
  return llvm::Error::success();
}

/// The device elects always the same lane, but does not say which: the lowest
/// here.
static Step elect(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    bool elected = true;
    for (Thread *lane : lanes)
      if (lane) {
        (*lane)[at.result] = elected;
        elected = false;
      }
    return Step::Next;
  };
  return thread.machine->meet(thread, at, thread[at.a], together);
}

static llvm::Error decodeElect(Decoder &decoder, Operation *op) {
  Instruction &instruction = decoder.emit(op, elect);
  if (op->getNumOperands() == 0)
    instruction.a = decoder.constant(0xffffffff);
  return llvm::Error::success();
}

static Step syncWarp(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    Knowledge all;
    for (Thread *lane : lanes)
      if (lane)
        all.join(lane->known);
    for (Thread *lane : lanes)
      if (lane) {
        lane->known.join(all);
        lane->advance();
      }
    return Step::Next;
  };
  return thread.machine->meet(thread, at, thread[at.a], together);
}

static llvm::Error decodeSyncWarp(Decoder &decoder, Operation *op) {
  decoder.emit(op, syncWarp);
  return llvm::Error::success();
}

void addWarpOperations(Table &table) {
  table["nvvm.shfl.sync"] = decodeShuffle;
  table["nvvm.vote.sync"] = decodeVote;
  table["nvvm.elect.sync"] = decodeElect;
  table["nvvm.bar.warp.sync"] = decodeSyncWarp;
}

} // namespace trowel::emulator
