// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory as the emulator sees it: bytes, which of them were ever written, and
// for each granule who touched it last.
#ifndef TROWEL_CODEGEN_EMULATOR_MEMORY_H
#define TROWEL_CODEGEN_EMULATOR_MEMORY_H

#include "codegen/Emulator/Clock.h"

#include <memory>
#include <optional>

namespace trowel::emulator {

/// Atomic accesses read and write, and do not conflict with each other.
enum class Kind : uint8_t { Read, Write, Atomic };

/// Who did something to memory, and in which instruction.
struct Trace {
  uint32_t thread = ~0u; // or another party; numbered through the whole launch
  uint32_t tick = 0;
  uint32_t instruction = 0;

  bool exists() const { return thread != ~0u; }
};

/// An access that is about to be made: by whom, and what was known to it.
struct Access {
  Kind kind;
  Trace by;
  /// What happened before, and what of it the asynchronous proxy sees.
  const Clock &seen, &fenced;
  /// The number of the first party that the clocks speak of; those before it
  /// are concurrent, and so are those behind the ones that it knows.
  uint32_t first;
  /// Parties from here on access memory through the asynchronous proxy, others
  /// through the generic one.
  uint32_t firstAsync;
};

/// The other party of a race.
struct Conflict {
  bool otherWrote;
  bool isUnfenced; // it came before, but in another proxy
  Trace other;
  size_t offset;
};

/// Two accesses to one granule conflict even if they touch different bytes of
/// it. Elements of 16 bits are the smallest that threads share.
constexpr size_t granule = 2;

/// One allocation of one state space.
class Region {
public:
  /// A view of memory that is owned elsewhere; `written` has a byte for each.
  Region(uint8_t *bytes, uint8_t *written, size_t size)
      : bytes(bytes), written(written), length(size),
        pages((size + pageBytes - 1) / pageBytes) {}

  size_t size() const { return length; }
  bool holds(uint64_t offset, uint64_t count) const {
    return offset <= length && count <= length - offset;
  }
  uint8_t *data(size_t offset) { return bytes + offset; }

  /// The first byte of the range that was never written.
  std::optional<size_t> firstUnwritten(size_t offset, size_t count) const;
  void markWritten(size_t offset, size_t count);

  /// Checks the access against those before it and remembers it.
  std::optional<Conflict> note(size_t offset, size_t count,
                               const Access &access);

private:
  static constexpr size_t pageBytes = 1024;
  struct Cell {
    Trace write;
    Trace read; // the only reader since, unless there are `readers`
    std::unique_ptr<std::vector<Trace>> readers;
    std::unique_ptr<std::vector<Trace>> atomics; // since that write
  };
  using Page = std::vector<Cell>;

  std::optional<Conflict> note(Cell &cell, const Access &access);
  Cell &cell(size_t offset);

  uint8_t *bytes;
  uint8_t *written;
  size_t length;
  std::vector<Page> pages;
};

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_MEMORY_H
