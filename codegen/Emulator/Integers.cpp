// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integers: arithmetic, comparisons and conversions, element by element.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace trowel::emulator {

static uint64_t mask(unsigned width) { return ~0ull >> (64 - width); }
static int64_t extended(uint64_t value, unsigned width) {
  return llvm::SignExtend64(value, width);
}

//===----------------------------------------------------------------------===//
// Two operands; results are cut to the width
//===----------------------------------------------------------------------===//

using Binary = uint64_t (*)(uint64_t, uint64_t, unsigned);

static uint64_t add(uint64_t a, uint64_t b, unsigned) { return a + b; }
static uint64_t sub(uint64_t a, uint64_t b, unsigned) { return a - b; }
static uint64_t mul(uint64_t a, uint64_t b, unsigned) { return a * b; }
static uint64_t bitAnd(uint64_t a, uint64_t b, unsigned) { return a & b; }
static uint64_t bitOr(uint64_t a, uint64_t b, unsigned) { return a | b; }
static uint64_t bitXor(uint64_t a, uint64_t b, unsigned) { return a ^ b; }
static uint64_t shl(uint64_t a, uint64_t b, unsigned) { return a << b; }
static uint64_t lshr(uint64_t a, uint64_t b, unsigned) { return a >> b; }
static uint64_t ashr(uint64_t a, uint64_t b, unsigned width) {
  return extended(a, width) >> b;
}
static uint64_t udiv(uint64_t a, uint64_t b, unsigned) { return a / b; }
static uint64_t urem(uint64_t a, uint64_t b, unsigned) { return a % b; }
static uint64_t sdiv(uint64_t a, uint64_t b, unsigned width) {
  return extended(a, width) / extended(b, width);
}
static uint64_t srem(uint64_t a, uint64_t b, unsigned width) {
  return extended(a, width) % extended(b, width);
}
static uint64_t umin(uint64_t a, uint64_t b, unsigned) {
  return std::min(a, b);
}
static uint64_t umax(uint64_t a, uint64_t b, unsigned) {
  return std::max(a, b);
}
static uint64_t smin(uint64_t a, uint64_t b, unsigned width) {
  return std::min(extended(a, width), extended(b, width));
}
static uint64_t smax(uint64_t a, uint64_t b, unsigned width) {
  return std::max(extended(a, width), extended(b, width));
}

template <Binary f> static Step binary(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] =
        f(thread[at.a + i], thread[at.b + i], at.width) & mask(at.width);
  return Step::Next;
}

template <Binary f> static Step shift(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    if (thread[at.b + i] >= at.width)
      return thread.fail(at, Problem::Value,
                         "shifts by as many bits as there are, or more");
  return binary<f>(thread, at);
}

template <Binary f>
static Step division(Thread &thread, const Instruction &at) {
  bool isSigned = f == sdiv || f == srem;
  for (uint32_t i = 0; i < at.count; ++i) {
    if (thread[at.b + i] == 0)
      return thread.fail(at, Problem::Value, "divides by zero");
    if (isSigned && thread[at.b + i] == mask(at.width) &&
        thread[at.a + i] == 1ull << (at.width - 1))
      return thread.fail(at, Problem::Value, "the quotient overflows");
  }
  return binary<f>(thread, at);
}

//===----------------------------------------------------------------------===//
// Comparison, selection, conversion
//===----------------------------------------------------------------------===//

static bool compares(LLVM::ICmpPredicate how, uint64_t a, uint64_t b,
                     unsigned width) {
  int64_t x = extended(a, width), y = extended(b, width);
  switch (how) {
  case LLVM::ICmpPredicate::eq:
    return a == b;
  case LLVM::ICmpPredicate::ne:
    return a != b;
  case LLVM::ICmpPredicate::slt:
    return x < y;
  case LLVM::ICmpPredicate::sle:
    return x <= y;
  case LLVM::ICmpPredicate::sgt:
    return x > y;
  case LLVM::ICmpPredicate::sge:
    return x >= y;
  case LLVM::ICmpPredicate::ult:
    return a < b;
  case LLVM::ICmpPredicate::ule:
    return a <= b;
  case LLVM::ICmpPredicate::ugt:
    return a > b;
  case LLVM::ICmpPredicate::uge:
    return a >= b;
  }
  return false;
}

static Step compare(Thread &thread, const Instruction &at) {
  auto how = static_cast<LLVM::ICmpPredicate>(at.immediate);
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] =
        compares(how, thread[at.a + i], thread[at.b + i], at.width);
  return Step::Next;
}

static llvm::Error decodeCompare(Decoder &decoder, Operation *op) {
  auto comparison = cast<LLVM::ICmpOp>(op);
  Instruction &instruction = decoder.emit(op, compare);
  instruction.width = bitsOf(comparison.getLhs().getType());
  instruction.immediate = static_cast<int64_t>(comparison.getPredicate());
  return llvm::Error::success();
}

/// `immediate`: the slots of the condition.
static Step select(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = thread[at.a + (at.immediate > 1 ? i : 0)]
                                ? thread[at.b + i]
                                : thread[at.c + i];
  return Step::Next;
}

static llvm::Error decodeSelect(Decoder &decoder, Operation *op) {
  Instruction &instruction = decoder.emit(op, select);
  instruction.immediate = slotsOf(op->getOperand(0).getType());
  return llvm::Error::success();
}

/// `immediate`: the width of the operand.
static Step signExtend(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] =
        extended(thread[at.a + i], at.immediate) & mask(at.width);
  return Step::Next;
}

static Step truncate(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = thread[at.a + i] & mask(at.width);
  return Step::Next;
}

static llvm::Error decodeSignExtend(Decoder &decoder, Operation *op) {
  decoder.emit(op, signExtend).immediate = bitsOf(op->getOperand(0).getType());
  return llvm::Error::success();
}

/// The bits of the operand's elements, cut anew; `immediate`: their width.
static Step recast(Thread &thread, const Instruction &at) {
  unsigned from = at.immediate, to = at.width;
  if (from == to) {
    std::copy_n(&thread[at.a], at.count, &thread[at.result]);
    return Step::Next;
  }
  for (uint32_t i = 0; i < at.count; ++i) {
    uint64_t bits = 0;
    if (from > to)
      bits = thread[at.a + i * to / from] >> (i * to % from);
    else
      for (unsigned part = 0; part < to / from; ++part)
        bits |= thread[at.a + i * (to / from) + part] << (part * from);
    thread[at.result + i] = bits & mask(to);
  }
  return Step::Next;
}

static llvm::Error decodeBitcast(Decoder &decoder, Operation *op) {
  unsigned from = bitsOf(op->getOperand(0).getType());
  unsigned to = bitsOf(op->getResult(0).getType());
  if (from == 0 || to == 0 || std::max(from, to) % std::min(from, to))
    return refuse(op, "the emulator does not cut these types anew");
  decoder.emit(op, recast).immediate = from;
  return llvm::Error::success();
}

static llvm::Error same(Decoder &decoder, Operation *op) {
  decoder.alias(op->getResult(0), decoder.slot(op->getOperand(0)));
  return llvm::Error::success();
}

using Unary = uint64_t (*)(uint64_t, unsigned);

static uint64_t populationCount(uint64_t a, unsigned) {
  return llvm::popcount(a);
}
/// The smallest number is its own absolute value, as `abs` of PTX has it.
static uint64_t magnitude(uint64_t a, unsigned width) {
  return extended(a, width) < 0 ? -a : a;
}
static uint64_t leadingZeros(uint64_t a, unsigned width) {
  return llvm::countl_zero(a) - (64 - width);
}
static uint64_t trailingZeros(uint64_t a, unsigned width) {
  return std::min<uint64_t>(llvm::countr_zero(a), width);
}

template <Unary f> static Step unary(Thread &thread, const Instruction &at) {
  for (uint32_t i = 0; i < at.count; ++i)
    thread[at.result + i] = f(thread[at.a + i], at.width) & mask(at.width);
  return Step::Next;
}

template <Handler run>
static llvm::Error plain(Decoder &decoder, Operation *op) {
  decoder.emit(op, run);
  return llvm::Error::success();
}

void addIntegers(Table &table) {
  table["llvm.add"] = plain<binary<add>>;
  table["llvm.sub"] = plain<binary<sub>>;
  table["llvm.mul"] = plain<binary<mul>>;
  table["llvm.and"] = plain<binary<bitAnd>>;
  table["llvm.or"] = plain<binary<bitOr>>;
  table["llvm.xor"] = plain<binary<bitXor>>;
  table["llvm.shl"] = plain<shift<shl>>;
  table["llvm.lshr"] = plain<shift<lshr>>;
  table["llvm.ashr"] = plain<shift<ashr>>;
  table["llvm.udiv"] = plain<division<udiv>>;
  table["llvm.urem"] = plain<division<urem>>;
  table["llvm.sdiv"] = plain<division<sdiv>>;
  table["llvm.srem"] = plain<division<srem>>;
  table["llvm.intr.umin"] = plain<binary<umin>>;
  table["llvm.intr.umax"] = plain<binary<umax>>;
  table["llvm.intr.smin"] = plain<binary<smin>>;
  table["llvm.intr.smax"] = plain<binary<smax>>;
  table["llvm.intr.ctpop"] = plain<unary<populationCount>>;
  table["llvm.intr.abs"] = plain<unary<magnitude>>;
  table["llvm.intr.ctlz"] = plain<unary<leadingZeros>>;
  table["llvm.intr.cttz"] = plain<unary<trailingZeros>>;
  table["llvm.freeze"] = same;
  table["llvm.icmp"] = decodeCompare;
  table["llvm.select"] = decodeSelect;
  table["llvm.sext"] = decodeSignExtend;
  table["llvm.zext"] = plain<truncate>;
  table["llvm.trunc"] = plain<truncate>;
  table["llvm.ptrtoint"] = plain<truncate>;
  table["llvm.inttoptr"] = same;
  table["llvm.bitcast"] = decodeBitcast;
}

} // namespace trowel::emulator
