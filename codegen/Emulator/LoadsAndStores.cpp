// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads, stores and addresses (PTX ISA 9.7.9, `ld` and `st`). An address
// is a multiple of the bytes that are accessed.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace trowel::emulator {

constexpr uint32_t widest = 16;    // bytes of one access of a device
constexpr uint32_t mostBytes = 64; // of one load or store

static void count(Thread &thread, const Instruction &at, bool writes,
                  uint64_t pointer, uint32_t bytes) {
  bool shared = at.immediate == 3 || at.immediate == 7 ||
                (at.immediate == 0 && isInSharedWindow(pointer));
  thread.machine->traffic.note(thread.warp(), thread.lane(), at, shared, writes,
                               pointer, bytes);
}

static Step load(Thread &thread, const Instruction &at) {
  uint8_t bytes[mostBytes];
  uint32_t each = at.width / 8;
  uint64_t pointer = thread[at.a];
  Step step = thread.machine->load(thread, at, at.immediate, pointer, bytes,
                                   at.count * each);
  if (step != Step::Next)
    return step;
  count(thread, at, false, pointer, at.count * each);
  for (uint32_t i = 0; i < at.count; ++i) {
    thread[at.result + i] = 0;
    std::memcpy(&thread[at.result + i], bytes + i * each, each);
  }
  return Step::Next;
}

static Step store(Thread &thread, const Instruction &at) {
  uint8_t bytes[mostBytes];
  uint32_t each = at.width / 8;
  for (uint32_t i = 0; i < at.count; ++i)
    std::memcpy(bytes + i * each, &thread[at.a + i], each);
  uint64_t pointer = thread[at.b];
  count(thread, at, true, pointer, at.count * each);
  return thread.machine->store(thread, at, at.immediate, pointer, bytes,
                               at.count * each);
}

/// Why values of this type are not accessed at once, or nothing.
static const char *inMemory(Type type, Type pointer) {
  uint64_t size = sizeOf(type);
  if (!isa<VectorType>(type) && slotsOf(type) != 1)
    return "loads and stores are of scalars and vectors";
  if (bitsOf(type) % 8 || size == 0 || size > mostBytes ||
      !llvm::isPowerOf2_64(size) || size * 8 != bitsOf(type) * slotsOf(type))
    return "an access is of 1, 2, 4, 8, 16, 32 or 64 bytes";
  unsigned space = spaceOf(pointer);
  if (space != 0 && space != 1 && space != 3 && space != 4 && space != 7)
    return "the emulator has no memory in this address space";
  return nullptr;
}

static llvm::Error decodeAccess(Decoder &decoder, Operation *op, Handler run,
                                Type type, Type pointer,
                                std::optional<uint64_t> alignment) {
  if (const char *reason = inMemory(type, pointer))
    return refuse(op, reason);
  Instruction &instruction = decoder.emit(op, run);
  instruction.count = slotsOf(type);
  instruction.width = bitsOf(type);
  instruction.immediate = spaceOf(pointer);
  // What is aligned less than its size is accessed in parts.
  instruction.alignment = std::min<uint64_t>(
      {sizeOf(type), widest, alignment.value_or(alignmentOf(type))});
  return llvm::Error::success();
}

static llvm::Error decodeLoad(Decoder &decoder, Operation *op) {
  auto access = cast<LLVM::LoadOp>(op);
  if (access.getOrdering() != LLVM::AtomicOrdering::not_atomic)
    return refuse(op, "atomic loads do not run");
  return decodeAccess(decoder, op, load, access.getType(),
                      access.getAddr().getType(), access.getAlignment());
}

static llvm::Error decodeStore(Decoder &decoder, Operation *op) {
  auto access = cast<LLVM::StoreOp>(op);
  if (access.getOrdering() != LLVM::AtomicOrdering::not_atomic)
    return refuse(op, "atomic stores do not run");
  return decodeAccess(decoder, op, store, access.getValue().getType(),
                      access.getAddr().getType(), access.getAlignment());
}

namespace {

/// base + offset + the sum of index times stride.
struct Offsets : Details {
  struct Term {
    Slot index;
    unsigned bits;
    uint64_t stride;
  };
  std::vector<Term> terms;
};

} // namespace

static Step addOffsets(Thread &thread, const Instruction &at) {
  uint64_t sum = thread[at.a] + at.immediate;
  for (const Offsets::Term &term : at.as<Offsets>().terms)
    sum += llvm::SignExtend64(thread[term.index], term.bits) * term.stride;
  // Addresses of shared memory have 32 bits.
  thread[at.result] = at.width == 32 ? uint32_t(sum) : sum;
  return Step::Next;
}

static llvm::Error decodeAddress(Decoder &decoder, Operation *op) {
  auto address = cast<LLVM::GEPOp>(op);
  if (!isa<LLVM::LLVMPointerType>(address.getType()))
    return refuse(op, "the emulator has no vectors of addresses");
  auto details = std::make_unique<Offsets>();
  int64_t fixed = 0;
  Type type = address.getElemType();
  for (auto [number, index] : llvm::enumerate(address.getIndices())) {
    if (auto members = dyn_cast<LLVM::LLVMStructType>(type);
        members && number > 0) {
      auto member = dyn_cast<IntegerAttr>(index);
      if (!member || sizeOf(members) == 0)
        return refuse(op, "the emulator does not know the size of a member");
      fixed += offsetOf(members, member.getInt());
      type = members.getBody()[member.getInt()];
      continue;
    }
    if (number > 0) {
      auto array = dyn_cast<LLVM::LLVMArrayType>(type);
      if (!array)
        return refuse(op, "only arrays and structs are indexed");
      type = array.getElementType();
    }
    uint64_t stride = strideOf(type);
    if (stride == 0)
      return refuse(op, "the emulator does not know the size of the elements");
    if (auto known = dyn_cast<IntegerAttr>(index))
      fixed += known.getInt() * int64_t(stride);
    else
      details->terms.push_back({decoder.slot(cast<Value>(index)),
                                bitsOf(cast<Value>(index).getType()), stride});
  }
  Instruction &instruction = decoder.emit(op, addOffsets);
  instruction.immediate = fixed;
  instruction.details = std::move(details);
  if (unsigned space = spaceOf(address.getType()); space == 3 || space == 7)
    instruction.width = 32;
  return llvm::Error::success();
}

static llvm::Error addressOf(Decoder &decoder, Operation *op) {
  auto symbol = cast<LLVM::AddressOfOp>(op);
  auto known = decoder.layout().addresses.find(symbol.getGlobalName());
  if (known == decoder.layout().addresses.end())
    return refuse(op, "only variables in shared memory and constants with "
                      "known elements run");
  decoder.constant(op->getResult(0), known->second);
  return llvm::Error::success();
}

/// From shared memory to generic addresses and back.
static Step toGeneric(Thread &thread, const Instruction &at) {
  thread[at.result] = thread[at.a] | address::sharedWindow;
  return Step::Next;
}

static Step toCluster(Thread &thread, const Instruction &at) {
  if (!isInSharedWindow(thread[at.a]))
    return thread.fail(at, Problem::Address,
                       "the address is not one of shared memory");
  thread[at.result] = thread[at.a] & ~address::sharedWindow;
  return Step::Next;
}

static Step toShared(Thread &thread, const Instruction &at) {
  if (!isInSharedWindow(thread[at.a]) ||
      thread.machine->ownerOf(thread, 0, thread[at.a]) != thread.cta)
    return thread.fail(at, Problem::Address,
                       "the address is not one of the CTA's shared memory");
  thread[at.result] = address::withinCta(thread[at.a]);
  return Step::Next;
}

static Step toGlobal(Thread &thread, const Instruction &at) {
  if (isInSharedWindow(thread[at.a]))
    return thread.fail(at, Problem::Address,
                       "the address is not one of global memory");
  thread[at.result] = thread[at.a];
  return Step::Next;
}

static llvm::Error castSpace(Decoder &decoder, Operation *op) {
  unsigned from = spaceOf(op->getOperand(0).getType());
  unsigned to = spaceOf(op->getResult(0).getType());
  if ((from == 3 || from == 7) && to == 0)
    decoder.emit(op, toGeneric);
  else if (from == 0 && to == 3)
    decoder.emit(op, toShared);
  else if (from == 0 && (to == 1 || to == 4))
    decoder.emit(op, toGlobal);
  else if (from == 0 && to == 7)
    decoder.emit(op, toCluster);
  else if (from == to || (from == 3 && to == 7) ||
           ((from == 1 || from == 4) && to == 0))
    decoder.alias(op->getResult(0), decoder.slot(op->getOperand(0)));
  else
    return refuse(op, "the emulator has no such conversion of addresses");
  return llvm::Error::success();
}

void addLoadsAndStores(Table &table) {
  table["llvm.load"] = decodeLoad;
  table["llvm.store"] = decodeStore;
  table["llvm.getelementptr"] = decodeAddress;
  table["llvm.mlir.addressof"] = addressOf;
  table["llvm.addrspacecast"] = castSpace;
}

} // namespace trowel::emulator
