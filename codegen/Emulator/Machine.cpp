// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Emulator/Machine.h"

#include "codegen/Emulator/Mbarriers.h"

#include "llvm/Support/FormatVariadic.h"

namespace trowel::emulator {

Step Thread::fail(const Instruction &at, Problem problem,
                  const llvm::Twine &text) {
  if (machine->failure)
    return Step::Failed;
  std::string who = machine->describe(machine->inLaunch(number));
  machine->failure = std::make_unique<Failure>(
      problem,
      llvm::formatv("{0}: {1}: {2}", at.name(), who, text.str()).str());
  return Step::Failed;
}

bool Thread::rename(const Instruction &at, Slot from, Slot to, uint32_t count) {
  std::string wrong = registers->rename(from, to, count);
  if (wrong.empty())
    return true;
  fail(at, Problem::Registers, wrong);
  return false;
}

static std::string text(const Dim3 &position) {
  return llvm::formatv("({0}, {1}, {2})", position.x, position.y, position.z);
}

std::string Machine::describe(uint32_t partyInLaunch) const {
  uint32_t cluster = partyInLaunch / partiesOf(shape);
  uint32_t number = partyInLaunch % partiesOf(shape);
  if (number >= firstAsync())
    return "an asynchronous operation of cluster " + std::to_string(cluster);
  uint32_t thread = number % threads.size();
  uint32_t index = thread % shape.block.count();
  return llvm::formatv("{0}thread {1} (warp {2}, lane {3}) of CTA {4}",
                       number < threads.size() ? "" : "a copy by ", index,
                       index / warpSize, index % warpSize,
                       text(position(cluster, thread / shape.block.count())));
}

std::string Machine::describe(const Place &place) const {
  if (place.cta)
    return llvm::formatv(
        "shared memory{0}, byte {1}",
        ctas.size() > 1 ? " of CTA " + text(place.cta->position) : "",
        place.offset + address::firstShared);
  if (place.constant)
    return llvm::formatv("constant {0}, byte {1}",
                         place.region - constants.data(), place.offset);
  return llvm::formatv("buffer {0}, byte {1}", place.region - global.data(),
                       place.offset);
}

//===----------------------------------------------------------------------===//
// Who runs next
//===----------------------------------------------------------------------===//

static Dim3 unravel(uint32_t number, const Dim3 &shape) {
  return {number % shape.x, number / shape.x % shape.y,
          number / shape.x / shape.y};
}

Dim3 Machine::position(uint32_t cluster, uint32_t rank) const {
  const Dim3 &size = shape.cluster;
  Dim3 clusters{shape.grid.x / size.x, shape.grid.y / size.y,
                shape.grid.z / size.z};
  Dim3 outer = unravel(cluster, clusters), inner = unravel(rank, size);
  return {outer.x * size.x + inner.x, outer.y * size.y + inner.y,
          outer.z * size.z + inner.z};
}

void Machine::startCluster(uint32_t number,
                           const std::vector<uint64_t> &frame) {
  uint32_t perCta = shape.block.count();
  ctas.clear();
  ctas.resize(shape.cluster.count());
  for (uint32_t rank = 0; rank < ctas.size(); ++rank) {
    Cta &cta = ctas[rank];
    cta.rank = rank;
    cta.position = position(number, rank);
    cta.registers.held.assign(llvm::divideCeil(perCta, groupSize),
                              program.registersOf(perCta));
    cta.bytes.assign(sharedBytes, 0xff);
    cta.written.assign(sharedBytes, 0);
    cta.shared = std::make_unique<Region>(cta.bytes.data(), cta.written.data(),
                                          sharedBytes);
  }
  threads.clear();
  threads.resize(perCta * ctas.size());
  firstParty = number * partiesOf(shape);
  meetings.assign(threads.size() / warpSize, {});
  groupMeetings.assign(llvm::divideCeil(threads.size(), groupSize), {});
  runnable.clear();
  clusterBarrier = ClusterBarrier();
  bulk.clear();
  completions.clear();
  for (Thread &thread : threads) {
    thread.machine = this;
    thread.number = &thread - threads.data();
    thread.index = thread.number % perCta;
    thread.cta = &ctas[thread.number / perCta];
    thread.frame = frame;
    if (program.tracksRegisters)
      thread.registers = std::make_unique<Registers>(frame.size());
    thread.known.seen.raise(thread.number, 1);
    runnable.push_back(&thread);
  }
  alive = threads.size();
  spent = 0;
}

template <bool tracksRegisters>
void Machine::runThread(Thread &thread, uint64_t most) {
  for (uint64_t i = 0; i < most; ++i) {
    const Instruction &next = program.code[thread.pc];
    if (tracksRegisters)
      if (std::string wrong = thread.registers->use(program.uses[next.index]);
          !wrong.empty()) {
        thread.fail(next, Problem::Registers, wrong);
        return;
      }
    ++executions[next.index];
    ++spent;
    switch (next.run(thread, next)) {
    case Step::Next:
      ++thread.pc;
      continue;
    case Step::Jump:
      continue;
    case Step::Sleep:
      ++thread.pc;
      return;
    case Step::Exit:
      if (!thread.bulk.started.empty() ||
          thread.bulk.groups.size() > thread.bulk.groupsRead)
        thread.fail(next, Problem::Race,
                    "exits before its bulk copies have read shared memory");
      thread.exited = true;
      --alive;
      return;
    case Step::Failed:
      return;
    }
  }
  runnable.push_back(&thread);
}

void Machine::runCluster() {
  // Now short turns, now long ones: both kinds of schedules find things. So do
  // copies that take short and long.
  uint64_t longest = 1ull << random() % 10, patience = 1ull << random() % 10;
  while (alive && !failure) {
    if (!completions.empty() &&
        (runnable.empty() || random() % patience == 0)) {
      complete(random() % completions.size());
      continue;
    }
    if (runnable.empty())
      return reportDeadlock();
    std::swap(runnable[random() % runnable.size()], runnable.back());
    Thread &thread = *runnable.back();
    runnable.pop_back();
    uint64_t most = 1 + random() % longest;
    if (program.tracksRegisters)
      runThread<true>(thread, most);
    else
      runThread<false>(thread, most);
    if (spent > options.limit)
      thread.fail(program.code[thread.pc], Problem::Endless,
                  "the cluster still runs after " + llvm::Twine(options.limit) +
                      " instructions");
  }
  checkThatAllWereAwaited();
}

//===----------------------------------------------------------------------===//
// Bulk copies
//===----------------------------------------------------------------------===//

Party Machine::asyncParty(Thread &thread, const Instruction &at) {
  uint32_t most = partiesOf(shape) - firstBulk();
  size_t number = 0;
  while (number < bulk.size() &&
         thread.known.seen[firstBulk() + number] < bulk[number].tick)
    ++number;
  // Beyond the last one two copies share a party, and are taken for ordered.
  if (number == most)
    number = random() % most;
  if (number == bulk.size())
    bulk.emplace_back();
  bulk[number] = {bulk[number].tick + 1, &at, &thread, false};
  return {uint32_t(firstBulk() + number), bulk[number].tick, thread.known};
}

void Machine::completeLater(const Completion &completion) {
  bulk[completion.party - firstBulk()].mustBeAwaited = true;
  completions.push_back(completion);
}

void Machine::complete(size_t number) {
  Completion completion = completions[number];
  completions.erase(completions.begin() + number);
  completeTransaction(*completion.barrier, completion.bytes, completion.party,
                      completion.tick);
}

bool Machine::isAwaited(const Mbarrier &barrier) const {
  return llvm::any_of(completions, [&](const Completion &completion) {
    return completion.barrier == &barrier;
  });
}

bool Machine::isKnownIn(const Cta &cta, uint32_t party, uint32_t tick) const {
  return llvm::any_of(threads, [&](const Thread &thread) {
    return thread.cta == &cta && thread.known.seen[party] >= tick;
  });
}

bool Machine::visit(Thread &thread, const Instruction &at, Cta &cta,
                    const Party &party) {
  uint32_t perCta = shape.block.count(), first = cta.rank * perCta;
  bool started = false;
  for (uint32_t number = first; number < first + perCta; ++number)
    started |= party.known.seen[number] > 0;
  cta.visits[party.number] = {party.tick, &at, &thread};
  if (!started)
    thread.fail(at, Problem::Race,
                "nothing tells the thread that CTA " + text(cta.position) +
                    ", whose shared memory it accesses, has started");
  return started;
}

/// The shared memory of a CTA ends with it: who copies there has to wait, and
/// who accesses it from another one has to tell.
void Machine::checkThatAllWereAwaited() {
  for (auto [number, each] : llvm::enumerate(bulk)) {
    uint32_t party = firstBulk() + number, tick = each.tick;
    bool known = llvm::any_of(threads, [&](const Thread &thread) {
      return thread.known.seen[party] >= tick;
    });
    if (each.mustBeAwaited && !known)
      each.thread->fail(*each.at, Problem::Race,
                        "nobody waits for the copy before the CTA ends");
  }
  for (const Cta &cta : ctas)
    for (const auto &[party, visit] : cta.visits)
      if (!isKnownIn(cta, party, visit.tick))
        visit.thread->fail(*visit.at, Problem::Race,
                           "nothing tells CTA " + text(cta.position) +
                               ", whose shared memory is accessed, to stay "
                               "until then");
}

void Machine::reportDeadlock() {
  std::map<uint32_t, std::vector<Thread *>> waiting; // by instruction
  for (Thread &thread : threads)
    if (!thread.exited)
      waiting[thread.pc - 1].push_back(&thread);
  std::string text = "nothing can run any more";
  for (auto &[pc, group] : waiting)
    text += llvm::formatv("; {0} {1} at {2}, the first is thread {3}",
                          group.size(), group.size() == 1 ? "waits" : "wait",
                          program.code[pc].name(), group.front()->index);
  for (Cta &cta : ctas)
    for (auto &[pointer, barrier] : cta.mbarriers)
      if (!barrier.waiting.empty())
        text += llvm::formatv("; the mbarrier at byte {0} waits for {1} "
                              "arrivals and {2} bytes",
                              pointer, barrier.pending, barrier.bytes);
  if (alive < threads.size())
    text += llvm::formatv("; {0} have exited", threads.size() - alive);
  auto &[pc, group] = *waiting.begin();
  group.front()->fail(program.code[pc], Problem::Deadlock, text);
}

llvm::Error Machine::run(const std::vector<uint64_t> &frame) {
  std::vector<uint32_t> order(shape.grid.count() / shape.cluster.count());
  for (uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  for (uint32_t number : order) {
    startCluster(number, frame);
    runCluster();
    if (failure)
      return llvm::Error(std::move(failure));
    traffic.endCluster();
  }
  return llvm::Error::success();
}

Counters Machine::count() const {
  Counters result = counters;
  traffic.addTo(result);
  for (const Instruction &instruction : program.code)
    if (executions[instruction.index])
      result.executed[instruction.op->getName().getStringRef().str()] +=
          executions[instruction.index];
  return result;
}

Step Machine::arrive(Thread &thread, const Instruction &at, uint32_t mask,
                     bool &complete) {
  if (!(mask >> thread.lane() & 1))
    return thread.fail(at, Problem::Divergence,
                       "the lane is not in its own member mask");
  std::vector<Meeting> &open = meetings[thread.warp()];
  auto found = open.begin();
  while (found != open.end() && !(found->mask & mask))
    ++found;
  if (found == open.end())
    found = open.insert(found, Meeting{&at, mask, 0});
  if (found->at != &at || found->mask != mask)
    return thread.fail(at, Problem::Divergence,
                       "other lanes of the warp wait at " + found->at->name());
  found->arrived |= 1u << thread.lane();
  if (found->arrived != mask)
    return Step::Sleep;
  open.erase(found);
  complete = true;
  return Step::Next;
}

/// A warp comes to where its warpgroup meets.
Step Machine::arriveInGroup(Thread &thread, const Instruction &at,
                            bool &complete) {
  if (shape.block.count() % groupSize)
    return thread.fail(at, Problem::Divergence,
                       "the CTA does not consist of whole warpgroups");
  Meeting &meeting = groupMeetings[thread.number / groupSize];
  if (meeting.arrived && meeting.at != &at)
    return thread.fail(at, Problem::Divergence,
                       "other warps of the warpgroup wait at " +
                           meeting.at->name());
  meeting.at = &at;
  meeting.arrived |= 1u << thread.warp() % (groupSize / warpSize);
  if (meeting.arrived != 0xf)
    return Step::Sleep;
  meeting = Meeting();
  complete = true;
  return Step::Next;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Cta *Machine::ownerOf(Thread &thread, unsigned space, uint64_t pointer) {
  if (space == 3)
    return thread.cta;
  uint64_t rank = (pointer & ~address::sharedWindow) >> address::rankShift;
  if (rank == 0)
    return thread.cta;
  return rank <= ctas.size() ? &ctas[rank - 1] : nullptr;
}

const Machine::Map *Machine::tensorMap(uint64_t pointer) const {
  for (const Map &map : maps)
    if (pointer == (address::firstMap + (&map - maps.data()))
                       << address::bufferShift)
      return &map;
  return nullptr;
}

std::optional<Place> Machine::resolve(Thread &thread, const Instruction &at,
                                      unsigned space, uint64_t pointer,
                                      uint32_t bytes) {
  bool isShared =
      space == 3 || space == 7 || (space == 0 && isInSharedWindow(pointer));
  uint64_t plain = pointer & ~address::sharedWindow;
  Place place;
  if (isShared) {
    place.cta = ownerOf(thread, space, pointer);
    if (place.cta)
      place.region = place.cta->shared.get();
    // Wraps around, and is then found to be outside.
    place.offset =
        (space == 3 ? plain : address::withinCta(plain)) - address::firstShared;
  } else if (uint64_t buffer = plain >> address::bufferShift;
             buffer >= 1 && buffer <= global.size()) {
    place.region = &global[buffer - 1];
    place.offset = plain & ((1ull << address::bufferShift) - 1);
  } else if (buffer >= address::firstConstant &&
             buffer < address::firstConstant + constants.size()) {
    place.region = &constants[buffer - address::firstConstant];
    place.offset = plain & ((1ull << address::bufferShift) - 1);
    place.constant = true;
  }
  const char *window = isShared ? "shared" : "global";
  if (!place.region || !place.region->holds(place.offset, bytes)) {
    thread.fail(at, Problem::Address,
                llvm::formatv("{0} bytes at {1:x} are outside of {2} memory",
                              bytes, plain, window));
    return std::nullopt;
  }
  if (plain % at.alignment != 0) {
    thread.fail(at, Problem::Address,
                llvm::formatv("{0:x} in {1} memory is not a multiple of {2}",
                              plain, window, at.alignment));
    return std::nullopt;
  }
  return place;
}

bool Machine::note(Thread &thread, const Instruction &at, const Place &place,
                   uint32_t bytes, Kind kind, const Party &party) {
  if (place.cta && place.cta != thread.cta &&
      !visit(thread, at, *place.cta, party))
    return false;
  Access access{kind,
                {inLaunch(party.number), party.tick, at.index},
                party.known.seen,
                place.cta ? party.known.fencedShared : party.known.fencedGlobal,
                firstParty,
                inLaunch(firstAsync())};
  auto conflict = place.region->note(place.offset, bytes, access);
  if (!conflict)
    return true;
  Place where = place;
  where.offset = conflict->offset;
  thread.fail(
      at, Problem::Race,
      llvm::formatv("{0}: {1} {2}, which {3} {4} in {5}, and {6}",
                    conflict->isUnfenced ? "missing proxy fence" : "race",
                    kind == Kind::Read ? "reads" : "writes", describe(where),
                    describe(conflict->other.thread),
                    conflict->otherWrote ? "wrote" : "read",
                    program.code[conflict->other.instruction].name(),
                    conflict->isUnfenced
                        ? "no fence of the asynchronous proxy comes in between"
                        : "nothing orders the two"));
  return false;
}

bool Machine::isWritten(Thread &thread, const Instruction &at, Place place,
                        uint32_t bytes) {
  auto hole = place.region->firstUnwritten(place.offset, bytes);
  if (!hole)
    return true;
  place.offset = *hole;
  thread.fail(at, Problem::Unwritten,
              "reads " + describe(place) + ", which was never written");
  return false;
}

Step Machine::load(Thread &thread, const Instruction &at, unsigned space,
                   uint64_t pointer, void *to, uint32_t bytes,
                   const Party &party) {
  auto place = resolve(thread, at, space, pointer, bytes);
  if (!place)
    return Step::Failed;
  // A race says more than that the other party has not come yet.
  if (!note(thread, at, *place, bytes, Kind::Read, party))
    return Step::Failed;
  if (!isWritten(thread, at, *place, bytes))
    return Step::Failed;
  (place->cta ? counters.sharedRead : counters.globalRead) += bytes;
  std::memcpy(to, place->region->data(place->offset), bytes);
  return Step::Next;
}

Step Machine::store(Thread &thread, const Instruction &at, unsigned space,
                    uint64_t pointer, const void *from, uint32_t bytes,
                    const Party &party) {
  auto place = resolve(thread, at, space, pointer, bytes);
  if (!place)
    return Step::Failed;
  if (place->constant)
    return thread.fail(at, Problem::Address, "writes " + describe(*place));
  if (!note(thread, at, *place, bytes, Kind::Write, party))
    return Step::Failed;
  (place->cta ? counters.sharedWritten : counters.globalWritten) += bytes;
  place->region->markWritten(place->offset, bytes);
  std::memcpy(place->region->data(place->offset), from, bytes);
  return Step::Next;
}

Step Machine::change(Thread &thread, const Instruction &at, unsigned space,
                     uint64_t pointer, uint32_t bytes, uint64_t &old,
                     llvm::function_ref<uint64_t(uint64_t)> update) {
  auto place = resolve(thread, at, space, pointer, bytes);
  if (!place)
    return Step::Failed;
  if (place->constant)
    return thread.fail(at, Problem::Address, "writes " + describe(*place));
  if (!note(thread, at, *place, bytes, Kind::Atomic, thread.party()) ||
      !isWritten(thread, at, *place, bytes))
    return Step::Failed;
  (place->cta ? counters.sharedRead : counters.globalRead) += bytes;
  (place->cta ? counters.sharedWritten : counters.globalWritten) += bytes;
  uint8_t *data = place->region->data(place->offset);
  std::memcpy(&old, data, bytes);
  uint64_t next = update(old);
  std::memcpy(data, &next, bytes);
  return Step::Next;
}

} // namespace trowel::emulator
