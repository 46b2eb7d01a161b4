// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory has 32 banks of 4 bytes. A wavefront takes one word from each,
// for any number of lanes. A warp needs at least one for 4 bytes a lane, two
// for 8 and four for 16: the halves and the quarters of a warp go one after the
// other.
#include "codegen/Emulator/Traffic.h"

namespace trowel::emulator {

constexpr uint32_t banks = 32, bankBytes = 4, sectorBytes = 32;
constexpr uint32_t matrixRows = 8, rowBytes = 16;

/// The wavefronts for lanes that access so many bytes each in one phase: as
/// many as different words lie in one bank.
static uint32_t wavefrontsOf(llvm::ArrayRef<uint64_t> addresses,
                             uint32_t bytes) {
  std::array<uint64_t, banks * banks> words;
  std::array<uint32_t, banks> used{};
  uint32_t most = 0;
  for (uint64_t address : addresses)
    for (uint64_t word = address / bankBytes;
         word <= (address + bytes - 1) / bankBytes; ++word) {
      uint32_t bank = word % banks;
      uint64_t *first = &words[bank * banks];
      if (std::find(first, first + used[bank], word) != first + used[bank])
        continue;
      first[used[bank]++] = word;
      most = std::max(most, used[bank]);
    }
  return most;
}

void Traffic::countShared(const Log &log, llvm::ArrayRef<uint64_t> addresses) {
  SharedTraffic &total = shared[log.instruction];
  uint32_t perPhase = banks * bankBytes / std::max(log.bytes, bankBytes);
  ++total.instructions;
  for (uint32_t first = 0; first < lanes; first += perPhase) {
    llvm::SmallVector<uint64_t, lanes> present;
    for (uint64_t address : addresses.slice(first, perPhase))
      if (address != absent)
        present.push_back(address);
    total.wavefronts += wavefrontsOf(present, log.bytes);
    total.least += !present.empty();
  }
}

void Traffic::countGlobal(const Log &log, llvm::ArrayRef<uint64_t> addresses) {
  llvm::SmallVector<uint64_t, lanes> sectors;
  for (uint64_t address : addresses)
    if (address != absent)
      sectors.push_back(address / sectorBytes);
  llvm::sort(sectors);
  sectors.erase(llvm::unique(sectors), sectors.end());
  (log.writes ? sectorsWritten : sectorsRead) += sectors.size();
}

void Traffic::count(Log &log, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    std::array<uint64_t, lanes> addresses;
    for (uint32_t lane = 0; lane < lanes; ++lane)
      addresses[lane] =
          i < log.byLane[lane].size() ? log.byLane[lane][i] : absent;
    if (log.shared)
      countShared(log, addresses);
    else
      countGlobal(log, addresses);
  }
  for (std::vector<uint64_t> &entries : log.byLane)
    entries.erase(entries.begin(),
                  entries.begin() + std::min(count, entries.size()));
}

void Traffic::note(uint32_t warp, uint32_t lane, const Instruction &at,
                   bool shared, bool writes, uint64_t address, uint32_t bytes) {
  size_t perWarp = 2 * program.code.size();
  size_t number = warp * perWarp + 2 * at.index + shared;
  if (number >= logs.size())
    logs.resize((warp + 1) * perWarp);
  if (!logs[number])
    logs[number] =
        std::make_unique<Log>(Log{at.index, at.alignment, shared, writes, {}});
  Log &log = *logs[number];
  std::vector<uint64_t> &mine = log.byLane[lane];
  if (bytes == 0)
    mine.push_back(absent);
  for (uint32_t offset = 0; offset < bytes; offset += log.bytes)
    mine.push_back(address + offset);
  if (mine.size() < log.limit)
    return;
  size_t complete = log.limit;
  for (const std::vector<uint64_t> &entries : log.byLane)
    complete = std::min(complete, entries.size());
  count(log, complete);
  if (complete < log.limit / 2)
    log.limit *= 2;
}

void Traffic::noteRows(const Instruction &at, llvm::ArrayRef<uint64_t> rows) {
  SharedTraffic &total = shared[at.index];
  ++total.instructions;
  for (; !rows.empty(); rows = rows.drop_front(matrixRows)) {
    total.wavefronts += wavefrontsOf(rows.take_front(matrixRows), rowBytes);
    ++total.least;
  }
}

void Traffic::noteBulk(uint64_t address, uint64_t bytes, bool writes) {
  if (bytes)
    (writes ? sectorsWritten : sectorsRead) +=
        (address + bytes - 1) / sectorBytes - address / sectorBytes + 1;
}

void Traffic::endCluster() {
  for (std::unique_ptr<Log> &log : logs) {
    if (!log)
      continue;
    size_t most = 0;
    for (const std::vector<uint64_t> &entries : log->byLane)
      most = std::max(most, entries.size());
    count(*log, most);
  }
}

void Traffic::addTo(Counters &counters) const {
  counters.globalSectorsRead += sectorsRead;
  counters.globalSectorsWritten += sectorsWritten;
  for (const auto &[instruction, traffic] : shared) {
    counters.shared += traffic;
    counters.sharedBy[program.code[instruction].name()] += traffic;
  }
}

} // namespace trowel::emulator
