// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where things lie in the workspace: values that are reduced over heads, then a
// part for each thread.
#ifndef TROWEL_RUNTIME_LIBRARY_LAYOUT_H
#define TROWEL_RUNTIME_LIBRARY_LAYOUT_H

#include "runtime/Library/Check.h"

namespace trowel::library {

/// Into how many segments each sequence is cut.
int64_t segmentsOf(const ProgramInfo &program, const Call &call);
constexpr int64_t mostSegments = 256;

class Layout {
public:
  Layout(const ProgramInfo &program, const Call &call, int64_t machine);
  bool hasMemory() const { return places.data; }

  /// What a workspace for so many threads needs, whatever address it begins at.
  Checked bytes(int64_t threads) const;
  /// How many threads, at most `wanted`, a workspace serves.
  int64_t threadsIn(size_t bytes, int64_t wanted) const;

  // From the first multiple of 64 bytes in the workspace.
  int64_t operand(int64_t between) const { return places.data[2 * between]; }
  int64_t reduced(int64_t between) const {
    return places.data[2 * between + 1];
  }
  /// The parts of a sum, and what came of it.
  int64_t parts(int64_t sum) const { return places.data[firstSum + 2 * sum]; }
  int64_t sum(int64_t sum) const { return places.data[firstSum + 2 * sum + 1]; }
  /// The chunks' records of a head, then the next head's.
  int64_t saved(int64_t i) const { return places.data[firstSaved + i]; }
  /// How many chunks the sequences have at most, together.
  static int64_t chunks(const Call &call, const SavedInfo &saved) {
    return call.size(B) * call.size(T) / saved.chunkTokens + call.size(N);
  }
  /// For each sequence and head, how many slices have ended.
  int64_t ended() const { return endedPlace; }
  // Of a call with segments. For each sequence and head: whether its segments
  // run one after the other, the states that each but the first begins with,
  // the maps of those between the first and the last.
  int64_t serial() const { return serialPlace; }
  int64_t entry(int64_t unit, int64_t segment) const {
    return entryPlace + (unit * (segments - 1) + segment - 1) * entryBytes;
  }
  int64_t stateInEntry(int64_t i) const { return places.data[firstEntry + i]; }
  int64_t map(int64_t unit, int64_t segment) const {
    return mapPlace + (unit * (segments - 2) + segment - 1) * mapBytes;
  }
  int64_t identity() const { return identityPlace; }
  int64_t zeros() const { return zeroPlace; }
  int64_t zeroBytes() const { return entryBytes; }
  int64_t thread(int64_t i) const { return common.get() + i * each.get(); }

  int64_t threadBytes() const { return each.get(); }

  // Within a thread's part, the code's own memory first.
  int64_t carry() const { return carryPlace; }
  int64_t addresses() const { return addressPlace; }
  int64_t state(int64_t i) const { return places.data[firstState + i]; }

private:
  void placeSegments(const ProgramInfo &program, const Call &call);

  Buffer<int64_t> places;
  int64_t firstState, firstEntry, firstSum, firstSaved, segments;
  Checked common = 0, each = 0;
  int64_t serialPlace = 0, entryPlace = 0, mapPlace = 0, identityPlace = 0,
          zeroPlace = 0, entryBytes = 0, mapBytes = 0;
  int64_t endedPlace = 0, carryPlace = 0, addressPlace = 0;
};

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_LAYOUT_H
