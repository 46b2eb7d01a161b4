// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Segments of a sequence at the same time. Three steps: what each segment makes
// of states of zero, and the map by which it changes states; from these, one
// segment after the other, the states that each begins with; then the segments.
// A head whose maps amplify, so that errors would grow, runs its segments one
// after the other. All this depends on the call alone, not on threads.
#include "runtime/Library/Run.h"

#include <cstring>

namespace trowel::library {
namespace {

constexpr int64_t blockColumns = 16; // of an item that joins segments
/// The largest element of a map that is used.
constexpr float mostGain = 16;

bool isUsable(const float *map, int64_t elements) {
  for (int64_t i = 0; i < elements; ++i)
    if (!(map[i] <= mostGain && map[i] >= -mostGain))
      return false;
  return true;
}

/// Where the elements of a state's columns lie: at (row, column), of `columns`.
struct Columns {
  int64_t rows, inner;

  int64_t at(int64_t row, int64_t column, int64_t columns) const {
    return (row / inner * columns + column) * inner + row % inner;
  }
};

Columns geometryOf(const ArgumentInfo &argument, const TensorInfo &tensor) {
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < tensor.rank; ++i) {
    if (i < argument.columns)
      outer *= tensor.sizes[i];
    if (i > argument.columns)
      inner *= tensor.sizes[i];
  }
  return {outer * inner, inner};
}

bool isInitial(const ArgumentInfo &argument) {
  return argument.role == Role::InitialState;
}

} // namespace

int64_t segmentsOf(const ProgramInfo &program, const Call &call) {
  bool possible = false;
  for (int64_t i = 0; i < program.phaseCount; ++i)
    possible |= program.phases[i].map != nullptr;
  int64_t heads = call.size(N) * call.size(H);
  if (!possible || heads == 0 || call.isDecode())
    return 1;
  // Of all sequences: one without tokens for a segment has empty ones.
  int64_t chunks = call.size(B) * call.size(T) / program.chunkTokens;
  int64_t wanted = call.arguments().segments;
  if (wanted == 0) {
    // Each segment is run twice, and its map once: fewer than these do not pay.
    constexpr int64_t least = 8, leastChunks = 16;
    wanted = call.arguments().threads / heads;
    if (wanted > chunks / call.size(N) / leastChunks)
      wanted = chunks / call.size(N) / leastChunks;
    if (wanted < least)
      wanted = 1;
  }
  if (wanted > chunks)
    wanted = chunks;
  return wanted > mostSegments ? mostSegments : wanted < 1 ? 1 : wanted;
}

int64_t Run::segmentBegin(int64_t sequence, int64_t segment) const {
  int64_t begin = call.begin(sequence), end = call.end(sequence);
  int64_t chunk = program.chunkTokens;
  int64_t chunks = (end - begin + chunk - 1) / chunk;
  int64_t place = begin + (chunks + segments - 1) / segments * segment * chunk;
  return place < end ? place : end;
}

void Run::runSegments() {
  int64_t heads = call.size(N) * call.size(H);
  std::memset(memory + layout.zeros(), 0,
              static_cast<size_t>(layout.zeroBytes()));
  std::memset(memory + layout.serial(), 0, static_cast<size_t>(heads) * 4);
  writeIdentity();
  forEach(heads * (2 * segments - 3), &Run::summarise);
  int64_t blocks = (columnCount() + blockColumns - 1) / blockColumns;
  forEach(heads * blocks, &Run::join);
  forEach(heads * (segments - 1), &Run::runSegment);
}

bool Run::isOfMap(const ArgumentInfo &argument) {
  bool isState = isInitial(argument) || argument.role == Role::FinalState;
  return isState || (argument.role != Role::Output && argument.columns < 0);
}

int64_t Run::columnCount() const {
  for (int64_t i = 0; i < phase->argumentCount; ++i)
    if (isInitial(phase->arguments[i]))
      return program.tensors[phase->arguments[i].tensor]
          .sizes[phase->arguments[i].columns];
  return 0;
}

/// The states that the maps begin with.
void Run::writeIdentity() {
  int64_t size = phase->map->size, row = 0;
  auto *identity = reinterpret_cast<float *>(memory + layout.identity());
  std::memset(identity, 0, static_cast<size_t>(size * size) * 4);
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (!isInitial(argument))
      continue;
    Columns columns = geometryOf(argument, program.tensors[argument.tensor]);
    for (int64_t r = 0; r < columns.rows; ++r)
      identity[row * size + columns.at(r, row + r, size)] = 1;
    row += columns.rows;
  }
}

Run::Part Run::segmentPart(int64_t unit, int64_t segment) const {
  Part part = partOf(unit);
  part.begin = segmentBegin(part.sequence, segment);
  part.end = segmentBegin(part.sequence, segment + 1);
  part.entry = segment > 0 ? memory + layout.entry(unit, segment) : nullptr;
  return part;
}

/// The first segment as it is; of the others but the last, by turns, what it
/// makes of zero and its map.
void Run::summarise(int64_t item, char *thread) {
  int64_t each = 2 * segments - 3, unit = item / each, turn = item % each;
  int64_t segment = (turn + 1) / 2;
  Part part = segmentPart(unit, segment);
  beginItem(part, thread);
  if (turn != 0 && turn % 2 == 0)
    return findMap(part, unit, segment, thread);
  if (turn != 0) {
    part.entry = memory + layout.zeros();
    part.statesOnly = true;
    runPart(part, thread);
  } else {
    runSpan(part, part.end, false, thread);
  }
  char *to = memory + layout.entry(unit, segment + 1);
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    int64_t state = phase->arguments[i].state;
    if (isInitial(phase->arguments[i]))
      std::memcpy(to + layout.stateInEntry(state), thread + layout.state(state),
                  static_cast<size_t>(program.stateElements[state]) * 4);
  }
}

void Run::findMap(const Part &part, int64_t unit, int64_t segment,
                  char *thread) {
  int64_t size = phase->map->size;
  char *map = memory + layout.map(unit, segment);
  auto **all = reinterpret_cast<void **>(thread + layout.addresses());
  void **addresses = all;
  int64_t before = 0, after = 0; // bytes of the states so far
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (!isOfMap(argument))
      continue;
    bool isFinal = argument.role == Role::FinalState;
    if (!isFinal && !isInitial(argument)) {
      *addresses++ = addressOf(argument, part, thread);
      continue;
    }
    int64_t &place = isFinal ? after : before;
    *addresses++ = (isFinal ? map : memory + layout.identity()) + place;
    place += program.stateElements[argument.state] / columnCount() * size * 4;
  }
  phase->map->codes[machine].entry(all, mapStrides.data,
                                   thread + layout.carry(),
                                   part.end - part.begin, thread);
  if (!isUsable(reinterpret_cast<const float *>(map), size * size))
    runSerially(unit);
}

int32_t *Run::serialFlag(int64_t unit) const {
  return reinterpret_cast<int32_t *>(memory + layout.serial()) + unit;
}

void Run::runSerially(int64_t unit) {
  __atomic_store_n(serialFlag(unit), 1, __ATOMIC_RELAXED);
}

/// Some columns of the states that the segments begin with: a segment's map
/// times those that it begins with, and what it makes of zero.
void Run::join(int64_t item, char *) {
  int64_t columns = columnCount(), size = phase->map->size;
  int64_t blocks = (columns + blockColumns - 1) / blockColumns;
  int64_t unit = item / blocks, first = item % blocks * blockColumns;
  int64_t count =
      columns - first < blockColumns ? columns - first : blockColumns;
  for (int64_t segment = 1; segment + 1 < segments; ++segment) {
    const char *from = memory + layout.entry(unit, segment);
    char *to = memory + layout.entry(unit, segment + 1);
    auto *map =
        reinterpret_cast<const float *>(memory + layout.map(unit, segment));
    for (int64_t i = 0; i < phase->argumentCount; ++i) {
      const ArgumentInfo &argument = phase->arguments[i];
      if (!isInitial(argument))
        continue;
      Columns rows = geometryOf(argument, program.tensors[argument.tensor]);
      auto *state =
          reinterpret_cast<float *>(to + layout.stateInEntry(argument.state));
      for (int64_t r = 0; r < rows.rows; ++r) {
        float sums[blockColumns];
        for (int64_t v = 0; v < count; ++v)
          sums[v] = state[rows.at(r, first + v, columns)];
        addRow(sums, first, count, from,
               [&](int64_t column) { return map[rows.at(r, column, size)]; });
        for (int64_t v = 0; v < count; ++v) {
          state[rows.at(r, first + v, columns)] = sums[v];
          if (!(sums[v] - sums[v] == 0)) // not finite
            runSerially(unit);
        }
      }
      map += rows.rows * size;
    }
  }
}

/// Adds to some columns what a row of a map makes of all states.
template <typename Row>
void Run::addRow(float *sums, int64_t first, int64_t count, const char *from,
                 Row row) const {
  int64_t columns = columnCount(), next = 0;
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (!isInitial(argument))
      continue;
    Columns rows = geometryOf(argument, program.tensors[argument.tensor]);
    auto *state = reinterpret_cast<const float *>(
        from + layout.stateInEntry(argument.state));
    for (int64_t r = 0; r < rows.rows; ++r) {
      float factor = row(next++);
      const float *cells = state + rows.at(r, first, columns);
      for (int64_t v = 0; v < count; ++v)
        sums[v] += factor * cells[v * rows.inner];
    }
  }
}

void Run::runSegment(int64_t item, char *thread) {
  int64_t each = segments - 1, unit = item / each, segment = item % each + 1;
  bool serial = __atomic_load_n(serialFlag(unit), __ATOMIC_RELAXED) != 0;
  Part part = segmentPart(unit, segment);
  int64_t end = call.end(part.sequence);
  beginItem(part, thread);
  if (serial)
    part.end = segment == 1 ? end : part.begin;
  bool isLast = serial ? segment == 1 : segment == each;
  if (!serial || segment == 1)
    runSpan(part, part.end, isLast, thread);
  if (isLast)
    storeStates(part, thread, false);
  // The next call's carry may lie where the segments begin.
  if (!endsLast(part, each))
    return;
  movePosition(end - part.end, thread);
  part.isLast = true;
  storeCarry(part, thread, false);
}

/// A program that has segments carries at most the position.
void Run::movePosition(int64_t tokens, char *thread) {
  if (phase->carryBytes == 0 || tokens == 0)
    return;
  char *place = thread + layout.carry();
  int64_t position;
  std::memcpy(&position, place, sizeof position);
  position += tokens;
  std::memcpy(place, &position, sizeof position);
}

} // namespace trowel::library
