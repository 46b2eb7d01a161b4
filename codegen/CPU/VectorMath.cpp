// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// exp and log reduce the argument by powers of two and use the polynomials of
// Cephes (Moshier, 1989). The others are built on them such that no digits
// cancel.
#include "codegen/CPU/VectorMath.h"

#include "codegen/CPU/DeviceMath.h"
#include "codegen/CPU/WideMath.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace trowel::cpu {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double log2High = 0.693359375;
constexpr double log2Low = -2.12194440e-4;

Value VectorMath::less(Value a, Value b) {
  return code.op<arith::CmpFOp>(arith::CmpFPredicate::OLT, a, b);
}

Value VectorMath::equal(Value a, Value b) {
  return code.op<arith::CmpFOp>(arith::CmpFPredicate::OEQ, a, b);
}

Value VectorMath::isNan(Value x) {
  return code.op<arith::CmpFOp>(arith::CmpFPredicate::UNO, x, x);
}

Value VectorMath::bits(Value x) {
  return code.op<arith::BitcastOp>(code.integerVector, x);
}

Value VectorMath::fromBits(Value x) {
  return code.op<arith::BitcastOp>(code.realVector, x);
}

Value VectorMath::abs(Value x) {
  return fromBits(code.op<arith::AndIOp>(bits(x), code.integer(0x7fffffff)));
}

Value VectorMath::sqrt(Value x) {
  return code.op<LLVM::SqrtOp>(x.getType(), x);
}

Value VectorMath::floor(Value x) {
  return code.op<LLVM::FFloorOp>(x.getType(), x);
}

Value VectorMath::roundEven(Value x) {
  return code.op<LLVM::RoundEvenOp>(x.getType(), x);
}

/// By Horner's rule, the highest coefficient first.
Value VectorMath::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = number(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = code.fma(sum, x, number(coefficient));
  return sum;
}

/// 2^exponent for an integer exponent in [-126, 127].
Value VectorMath::powerOfTwo(Value exponent) {
  Value biased = code.op<arith::AddIOp>(exponent, code.integer(127));
  return fromBits(code.op<arith::ShLIOp>(biased, code.integer(23)));
}

Value VectorMath::div(Value a, Value b) {
  return code.hasVectors() ? code.op<arith::DivFOp>(a, b)
                           : DeviceMath(code).divide(a, b);
}

Value VectorMath::exp(Value x) {
  if (!code.hasVectors())
    return DeviceMath(code).exp(x);
  // Beyond these bounds the result is zero or infinite all the same.
  Value clamped = code.select(less(x, number(-104)), number(-104), x);
  clamped = code.select(less(number(89), clamped), number(89), clamped);
  Value n = roundEven(mul(clamped, number(1.44269504088896341)));
  Value r = code.fma(n, number(-log2High), clamped);
  r = code.fma(n, number(-log2Low), r);
  Value p = polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                           4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  p = add(code.fma(p, mul(r, r), r), number(1));
  // A NaN's conversion to an integer is undefined: it takes the way of zero.
  Value whole = code.select(isNan(n), number(0), n);
  Value exponent = code.op<arith::FPToSIOp>(code.integerVector, whole);
  // In two steps, so that denormals and infinity come about by themselves.
  Value half = code.op<arith::ShRSIOp>(exponent, code.integer(1));
  Value rest = code.op<arith::SubIOp>(exponent, half);
  return mul(mul(p, powerOfTwo(half)), powerOfTwo(rest));
}

Value VectorMath::log(Value x) {
  // Denormals are scaled up first.
  Value tiny = less(x, number(std::ldexp(1.0, -126)));
  Value scaled = code.select(tiny, mul(x, number(8388608)), x);
  Value pattern = bits(scaled);
  // Mantissa in [sqrt(1/2), sqrt(2)).
  Value shifted = code.op<arith::SubIOp>(pattern, code.integer(0x3f3504f3));
  Value exponent = code.op<arith::ShRSIOp>(shifted, code.integer(23));
  Value mantissa = fromBits(code.op<arith::SubIOp>(
      pattern, code.op<arith::ShLIOp>(exponent, code.integer(23))));
  Value e = code.op<arith::SIToFPOp>(code.realVector, exponent);
  e = sub(e, code.select(tiny, number(23), number(0)));
  Value f = sub(mantissa, number(1));
  Value p = polynomial(f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1,
                           -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
                           2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  Value square = mul(f, f);
  Value y = mul(mul(p, f), square);
  y = code.fma(e, number(log2Low), y);
  y = code.fma(square, number(-0.5), y);
  y = code.fma(e, number(log2High), add(f, y));
  // x itself is infinity or NaN; zero and negative numbers.
  y = code.select(less(x, number(infinity)), y, x);
  y = code.select(equal(x, number(0)), number(-infinity), y);
  return code.select(less(x, number(0)), number(std::nan("")), y);
}

Value VectorMath::log1p(Value x) {
  Value u = add(number(1), x);
  // What the sum lost; then log(u) + lost / u. Infinity has lost nothing.
  Value lost = sub(x, sub(u, number(1)));
  Value corrected = add(log(u), div(lost, u));
  Value finite = less(abs(u), number(infinity));
  Value usable = code.op<arith::AndIOp>(
      finite, code.op<arith::CmpFOp>(arith::CmpFPredicate::UNE, u, number(0)));
  Value y = code.select(usable, corrected, log(u));
  return code.select(equal(u, number(1)), x, y);
}

Value VectorMath::expm1(Value x) {
  Value series = polynomial(x, {1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                                1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5});
  series = code.fma(series, mul(x, x), x);
  return code.select(less(abs(x), number(0.5)), series, sub(exp(x), number(1)));
}

Value VectorMath::tanh(Value x) {
  Value e = expm1(mul(abs(x), number(-2)));
  Value magnitude = div(e, add(e, number(2)));
  // The quotient is negative: what is left is to set the sign to x's.
  Value sign = code.op<arith::AndIOp>(
      bits(x), code.integer(std::numeric_limits<int32_t>::min()));
  return fromBits(code.op<arith::OrIOp>(bits(abs(magnitude)), sign));
}

Value VectorMath::sigmoid(Value x) {
  Value e = exp(sub(number(-0.0), abs(x)));
  Value upper = reciprocal(add(number(1), e));
  return code.select(less(x, number(0)), mul(e, upper), upper);
}

/// 1 / x for x in [1, 2].
Value VectorMath::reciprocal(Value x) {
  return code.hasVectors() ? div(number(1), x) : DeviceMath(code).reciprocal(x);
}

/// log(1 + exp(-x)) for x that are not negative.
Value VectorMath::log1pOfExp(Value x) {
  Value e = exp(sub(number(-0.0), x));
  return code.hasVectors() ? log1p(e) : DeviceMath(code).log1pOfFraction(e);
}

Value VectorMath::softplus(Value x) {
  Value rest = log1pOfExp(abs(x));
  return add(code.select(less(x, number(0)), number(0), x), rest);
}

Value VectorMath::logaddexp(Value a, Value b) {
  Value distance = abs(sub(a, b));
  Value y = add(maximum(a, b), log1pOfExp(distance));
  return code.select(equal(a, b), add(a, number(std::log(2.0))), y);
}

Value VectorMath::sign(Value x) {
  Value y = code.select(less(number(0), x), number(1), x);
  return code.select(less(x, number(0)), number(-1), y);
}

Value VectorMath::maximum(Value a, Value b) {
  Value first = code.op<arith::CmpFOp>(arith::CmpFPredicate::OGE, a, b);
  Value unordered = code.op<arith::CmpFOp>(arith::CmpFPredicate::UNO, a, b);
  return code.select(unordered, add(a, b), code.select(first, a, b));
}

Value VectorMath::minimum(Value a, Value b) {
  Value first = code.op<arith::CmpFOp>(arith::CmpFPredicate::OLE, a, b);
  Value unordered = code.op<arith::CmpFOp>(arith::CmpFPredicate::UNO, a, b);
  return code.select(unordered, add(a, b), code.select(first, a, b));
}

Value VectorMath::modulo(Value a, Value b) {
  Value rest = WideMath(code).remainder(a, b);
  Value zero = equal(rest, number(0));
  Value differs =
      code.op<arith::XOrIOp>(less(rest, number(0)), less(b, number(0)));
  Value y = code.select(differs, add(rest, b), rest);
  Value sign = code.op<arith::AndIOp>(
      bits(b), code.integer(std::numeric_limits<int32_t>::min()));
  return code.select(zero, fromBits(sign), y);
}

Value VectorMath::moduloIntegers(Value a, Value b) {
  // Divisors zero and minus one leave nothing (and would trap).
  Value next = code.op<arith::AddIOp>(b, code.integer(1));
  Value trivial =
      code.op<arith::CmpIOp>(arith::CmpIPredicate::ult, next, code.integer(2));
  Value divisor = code.select(trivial, code.integer(1), b);
  Value rest = code.op<arith::RemSIOp>(a, divisor);
  Value zero = code.integer(0);
  auto negative = [&](Value x) {
    return code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, x, zero);
  };
  Value differs = code.op<arith::XOrIOp>(negative(rest), negative(divisor));
  Value some = code.op<arith::CmpIOp>(arith::CmpIPredicate::ne, rest, zero);
  Value mend = code.op<arith::AndIOp>(some, differs);
  return code.select(mend, code.op<arith::AddIOp>(rest, divisor), rest);
}

//===--- Rounding ---------------------------------------------------------===//

/// The mantissa without its lowest bits, to nearest even; the carry into the
/// exponent is what it should be, up to infinity.
Value VectorMath::roundBits(Value x, int dropped) {
  Value pattern = bits(x);
  Value odd = code.op<arith::AndIOp>(
      code.op<arith::ShRUIOp>(pattern, code.integer(dropped)), code.integer(1));
  Value sum =
      code.op<arith::AddIOp>(code.op<arith::AddIOp>(pattern, odd),
                             code.integer((int64_t(1) << (dropped - 1)) - 1));
  Value kept =
      code.op<arith::AndIOp>(sum, code.integer(-(int64_t(1) << dropped)));
  return code.select(isNan(x), x, fromBits(kept));
}

/// A format with fewer exponents than f32: below the least exponent, adding
/// and taking away a large number rounds to a multiple of the smallest.
Value VectorMath::roundFormat(Value x, int mantissaBits, int leastExponent,
                              double largest, bool saturates) {
  Value magnitude = abs(x);
  Value normal = roundBits(magnitude, 23 - mantissaBits);
  Value large = number(std::ldexp(1.0, leastExponent - mantissaBits + 23));
  Value subnormal = sub(add(magnitude, large), large);
  Value least = number(std::ldexp(1.0, leastExponent));
  Value rounded = code.select(less(magnitude, least), subnormal, normal);
  Value above = number(saturates ? largest : infinity);
  rounded = code.select(less(number(largest), rounded), above, rounded);
  Value sign = code.op<arith::AndIOp>(
      bits(x), code.integer(std::numeric_limits<int32_t>::min()));
  return fromBits(code.op<arith::OrIOp>(bits(rounded), sign));
}

Value VectorMath::toInteger(Value x) {
  Value rounded = roundEven(x);
  Value high = number(2147483648.0), low = number(-2147483648.0);
  Value tooHigh =
      code.op<arith::CmpFOp>(arith::CmpFPredicate::OGE, rounded, high);
  Value tooLow = less(rounded, low);
  Value outside = either(either(tooHigh, tooLow), isNan(x));
  Value inside = code.select(outside, number(0), rounded);
  Value y = code.op<arith::FPToSIOp>(code.integerVector, inside);
  y = code.select(tooHigh, code.integer(std::numeric_limits<int32_t>::max()),
                  y);
  return code.select(tooLow, code.integer(std::numeric_limits<int32_t>::min()),
                     y);
}

Value VectorMath::round(Value x, rec::DTypeKind dtype) {
  switch (dtype) {
  case rec::DTypeKind::F32:
    return x;
  case rec::DTypeKind::TF32:
    return roundBits(x, 13);
  case rec::DTypeKind::BF16:
    return roundBits(x, 16);
  case rec::DTypeKind::F16:
    return roundFormat(x, 10, -14, 65504, false);
  case rec::DTypeKind::E4M3:
    return roundFormat(x, 3, -6, 448, true);
  case rec::DTypeKind::E5M2:
    return roundFormat(x, 2, -14, 57344, true);
  case rec::DTypeKind::I32:
    return toInteger(x);
  }
  llvm_unreachable("all types are listed");
}

} // namespace trowel::cpu
