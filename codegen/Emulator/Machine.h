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
#include "codegen/Emulator/Traffic.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/Twine.h"

#include <array>
#include <deque>
#include <random>

namespace trowel::emulator {

constexpr uint32_t warpSize = 32;

class Machine;

/// Bytes of one allocation.
struct Place {
  Region *region;
  uint64_t offset;
  bool shared;
  bool constant = false;
};

/// A copy under way. `read` of the bytes that it writes come from `from`.
struct Copy {
  const Instruction *at;
  Place to, from;
  uint32_t written, read;
};

struct Thread {
  Machine *machine = nullptr;
  uint32_t index = 0; // in its CTA
  uint32_t pc = 0;
  bool exited = false;
  std::vector<uint64_t> frame;
  Clock clock;
  std::vector<Copy> uncommitted;
  std::deque<std::vector<Copy>> groups; // the oldest first

  uint32_t lane() const { return index % warpSize; }
  uint32_t warp() const { return index / warpSize; }
  uint32_t tick() const { return clock[index]; }
  /// Others learn what happened so far; what comes next is later.
  void advance() { clock.raise(index, tick() + 1); }

  uint64_t &operator[](Slot slot) { return frame[slot]; }
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
  Clock clock;
  const Instruction *first = nullptr;
};

/// A barrier in shared memory (PTX ISA 9.7.13, `mbarrier`).
struct Mbarrier {
  uint32_t expected = 0, pending = 0; // arrivals
  uint64_t phase = 0;
  Clock arrived, completed; // what is known by this phase, by those before
  std::vector<std::pair<Thread *, uint64_t>> waiting; // with the parity
};

constexpr uint32_t namedBarriers = 16;

/// Runs the CTAs of a launch one after the other. No CTA waits for another one,
/// and an access of one is concurrent to those of all others.
class Machine {
public:
  Machine(const Program &program, const Shape &shape, const Options &options,
          uint64_t sharedBytes, std::vector<Region> &global,
          std::vector<Region> &constants)
      : program(program), shape(shape), options(options), traffic(program),
        global(global), constants(constants), random(options.seed),
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
  void wake(Thread &thread) { runnable.push_back(&thread); }

  Step load(Thread &thread, const Instruction &at, unsigned space,
            uint64_t pointer, void *to, uint32_t bytes);
  Step store(Thread &thread, const Instruction &at, unsigned space,
             uint64_t pointer, const void *from, uint32_t bytes);

  /// Instructions that this CTA has run so far.
  uint64_t time() const { return spent; }
  uint64_t sharedSize() const { return sharedBytes; }

  /// Copies to shared memory from global memory; touched by nobody else until
  /// the thread finishes it.
  Step startCopy(Thread &thread, const Instruction &at, uint64_t to,
                 uint64_t from, uint32_t written, uint32_t read);
  Step finishCopy(Thread &thread, const Copy &copy);

  const Program &program;
  const Shape &shape;
  const Options &options;
  Dim3 cta;
  std::vector<Thread> threads;
  std::array<NamedBarrier, namedBarriers> barriers;
  std::map<uint64_t, Mbarrier> mbarriers; // by address
  Traffic traffic;

private:
  friend struct Thread;
  /// What the copies under way do to a granule.
  struct Flight {
    uint32_t writes = 0, reads = 0;
    uint32_t thread = 0; // numbered through the whole launch
    const Instruction *at = nullptr;
  };

  void startCta(const std::vector<uint64_t> &frame);
  void runCta();
  void runThread(Thread &thread, uint64_t most);
  /// Adds the lane to the meeting; true: it is the last one.
  Step arrive(Thread &thread, const Instruction &at, uint32_t mask,
              bool &complete);
  std::optional<Place> resolve(Thread &thread, const Instruction &at,
                               unsigned space, uint64_t pointer,
                               uint32_t bytes);
  bool note(Thread &thread, const Instruction &at, const Place &place,
            uint32_t bytes, Kind kind);
  /// Counts a copy where it writes and reads: `by` is 1 at its start, -1 at its
  /// end.
  void track(Thread &thread, const Copy &copy, int by);
  const Flight *underWay(const Place &place, uint32_t bytes, Kind kind) const;
  void reportDeadlock();
  std::string describe(uint32_t launchThread) const;
  std::string describe(const Place &place) const;

  std::vector<Region> &global;
  std::vector<Region> &constants;
  std::mt19937_64 random;
  std::vector<uint64_t> executions; // of each instruction
  Counters counters;
  uint64_t sharedBytes;
  uint64_t spent = 0; // instructions of this CTA
  uint32_t firstThread = 0;
  uint32_t alive = 0;
  llvm::DenseMap<std::pair<Region *, uint64_t>, Flight> flights;
  std::vector<uint8_t> sharedData, sharedWritten;
  std::unique_ptr<Region> shared;
  std::vector<Thread *> runnable;
  std::vector<std::vector<Meeting>> meetings; // by warp
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

using Lanes = std::array<Thread *, warpSize>;

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_MACHINE_H
