// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrices in the registers of a warp (PTX ISA 9.7.14): `mma.sync`, `ldmatrix`,
// `stmatrix`, and the conversion to tf32. All lanes come together; none of
// these orders memory.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Fragments.h"
#include "codegen/Emulator/Machine.h"

#include "llvm/ADT/bit.h"

#include <cmath>

using namespace mlir;

namespace trowel::emulator {

//===----------------------------------------------------------------------===//
// mma.sync: D[16, 8] = A[16, K] B[K, 8] + C[16, 8]
//===----------------------------------------------------------------------===//

namespace {

struct Multiply : Details {
  Element element;
  unsigned depth; // K
  // The slots of the registers; a pair of elements has one or two.
  std::vector<SlotRange> a, b;
  std::vector<Slot> c;
};

constexpr unsigned rows = 16, columns = 8, deepest = 16;

struct Operands {
  double a[rows][deepest], b[deepest][columns];
};

} // namespace

/// The fragments of one lane.
static bool gather(Thread &lane, const Multiply &multiply, Operands &to) {
  Element kind = multiply.element;
  bool fit = true;
  auto element = [&](SlotRange where, unsigned part) {
    uint32_t bits = elementBits(lane, where, part, kind);
    fit &= fits(kind, bits);
    return valueOf(kind, bits);
  };
  for (unsigned part = 0; part < perRegister(kind); ++part) {
    for (unsigned number = 0; number < multiply.a.size(); ++number) {
      Position at = positionInA(kind, lane.lane(), number, part);
      to.a[at.row][at.column] = element(multiply.a[number], part);
    }
    for (unsigned number = 0; number < multiply.b.size(); ++number) {
      Position at = positionInB(kind, lane.lane(), number, part);
      to.b[at.row][at.column] = element(multiply.b[number], part);
    }
  }
  return fit;
}

/// The products are summed in double, and rounded once: a device rounds in
/// between, in an order that it does not tell.
static void accumulate(Thread &lane, const Instruction &instruction,
                       const Operands &from) {
  const Multiply &multiply = instruction.as<Multiply>();
  uint64_t results[4];
  for (unsigned i = 0; i < 4; ++i) {
    Position at = positionInC(lane.lane(), i);
    double sum = llvm::bit_cast<float>(uint32_t(lane[multiply.c[i]]));
    for (unsigned k = 0; k < multiply.depth; ++k)
      sum += from.a[at.row][k] * from.b[k][at.column];
    results[i] = llvm::bit_cast<uint32_t>(float(sum));
  }
  std::copy_n(results, 4, &lane[instruction.result]);
}

static Step multiply(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    Operands operands;
    for (Thread *lane : lanes)
      if (!gather(*lane, at.as<Multiply>(), operands))
        return lane->fail(at, Problem::Value,
                          "an operand has more bits than tf32: convert it");
    for (Thread *lane : lanes)
      accumulate(*lane, at, operands);
    return Step::Next;
  };
  return thread.machine->meet(thread, at, ~0u, together);
}

static std::optional<Element> elementOf(NVVM::MmaOp op) {
  auto a = op.getMultiplicandAPtxType(), b = op.getMultiplicandBPtxType();
  if (!a || !b || *a != *b)
    return std::nullopt;
  switch (*a) {
  case NVVM::MMATypes::f16:
    return Element::F16;
  case NVVM::MMATypes::bf16:
    return Element::BF16;
  case NVVM::MMATypes::tf32:
    return Element::TF32;
  default:
    return std::nullopt;
  }
}

/// The registers if there are as many as the shape has.
static bool addRegisters(Decoder &decoder, ValueRange values, size_t count,
                         std::vector<SlotRange> &to) {
  for (Value value : values)
    to.push_back(decoder.range(value));
  return to.size() == count;
}

static llvm::Error decodeMultiply(Decoder &decoder, Operation *op) {
  auto mma = cast<NVVM::MmaOp>(op);
  auto element = elementOf(mma);
  bool fixed = mma.getLayoutA() == NVVM::MMALayout::row &&
               mma.getLayoutB() == NVVM::MMALayout::col &&
               mma.getShape().getM() == rows &&
               mma.getShape().getN() == columns &&
               mma.accumPtxType() == NVVM::MMATypes::f32 &&
               mma.resultPtxType() == NVVM::MMATypes::f32;
  if (!element || !fixed)
    return refuse(op, "only m16n8 of f16, bf16 and tf32 with f32 runs");
  auto details = std::make_unique<Multiply>();
  details->element = *element;
  details->depth = mma.getShape().getK();
  unsigned perStep = 4 * perRegister(*element);
  unsigned steps = details->depth / perStep;
  if (details->depth % perStep || steps < 1 || steps > 2)
    return refuse(op, "there is no such depth");
  bool complete =
      addRegisters(decoder, mma.getOperandA(), 2 * steps, details->a) &&
      addRegisters(decoder, mma.getOperandB(), steps, details->b);
  for (Value value : mma.getOperandC())
    details->c.push_back(decoder.slot(value));
  if (!complete || details->c.size() != 4 ||
      slotsOf(op->getResult(0).getType()) != 4)
    return refuse(op, "the registers are not those of the shape");
  decoder.emit(op, multiply).details = std::move(details);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// ldmatrix, stmatrix: 8 x 8 matrices of 16 bits; a lane gives the address of a
// row, and the lane that holds an element accesses it
//===----------------------------------------------------------------------===//

namespace {

struct Transfer : Details {
  unsigned matrices;
  bool transposed;
  std::vector<Slot> registers; // one a matrix
};

} // namespace

/// The address of the element that `lane` has in the low or the high half.
static uint64_t elementAddress(const Lanes &lanes, const Instruction &at,
                               unsigned matrix, unsigned lane, unsigned half) {
  unsigned row = lane / 4, column = lane % 4 * 2 + half;
  if (at.as<Transfer>().transposed)
    std::swap(row, column);
  return (*lanes[8 * matrix + row])[at.a] + 2 * column;
}

template <bool isLoad>
static Step transferElements(const Lanes &lanes, const Instruction &at) {
  const Transfer &transfer = at.as<Transfer>();
  for (unsigned row = 0; row < 8 * transfer.matrices; ++row)
    if ((*lanes[row])[at.a] % 16)
      return lanes[row]->fail(at, Problem::Address,
                              "the address of a row is not a multiple of 16");
  // A result may have the slots of the addresses' lanes: read all before.
  uint32_t loaded[4][warpSize];
  for (unsigned matrix = 0; matrix < transfer.matrices; ++matrix)
    for (Thread *lane : lanes) {
      uint16_t halves[2];
      uint32_t held = isLoad ? 0 : (*lane)[transfer.registers[matrix]];
      std::memcpy(halves, &held, sizeof(held));
      for (unsigned half = 0; half < 2; ++half) {
        uint64_t address =
            elementAddress(lanes, at, matrix, lane->lane(), half);
        Machine &machine = *lane->machine;
        Step step =
            isLoad ? machine.load(*lane, at, 3, address, &halves[half], 2)
                   : machine.store(*lane, at, 3, address, &halves[half], 2);
        if (step != Step::Next)
          return step;
      }
      std::memcpy(&loaded[matrix][lane->lane()], halves, sizeof(halves));
    }
  llvm::SmallVector<uint64_t, warpSize> addresses;
  for (unsigned row = 0; row < 8 * transfer.matrices; ++row)
    addresses.push_back((*lanes[row])[at.a]);
  lanes[0]->machine->traffic.noteRows(at, addresses);
  if (isLoad)
    for (unsigned matrix = 0; matrix < transfer.matrices; ++matrix)
      for (Thread *lane : lanes)
        (*lane)[transfer.registers[matrix]] = loaded[matrix][lane->lane()];
  return Step::Next;
}

template <bool isLoad>
static Step transfer(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    return transferElements<isLoad>(lanes, at);
  };
  return thread.machine->meet(thread, at, ~0u, together);
}

template <typename Op>
static llvm::Error emitTransfer(Decoder &decoder, Op op, Handler run,
                                std::vector<Slot> registers) {
  bool known = op.getShape().getM() == 8 && op.getShape().getN() == 8 &&
               op.getEltType() == NVVM::LdStMatrixEltType::B16;
  size_t count = registers.size();
  if (!known || (count != 1 && count != 2 && count != 4))
    return refuse(op, "only 1, 2 or 4 matrices of 8 x 8 x b16 run");
  auto details = std::make_unique<Transfer>();
  details->matrices = count;
  details->transposed = op.getLayout() == NVVM::MMALayout::col;
  details->registers = std::move(registers);
  Instruction &instruction = decoder.emit(op, run);
  instruction.alignment = 2;
  instruction.details = std::move(details);
  return llvm::Error::success();
}

static llvm::Error decodeLoad(Decoder &decoder, Operation *op) {
  auto load = cast<NVVM::LdMatrixOp>(op);
  SlotRange results = decoder.range(op->getResult(0));
  std::vector<Slot> registers;
  for (uint32_t i = 0; i < results.count; ++i)
    registers.push_back(results.first + i);
  return emitTransfer(decoder, load, transfer<true>, std::move(registers));
}

static llvm::Error decodeStore(Decoder &decoder, Operation *op) {
  auto store = cast<NVVM::StMatrixOp>(op);
  std::vector<Slot> registers;
  for (Value source : store.getSources())
    registers.push_back(decoder.slot(source));
  return emitTransfer(decoder, store, transfer<false>, std::move(registers));
}

//===----------------------------------------------------------------------===//
// tf32 (PTX ISA 9.7.9, `cvt`)
//===----------------------------------------------------------------------===//

/// Keeps 10 bits of the significand. Ties go away from zero, or to even.
template <bool tiesToEven>
static Step convertToTF32(Thread &thread, const Instruction &at) {
  uint32_t bits = thread[at.a];
  if (std::isnan(llvm::bit_cast<float>(bits)))
    bits = 0x7fffffff;
  else if ((bits & 0x7fffffff) != 0x7f800000)
    bits = (bits + (tiesToEven ? 0xfff + (bits >> 13 & 1) : 0x1000)) & ~0x1fffu;
  thread[at.result] = bits;
  return Step::Next;
}

static llvm::Error decodeTF32(Decoder &decoder, Operation *op) {
  auto conversion = cast<NVVM::ConvertFloatToTF32Op>(op);
  bool even = conversion.getRnd() == NVVM::FPRoundingMode::RN;
  if ((!even && conversion.getRnd() != NVVM::FPRoundingMode::RNA) ||
      conversion.getSat() != NVVM::SaturationMode::NONE || conversion.getRelu())
    return refuse(op, "only `.rn` and `.rna` run");
  decoder.emit(op, even ? convertToTF32<true> : convertToTF32<false>);
  return llvm::Error::success();
}

void addMatrices(Table &table) {
  table["nvvm.mma.sync"] = decodeMultiply;
  table["nvvm.ldmatrix"] = decodeLoad;
  table["nvvm.stmatrix"] = decodeStore;
  table["nvvm.convert.float.to.tf32"] = decodeTF32;
}

} // namespace trowel::emulator
