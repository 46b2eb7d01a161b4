// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the memory accesses of a warp cost together: wavefronts of shared
// memory, sectors of global memory.
#ifndef TROWEL_CODEGEN_EMULATOR_TRAFFIC_H
#define TROWEL_CODEGEN_EMULATOR_TRAFFIC_H

#include "codegen/Emulator/Emulator.h"
#include "codegen/Emulator/Program.h"

#include <array>

namespace trowel::emulator {

/// Lanes run one by one, so it puts together what belongs together: the n-th
/// accesses that the lanes of a warp make in an instruction are taken for one
/// instruction of the warp. That is so where the lanes loop together.
class Traffic {
public:
  explicit Traffic(const Program &program) : program(program) {}

  /// A lane reads or writes `bytes` at an address, in parts as large as the
  /// alignment of the instruction; none if it does nothing where others do.
  void note(uint32_t warp, uint32_t lane, const Instruction &at, bool shared,
            bool writes, uint64_t address, uint32_t bytes);
  /// A warp accesses rows of 16 bytes of shared memory, eight at a time.
  void noteRows(const Instruction &at, llvm::ArrayRef<uint64_t> rows);
  /// A bulk copy reads or writes contiguous bytes of global memory.
  void noteBulk(uint64_t address, uint64_t bytes, bool writes);
  /// No thread of the cluster runs any more.
  void endCluster();
  void addTo(Counters &counters) const;

private:
  static constexpr uint32_t lanes = 32;
  static constexpr uint64_t absent = ~0ull;
  /// What the lanes of one warp did in one instruction, in one kind of memory.
  struct Log {
    uint32_t instruction, bytes;
    bool shared, writes;
    std::array<std::vector<uint64_t>, lanes> byLane; // addresses
    size_t limit = 256; // entries of a lane before complete ones are counted
  };

  /// Counts the first `count` accesses of each lane and forgets them.
  void count(Log &log, size_t count);
  void countShared(const Log &log, llvm::ArrayRef<uint64_t> addresses);
  void countGlobal(const Log &log, llvm::ArrayRef<uint64_t> addresses);

  const Program &program;
  std::vector<std::unique_ptr<Log>> logs;   // by warp, instruction, memory
  std::map<uint32_t, SharedTraffic> shared; // by instruction
  uint64_t sectorsRead = 0, sectorsWritten = 0;
};

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_TRAFFIC_H
