// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Happens-before race detection by vector clocks, with one epoch for a lone
// reader and a list for several (Flanagan and Freund 2009).
#include "codegen/Emulator/Memory.h"

#include <cstring>

namespace trowel::emulator {

std::optional<size_t> Region::firstUnwritten(size_t offset,
                                             size_t count) const {
  const void *hole = std::memchr(written + offset, 0, count);
  if (!hole)
    return std::nullopt;
  return static_cast<const uint8_t *>(hole) - written;
}

void Region::markWritten(size_t offset, size_t count) {
  std::memset(written + offset, 1, count);
}

Region::Cell &Region::cell(size_t offset) {
  Page &page = pages[offset / pageBytes];
  if (page.empty())
    page.resize(pageBytes / granule);
  return page[offset % pageBytes / granule];
}

/// Whether `before` happened before `access`.
static bool precedes(const Trace &before, const Access &access) {
  return before.thread >= access.first &&
         access.seen[before.thread - access.first] >= before.tick;
}

/// Whether the asynchronous proxy may not see `before` yet. What it did itself,
/// and what others wait for to be done by it, needs no fence.
static bool isUnfenced(const Trace &before, const Access &access) {
  return access.by.thread >= access.firstAsync &&
         before.thread < access.firstAsync &&
         access.fenced[before.thread - access.first] < before.tick;
}

/// Keeps the last access of each party.
static void add(std::vector<Trace> &traces, const Access &access) {
  for (Trace &trace : traces)
    if (trace.thread == access.by.thread) {
      trace = access.by;
      return;
    }
  traces.push_back(access.by);
}

std::optional<Conflict> Region::note(Cell &cell, const Access &access) {
  if (cell.write.exists()) {
    if (!precedes(cell.write, access))
      return Conflict{true, false, cell.write, 0};
    if (isUnfenced(cell.write, access))
      return Conflict{true, true, cell.write, 0};
  }
  if (access.kind != Kind::Atomic && cell.atomics)
    for (const Trace &atomic : *cell.atomics)
      if (!precedes(atomic, access) || isUnfenced(atomic, access))
        return Conflict{true, precedes(atomic, access), atomic, 0};
  if (access.kind == Kind::Read) {
    if (cell.readers)
      add(*cell.readers, access);
    else if (!cell.read.exists() || precedes(cell.read, access))
      cell.read = access.by;
    else
      cell.readers = std::make_unique<std::vector<Trace>>(
          std::vector<Trace>{cell.read, access.by});
    return std::nullopt;
  }
  if (cell.readers) {
    for (const Trace &reader : *cell.readers)
      if (!precedes(reader, access))
        return Conflict{false, false, reader, 0};
  } else if (cell.read.exists()) {
    if (!precedes(cell.read, access))
      return Conflict{false, false, cell.read, 0};
  }
  if (access.kind == Kind::Atomic) {
    if (!cell.atomics)
      cell.atomics = std::make_unique<std::vector<Trace>>();
    add(*cell.atomics, access);
    return std::nullopt;
  }
  cell.readers.reset();
  cell.atomics.reset();
  cell.read = Trace();
  cell.write = access.by;
  return std::nullopt;
}

std::optional<Conflict> Region::note(size_t offset, size_t count,
                                     const Access &access) {
  for (size_t at = offset / granule * granule; at < offset + count;
       at += granule)
    if (auto conflict = note(cell(at), access)) {
      conflict->offset = at;
      return conflict;
    }
  return std::nullopt;
}

} // namespace trowel::emulator
