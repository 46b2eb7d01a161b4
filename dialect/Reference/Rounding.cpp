// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A rounded value is an integer number of units in the last place: scale by
// the unit, round to an integer (ties to even), scale back. All steps but the
// rounding are exact in float64.
#include "dialect/Reference/Rounding.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace trowel {

/// 2^exponent for exponents of normal float64 numbers. Every number of a call
/// is rounded, so this and `exponentOf` are not the library's functions, which
/// are many times slower.
static double powerOfTwo(int exponent) {
  uint64_t bits = static_cast<uint64_t>(exponent + 1023) << 52;
  double power;
  std::memcpy(&power, &bits, sizeof(power));
  return power;
}

/// floor(log2 |x|) of a normal number; below -1022 of a smaller one.
static int exponentOf(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<int>(bits >> 52 & 0x7ff) - 1023;
}

/// Rounds |x| < 2^51 to an integer, ties to even: float64 has no digits behind
/// the point where the sum lies.
static double nearestInteger(double x) {
  constexpr double noFraction = 0x1.8p52;
  return std::copysign((x + noFraction) - noFraction, x);
}

double FloatFormat::largest() const {
  // Largest mantissa: all ones, or one less where all ones is the NaN.
  double mantissa = powerOfTwo(mantissaBits + 1) - (hasInfinity ? 1 : 2);
  int topExponent = (1 << exponentBits) - (hasInfinity ? 2 : 1) - bias();
  return mantissa * powerOfTwo(topExponent - mantissaBits);
}

double roundTo(const FloatFormat &format, double x) {
  if (std::isnan(x) || x == 0)
    return x;
  double limit = format.saturates ? format.largest()
                                  : std::numeric_limits<double>::infinity();
  if (std::isinf(x))
    return std::copysign(limit, x);
  int smallestNormal = 1 - format.bias();
  int unit = std::max(exponentOf(x), smallestNormal) - format.mantissaBits;
  double rounded = nearestInteger(x * powerOfTwo(-unit)) * powerOfTwo(unit);
  if (std::fabs(rounded) > format.largest())
    return std::copysign(limit, x);
  return rounded;
}

uint32_t encode(const FloatFormat &format, double x) {
  uint32_t topExponent = (1u << format.exponentBits) - 1;
  uint32_t mantissaMask = (1u << format.mantissaBits) - 1;
  double value = roundTo(format, x);
  if (std::isnan(value)) {
    uint32_t quiet =
        format.hasInfinity ? 1u << (format.mantissaBits - 1) : mantissaMask;
    return topExponent << format.mantissaBits | quiet;
  }
  uint32_t sign = std::signbit(value) ? 1u << (format.bits() - 1) : 0;
  double magnitude = std::fabs(value);
  if (std::isinf(magnitude))
    return sign | topExponent << format.mantissaBits;
  if (magnitude == 0)
    return sign;
  int smallestNormal = 1 - format.bias();
  int exponent = std::max(std::ilogb(magnitude), smallestNormal);
  auto units = static_cast<uint32_t>(
      std::ldexp(magnitude, format.mantissaBits - exponent));
  // A normal number's leading one is the unit that its exponent field adds.
  uint32_t field = static_cast<uint32_t>(exponent - smallestNormal);
  return sign | ((field << format.mantissaBits) + units);
}

double decode(const FloatFormat &format, uint32_t bits) {
  uint32_t topExponent = (1u << format.exponentBits) - 1;
  uint32_t mantissaMask = (1u << format.mantissaBits) - 1;
  uint32_t exponent = bits >> format.mantissaBits & topExponent;
  uint32_t mantissa = bits & mantissaMask;
  double sign = bits >> (format.bits() - 1) & 1 ? -1.0 : 1.0;
  if (exponent == topExponent) {
    if (format.hasInfinity && mantissa == 0)
      return sign * std::numeric_limits<double>::infinity();
    if (format.hasInfinity || mantissa == mantissaMask)
      return std::numeric_limits<double>::quiet_NaN();
  }
  int unit = 1 - format.bias() - format.mantissaBits;
  if (exponent == 0)
    return sign * std::ldexp(static_cast<double>(mantissa), unit);
  double whole = static_cast<double>(mantissa | 1u << format.mantissaBits);
  return sign * std::ldexp(whole, unit + static_cast<int>(exponent) - 1);
}

} // namespace trowel
