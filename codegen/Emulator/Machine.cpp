// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Emulator/Machine.h"

#include "llvm/Support/FormatVariadic.h"

namespace trowel::emulator {

Step Thread::fail(const Instruction &at, Problem problem,
                  const llvm::Twine &text) {
  if (machine->failure)
    return Step::Failed;
  std::string who = machine->describe(machine->firstThread + index);
  machine->failure = std::make_unique<Failure>(
      problem,
      llvm::formatv("{0}: {1}: {2}", at.name(), who, text.str()).str());
  return Step::Failed;
}

std::string Machine::describe(uint32_t launchThread) const {
  uint32_t perCta = shape.block.count();
  uint32_t number = launchThread / perCta, index = launchThread % perCta;
  return llvm::formatv("thread {0} (warp {1}, lane {2}) of CTA ({3}, {4}, {5})",
                       index, index / warpSize, index % warpSize,
                       number % shape.grid.x,
                       number / shape.grid.x % shape.grid.y,
                       number / shape.grid.x / shape.grid.y);
}

std::string Machine::describe(const Place &place) const {
  if (place.shared)
    return llvm::formatv("shared memory, byte {0}",
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

void Machine::startCta(const std::vector<uint64_t> &frame) {
  uint32_t count = shape.block.count();
  sharedData.assign(sharedBytes, 0xff);
  sharedWritten.assign(sharedBytes, 0);
  shared = std::make_unique<Region>(sharedData.data(), sharedWritten.data(),
                                    sharedBytes);
  barriers = {};
  mbarriers.clear();
  flights.clear();
  meetings.assign(count / warpSize, {});
  threads.assign(count, Thread());
  runnable.clear();
  for (uint32_t i = 0; i < count; ++i) {
    threads[i].machine = this;
    threads[i].index = i;
    threads[i].frame = frame;
    threads[i].clock.raise(i, 1);
    runnable.push_back(&threads[i]);
  }
  alive = count;
  spent = 0;
}

void Machine::runThread(Thread &thread, uint64_t most) {
  for (uint64_t i = 0; i < most; ++i) {
    const Instruction &next = program.code[thread.pc];
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
      thread.exited = true;
      --alive;
      return;
    case Step::Failed:
      return;
    }
  }
  runnable.push_back(&thread);
}

void Machine::runCta() {
  // Now short turns, now long ones: both kinds of schedules find things.
  uint64_t longest = 1ull << random() % 10;
  while (alive && !failure) {
    if (runnable.empty())
      return reportDeadlock();
    std::swap(runnable[random() % runnable.size()], runnable.back());
    Thread &thread = *runnable.back();
    runnable.pop_back();
    runThread(thread, 1 + random() % longest);
    if (spent > options.limit)
      thread.fail(program.code[thread.pc], Problem::Endless,
                  "the CTA still runs after " + llvm::Twine(options.limit) +
                      " instructions");
  }
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
  if (alive < threads.size())
    text += llvm::formatv("; {0} have exited", threads.size() - alive);
  auto &[pc, group] = *waiting.begin();
  group.front()->fail(program.code[pc], Problem::Deadlock, text);
}

llvm::Error Machine::run(const std::vector<uint64_t> &frame) {
  std::vector<uint32_t> order(shape.grid.count());
  for (uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  for (uint32_t number : order) {
    cta = {number % shape.grid.x, number / shape.grid.x % shape.grid.y,
           number / shape.grid.x / shape.grid.y};
    firstThread = number * shape.block.count();
    startCta(frame);
    runCta();
    if (failure)
      return llvm::Error(std::move(failure));
    traffic.endCta();
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

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

std::optional<Place> Machine::resolve(Thread &thread, const Instruction &at,
                                      unsigned space, uint64_t pointer,
                                      uint32_t bytes) {
  bool inWindow = space == 0 && isInSharedWindow(pointer);
  uint64_t plain = pointer & ~address::sharedWindow;
  Place place{nullptr, 0, space == 3 || inWindow};
  if (place.shared) {
    place.region = shared.get();
    // Wraps around, and is then found to be outside.
    place.offset = plain - address::firstShared;
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
  const char *window = place.shared ? "shared" : "global";
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
                   uint32_t bytes, Kind kind) {
  if (const Flight *flight = underWay(place, bytes, kind)) {
    thread.fail(at, Problem::Race,
                llvm::formatv("race: {0} {1}, while a copy is under way there "
                              "that {2} started in {3}",
                              kind == Kind::Read ? "reads" : "writes",
                              describe(place), describe(flight->thread),
                              flight->at->name()));
    return false;
  }
  Access access{kind,
                {firstThread + thread.index, thread.tick(), at.index},
                thread.clock,
                firstThread};
  auto conflict = place.region->note(place.offset, bytes, access);
  if (!conflict)
    return true;
  thread.fail(
      at, Problem::Race,
      llvm::formatv(
          "race: {0} {1}, which {2} {3} in {4}, and nothing orders the two",
          kind == Kind::Read ? "reads" : "writes",
          describe(Place{place.region, conflict->offset, place.shared}),
          describe(conflict->other.thread),
          conflict->otherWrote ? "wrote" : "read",
          program.code[conflict->other.instruction].name()));
  return false;
}

Step Machine::load(Thread &thread, const Instruction &at, unsigned space,
                   uint64_t pointer, void *to, uint32_t bytes) {
  auto place = resolve(thread, at, space, pointer, bytes);
  if (!place)
    return Step::Failed;
  // A race says more than that the other party has not come yet.
  if (!note(thread, at, *place, bytes, Kind::Read))
    return Step::Failed;
  if (auto hole = place->region->firstUnwritten(place->offset, bytes))
    return thread.fail(
        at, Problem::Unwritten,
        "reads " + describe(Place{place->region, *hole, place->shared}) +
            ", which was never written");
  (place->shared ? counters.sharedRead : counters.globalRead) += bytes;
  std::memcpy(to, place->region->data(place->offset), bytes);
  return Step::Next;
}

Step Machine::store(Thread &thread, const Instruction &at, unsigned space,
                    uint64_t pointer, const void *from, uint32_t bytes) {
  auto place = resolve(thread, at, space, pointer, bytes);
  if (!place)
    return Step::Failed;
  if (place->constant)
    return thread.fail(at, Problem::Address, "writes " + describe(*place));
  if (!note(thread, at, *place, bytes, Kind::Write))
    return Step::Failed;
  (place->shared ? counters.sharedWritten : counters.globalWritten) += bytes;
  place->region->markWritten(place->offset, bytes);
  std::memcpy(place->region->data(place->offset), from, bytes);
  return Step::Next;
}

//===----------------------------------------------------------------------===//
// Copies under way
//===----------------------------------------------------------------------===//

const Machine::Flight *Machine::underWay(const Place &place, uint32_t bytes,
                                         Kind kind) const {
  if (flights.empty())
    return nullptr;
  uint64_t end = place.offset + bytes;
  for (uint64_t at = place.offset / granule; at * granule < end; ++at) {
    auto found = flights.find({place.region, at});
    if (found != flights.end() && (found->second.writes || kind == Kind::Write))
      return &found->second;
  }
  return nullptr;
}

void Machine::track(Thread &thread, const Copy &copy, int by) {
  auto count = [&](const Place &place, uint32_t bytes,
                   uint32_t Flight::*member) {
    for (uint32_t at = 0; at < bytes; at += granule) {
      auto key = std::pair(place.region, (place.offset + at) / granule);
      Flight &flight = flights[key];
      flight.*member += by;
      flight.thread = firstThread + thread.index;
      flight.at = copy.at;
      if (!flight.writes && !flight.reads)
        flights.erase(key);
    }
  };
  count(copy.to, copy.written, &Flight::writes);
  count(copy.from, copy.read, &Flight::reads);
}

Step Machine::startCopy(Thread &thread, const Instruction &at, uint64_t to,
                        uint64_t from, uint32_t written, uint32_t read) {
  std::vector<uint8_t> bytes(written, 0);
  Copy copy{&at, {}, {}, written, read};
  if (read) {
    if (Step step = load(thread, at, 1, from, bytes.data(), read);
        step != Step::Next)
      return step;
    copy.from = *resolve(thread, at, 1, from, read);
  }
  if (Step step = store(thread, at, 3, to, bytes.data(), written);
      step != Step::Next)
    return step;
  copy.to = *resolve(thread, at, 3, to, written);
  traffic.note(thread.warp(), thread.lane(), at, true, true, to, written);
  traffic.note(thread.warp(), thread.lane(), at, false, false, from, read);
  track(thread, copy, 1);
  thread.uncommitted.push_back(copy);
  return Step::Next;
}

/// Both sides were touched as late as this, too.
Step Machine::finishCopy(Thread &thread, const Copy &copy) {
  track(thread, copy, -1);
  bool fine =
      note(thread, *copy.at, copy.to, copy.written, Kind::Write) &&
      (!copy.read || note(thread, *copy.at, copy.from, copy.read, Kind::Read));
  return fine ? Step::Next : Step::Failed;
}

} // namespace trowel::emulator
