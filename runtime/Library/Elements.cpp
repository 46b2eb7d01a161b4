// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Narrow formats by integer arithmetic on the bits: the same on every machine.
#include "runtime/Library/Elements.h"

#include <cstring>

namespace trowel::library {
namespace {

uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

float floatOf(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

/// The value without the bits below `dropped`, to nearest even.
uint32_t roundOff(uint32_t bits, int dropped) {
  uint32_t odd = bits >> dropped & 1;
  return bits + ((1u << (dropped - 1)) - 1 + odd);
}

bool isNan(uint32_t bits) { return (bits & 0x7fffffff) > 0x7f800000; }

struct Plain {
  using Stored = uint32_t;
  static uint32_t widen(Stored x) { return x; }
  static Stored narrow(uint32_t bits) { return bits; }
};

struct Tf32 {
  using Stored = uint32_t;
  static uint32_t widen(Stored x) { return x; }
  static Stored narrow(uint32_t bits) {
    return isNan(bits) ? bits : roundOff(bits, 13) & ~0x1fffu;
  }
};

struct Bf16 {
  using Stored = uint16_t;
  static uint32_t widen(Stored x) { return static_cast<uint32_t>(x) << 16; }
  static Stored narrow(uint32_t bits) {
    return isNan(bits) ? 0x7fc0 : static_cast<Stored>(roundOff(bits, 16) >> 16);
  }
};

/// A format with fewer exponents than f32. `Infinite`: its top exponent is
/// reserved; otherwise only all ones is a NaN. `Saturates`: what is too large,
/// infinity included, becomes the largest value.
template <typename Bits, int Exponent, int Mantissa, bool Infinite,
          bool Saturates>
struct Small {
  using Stored = Bits;
  static constexpr int dropped = 23 - Mantissa;
  static constexpr int bias = (1 << (Exponent - 1)) - 1;
  static constexpr uint32_t topExponent = (1u << Exponent) - 1;
  static constexpr uint32_t mantissaMask = (1u << Mantissa) - 1;
  static constexpr uint32_t infinity = topExponent << Mantissa;
  static constexpr uint32_t nan =
      Infinite ? infinity | 1u << (Mantissa - 1) : infinity | mantissaMask;
  static constexpr uint32_t largest = Infinite ? infinity - 1 : nan - 1;

  static uint32_t widen(Stored stored) {
    uint32_t sign = static_cast<uint32_t>(stored) >> (Exponent + Mantissa)
                                                         << 31;
    uint32_t rest = stored & ((1u << (Exponent + Mantissa)) - 1);
    if (Infinite ? rest > infinity : rest == nan)
      return 0x7fc00000;
    if (Infinite && rest == infinity)
      return sign | 0x7f800000;
    // Subnormals are units of 2^(1 - bias - Mantissa): exact in f32.
    if (rest >> Mantissa == 0) {
      float unit =
          floatOf(static_cast<uint32_t>(127 + 1 - bias - Mantissa) << 23);
      return sign | bitsOf(static_cast<float>(rest) * unit);
    }
    return sign |
           ((rest << dropped) + (static_cast<uint32_t>(127 - bias) << 23));
  }

  static Stored narrow(uint32_t bits) {
    uint32_t sign = bits >> 31 << (Exponent + Mantissa);
    uint32_t rest = bits & 0x7fffffff;
    if (rest > 0x7f800000)
      return static_cast<Stored>(nan);
    constexpr uint32_t smallestNormal = static_cast<uint32_t>(128 - bias) << 23;
    uint32_t small;
    if (rest < smallestNormal) {
      // Beside this number, f32's last place is the format's unit.
      constexpr uint32_t beside = static_cast<uint32_t>(128 - bias + dropped)
                                  << 23;
      small = bitsOf(floatOf(rest) + floatOf(beside)) - beside;
    } else {
      small = (roundOff(rest, dropped) >> dropped) -
              (static_cast<uint32_t>(127 - bias) << Mantissa);
    }
    if (small > largest)
      small = Saturates ? largest : infinity;
    return static_cast<Stored>(sign | small);
  }
};

using F16 = Small<uint16_t, 5, 10, true, false>;
using E4m3 = Small<uint8_t, 4, 3, false, true>;
using E5m2 = Small<uint8_t, 5, 2, true, true>;

/// Every row along the last axis: its offset in the tensor and in dense memory.
template <typename Body>
void forEachRow(const View &view, int64_t axis, int64_t offset, int64_t &dense,
                Body body) {
  if (axis >= view.rank - 1) {
    body(offset, dense);
    dense += axis < view.rank ? view.extent(axis) : 1;
    return;
  }
  for (int64_t i = 0; i < view.extent(axis); ++i)
    forEachRow(view, axis + 1, offset + i * view.strides[axis], dense, body);
}

/// Calls `body(element of the tensor, element of dense memory)`.
template <typename Format, typename Body>
void forEachElement(const View &view, int64_t first, int64_t offset,
                    void *dense, Body body) {
  using Stored = typename Format::Stored;
  bool scalar = first >= view.rank;
  int64_t length = scalar ? 1 : view.extent(view.rank - 1);
  int64_t stride = scalar ? 1 : view.strides[view.rank - 1];
  auto *all = reinterpret_cast<Stored *>(view.data);
  int64_t row = 0;
  forEachRow(view, first, offset, row, [&](int64_t at, int64_t denseAt) {
    Stored *there = all + at;
    uint32_t *here = static_cast<uint32_t *>(dense) + denseAt;
    for (int64_t i = 0; i < length; ++i)
      body(there[i * stride], here[i]);
  });
}

template <typename Use> void withFormat(ElementType type, Use use) {
  switch (type) {
  case ElementType::F32:
  case ElementType::I32:
  case ElementType::U8: // no state's
    return use(Plain());
  case ElementType::TF32:
    return use(Tf32());
  case ElementType::BF16:
    return use(Bf16());
  case ElementType::F16:
    return use(F16());
  case ElementType::E4M3:
    return use(E4m3());
  case ElementType::E5M2:
    return use(E5m2());
  }
}

} // namespace

void load(void *to, const View &from, int64_t first, int64_t offset) {
  withFormat(from.type, [&](auto format) {
    using Format = decltype(format);
    forEachElement<Format>(from, first, offset, to,
                           [](typename Format::Stored &there, uint32_t &here) {
                             here = Format::widen(there);
                           });
  });
}

void roundTo(ElementType type, void *elements, int64_t count) {
  withFormat(type, [&](auto format) {
    using Format = decltype(format);
    auto *element = static_cast<uint32_t *>(elements);
    for (int64_t i = 0; i < count; ++i)
      element[i] = Format::widen(Format::narrow(element[i]));
  });
}

void store(const View &to, int64_t first, int64_t offset, const void *from) {
  withFormat(to.type, [&](auto format) {
    using Format = decltype(format);
    forEachElement<Format>(to, first, offset, const_cast<void *>(from),
                           [](typename Format::Stored &there, uint32_t &here) {
                             there = Format::narrow(here);
                           });
  });
}

} // namespace trowel::library
