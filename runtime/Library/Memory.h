// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory without exceptions, and numbers that must not overflow.
#ifndef TROWEL_RUNTIME_LIBRARY_MEMORY_H
#define TROWEL_RUNTIME_LIBRARY_MEMORY_H

#include <cstdint>
#include <cstdlib>

namespace trowel::library {

/// Zeroed elements of a plain type; `data` is null if there is no memory.
template <typename T> struct Buffer {
  explicit Buffer(int64_t count)
      : data(static_cast<T *>(
            std::calloc(static_cast<size_t>(count) + 1, sizeof(T)))) {}
  ~Buffer() { std::free(data); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  T *const data;
};

/// A number that remembers whether computing it went wrong.
class Checked {
public:
  Checked(int64_t value) : value(value) {}

  Checked &operator+=(Checked other) {
    failed |= other.failed | __builtin_add_overflow(value, other.value, &value);
    return *this;
  }
  Checked &operator*=(Checked other) {
    failed |= other.failed | __builtin_mul_overflow(value, other.value, &value);
    return *this;
  }
  friend Checked operator+(Checked a, Checked b) { return a += b; }
  friend Checked operator*(Checked a, Checked b) { return a *= b; }

  bool overflows() const { return failed; }
  int64_t get() const { return value; }

private:
  int64_t value;
  bool failed = false;
};

/// `bytes` up to a multiple of a cache line.
inline Checked wholeLines(Checked bytes) {
  Checked more = bytes + 63;
  return more.overflows() ? more : Checked(more.get() & ~int64_t(63));
}

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_MEMORY_H
