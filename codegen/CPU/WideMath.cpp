// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/WideMath.h"

#include "llvm/ADT/APInt.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace trowel::cpu {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

WideMath::WideMath(Code &code)
    : code(code), wideVector(code.vectorOf(code.builder.getF64Type())),
      longVector(code.vectorOf(code.builder.getI64Type())) {}

Value WideMath::number(double x) { return code.constant(wideVector, x); }

Value WideMath::whole(int64_t x) { return code.constant(longVector, x); }

Value WideMath::less(Value a, Value b) {
  return code.op<arith::CmpFOp>(arith::CmpFPredicate::OLT, a, b);
}

Value WideMath::equal(Value a, Value b) {
  return code.op<arith::CmpFOp>(arith::CmpFPredicate::OEQ, a, b);
}

Value WideMath::isNan(Value x) {
  return code.op<arith::CmpFOp>(arith::CmpFPredicate::UNO, x, x);
}

Value WideMath::isNot(Value condition) {
  return differ(condition, code.condition(true));
}

Value WideMath::round(Value x) {
  return code.op<LLVM::RoundEvenOp>(x.getType(), x);
}

Value WideMath::abs(Value x) {
  return fromBits(both(bits(x), whole(std::numeric_limits<int64_t>::max())));
}

Value WideMath::widen(Value x) { return code.op<arith::ExtFOp>(wideVector, x); }

Value WideMath::narrow(Value x) {
  return code.op<arith::TruncFOp>(code.realVector, x);
}

Value WideMath::bits(Value x) {
  return code.op<arith::BitcastOp>(longVector, x);
}

Value WideMath::fromBits(Value x) {
  return code.op<arith::BitcastOp>(wideVector, x);
}

/// A whole number of less than 31 bits; of anything else, any number.
Value WideMath::toInteger(Value x) {
  Value usable = less(abs(x), number(0x1p+30));
  return code.op<arith::FPToSIOp>(code.integerVector,
                                  code.select(usable, x, number(0)));
}

Value WideMath::signOf(Value x) {
  return both(bits(x), whole(std::numeric_limits<int64_t>::min()));
}

Value WideMath::withSignOf(Value x, Value sign) {
  return fromBits(either(bits(abs(x)), signOf(sign)));
}

/// By Horner's rule, the highest coefficient first.
Value WideMath::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = number(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = code.fma(sum, x, number(coefficient));
  return sum;
}

//===--- Sine and cosine --------------------------------------------------===//
//
// x = m 2^e with a mantissa m of 24 bits. 2^e quarter turns, less whole turns,
// are tabulated for each e in three pieces of 29 bits, so that m times a piece
// is exact and no digit of any x is lost.

constexpr int64_t firstExponent = 126; // as in a float's bits: 1/2 <= x < 1
constexpr int64_t exponents = 255 - firstExponent;

/// 2^e / (pi / 2) less a multiple of 4, in units of 2^-85.
static llvm::APInt turnsOf(int64_t exponent) {
  // 2 / pi in units of 2^-192.
  llvm::APInt turn(192, "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041", 16);
  int64_t e = exponent - 127 - 23;
  return turn.lshr(static_cast<unsigned>(192 - 85 - e)).trunc(87);
}

/// The global table of one piece.
static Value turnsTable(Code &code, int piece) {
  std::string name = "quarter_turns_" + std::to_string(piece);
  Type real = code.builder.getF64Type();
  if (!code.module.lookupSymbol(name)) {
    SmallVector<double> numbers;
    for (int64_t i = 0; i < exponents; ++i) {
      llvm::APInt turns = turnsOf(firstExponent + i);
      auto digits = static_cast<double>(turns.extractBitsAsZExtValue(
          29, static_cast<unsigned>(58 - 29 * piece)));
      numbers.push_back(std::ldexp(digits, -27 - 29 * piece));
    }
    OpBuilder outside = OpBuilder::atBlockBegin(code.module.getBody());
    auto type = RankedTensorType::get({exponents}, real);
    LLVM::GlobalOp::create(
        outside, code.location, LLVM::LLVMArrayType::get(real, exponents),
        /*isConstant=*/true, LLVM::Linkage::Internal, name,
        DenseElementsAttr::get(type, ArrayRef<double>(numbers)));
  }
  return code.op<LLVM::AddressOfOp>(code.pointerType, name);
}

Value WideMath::quarterTurns(Value exponent, int piece) {
  Value table = turnsTable(code, piece);
  Value places = code.op<LLVM::GEPOp>(code.vectorOf(code.pointerType),
                                      code.builder.getF64Type(), table,
                                      ArrayRef<LLVM::GEPArg>{exponent});
  if (!code.hasVectors())
    return code.op<LLVM::LoadOp>(wideVector, places, 8u);
  Value all = code.condition(true);
  return code.op<LLVM::masked_gather>(wideVector, places, all, number(0),
                                      code.builder.getI32IntegerAttr(8));
}

Value WideMath::circular(Value x, bool cosine) {
  Value pattern =
      code.op<arith::AndIOp>(code.op<arith::BitcastOp>(code.integerVector, x),
                             code.integer(0x7fffffff));
  Value exponent =
      code.op<arith::SubIOp>(code.op<arith::ShRUIOp>(pattern, code.integer(23)),
                             code.integer(firstExponent));
  exponent = code.op<arith::MaxSIOp>(exponent, code.integer(0));
  exponent = code.op<arith::MinSIOp>(exponent, code.integer(exponents - 1));
  Value mantissa = code.op<arith::OrIOp>(
      code.op<arith::AndIOp>(pattern, code.integer(0x7fffff)),
      code.integer(0x800000));
  Value m = code.op<arith::SIToFPOp>(wideVector, mantissa);
  Value high = mul(m, quarterTurns(exponent, 0));
  Value turns = round(high);
  Value rest = mul(m, quarterTurns(exponent, 1));
  rest = add(rest, mul(m, quarterTurns(exponent, 2)));
  rest = add(sub(high, turns), rest);
  Value more = round(rest);
  Value magnitude = abs(widen(x));
  Value small = less(magnitude, number(0.75));
  Value angle = mul(sub(rest, more), number(1.57079632679489661923));
  angle = code.select(small, magnitude, angle);
  Value quadrant = toInteger(code.select(small, number(0), add(turns, more)));
  if (cosine)
    quadrant = code.op<arith::AddIOp>(quadrant, code.integer(1));
  Value square = mul(angle, angle);
  Value sine = polynomial(square, {-1.0 / 39916800, 1.0 / 362880, -1.0 / 5040,
                                   1.0 / 120, -1.0 / 6});
  sine = code.fma(mul(sine, square), angle, angle);
  Value other =
      polynomial(square, {1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320,
                          -1.0 / 720, 1.0 / 24, -0.5, 1});
  auto has = [&](int64_t bit) {
    return code.op<arith::CmpIOp>(
        arith::CmpIPredicate::ne,
        code.op<arith::AndIOp>(quadrant, code.integer(bit)), code.integer(0));
  };
  Value y = code.select(has(1), other, sine);
  y = code.select(has(2), sub(number(-0.0), y), y);
  if (!cosine)
    y = fromBits(differ(bits(y), signOf(widen(x))));
  return narrow(
      code.select(less(magnitude, number(infinity)), y, number(notANumber)));
}

Value WideMath::sin(Value x) { return circular(x, false); }

Value WideMath::cos(Value x) { return circular(x, true); }

//===--- The error function -----------------------------------------------===//

/// erf(x) / x as a polynomial of x^2 (a Chebyshev fit of 4e-11) up to 4, from
/// where on a float cannot tell it from one.
Value WideMath::erf(Value x) {
  Value wide = widen(x), magnitude = abs(wide);
  Value bounded = code.select(less(magnitude, number(4)), magnitude, number(4));
  Value w = code.fma(mul(bounded, bounded), number(0.125), number(-1));
  Value p = polynomial(w, {-3.5566795785810666e-05, 9.7256637699241589e-05,
                           -7.7758922494168751e-05, 0.00015876961967527849,
                           -0.00066221949664613635, 0.0014372159312613072,
                           -0.0025422212206154073,  0.0047476391993702015,
                           -0.0086223413586865912,  0.014397091965097183,
                           -0.022469199937727329,   0.03304775025622779,
                           -0.045765787725826117,   0.059888903555390775,
                           -0.074727812570748411,   0.090208837144940143,
                           -0.10771044414410302,    0.13167512166462025,
                           -0.1765762332932892,     0.35353099561954215});
  Value y = mul(p, bounded);
  y = code.select(less(magnitude, number(4)), y, number(1));
  y = withSignOf(y, wide);
  return narrow(code.select(isNan(wide), wide, y));
}

//===--- Powers -----------------------------------------------------------===//

/// Of a positive, finite number that was a float.
Value WideMath::log2(Value x) {
  Value pattern = bits(x);
  // Mantissa in [sqrt(1/2), sqrt(2)); the exponent is counted from -1024.
  constexpr int64_t root = 0x3fe6a09e667f3bcd, bias = 1024;
  Value shifted = code.op<arith::AddIOp>(
      code.op<arith::SubIOp>(pattern, whole(root)), whole(bias << 52));
  Value exponent = code.op<arith::TruncIOp>(
      code.integerVector, code.op<arith::ShRUIOp>(shifted, whole(52)));
  exponent = code.op<arith::SubIOp>(exponent, code.integer(bias));
  Value scale = code.op<arith::ShLIOp>(
      code.op<arith::ExtSIOp>(longVector, exponent), whole(52));
  Value mantissa = fromBits(code.op<arith::SubIOp>(pattern, scale));
  // log(m) = 2 artanh((m - 1) / (m + 1)).
  Value s = div(sub(mantissa, number(1)), add(mantissa, number(1)));
  Value p = polynomial(mul(s, s), {1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11,
                                   1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1});
  Value logarithm = mul(mul(p, s), number(2 * 1.44269504088896340736));
  return add(logarithm, code.op<arith::SIToFPOp>(wideVector, exponent));
}

/// Between 2^-300 and 2^300, which no float reaches.
Value WideMath::exp2(Value x) {
  Value z = code.select(less(x, number(-300)), number(-300), x);
  z = code.select(less(number(300), z), number(300), z);
  Value n = round(z);
  Value f = mul(sub(z, n), number(0.69314718055994530942));
  Value p = polynomial(f, {1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                           1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120,
                           1.0 / 24, 1.0 / 6, 0.5, 1, 1});
  Value exponent = code.op<arith::AddIOp>(toInteger(n), code.integer(1023));
  Value scale = code.op<arith::ShLIOp>(
      code.op<arith::ExtUIOp>(longVector, exponent), whole(52));
  return mul(p, fromBits(scale));
}

Value WideMath::pow(Value x, Value y) {
  Value base = widen(x), power = widen(y), magnitude = abs(base);
  Value one = number(1), zero = number(0);
  Value logarithm = log2(magnitude);
  logarithm = code.select(equal(magnitude, zero), number(-infinity), logarithm);
  logarithm = code.select(less(magnitude, number(infinity)), logarithm,
                          magnitude); // infinity, NaN
  Value result = exp2(mul(power, logarithm));
  result = code.select(equal(magnitude, one), one, result);
  result = code.select(isNan(power), power, result);
  // Negative bases: negative with odd powers, nothing between whole ones.
  auto isWhole = [&](Value a) {
    return equal(a, code.op<LLVM::FFloorOp>(wideVector, a));
  };
  Value odd = both(isWhole(power), isNot(isWhole(mul(power, number(0.5)))));
  Value negated = fromBits(either(bits(result), signOf(base)));
  result = code.select(odd, negated, result);
  Value between = both(isNot(isWhole(power)), isNot(isNan(power)));
  Value negative = both(less(base, zero), less(magnitude, number(infinity)));
  result = code.select(both(negative, between), number(notANumber), result);
  result =
      code.select(either(equal(power, zero), equal(base, one)), one, result);
  return narrow(result);
}

//===--- Remainders -------------------------------------------------------===//

/// a less the multiples of b 2^k, for one k after the other: quotients of less
/// than 53 bits, of which all digits are known.
Value WideMath::remainder(Value a, Value b) {
  Value wide = widen(a), rest = abs(wide), divisor = abs(widen(b));
  Value endless = equal(divisor, number(infinity));
  Value finite = less(rest, number(infinity));
  for (int k : {228, 180, 132, 84, 36, 0}) {
    Value step = mul(divisor, number(std::ldexp(1.0, k)));
    Value quotient = code.op<LLVM::FTruncOp>(wideVector, div(rest, step));
    Value next = code.fma(sub(number(-0.0), quotient), step, rest);
    // The quotient may have been rounded up to the next whole number.
    rest = code.select(less(next, number(0)), add(next, step), next);
  }
  rest = withSignOf(rest, wide);
  rest = code.select(both(endless, finite), wide, rest);
  return narrow(rest);
}

} // namespace trowel::cpu
