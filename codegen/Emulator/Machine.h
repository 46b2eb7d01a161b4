// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of a launch: threads as coroutines that stop between two
// instructions, the CTA they form, its barriers, and who runs next.
#ifndef TROWEL_CODEGEN_EMULATOR_MACHINE_H
#define TROWEL_CODEGEN_EMULATOR_MACHINE_H

#include "codegen/Emulator/Emulator.h"
#include "codegen/Emulator/Memory.h"
#include "codegen/Emulator/Program.h"
#include "codegen/Emulator/Registers.h"
#include "codegen/Emulator/Traffic.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/Twine.h"

#include <array>
#include <deque>
#include <random>

namespace trowel::emulator {

constexpr uint32_t warpSize = 32, groupSize = 128;

class Machine;

/// Bytes of one allocation.
struct Place {
  Region *region = nullptr;
  uint64_t offset = 0;
  struct Cta *cta = nullptr; // whose shared memory it is
  bool constant = false;
};

/// Who accesses memory: a thread, or something that it started.
struct Party {
  uint32_t number; // in its cluster, behind the threads if it is none
  uint32_t tick;
  const Knowledge &known;
};

/// A bulk copy out of shared memory: the parties that read and write.
struct BulkCopy {
  uint32_t reader, readerTick, writer, writerTick;
};

/// Those that a thread has started.
struct BulkCopies {
  std::vector<BulkCopy> started; // in no group yet
  std::deque<std::vector<BulkCopy>> groups;
  size_t groupsRead = 0; // the oldest ones have read their source
};

struct Thread {
  Machine *machine = nullptr;
  Cta *cta = nullptr;
  uint32_t index = 0;  // in its CTA
  uint32_t number = 0; // in its cluster
  uint32_t pc = 0;
  bool exited = false;
  std::vector<uint64_t> frame;
  std::unique_ptr<Registers> registers; // if they are tracked
  Knowledge known;
  uint32_t copies = 0;         // by `cp.async`, so far
  std::deque<uint32_t> groups; // the last copy of each, the oldest first
  BulkCopies bulk;
  uint64_t clusterArrivals = 0, clusterWaits = 0; // at the cluster's barrier

  uint32_t lane() const { return index % warpSize; }
  /// In its cluster, as CTAs have whole warps.
  uint32_t warp() const { return number / warpSize; }
  uint32_t tick() const { return known.seen[number]; }
  /// Others learn what happened so far; what comes next is later.
  void advance() { known.seen.raise(number, tick() + 1); }
  Party party() const { return {number, tick(), known}; }

  uint64_t &operator[](Slot slot) { return frame[slot]; }
  /// Gives a value other slots; false: the launch has failed.
  bool move(const Instruction &at, Slot from, Slot to, uint32_t count) {
    if (registers && !rename(at, from, to, count))
      return false;
    if (from != to)
      std::copy_n(&frame[from], count, &frame[to]);
    return true;
  }
  bool rename(const Instruction &at, Slot from, Slot to, uint32_t count);
  Step fail(const Instruction &at, Problem problem, const llvm::Twine &text);
};

/// Some lanes of a warp that wait for the others at one instruction.
struct Meeting {
  const Instruction *at = nullptr;
  uint32_t mask = 0;    // who must come
  uint32_t arrived = 0; // who has
};

/// A barrier of a CTA (PTX ISA 9.7.13, `barrier`).
struct NamedBarrier {
  uint32_t expected = 0;
  std::vector<Thread *> arrived;
  std::vector<std::pair<Thread *, const Instruction *>> waiting;
  uint32_t trues = 0; // whose predicate holds, where it reduces
  Knowledge known;
  const Instruction *first = nullptr;
};

/// A barrier in shared memory (PTX ISA 9.7.13, `mbarrier`).
struct Mbarrier {
  uint32_t expected = 0, pending = 0; // arrivals
  int64_t bytes = 0;                  // that copies have still to bring
  uint64_t phase = 0;
  uint32_t maker = 0, madeAt = 0; // thread, tick
  /// Copies see that it is there (`fence.mbarrier_init`).
  bool isAnnounced = false;
  Knowledge arrived, completed; // what is known by this phase, by those before
  std::vector<std::pair<Thread *, uint64_t>> waiting; // with the parity
};

constexpr uint32_t namedBarriers = 16;

/// The barrier of a cluster.
struct ClusterBarrier {
  uint32_t count = 0; // arrivals of this phase
  uint64_t phase = 0;
  Knowledge arrived, completed;
  std::vector<Thread *> waiting;
};

/// Registers that warpgroups exchange, counted by thread.
struct RegisterPool {
  uint32_t free = 0;
  std::vector<uint32_t> held; // by warpgroup
  struct Request {
    uint32_t group, count;
    llvm::MutableArrayRef<Thread> threads;
  };
  std::deque<Request> waiting;
};

/// What the threads of a CTA share.
struct Cta {
  uint32_t rank = 0; // in the cluster
  Dim3 position;     // in the grid
  std::vector<uint8_t> bytes, written;
  std::unique_ptr<Region> shared;
  std::array<NamedBarrier, namedBarriers> barriers;
  std::map<uint64_t, Mbarrier> mbarriers; // by address
  RegisterPool registers;
  /// The last accesses of each party from other CTAs.
  struct Visit {
    uint32_t tick;
    const Instruction *at;
    Thread *thread;
  };
  llvm::DenseMap<uint32_t, Visit> visits;
};

/// Parties of a cluster that use the asynchronous proxy, at most.
constexpr uint32_t asyncParties = 4096;

inline uint32_t partiesOf(const Shape &shape) {
  return 2 * shape.block.count() * shape.cluster.count() + asyncParties;
}

/// Runs the clusters of a launch one after the other. No cluster waits for
/// another one, and an access of one is concurrent to those of all others.
class Machine {
public:
  struct Map {
    TensorMap map;
    uint64_t buffer; // address
  };
  Machine(const Program &program, const Shape &shape, const Options &options,
          uint64_t sharedBytes, std::vector<Region> &global,
          std::vector<Region> &constants, const std::vector<Map> &maps)
      : program(program), shape(shape), options(options), traffic(program),
        global(global), constants(constants), maps(maps), random(options.seed),
        executions(program.code.size(), 0), sharedBytes(sharedBytes) {}

  /// `frame`: the first contents of each thread's slots.
  llvm::Error run(const std::vector<uint64_t> &frame);
  Counters count() const;

  // For the families.

  /// Waits for the lanes of `mask` to come to the same instruction; the last
  /// of them runs `together`, with all lanes of the warp, absent ones null.
  /// What it returns holds for all of them.
  template <typename F>
  Step meet(Thread &thread, const Instruction &at, uint32_t mask, F together);
  /// Waits for the 128 threads of a warpgroup; the last one runs `together`
  /// with all of them.
  template <typename F>
  Step meetInGroup(Thread &thread, const Instruction &at, F together);
  void wake(Thread &thread) { runnable.push_back(&thread); }

  Step load(Thread &thread, const Instruction &at, unsigned space,
            uint64_t pointer, void *to, uint32_t bytes) {
    return load(thread, at, space, pointer, to, bytes, thread.party());
  }
  Step store(Thread &thread, const Instruction &at, unsigned space,
             uint64_t pointer, const void *from, uint32_t bytes) {
    return store(thread, at, space, pointer, from, bytes, thread.party());
  }
  /// The same for a party that `thread` has started.
  Step load(Thread &thread, const Instruction &at, unsigned space,
            uint64_t pointer, void *to, uint32_t bytes, const Party &party);
  Step store(Thread &thread, const Instruction &at, unsigned space,
             uint64_t pointer, const void *from, uint32_t bytes,
             const Party &party);

  /// The CTA whose shared memory the pointer is to; null: there is none.
  Cta *ownerOf(Thread &thread, unsigned space, uint64_t pointer);
  /// The tensor map at an address; null: there is none.
  const Map *tensorMap(uint64_t pointer) const;

  /// A new party for an operation of the asynchronous proxy.
  Party asyncParty(Thread &thread, const Instruction &at);
  /// What a copy tells an mbarrier, at a time that the seed picks.
  struct Completion {
    Mbarrier *barrier;
    uint64_t bytes;
    uint32_t party, tick;
  };
  void completeLater(const Completion &completion);
  bool isAwaited(const Mbarrier &barrier) const;

  /// Replaces `old`, which is told, by what `update` makes of it, at once.
  Step change(Thread &thread, const Instruction &at, unsigned space,
              uint64_t pointer, uint32_t bytes, uint64_t &old,
              llvm::function_ref<uint64_t(uint64_t)> update);

  /// Instructions that this cluster has run so far.
  uint64_t time() const { return spent; }
  uint64_t sharedSize() const { return sharedBytes; }

  // The parties of a cluster: its threads, then the copies of each thread by
  // `cp.async`, then those that use the asynchronous proxy: the products of
  // each warpgroup.
  uint32_t copiesOf(const Thread &thread) const {
    return threads.size() + thread.number;
  }
  uint32_t firstAsync() const { return 2 * threads.size(); }
  uint32_t productsOf(const Thread &thread) const {
    return firstAsync() + thread.number / groupSize;
  }

  const Program &program;
  const Shape &shape;
  const Options &options;
  std::vector<Cta> ctas; // of the cluster
  std::vector<Thread> threads;
  ClusterBarrier clusterBarrier;
  Traffic traffic;

private:
  friend struct Thread;

  Dim3 position(uint32_t cluster, uint32_t rank) const;
  void startCluster(uint32_t number, const std::vector<uint64_t> &frame);
  void runCluster();
  template <bool tracksRegisters> void runThread(Thread &thread, uint64_t most);
  /// Adds the lane to the meeting; true: it is the last one.
  Step arrive(Thread &thread, const Instruction &at, uint32_t mask,
              bool &complete);
  Step arriveInGroup(Thread &thread, const Instruction &at, bool &complete);
  std::optional<Place> resolve(Thread &thread, const Instruction &at,
                               unsigned space, uint64_t pointer,
                               uint32_t bytes);
  bool isWritten(Thread &thread, const Instruction &at, Place place,
                 uint32_t bytes);
  bool note(Thread &thread, const Instruction &at, const Place &place,
            uint32_t bytes, Kind kind, const Party &party);
  uint32_t firstBulk() const {
    return firstAsync() + (threads.size() + groupSize - 1) / groupSize;
  }
  /// An access to the shared memory of another CTA.
  bool visit(Thread &thread, const Instruction &at, Cta &cta,
             const Party &party);
  bool isKnownIn(const Cta &cta, uint32_t party, uint32_t tick) const;
  void complete(size_t number);
  void checkThatAllWereAwaited();
  void reportDeadlock();
  /// The number of a party in the launch.
  uint32_t inLaunch(uint32_t party) const { return firstParty + party; }
  std::string describe(uint32_t partyInLaunch) const;
  std::string describe(const Place &place) const;

  std::vector<Region> &global;
  std::vector<Region> &constants;
  const std::vector<Map> &maps;
  std::mt19937_64 random;
  std::vector<uint64_t> executions; // of each instruction
  Counters counters;
  uint64_t sharedBytes;
  uint64_t spent = 0; // instructions of this cluster
  uint32_t firstParty = 0;
  uint32_t alive = 0;
  /// A party is used again by those who know that it is done.
  struct Bulk {
    uint32_t tick = 0;
    const Instruction *at = nullptr;
    Thread *thread = nullptr;
    bool mustBeAwaited = false;
  };
  std::vector<Bulk> bulk;
  std::vector<Completion> completions; // still to come
  std::vector<Thread *> runnable;
  std::vector<std::vector<Meeting>> meetings; // by warp
  std::vector<Meeting> groupMeetings;         // by warpgroup, of warps
  std::unique_ptr<Failure> failure;           // the first thing that went wrong
};

template <typename F>
Step Machine::meet(Thread &thread, const Instruction &at, uint32_t mask,
                   F together) {
  bool complete = false;
  Step step = arrive(thread, at, mask, complete);
  if (!complete)
    return step;
  std::array<Thread *, warpSize> lanes{};
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    if (mask >> lane & 1)
      lanes[lane] = &threads[thread.warp() * warpSize + lane];
  Step outcome = together(lanes);
  if (outcome == Step::Next)
    for (Thread *lane : lanes)
      if (lane && lane != &thread)
        wake(*lane);
  return outcome;
}

template <typename F>
Step Machine::meetInGroup(Thread &thread, const Instruction &at, F together) {
  return meet(thread, at, ~0u, [&](const std::array<Thread *, warpSize> &) {
    bool complete = false;
    Step step = arriveInGroup(thread, at, complete);
    if (!complete)
      return step;
    uint32_t first = thread.number / groupSize * groupSize;
    Step outcome =
        together(llvm::MutableArrayRef(threads).slice(first, groupSize));
    if (outcome == Step::Next)
      for (uint32_t number = first; number < first + groupSize; ++number)
        if (threads[number].warp() != thread.warp())
          wake(threads[number]);
    return outcome;
  });
}

using Lanes = std::array<Thread *, warpSize>;

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_MACHINE_H
