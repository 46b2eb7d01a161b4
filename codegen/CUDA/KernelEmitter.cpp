// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/CUDA/KernelEmitter.h"

#include "codegen/CUDA/Kernels.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace trowel::cuda {

using cpu::Argument;

KernelEmitter::KernelEmitter(chunk::ProgramOp program, cpu::Output &output,
                             Block &block, std::string name)
    : TileEmitter(program, output, block, std::move(name)),
      columns(columnAxisOf(program)) {
  usesTiles &= static_cast<bool>(columns);
}

Value KernelEmitter::offsetBy(Value address, Value bytes) {
  return code.op<LLVM::GEPOp>(code.pointerType, code.builder.getI8Type(),
                              address, ArrayRef<LLVM::GEPArg>{bytes});
}

/// The address if the condition holds.
Value KernelEmitter::orNull(Value condition, Value address) {
  return code.select(condition, address,
                     code.op<LLVM::ZeroOp>(code.pointerType));
}

/// A quotient of numbers below 2^31, which a GPU divides in few instructions.
Value KernelEmitter::divide(Value a, Value b) {
  Type narrow = code.builder.getI32Type();
  Value quotient = code.op<arith::DivUIOp>(code.op<arith::TruncIOp>(narrow, a),
                                           code.op<arith::TruncIOp>(narrow, b));
  return code.op<arith::ExtUIOp>(code.indexType, quotient);
}

/// The number at a place of an array of int32.
Value KernelEmitter::number32(Value array, Value place) {
  Type narrow = code.builder.getI32Type();
  Value address = code.op<LLVM::GEPOp>(code.pointerType, narrow, array,
                                       ArrayRef<LLVM::GEPArg>{place});
  Value bits = code.op<LLVM::LoadOp>(narrow, address, 4u);
  return code.op<arith::ExtSIOp>(code.indexType, bits);
}

/// The same, or another value if there is no array.
Value KernelEmitter::numberOr(Value array, Value place, Value other) {
  auto given = scf::IfOp::create(code.builder, code.location, code.indexType,
                                 notNull(array), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(code.builder);
  code.builder.setInsertionPointToStart(given.thenBlock());
  scf::YieldOp::create(code.builder, code.location, number32(array, place));
  code.builder.setInsertionPointToStart(given.elseBlock());
  scf::YieldOp::create(code.builder, code.location, other);
  return given.getResult(0);
}

/// Whether there is an address, and a row to which it leads.
Value KernelEmitter::isGiven(Value address, Value row) {
  Value exists =
      code.op<arith::CmpIOp>(arith::CmpIPredicate::sge, row, code.index(0));
  return code.op<arith::AndIOp>(notNull(address), exists);
}

void KernelEmitter::makeEntry() {
  Type p = code.pointerType, i = code.indexType;
  SmallVector<Type> types{i, i, p, p, p, p, p, i, i, p, i, i, p};
  for (const Argument &argument : arguments) {
    types.append({p, i, i, i});
    types.append(argument.strideCount(), i);
  }
  code.builder.setInsertionPointToEnd(code.module.getBody());
  auto entry = func::FuncOp::create(code.builder, code.location, name,
                                    code.builder.getFunctionType(types, {}));
  mlir::Block *body = entry.addEntryBlock();
  code.builder.setInsertionPointToStart(body);
  block.begin(code, !columns);
  findThread();
  size_t next = 0;
  auto parameter = [&] { return body->getArgument(next++); };
  Value heads = parameter(), tokens = parameter(), boundaries = parameter();
  Value rowsIn = parameter(), rowsOut = parameter(), accepted = parameter();
  Value number = code.op<NVVM::BlockIdXOp>(code.builder.getI32Type());
  blockNumber = code.op<arith::ExtUIOp>(i, number);
  Value sequence = divide(blockNumber, heads);
  Value head = code.sub(blockNumber, code.mul(sequence, heads));
  // From where to where, and in which row of [B, T].
  auto variable = scf::IfOp::create(code.builder, code.location,
                                    TypeRange{i, i, i}, notNull(boundaries),
                                    /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(code.builder);
    code.builder.setInsertionPointToStart(variable.elseBlock());
    scf::YieldOp::create(code.builder, code.location,
                         ValueRange{code.index(0), tokens, sequence});
    code.builder.setInsertionPointToStart(variable.thenBlock());
    Value first = number32(boundaries, sequence);
    Value end = number32(boundaries, code.add(sequence, code.index(1)));
    scf::YieldOp::create(
        code.builder, code.location,
        ValueRange{first, code.sub(end, first), code.index(0)});
  }
  Value first = variable.getResult(0), row = variable.getResult(2);
  length = numberOr(accepted, sequence, variable.getResult(1));
  Value from = numberOr(rowsIn, sequence, sequence);
  Value to = numberOr(rowsOut, sequence, sequence);
  for (auto [carried, at] : {std::pair(&carriedIn, from), {&carriedOut, to}}) {
    Value address = parameter(), rowStride = parameter();
    Value offset = code.add(code.mul(at, rowStride),
                            code.mul(head, /*headStride=*/parameter()));
    *carried = orNull(isGiven(address, at), offsetBy(address, offset));
  }
  globalWorkspace = parameter();
  // Takes its value when its size is known.
  memory = code.op<LLVM::UndefOp>(p);
  channelMemory = code.op<LLVM::UndefOp>(p);
  stages = code.op<LLVM::UndefOp>(i);
  stageSize = code.op<LLVM::UndefOp>(i);
  for (const Argument &argument : arguments) {
    Value address = parameter(), rowStride = parameter();
    Value headStride = parameter(), headsPerUnit = parameter();
    cpu::Values strides;
    for (int64_t k = 0; k < argument.strideCount(); ++k)
      strides.push_back(parameter());
    Value unit = divide(head, headsPerUnit);
    Value offset = code.mul(unit, headStride);
    Value at = !argument.isState() ? row : argument.isResult() ? to : from;
    if (argument.isState() || argument.hasTokens())
      offset = code.add(offset, code.mul(at, rowStride));
    if (argument.hasTokens()) {
      Value step =
          code.mul(strides.front(), code.index(argument.elementBytes()));
      offset = code.add(offset, code.mul(first, step));
    }
    Value given = isGiven(address, at);
    if (argument.isResult()) {
      Value isFirst = code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, head,
                                             code.mul(unit, headsPerUnit));
      given = code.op<arith::AndIOp>(given, isFirst);
    }
    tensors.push_back({orNull(given, offsetBy(address, offset)), strides});
  }
}

int64_t KernelEmitter::threads() const {
  return columns ? Block::threads + columnWarps * 32 : Block::threads;
}

/// Two stages, so that both roles work at the same time, if there is room.
int64_t KernelEmitter::stageCount() const {
  if (!columns)
    return 0;
  int64_t own = workspace.extent() * 4;
  bool onlyOneFits = own + stageBytes() <= mostSharedBytes &&
                     own + 2 * stageBytes() > mostSharedBytes;
  return onlyOneFits ? 1 : 2;
}

int64_t KernelEmitter::workspaceBytes() const {
  return workspace.extent() * 4 + stageCount() * stageBytes();
}

bool KernelEmitter::isShared() const {
  return workspaceBytes() <= mostSharedBytes;
}

/// The block's dynamic shared memory.
Value KernelEmitter::shared() {
  static constexpr llvm::StringLiteral symbol = "shared";
  if (!code.module.lookupSymbol(symbol)) {
    OpBuilder outside = OpBuilder::atBlockBegin(code.module.getBody());
    auto bytes = LLVM::LLVMArrayType::get(outside.getI8Type(), 0);
    LLVM::GlobalOp::create(outside, code.location, bytes, /*isConstant=*/false,
                           LLVM::Linkage::External, symbol, Attribute(),
                           /*alignment=*/128, /*addrSpace=*/3);
  }
  auto type = LLVM::LLVMPointerType::get(code.builder.getContext(), 3);
  Value address = code.op<LLVM::AddressOfOp>(type, symbol);
  return code.op<LLVM::AddrSpaceCastOp>(code.pointerType, address);
}

void KernelEmitter::placeWorkspace() {
  auto replace = [&](Value placeholder, Value value) {
    placeholder.replaceAllUsesWith(value);
    placeholder.getDefiningOp()->erase();
  };
  OpBuilder::InsertionGuard guard(code.builder);
  code.builder.setInsertionPointAfter(stageSize.getDefiningOp());
  Value place =
      isShared()
          ? shared()
          : offsetBy(globalWorkspace,
                     code.mul(blockNumber, code.index(workspaceBytes())));
  Value behind = offsetBy(place, code.index(workspace.extent() * 4));
  Value count = code.index(std::max<int64_t>(stageCount(), 1));
  Value size = code.index(stageBytes());
  replace(memory, place);
  replace(channelMemory, behind);
  replace(stages, count);
  replace(stageSize, size);
}

} // namespace trowel::cuda
