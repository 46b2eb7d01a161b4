// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floating point. Every operation computes in double and rounds once more to
// its type; a double has more than twice the bits of f32 and of what is
// narrower, so that sums, products, quotients and roots come out as if rounded
// once (Figueroa 1995). Subnormals are kept, as PTX does without `.ftz`.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

#include "dialect/Reference/Rounding.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <string>

using namespace mlir;

namespace trowel::emulator {

namespace {

struct F64 {
  static double get(uint64_t bits) { return llvm::bit_cast<double>(bits); }
  static uint64_t put(double value) { return llvm::bit_cast<uint64_t>(value); }
  template <typename Integer> static uint64_t round(Integer value) {
    return put(double(value));
  }
};

struct F32 {
  static double get(uint64_t bits) {
    return llvm::bit_cast<float>(uint32_t(bits));
  }
  static uint64_t put(double value) {
    return llvm::bit_cast<uint32_t>(float(value));
  }
  template <typename Integer> static uint64_t round(Integer value) {
    return put(float(value));
  }
};

template <const FloatFormat &format> struct Narrow {
  static double get(uint64_t bits) { return trowel::decode(format, bits); }
  static uint64_t put(double value) { return encode(format, value); }
  template <typename Integer> static uint64_t round(Integer value) {
    return put(double(value));
  }
};
using F16 = Narrow<formats::f16>;
using BF16 = Narrow<formats::bf16>;

} // namespace

using Unary = double (*)(double);
using Binary = double (*)(double, double);

template <typename Format, Unary f>
static Step unary(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = Format::put(f(Format::get(thread[at.a + i])));
  return Step::Next;
}

template <typename Format, Binary f>
static Step binary(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = Format::put(
        f(Format::get(thread[at.a + i]), Format::get(thread[at.b + i])));
  return Step::Next;
}

template <typename From, typename To>
static Step convert(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = To::put(From::get(thread[at.a + i]));
  return Step::Next;
}

/// The handler of the type's format among those of all formats;
/// null: there is none.
static Handler pickFormat(Type type, Handler f32, Handler f16, Handler bf16,
                          Handler f64) {
  type = elementOf(type);
  return type.isF32()    ? f32
         : type.isF16()  ? f16
         : type.isBF16() ? bf16
         : type.isF64()  ? f64
                         : Handler();
}

template <Unary f> static Handler unaryOf(Type type) {
  return pickFormat(type, unary<F32, f>, unary<F16, f>, unary<BF16, f>,
                    unary<F64, f>);
}

template <Binary f> static Handler binaryOf(Type type) {
  return pickFormat(type, binary<F32, f>, binary<F16, f>, binary<BF16, f>,
                    binary<F64, f>);
}

template <typename From> static Handler conversionTo(Type type) {
  return pickFormat(type, convert<From, F32>, convert<From, F16>,
                    convert<From, BF16>, convert<From, F64>);
}

static Handler conversion(Type from, Type to) {
  return pickFormat(from, conversionTo<F32>(to), conversionTo<F16>(to),
                    conversionTo<BF16>(to), conversionTo<F64>(to));
}

static llvm::Error emitOrRefuse(Decoder &decoder, Operation *op,
                                Handler handler) {
  if (!handler)
    return refuse(op, "the emulator does not compute in this type");
  decoder.emit(op, handler);
  return llvm::Error::success();
}

template <Unary f>
static llvm::Error decodeUnary(Decoder &decoder, Operation *op) {
  return emitOrRefuse(decoder, op, unaryOf<f>(op->getResult(0).getType()));
}

template <Binary f>
static llvm::Error decodeBinary(Decoder &decoder, Operation *op) {
  return emitOrRefuse(decoder, op, binaryOf<f>(op->getResult(0).getType()));
}

static llvm::Error decodeConversion(Decoder &decoder, Operation *op) {
  return emitOrRefuse(
      decoder, op,
      conversion(op->getOperand(0).getType(), op->getResult(0).getType()));
}

static double add(double a, double b) { return a + b; }
static double sub(double a, double b) { return a - b; }
static double mul(double a, double b) { return a * b; }
static double div(double a, double b) { return a / b; }
/// The other operand instead of a NaN; zeros are ordered by their signs (PTX
/// ISA 9.7.3, `max` and `min`).
static double larger(double a, double b) {
  if (a == 0 && b == 0)
    return std::signbit(a) ? b : a;
  return std::fmax(a, b);
}
static double smaller(double a, double b) {
  if (a == 0 && b == 0)
    return std::signbit(a) ? a : b;
  return std::fmin(a, b);
}
/// `.NaN`: a NaN if one is there.
static double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : larger(a, b);
}
static double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : smaller(a, b);
}
static double copySign(double a, double b) { return std::copysign(a, b); }
static double down(double a) { return std::floor(a); }
static double up(double a) { return std::ceil(a); }
static double toZero(double a) { return std::trunc(a); }
/// Ties go to even, in the mode that programs start in.
static double toNearest(double a) { return std::nearbyint(a); }
static double negate(double a) { return -a; }
static double magnitude(double a) { return std::fabs(a); }
static double root(double a) { return std::sqrt(a); }

/// Rounds once, also where a product and a sum need more bits than a double
/// has: a sum that is not exact is made odd, and rounds then as the exact one
/// would (Boldo and Melquiond 2008).
template <typename Format> static double fuse(double a, double b, double c) {
  double product = a * b, sum = product + c;
  if (!std::isfinite(sum))
    return sum;
  double part = sum - product;
  double lost = (product - (sum - part)) + (c - part);
  if (lost != 0 && !(llvm::bit_cast<uint64_t>(sum) & 1))
    sum = std::nextafter(sum, lost > 0 ? INFINITY : -INFINITY);
  return sum;
}
template <> double fuse<F64>(double a, double b, double c) {
  return std::fma(a, b, c);
}

template <typename Format>
static Step fused(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = Format::put(fuse<Format>(
        Format::get(thread[at.a + i]), Format::get(thread[at.b + i]),
        Format::get(thread[at.c + i])));
  return Step::Next;
}

/// Each bit of a predicate allows one outcome: equal, greater, less, unordered.
template <typename Format>
static Step compare(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i) {
    double a = Format::get(thread[at.a + i]), b = Format::get(thread[at.b + i]);
    unsigned outcome = a == b ? 1 : a > b ? 2 : a < b ? 4 : 8;
    thread[at.result + i] = (at.immediate & outcome) != 0;
  }
  return Step::Next;
}

/// `immediate`: the width of the integer.
template <typename Format>
static Step fromSigned(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = Format::round(
        llvm::SignExtend64(thread[at.a + i], unsigned(at.immediate)));
  return Step::Next;
}

template <typename Format>
static Step fromUnsigned(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = Format::round(thread[at.a + i]);
  return Step::Next;
}

static Step outOfRange(Thread &thread, const Instruction &at, double value) {
  return thread.fail(at, Problem::Value,
                     "the integer type does not hold " +
                         llvm::Twine(std::to_string(value)));
}

template <typename Format>
static Step toSigned(Thread &thread, const Instruction &at) {
  double limit = std::ldexp(1.0, at.width - 1);
  for (uint32_t i = 0; i < at.count; ++i) {
    double value = std::trunc(Format::get(thread[at.a + i]));
    if (!(value >= -limit && value < limit))
      return outOfRange(thread, at, value);
    thread[at.result + i] = uint64_t(int64_t(value)) & ~0ull >> (64 - at.width);
  }
  return Step::Next;
}

template <typename Format>
static Step toUnsigned(Thread &thread, const Instruction &at) {
  double limit = std::ldexp(1.0, at.width);
  for (uint32_t i = 0; i < at.count; ++i) {
    double value = std::trunc(Format::get(thread[at.a + i]));
    if (!(value >= 0 && value < limit))
      return outOfRange(thread, at, value);
    thread[at.result + i] = uint64_t(value);
  }
  return Step::Next;
}

static llvm::Error decodeFused(Decoder &decoder, Operation *op) {
  return emitOrRefuse(decoder, op,
                      pickFormat(op->getResult(0).getType(), fused<F32>,
                                 fused<F16>, fused<BF16>, fused<F64>));
}

static llvm::Error decodeCompare(Decoder &decoder, Operation *op) {
  auto comparison = cast<LLVM::FCmpOp>(op);
  Handler run = pickFormat(comparison.getLhs().getType(), compare<F32>,
                           compare<F16>, compare<BF16>, compare<F64>);
  if (!run)
    return refuse(op, "the emulator does not compute in this type");
  // Up to `ord` the dialect's numbers are such bits; `uno` comes behind those
  // predicates that are `uno` or one of the first.
  auto bits = static_cast<int64_t>(comparison.getPredicate());
  if (comparison.getPredicate() == LLVM::FCmpPredicate::uno)
    bits = 8;
  else if (comparison.getPredicate() != LLVM::FCmpPredicate::_true && bits > 7)
    bits += 1;
  decoder.emit(op, run).immediate = bits;
  return llvm::Error::success();
}

template <bool isSigned>
static llvm::Error decodeFromInteger(Decoder &decoder, Operation *op) {
  Type type = op->getResult(0).getType();
  unsigned bits = bitsOf(op->getOperand(0).getType());
  Handler run = isSigned
                    ? pickFormat(type, fromSigned<F32>, fromSigned<F16>,
                                 fromSigned<BF16>, fromSigned<F64>)
                    : pickFormat(type, fromUnsigned<F32>, fromUnsigned<F16>,
                                 fromUnsigned<BF16>, fromUnsigned<F64>);
  // Through a double, wide integers would be rounded twice.
  bool narrow = elementOf(type).isF16() || elementOf(type).isBF16();
  if (!run || (narrow && bits > 53))
    return refuse(op, "the emulator does not convert between these types");
  decoder.emit(op, run).immediate = bits;
  return llvm::Error::success();
}

template <bool isSigned>
static llvm::Error decodeToInteger(Decoder &decoder, Operation *op) {
  Type type = op->getOperand(0).getType();
  return emitOrRefuse(decoder, op,
                      isSigned
                          ? pickFormat(type, toSigned<F32>, toSigned<F16>,
                                       toSigned<BF16>, toSigned<F64>)
                          : pickFormat(type, toUnsigned<F32>, toUnsigned<F16>,
                                       toUnsigned<BF16>, toUnsigned<F64>));
}

//===----------------------------------------------------------------------===//
// Approximations (PTX ISA 9.7.3): the device may be off by some units in the
// last place; these are rounded correctly.
//===----------------------------------------------------------------------===//

/// `.ftz`: subnormals are zero, on the way in and out.
static double flush(double x) {
  return std::fabs(x) < 0x1p-126 ? std::copysign(0.0, x) : x;
}

static double powerOf2(double x) { return std::exp2(x); }
static double logarithm2(double x) { return std::log2(x); }
static double reciprocal(double x) { return 1 / x; }
static double reciprocalRoot(double x) { return 1 / std::sqrt(x); }

template <Unary f> static double flushed(double x) {
  return flush(float(f(flush(x))));
}

static llvm::Error decodeIntrinsic(Decoder &decoder, Operation *op) {
  static const llvm::StringMap<Handler> known = {
      {"llvm.nvvm.ex2.approx.f", unary<F32, powerOf2>},
      {"llvm.nvvm.ex2.approx.f32", unary<F32, powerOf2>},
      {"llvm.nvvm.ex2.approx.ftz.f", unary<F32, flushed<powerOf2>>},
      {"llvm.nvvm.ex2.approx.ftz.f32", unary<F32, flushed<powerOf2>>},
      {"llvm.nvvm.lg2.approx.f", unary<F32, logarithm2>},
      {"llvm.nvvm.lg2.approx.ftz.f", unary<F32, flushed<logarithm2>>},
      {"llvm.nvvm.rcp.approx.ftz.f", unary<F32, flushed<reciprocal>>},
      {"llvm.nvvm.div.full", binary<F32, div>},
      {"llvm.nvvm.rsqrt.approx.f", unary<F32, reciprocalRoot>},
      {"llvm.nvvm.rsqrt.approx.ftz.f", unary<F32, flushed<reciprocalRoot>>},
  };
  auto found = known.find(cast<LLVM::CallIntrinsicOp>(op).getIntrin());
  if (found == known.end())
    return refuse(op, "the emulator does not know this intrinsic");
  decoder.emit(op, found->second);
  return llvm::Error::success();
}

static llvm::Error decodeReciprocal(Decoder &decoder, Operation *op) {
  decoder.emit(op, unary<F32, flushed<reciprocal>>);
  return llvm::Error::success();
}

/// Programs for the device have these in the narrow types only.
template <Unary f>
static llvm::Error decodeApproximation(Decoder &decoder, Operation *op) {
  Type type = op->getResult(0).getType();
  return emitOrRefuse(decoder, op,
                      elementOf(type).isF64() ? Handler() : unaryOf<f>(type));
}

/// Without permission to approximate, LLVM calls a library that is not there.
static llvm::Error decodeLog2(Decoder &decoder, Operation *op) {
  auto flags = cast<LLVM::Log2Op>(op).getFastmathFlags();
  if (!LLVM::bitEnumContainsAll(flags, LLVM::FastmathFlags::afn))
    return refuse(op, "devices have it only as an approximation (`afn`)");
  return decodeApproximation<logarithm2>(decoder, op);
}

void addFloats(Table &table) {
  table["llvm.fadd"] = decodeBinary<add>;
  table["llvm.fsub"] = decodeBinary<sub>;
  table["llvm.fmul"] = decodeBinary<mul>;
  table["llvm.fdiv"] = decodeBinary<div>;
  table["llvm.intr.maxnum"] = decodeBinary<larger>;
  table["llvm.intr.minnum"] = decodeBinary<smaller>;
  table["llvm.fneg"] = decodeUnary<negate>;
  table["llvm.intr.fabs"] = decodeUnary<magnitude>;
  table["llvm.intr.sqrt"] = decodeUnary<root>;
  table["llvm.intr.exp2"] = decodeApproximation<powerOf2>;
  table["llvm.intr.log2"] = decodeLog2;
  table["llvm.intr.maximum"] = decodeBinary<maximum>;
  table["llvm.intr.minimum"] = decodeBinary<minimum>;
  table["llvm.intr.copysign"] = decodeBinary<copySign>;
  table["llvm.intr.floor"] = decodeUnary<down>;
  table["llvm.intr.ceil"] = decodeUnary<up>;
  table["llvm.intr.trunc"] = decodeUnary<toZero>;
  table["llvm.intr.rint"] = decodeUnary<toNearest>;
  table["llvm.intr.nearbyint"] = decodeUnary<toNearest>;
  table["llvm.intr.roundeven"] = decodeUnary<toNearest>;
  table["llvm.intr.fmuladd"] = decodeFused;
  table["nvvm.rcp.approx.ftz.f"] = decodeReciprocal;
  table["llvm.intr.fma"] = decodeFused;
  table["llvm.fptrunc"] = decodeConversion;
  table["llvm.fpext"] = decodeConversion;
  table["llvm.fcmp"] = decodeCompare;
  table["llvm.sitofp"] = decodeFromInteger<true>;
  table["llvm.uitofp"] = decodeFromInteger<false>;
  table["llvm.fptosi"] = decodeToInteger<true>;
  table["llvm.fptoui"] = decodeToInteger<false>;
  table["llvm.call_intrinsic"] = decodeIntrinsic;
}

} // namespace trowel::emulator
