// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The floating-point formats narrower than float64: rounding a double to one,
// and its bit patterns. One description a format, one algorithm for all.
#ifndef TROWEL_DIALECT_REFERENCE_ROUNDING_H
#define TROWEL_DIALECT_REFERENCE_ROUNDING_H

#include <cstdint>

namespace trowel {

/// A binary format: sign, exponent, mantissa from the top bit down, subnormals,
/// the usual bias. What lies above the largest finite value differs:
/// - `saturates`: conversions clamp to it, infinities included (8-bit types);
/// - `hasInfinity`: the top exponent is reserved, as IEEE 754 has it; without
///   it only the all-ones mantissa there is a NaN (e4m3).
struct FloatFormat {
  int exponentBits;
  int mantissaBits;
  bool hasInfinity;
  bool saturates;

  int bits() const { return 1 + exponentBits + mantissaBits; }
  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  double largest() const;
};

namespace formats {
constexpr FloatFormat f32{8, 23, true, false};
/// The value set of tf32; as bits it is stored as an f32.
constexpr FloatFormat tf32{8, 10, true, false};
constexpr FloatFormat bf16{8, 7, true, false};
constexpr FloatFormat f16{5, 10, true, false};
constexpr FloatFormat e4m3{4, 3, false, true};
constexpr FloatFormat e5m2{5, 2, true, true};
} // namespace formats

/// `x` rounded to the nearest value of `format`, ties to even. NaN stays NaN.
double roundTo(const FloatFormat &format, double x);

/// The bit pattern of `roundTo(format, x)`, in the low `format.bits()` bits. A
/// NaN becomes the positive quiet one.
uint32_t encode(const FloatFormat &format, double x);

/// The value of a bit pattern.
double decode(const FloatFormat &format, uint32_t bits);

} // namespace trowel

#endif // TROWEL_DIALECT_REFERENCE_ROUNDING_H
