// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns a kernel in the LLVM and NVVM dialects into a Program. What an
// operation becomes stands in the table of the instruction families.
#ifndef TROWEL_CODEGEN_EMULATOR_DECODER_H
#define TROWEL_CODEGEN_EMULATOR_DECODER_H

#include "codegen/Emulator/Emulator.h"
#include "codegen/Emulator/Program.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <functional>

namespace trowel::emulator {

class Decoder;

/// Emits the instructions of one operation, or says why it cannot.
using Decode = llvm::Error (*)(Decoder &, mlir::Operation *);

/// From the name of an operation to what it becomes.
using Table = llvm::StringMap<Decode>;

/// The operations that the emulator runs; every other one is refused.
const Table &operations();

/// Where the variables of a module lie: those in shared memory, and constants
/// with their contents. Others have no address.
struct Layout {
  llvm::StringMap<uint64_t> addresses;
  uint64_t staticEnd = address::firstShared;
  std::vector<Buffer> constants;
};

llvm::Expected<Layout> layOut(mlir::Operation *module);

/// The bits of each element of a constant; nothing: not supported.
std::optional<std::vector<uint64_t>> bitsOfAttribute(mlir::Attribute value);

/// Size and alignment of a type in memory, in bytes; 0: not supported.
uint64_t sizeOf(mlir::Type type);
uint64_t alignmentOf(mlir::Type type);
/// From one element of an array to the next.
uint64_t strideOf(mlir::Type type);
/// The place of a member of a struct, in bytes.
uint64_t offsetOf(mlir::LLVM::LLVMStructType type, unsigned member);
/// The address space of a pointer type.
unsigned spaceOf(mlir::Type type);
/// Bits of a scalar or of an element of a vector.
unsigned bitsOf(mlir::Type type);
/// The type of what a slot of a scalar or vector holds.
mlir::Type elementOf(mlir::Type type);
/// Slots of a value of the type; 0: not supported.
uint32_t slotsOf(mlir::Type type);

class Decoder {
public:
  explicit Decoder(const Layout &variables) : variables(variables) {}

  llvm::Expected<Program> decode(mlir::LLVM::LLVMFuncOp kernel);

  // For the families.

  Slot slot(mlir::Value value) { return slots.lookup(value); }
  SlotRange range(mlir::Value value) {
    return {slot(value), slotsOf(value.getType())};
  }
  /// Appends an instruction with the slots of the first three operands of `op`
  /// as `a`, `b` and `c`, and those of its only result, if it has one.
  Instruction &emit(mlir::Operation *op, Handler run);
  /// The instruction moves registers, or tells itself what it does with them;
  /// it only reads `read`.
  void hasOwnUses(const Instruction &instruction,
                  std::vector<SlotRange> read = {}) {
    program.uses[instruction.index] = {std::move(read), {}};
  }
  /// Asynchronous instructions use registers.
  void trackRegisters() { program.tracksRegisters = true; }
  /// Gives a value the slots of another one, or a part of them.
  void alias(mlir::Value value, Slot first) { slots[value] = first; }
  /// New slots for the value, with these contents when a thread starts.
  void constant(mlir::Value value, llvm::ArrayRef<uint64_t> contents);
  /// A slot that holds the number.
  Slot constant(uint64_t contents);
  /// `count` new slots.
  Slot allocate(uint32_t count);

  /// Decodes the body of a function in the place of a call, after `enter` has
  /// emitted the way into its entry block. What it returns is put into the
  /// call's result, and the code goes on behind it.
  llvm::Error expand(mlir::LLVM::CallOp call, mlir::LLVM::LLVMFuncOp function,
                     llvm::function_ref<void()> enter);
  struct Expansion {
    mlir::LLVM::LLVMFuncOp function;
    mlir::LLVM::CallOp call;
    uint32_t behind; // the number of what comes after the call
  };
  /// The innermost call that is being expanded; null in the kernel itself.
  const Expansion *expansion() const {
    return expansions.empty() ? nullptr : &expansions.back();
  }

  const Layout &layout() const { return variables; }
  uint32_t blockNumber(mlir::Block *block) { return numbers.lookup(block); }
  /// The place of a block in the code; known when all of it is decoded.
  uint32_t blockStart(uint32_t number) const { return starts[number]; }
  /// Calls `fix` when all blocks have their places.
  void whenPlaced(std::function<void()> fix) {
    fixes.push_back(std::move(fix));
  }

private:
  llvm::Error number(mlir::LLVM::LLVMFuncOp function);
  llvm::Error decodeBody(mlir::LLVM::LLVMFuncOp function);
  llvm::Error decodeBlock(mlir::Block &block);
  void allocateResults(mlir::Operation &op);

  const Layout &variables;
  Program program;
  llvm::DenseMap<mlir::Value, Slot> slots;
  llvm::DenseMap<mlir::Block *, uint32_t> numbers;
  std::vector<uint32_t> starts;
  std::vector<Expansion> expansions;
  std::vector<std::function<void()>> fixes;
};

/// An error about an operation: its name, its place and the reason.
llvm::Error refuse(mlir::Operation *op, const llvm::Twine &reason);

// The families, each in its own file.
void addAggregates(Table &table);
void addAsyncCopies(Table &table);
void addAtomics(Table &table);
void addBarriers(Table &table);
void addBulkCopies(Table &table);
void addClusters(Table &table);
void addControlFlow(Table &table);
void addFences(Table &table);
void addFloats(Table &table);
void addInlineAssembly(Table &table);
void addIntegers(Table &table);
void addLoadsAndStores(Table &table);
void addMatrices(Table &table);
void addMbarriers(Table &table);
void addRegisterCounts(Table &table);
void addSpecialRegisters(Table &table);
void addWarpOperations(Table &table);
void addWgmma(Table &table);

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_DECODER_H
