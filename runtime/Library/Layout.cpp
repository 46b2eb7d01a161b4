// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "runtime/Library/Layout.h"

namespace trowel::library {

/// The place for so many bytes behind `end`, which moves behind them.
static int64_t append(Checked &end, Checked bytes) {
  int64_t place = end.get();
  end += wholeLines(bytes);
  return place;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

Layout::Layout(const ProgramInfo &program, const Call &call, int64_t machine)
    : places(2 * program.betweenCount + 2 * program.stateCount +
             2 * program.sumCount + program.savedCount),
      firstState(2 * program.betweenCount),
      firstEntry(firstState + program.stateCount),
      firstSum(firstEntry + program.stateCount),
      firstSaved(firstSum + 2 * program.sumCount),
      segments(segmentsOf(program, call)) {
  if (!hasMemory())
    return;
  Checked tokens = Checked(call.size(B)) * call.size(T) * 4;
  for (int64_t i = 0; i < program.betweenCount; ++i) {
    const BetweenInfo &between = program.betweens[i];
    int64_t units = call.units(between.to);
    places.data[2 * i] =
        append(common, tokens * call.size(H) * between.elements);
    places.data[2 * i + 1] = append(common, tokens * units * between.elements);
  }
  for (int64_t i = 0; i < program.sumCount; ++i) {
    const SumInfo &sum = program.sums[i];
    Checked bytes = sum.role == Role::Output
                        ? tokens * sum.elements
                        : Checked(call.size(N)) * sum.elements * 4;
    bytes *= call.size(H);
    places.data[firstSum + 2 * i] = append(common, bytes * sum.parts);
    bool hasResult = sum.isKept || sum.between >= 0;
    places.data[firstSum + 2 * i + 1] =
        append(common, hasResult ? bytes : Checked(0));
  }
  for (int64_t i = 0; i < program.savedCount; ++i) {
    const SavedInfo &saved = program.saved[i];
    places.data[firstSaved + i] = append(
        common, Checked(chunks(call, saved)) * call.size(H) * saved.bytes);
  }
  endedPlace = append(common, Checked(call.size(N)) * call.size(H) * 4);
  if (segments > 1)
    placeSegments(program, call);
  int64_t workspace = 0, carry = 0, arguments = 0;
  for (int64_t i = 0; i < program.phaseCount; ++i) {
    const PhaseInfo &phase = program.phases[i];
    for (int64_t j = 0; !call.isDecode() && j < phase.divisionCount; ++j)
      workspace =
          larger(workspace, phase.divisions[j].codes[machine].workspaceBytes);
    if (call.isDecode())
      workspace = larger(workspace, phase.step->codes[machine].workspaceBytes);
    if (segments > 1 && phase.map)
      workspace = larger(workspace, phase.map->codes[machine].workspaceBytes);
    carry = larger(carry, phase.carryBytes);
    arguments = larger(arguments, phase.argumentCount);
  }
  for (int64_t i = 0; i < program.sumCount; ++i) // a double and a float each
    workspace = larger(workspace, program.sums[i].elements * 12 + 64);
  append(each, workspace);
  carryPlace = append(each, carry);
  addressPlace = append(each, arguments * int64_t(sizeof(void *)));
  for (int64_t i = 0; i < program.stateCount; ++i)
    places.data[firstState + i] =
        append(each, Checked(program.stateElements[i]) * 4);
}

/// What lies beyond a row is read with vectors.
static Checked withMargin(Checked bytes) { return bytes + 1024; }

void Layout::placeSegments(const ProgramInfo &program, const Call &call) {
  Checked units = Checked(call.size(N)) * call.size(H), entry = 0, map = 0;
  for (int64_t i = 0; i < program.stateCount; ++i)
    places.data[firstEntry + i] =
        append(entry, Checked(program.stateElements[i]) * 4);
  for (int64_t i = 0; i < program.phaseCount; ++i) {
    const PhaseInfo &phase = program.phases[i];
    Checked square = 0;
    if (phase.map)
      square = Checked(phase.map->size) * phase.map->size * 4;
    if (square.overflows() || square.get() > map.get())
      map = square;
  }
  map = wholeLines(withMargin(map));
  entry = wholeLines(withMargin(entry));
  entryBytes = entry.get();
  mapBytes = map.get();
  serialPlace = append(common, units * 4);
  entryPlace = append(common, units * (segments - 1) * entryBytes);
  mapPlace = append(common, units * (segments - 2) * mapBytes);
  identityPlace = append(common, map);
  zeroPlace = append(common, entry);
}

Checked Layout::bytes(int64_t threads) const {
  return common + each * threads + 63;
}

int64_t Layout::threadsIn(size_t bytes, int64_t wanted) const {
  while (wanted > 0 &&
         (this->bytes(wanted).overflows() ||
          static_cast<uint64_t>(this->bytes(wanted).get()) > bytes))
    --wanted;
  return wanted;
}

} // namespace trowel::library
