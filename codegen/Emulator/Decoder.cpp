// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Emulator/Decoder.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace trowel::emulator {

static std::string place(Location location) {
  if (auto fused = dyn_cast<FusedLoc>(location))
    return fused.getLocations().empty() ? "an unknown place"
                                        : place(fused.getLocations().front());
  if (auto named = dyn_cast<NameLoc>(location))
    return place(named.getChildLoc());
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return place(call.getCallee());
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return llvm::formatv("{0}:{1}", file.getFilename().getValue(),
                         file.getLine());
  return "an unknown place";
}

static std::string nameAndPlace(Operation *op) {
  std::string name = op->getName().getStringRef().str();
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op))
    name = call.getIntrin().str();
  return name + " at " + place(op->getLoc());
}

std::string Instruction::name() const { return nameAndPlace(op); }

llvm::Error refuse(Operation *op, const llvm::Twine &reason) {
  return llvm::createStringError(nameAndPlace(op) + ": " + reason);
}

Type elementOf(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? vector.getElementType() : type;
}

unsigned bitsOf(Type type) {
  type = elementOf(type);
  if (isa<LLVM::LLVMPointerType>(type))
    return 64;
  return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 0;
}

uint32_t slotsOf(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getRank() == 1 && !vector.isScalable()
               ? vector.getNumElements()
               : 0;
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
    return array.getNumElements() * slotsOf(array.getElementType());
  if (auto members = dyn_cast<LLVM::LLVMStructType>(type)) {
    uint32_t total = 0;
    for (Type member : members.getBody())
      total += slotsOf(member);
    return total;
  }
  unsigned bits = bitsOf(type);
  return bits >= 1 && bits <= 64 ? 1 : 0;
}

unsigned spaceOf(Type type) {
  return cast<LLVM::LLVMPointerType>(type).getAddressSpace();
}

uint64_t alignmentOf(Type type) {
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
    return alignmentOf(array.getElementType());
  if (auto members = dyn_cast<LLVM::LLVMStructType>(type)) {
    uint64_t alignment = 1;
    if (!members.isPacked())
      for (Type member : members.getBody())
        alignment = std::max(alignment, alignmentOf(member));
    return alignment;
  }
  return llvm::PowerOf2Ceil(std::max<uint64_t>(sizeOf(type), 1));
}

uint64_t strideOf(Type type) {
  return llvm::alignTo(sizeOf(type), alignmentOf(type));
}

uint64_t offsetOf(LLVM::LLVMStructType type, unsigned member) {
  uint64_t offset = 0;
  for (unsigned i = 0;; ++i) {
    Type each = type.getBody()[i];
    if (!type.isPacked())
      offset = llvm::alignTo(offset, alignmentOf(each));
    if (i == member)
      return offset;
    offset += strideOf(each);
  }
}

static uint64_t sizeOfStruct(LLVM::LLVMStructType type) {
  ArrayRef<Type> members = type.getBody();
  for (Type member : members)
    if (sizeOf(member) == 0)
      return 0;
  return members.empty() ? 0
                         : llvm::alignTo(offsetOf(type, members.size() - 1) +
                                             strideOf(members.back()),
                                         alignmentOf(type));
}

uint64_t sizeOf(Type type) {
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
    return array.getNumElements() * strideOf(array.getElementType());
  if (auto members = dyn_cast<LLVM::LLVMStructType>(type))
    return sizeOfStruct(members);
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getNumElements() * sizeOf(vector.getElementType());
  if (auto pointer = dyn_cast<LLVM::LLVMPointerType>(type))
    return pointer.getAddressSpace() == 3 || pointer.getAddressSpace() == 7 ? 4
                                                                            : 8;
  return bitsOf(type) / 8;
}

/// The element of arrays, of arrays of arrays, and of vectors.
static Type innermost(Type type) {
  while (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
    type = array.getElementType();
  return elementOf(type);
}

/// The contents of a variable that nothing can write; nothing: not supported.
static std::optional<Buffer> contents(LLVM::GlobalOp global) {
  bool fixed = global.getConstant() || global.getAddrSpace() == 4;
  if (!fixed || global.getAddrSpace() == 3 || !global.getValue())
    return std::nullopt;
  auto elements = bitsOfAttribute(*global.getValue());
  uint64_t each = sizeOf(innermost(global.getGlobalType()));
  uint64_t size = sizeOf(global.getGlobalType());
  if (!elements || each == 0 || each > 8 || elements->size() * each != size)
    return std::nullopt;
  Buffer buffer(size);
  for (auto [i, bits] : llvm::enumerate(*elements))
    std::memcpy(&buffer.bytes[i * each], &bits, each);
  buffer.written.assign(size, 1);
  return buffer;
}

llvm::Expected<Layout> layOut(Operation *module) {
  Layout layout;
  std::vector<LLVM::GlobalOp> dynamic;
  for (Operation &op : module->getRegion(0).front()) {
    auto global = dyn_cast<LLVM::GlobalOp>(op);
    if (!global)
      continue;
    if (auto constant = contents(global)) {
      layout.addresses[global.getSymName()] =
          (address::firstConstant + layout.constants.size())
          << address::bufferShift;
      layout.constants.push_back(std::move(*constant));
      continue;
    }
    if (global.getAddrSpace() != 3)
      continue;
    uint64_t size = sizeOf(global.getGlobalType());
    if (size == 0) {
      auto array = dyn_cast<LLVM::LLVMArrayType>(global.getGlobalType());
      if (!array || array.getNumElements() != 0)
        return refuse(global, "the emulator does not know its size");
      dynamic.push_back(global);
      continue;
    }
    uint64_t alignment =
        global.getAlignment().value_or(alignmentOf(global.getGlobalType()));
    layout.staticEnd = llvm::alignTo(layout.staticEnd, alignment);
    layout.addresses[global.getSymName()] = layout.staticEnd;
    layout.staticEnd += size;
  }
  // All variables of no size are names of the dynamic part.
  for (LLVM::GlobalOp global : dynamic)
    layout.staticEnd =
        llvm::alignTo(layout.staticEnd, global.getAlignment().value_or(16));
  for (LLVM::GlobalOp global : dynamic)
    layout.addresses[global.getSymName()] = layout.staticEnd;
  return layout;
}

Slot Decoder::allocate(uint32_t count) {
  Slot first = program.frame.size();
  program.frame.resize(first + count, 0);
  return first;
}

Slot Decoder::constant(uint64_t contents) {
  Slot first = allocate(1);
  program.frame[first] = contents;
  return first;
}

void Decoder::constant(Value value, llvm::ArrayRef<uint64_t> contents) {
  slots[value] = allocate(contents.size());
  llvm::copy(contents, program.frame.begin() + slots[value]);
}

/// A constant may be in any number of registers: to read it touches none that
/// matters.
static bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  while (auto extract = dyn_cast_or_null<LLVM::ExtractValueOp>(op))
    op = extract.getContainer().getDefiningOp();
  return isa_and_nonnull<LLVM::ConstantOp, LLVM::ZeroOp, LLVM::UndefOp,
                         LLVM::PoisonOp>(op);
}

Instruction &Decoder::emit(Operation *op, Handler run) {
  Instruction &instruction = program.code.emplace_back();
  instruction.run = run;
  instruction.op = op;
  instruction.index = program.code.size() - 1;
  Uses &uses = program.uses.emplace_back();
  Slot *named[] = {&instruction.a, &instruction.b, &instruction.c};
  for (auto [number, operand] : llvm::enumerate(op->getOperands())) {
    if (number < 3)
      *named[number] = slot(operand);
    if (!isConstant(operand))
      uses.reads.push_back(range(operand));
  }
  for (Value result : op->getResults())
    uses.writes.push_back(range(result));
  if (op->getNumResults() == 1) {
    Type type = op->getResult(0).getType();
    instruction.result = slot(op->getResult(0));
    instruction.count = slotsOf(type);
    instruction.width = bitsOf(type);
  }
  return instruction;
}

void Decoder::allocateResults(Operation &op) {
  for (Value result : op.getResults())
    slots[result] = allocate(slotsOf(result.getType()));
}

llvm::Error Decoder::decodeBlock(Block &block) {
  starts[numbers[&block]] = program.code.size();
  for (Operation &op : block) {
    auto known = operations().find(op.getName().getStringRef());
    if (known == operations().end())
      return refuse(&op, "the emulator does not know this operation");
    for (Type type : op.getResultTypes())
      if (slotsOf(type) == 0)
        return refuse(&op, "the emulator has no values of its type");
    allocateResults(op);
    if (llvm::Error error = known->second(*this, &op))
      return error;
  }
  return llvm::Error::success();
}

/// A kernel takes tensor maps as 128 bytes of constants.
static bool isTensorMap(LLVM::LLVMFuncOp function, unsigned argument) {
  auto type = function.getArgAttrOfType<TypeAttr>(argument, "llvm.byval");
  return type && sizeOf(type.getValue()) == 128 &&
         function.getArgAttr(argument, "nvvm.grid_constant");
}

llvm::Error Decoder::number(LLVM::LLVMFuncOp function) {
  for (Block &block : function.getBody()) {
    numbers[&block] = starts.size();
    starts.push_back(0);
    for (Value argument : block.getArguments()) {
      if (slotsOf(argument.getType()) == 0)
        return refuse(function, "the emulator has no values of an argument's "
                                "type");
      slots[argument] = allocate(slotsOf(argument.getType()));
    }
  }
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (function.getArgAttr(i, "llvm.byval") && !isTensorMap(function, i))
      return refuse(function, "only tensor maps are copied into memory");
  return llvm::Error::success();
}

/// Definitions come before their uses.
llvm::Error Decoder::decodeBody(LLVM::LLVMFuncOp function) {
  for (Block *block : getBlocksSortedByDominance(function.getBody()))
    if (llvm::Error error = decodeBlock(*block))
      return error;
  return llvm::Error::success();
}

llvm::Error Decoder::expand(LLVM::CallOp call, LLVM::LLVMFuncOp function,
                            llvm::function_ref<void()> enter) {
  for (const Expansion &outer : expansions)
    if (outer.function == function)
      return refuse(call, "functions that call themselves do not run");
  if (llvm::Error error = number(function))
    return error;
  enter();
  uint32_t behind = starts.size();
  starts.push_back(0);
  expansions.push_back({function, call, behind});
  if (llvm::Error error = decodeBody(function))
    return error;
  expansions.pop_back();
  starts[behind] = program.code.size();
  return llvm::Error::success();
}

static void readSizes(LLVM::LLVMFuncOp kernel, llvm::StringRef name,
                      std::array<uint32_t, 3> &to) {
  auto sizes = kernel->getAttrOfType<DenseI32ArrayAttr>(name);
  if (!sizes)
    return;
  to = {1, 1, 1};
  for (size_t i = 0; i < 3 && i < size_t(sizes.size()); ++i)
    to[i] = sizes[i];
}

static void readLaunch(LLVM::LLVMFuncOp kernel, Program &program) {
  readSizes(kernel, NVVM::NVVMDialect::getReqntidAttrName(), program.block);
  readSizes(kernel, NVVM::NVVMDialect::getClusterDimAttrName(),
            program.cluster);
  if (auto most = kernel->getAttrOfType<IntegerAttr>(
          NVVM::NVVMDialect::getMaxnregAttrName()))
    program.maxRegisters = most.getInt();
}

llvm::Expected<Program> Decoder::decode(LLVM::LLVMFuncOp kernel) {
  if (llvm::Error error = number(kernel))
    return error;
  for (BlockArgument argument : kernel.getArguments())
    program.arguments.push_back(
        {range(argument), bitsOf(argument.getType()),
         kernel.getArgAttr(argument.getArgNumber(), "llvm.byval") != nullptr});
  readLaunch(kernel, program);
  if (llvm::Error error = decodeBody(kernel))
    return error;
  for (auto &fix : fixes)
    fix();
  return std::move(program);
}

const Table &operations() {
  static const Table table = [] {
    Table table;
    addAggregates(table);
    addAsyncCopies(table);
    addAtomics(table);
    addBarriers(table);
    addBulkCopies(table);
    addClusters(table);
    addControlFlow(table);
    addFences(table);
    addFloats(table);
    addInlineAssembly(table);
    addIntegers(table);
    addLoadsAndStores(table);
    addMatrices(table);
    addMbarriers(table);
    addRegisterCounts(table);
    addSpecialRegisters(table);
    addWarpOperations(table);
    addWgmma(table);
    return table;
  }();
  return table;
}

} // namespace trowel::emulator
