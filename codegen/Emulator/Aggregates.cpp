// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants, and taking structs and vectors apart: mostly a matter of which
// slots a value has.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace trowel::emulator {

/// Copies `count` slots from `a` to the result, then the `width` slots of `b`
/// over those from `immediate` on.
static Step insert(Thread &thread, const Instruction &at) {
  if (!thread.move(at, at.a, at.result, at.count) ||
      !thread.move(at, at.b, at.result + at.immediate, at.width))
    return Step::Failed;
  return Step::Next;
}

static bool addBits(Attribute value, std::vector<uint64_t> &bits) {
  if (auto elements = dyn_cast<DenseElementsAttr>(value)) {
    for (Attribute element : elements.getValues<Attribute>())
      if (!addBits(element, bits))
        return false;
    return true;
  }
  if (auto members = dyn_cast<ArrayAttr>(value)) {
    for (Attribute member : members)
      if (!addBits(member, bits))
        return false;
    return true;
  }
  auto integer = dyn_cast<IntegerAttr>(value);
  auto number = dyn_cast<FloatAttr>(value);
  if (!integer && !number)
    return false;
  APInt all = integer ? integer.getValue() : number.getValue().bitcastToAPInt();
  if (all.getBitWidth() > 64)
    return false;
  bits.push_back(all.getZExtValue());
  return true;
}

std::optional<std::vector<uint64_t>> bitsOfAttribute(Attribute value) {
  std::vector<uint64_t> bits;
  if (!addBits(value, bits))
    return std::nullopt;
  return bits;
}

static llvm::Error constant(Decoder &decoder, Operation *op) {
  auto contents = bitsOfAttribute(cast<LLVM::ConstantOp>(op).getValue());
  if (!contents || contents->size() != slotsOf(op->getResult(0).getType()))
    return refuse(op, "the emulator has no constants of this kind");
  decoder.constant(op->getResult(0), *contents);
  return llvm::Error::success();
}

static llvm::Error zero(Decoder &decoder, Operation *op) {
  std::vector<uint64_t> contents(slotsOf(op->getResult(0).getType()), 0);
  decoder.constant(op->getResult(0), contents);
  return llvm::Error::success();
}

/// Bits that are a NaN in every format.
static void addUndefined(Type type, std::vector<uint64_t> &contents) {
  if (auto members = dyn_cast<LLVM::LLVMStructType>(type)) {
    for (Type member : members.getBody())
      addUndefined(member, contents);
    return;
  }
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type)) {
    for (uint64_t i = 0; i < array.getNumElements(); ++i)
      addUndefined(array.getElementType(), contents);
    return;
  }
  contents.insert(contents.end(), slotsOf(type), ~0ull >> (64 - bitsOf(type)));
}

static llvm::Error undefined(Decoder &decoder, Operation *op) {
  std::vector<uint64_t> contents;
  addUndefined(op->getResult(0).getType(), contents);
  decoder.constant(op->getResult(0), contents);
  return llvm::Error::success();
}

/// The slots of a member before those of the one at `position`.
static uint32_t slotsBefore(Type type, ArrayRef<int64_t> position) {
  uint32_t before = 0;
  for (int64_t at : position) {
    if (auto members = dyn_cast<LLVM::LLVMStructType>(type)) {
      for (Type member : members.getBody().take_front(at))
        before += slotsOf(member);
      type = members.getBody()[at];
    } else {
      type = cast<LLVM::LLVMArrayType>(type).getElementType();
      before += at * slotsOf(type);
    }
  }
  return before;
}

static llvm::Error extractValue(Decoder &decoder, Operation *op) {
  auto extract = cast<LLVM::ExtractValueOp>(op);
  Value from = extract.getContainer();
  decoder.alias(op->getResult(0),
                decoder.slot(from) +
                    slotsBefore(from.getType(), extract.getPosition()));
  return llvm::Error::success();
}

/// A value that nothing else reads, made in the same block, gives up its slots:
/// chains of insertions then copy nothing.
static bool mayReuse(Value aggregate, Operation *op) {
  Operation *source = aggregate.getDefiningOp();
  return aggregate.hasOneUse() && source &&
         isa<LLVM::InsertValueOp, LLVM::InsertElementOp>(source) &&
         source->getBlock() == op->getBlock();
}

static void emitInsert(Decoder &decoder, Operation *op, Value aggregate,
                       Value part, uint32_t before) {
  if (mayReuse(aggregate, op))
    decoder.alias(op->getResult(0), decoder.slot(aggregate));
  Instruction &instruction = decoder.emit(op, insert);
  decoder.hasOwnUses(instruction);
  instruction.a = decoder.slot(aggregate);
  instruction.b = decoder.slot(part);
  instruction.width = slotsOf(part.getType());
  instruction.immediate = before;
}

static llvm::Error insertValue(Decoder &decoder, Operation *op) {
  auto insertion = cast<LLVM::InsertValueOp>(op);
  emitInsert(
      decoder, op, insertion.getContainer(), insertion.getValue(),
      slotsBefore(insertion.getContainer().getType(), insertion.getPosition()));
  return llvm::Error::success();
}

static llvm::Expected<uint32_t> constantIndex(Operation *op, Value position,
                                              Type vector) {
  APInt index;
  if (!matchPattern(position, m_ConstantInt(&index)) ||
      index.uge(slotsOf(vector)))
    return refuse(op, "registers have no addresses: the position must be a "
                      "constant inside the vector");
  return index.getZExtValue();
}

static llvm::Error extractElement(Decoder &decoder, Operation *op) {
  auto extract = cast<LLVM::ExtractElementOp>(op);
  Value from = extract.getVector();
  auto index = constantIndex(op, extract.getPosition(), from.getType());
  if (!index)
    return index.takeError();
  decoder.alias(op->getResult(0), decoder.slot(from) + *index);
  return llvm::Error::success();
}

static llvm::Error insertElement(Decoder &decoder, Operation *op) {
  auto insertion = cast<LLVM::InsertElementOp>(op);
  Value into = insertion.getVector();
  auto index = constantIndex(op, insertion.getPosition(), into.getType());
  if (!index)
    return index.takeError();
  emitInsert(decoder, op, into, insertion.getValue(), *index);
  return llvm::Error::success();
}

namespace {
/// Where each element of the result comes from.
struct Picks : Details {
  std::vector<Slot> from;
};
} // namespace

static Step pick(Thread &thread, const Instruction &at) {
  const std::vector<Slot> &from = at.as<Picks>().from;
  for (uint32_t i = 0; i < at.count; ++i)
    if (!thread.move(at, from[i], at.result + i, 1))
      return Step::Failed;
  return Step::Next;
}

static llvm::Error shuffleVector(Decoder &decoder, Operation *op) {
  auto shuffled = cast<LLVM::ShuffleVectorOp>(op);
  auto details = std::make_unique<Picks>();
  int32_t first = slotsOf(shuffled.getV1().getType());
  for (int32_t index : shuffled.getMask()) {
    if (index < 0)
      return refuse(op, "a position is undefined");
    details->from.push_back(
        index < first ? decoder.slot(shuffled.getV1()) + index
                      : decoder.slot(shuffled.getV2()) + index - first);
  }
  Instruction &instruction = decoder.emit(op, pick);
  decoder.hasOwnUses(instruction);
  instruction.details = std::move(details);
  return llvm::Error::success();
}

void addAggregates(Table &table) {
  table["llvm.shufflevector"] = shuffleVector;
  table["llvm.mlir.constant"] = constant;
  table["llvm.mlir.zero"] = zero;
  table["llvm.mlir.undef"] = undefined;
  table["llvm.mlir.poison"] = undefined;
  table["llvm.extractvalue"] = extractValue;
  table["llvm.insertvalue"] = insertValue;
  table["llvm.extractelement"] = extractElement;
  table["llvm.insertelement"] = insertElement;
}

} // namespace trowel::emulator
