// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vector clocks: which accesses of others happened before what a thread does
// next.
#ifndef TROWEL_CODEGEN_EMULATOR_CLOCK_H
#define TROWEL_CODEGEN_EMULATOR_CLOCK_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace trowel::emulator {

/// For each thread of a cluster, the last of its ticks that is known.
class Clock {
public:
  uint32_t operator[](uint32_t thread) const {
    return thread < ticks.size() ? ticks[thread] : 0;
  }

  void raise(uint32_t thread, uint32_t tick) {
    if (thread >= ticks.size())
      ticks.resize(thread + 1, 0);
    ticks[thread] = std::max(ticks[thread], tick);
  }

  /// Learns all that `other` knows.
  void join(const Clock &other) {
    if (ticks.size() < other.ticks.size())
      ticks.resize(other.ticks.size(), 0);
    for (size_t i = 0; i < other.ticks.size(); ++i)
      ticks[i] = std::max(ticks[i], other.ticks[i]);
  }

  /// Forgets what `other` does not know.
  void meet(const Clock &other) {
    ticks.resize(std::min(ticks.size(), other.ticks.size()));
    for (size_t i = 0; i < ticks.size(); ++i)
      ticks[i] = std::min(ticks[i], other.ticks[i]);
  }

private:
  std::vector<uint32_t> ticks;
};

/// What a party knows of the others.
struct Knowledge {
  /// What happened before.
  Clock seen;
  /// What of it, in shared and in global memory, the asynchronous proxy sees
  /// too: a fence came in between (PTX ISA 8.6, the proxies).
  Clock fencedShared, fencedGlobal;

  void join(const Knowledge &other) {
    seen.join(other.seen);
    fencedShared.join(other.fencedShared);
    fencedGlobal.join(other.fencedGlobal);
  }
  void meet(const Knowledge &other) {
    seen.meet(other.seen);
    fencedShared.meet(other.fencedShared);
    fencedGlobal.meet(other.fencedGlobal);
  }
};

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_CLOCK_H
