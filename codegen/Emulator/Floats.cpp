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

#include <cmath>

using namespace mlir;

namespace trowel::emulator {

namespace {

struct F64 {
  static double get(uint64_t bits) { return llvm::bit_cast<double>(bits); }
  static uint64_t put(double value) { return llvm::bit_cast<uint64_t>(value); }
};

struct F32 {
  static double get(uint64_t bits) {
    return llvm::bit_cast<float>(uint32_t(bits));
  }
  static uint64_t put(double value) {
    return llvm::bit_cast<uint32_t>(float(value));
  }
};

template <const FloatFormat &format> struct Narrow {
  static double get(uint64_t bits) { return trowel::decode(format, bits); }
  static uint64_t put(double value) { return encode(format, value); }
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

/// The handler of the type's format; null: there is none.
template <Unary f> static Handler unaryOf(Type type) {
  type = elementOf(type);
  return type.isF32()    ? unary<F32, f>
         : type.isF16()  ? unary<F16, f>
         : type.isBF16() ? unary<BF16, f>
         : type.isF64()  ? unary<F64, f>
                         : Handler();
}

template <Binary f> static Handler binaryOf(Type type) {
  type = elementOf(type);
  return type.isF32()    ? binary<F32, f>
         : type.isF16()  ? binary<F16, f>
         : type.isBF16() ? binary<BF16, f>
         : type.isF64()  ? binary<F64, f>
                         : Handler();
}

template <typename From> static Handler conversionTo(Type type) {
  type = elementOf(type);
  return type.isF32()    ? convert<From, F32>
         : type.isF16()  ? convert<From, F16>
         : type.isBF16() ? convert<From, BF16>
         : type.isF64()  ? convert<From, F64>
                         : Handler();
}

static Handler conversion(Type from, Type to) {
  from = elementOf(from);
  return from.isF32()    ? conversionTo<F32>(to)
         : from.isF16()  ? conversionTo<F16>(to)
         : from.isBF16() ? conversionTo<BF16>(to)
         : from.isF64()  ? conversionTo<F64>(to)
                         : Handler();
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
static double larger(double a, double b) { return std::fmax(a, b); }
static double smaller(double a, double b) { return std::fmin(a, b); }
static double negate(double a) { return -a; }
static double magnitude(double a) { return std::fabs(a); }
static double root(double a) { return std::sqrt(a); }
static double exp2(double a) { return std::exp2(a); }

/// One rounding, by the fused operation of the type itself.
static Step fusedF32(Thread &thread, const Instruction &at) {
  auto get = [&](Slot slot) { return float(F32::get(thread[slot])); };
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] =
        F32::put(std::fmaf(get(at.a + i), get(at.b + i), get(at.c + i)));
  return Step::Next;
}

static llvm::Error decodeFused(Decoder &decoder, Operation *op) {
  bool known = elementOf(op->getResult(0).getType()).isF32();
  return emitOrRefuse(decoder, op, known ? fusedF32 : Handler());
}

/// Each bit of a predicate allows one outcome: equal, greater, less, unordered.
static Step compareF32(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i) {
    double a = F32::get(thread[at.a + i]), b = F32::get(thread[at.b + i]);
    unsigned outcome = a == b ? 1 : a > b ? 2 : a < b ? 4 : 8;
    thread[at.result + i] = (at.immediate & outcome) != 0;
  }
  return Step::Next;
}

static llvm::Error decodeCompare(Decoder &decoder, Operation *op) {
  auto comparison = cast<LLVM::FCmpOp>(op);
  if (!elementOf(comparison.getLhs().getType()).isF32())
    return refuse(op, "the emulator does not compute in this type");
  // The numbering of LLVM: _false 0, oeq 1, ogt 2, oge 3, olt 4, ... uno 8.
  decoder.emit(op, compareF32).immediate =
      static_cast<int64_t>(comparison.getPredicate());
  return llvm::Error::success();
}

static Step fromSigned(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = F32::put(int32_t(thread[at.a + i]));
  return Step::Next;
}

static Step fromUnsigned(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = F32::put(uint32_t(thread[at.a + i]));
  return Step::Next;
}

template <Handler run>
static llvm::Error decodeFromInteger(Decoder &decoder, Operation *op) {
  bool known = elementOf(op->getOperand(0).getType()).isInteger(32) &&
               elementOf(op->getResult(0).getType()).isF32();
  return emitOrRefuse(decoder, op, known ? run : Handler());
}

/// ex2.approx.ftz (PTX ISA 9.7.3, `ex2`): subnormals are zero, on the way in
/// and out. The device may be off by 2 units in the last place; this is not.
static Step exp2Flushed(Thread &thread, const Instruction &at) {
  auto flushed = [](double x) {
    return std::fabs(x) < 0x1p-126 ? std::copysign(0.0, x) : x;
  };
  double x = flushed(F32::get(thread[at.a]));
  thread[at.result] = F32::put(flushed(float(std::exp2(x))));
  return Step::Next;
}

static llvm::Error decodeIntrinsic(Decoder &decoder, Operation *op) {
  StringRef name = cast<LLVM::CallIntrinsicOp>(op).getIntrin();
  if (name != "llvm.nvvm.ex2.approx.ftz.f" &&
      name != "llvm.nvvm.ex2.approx.ftz.f32")
    return refuse(op, "the emulator does not know this intrinsic");
  decoder.emit(op, exp2Flushed);
  return llvm::Error::success();
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
  table["llvm.intr.exp2"] = decodeUnary<exp2>;
  table["llvm.intr.fma"] = decodeFused;
  table["llvm.fptrunc"] = decodeConversion;
  table["llvm.fpext"] = decodeConversion;
  table["llvm.fcmp"] = decodeCompare;
  table["llvm.sitofp"] = decodeFromInteger<fromSigned>;
  table["llvm.uitofp"] = decodeFromInteger<fromUnsigned>;
  table["llvm.call_intrinsic"] = decodeIntrinsic;
}

} // namespace trowel::emulator
