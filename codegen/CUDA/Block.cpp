// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop of a block: thread i takes what is at i, i + 256, …, and a barrier
// follows, so that the next loop may read what any thread has written.
#include "codegen/CUDA/Block.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace trowel::cuda {

void Block::begin(cpu::Code &kernel, bool isAlone) {
  code = &kernel;
  alone = isAlone;
  Value number = kernel.op<NVVM::ThreadIdXOp>(kernel.builder.getI32Type());
  thread = kernel.op<arith::ExtUIOp>(kernel.indexType, number);
}

Value Block::renew(Value number) {
  bool isReal = isa<FloatType>(number.getType());
  return LLVM::InlineAsmOp::create(
             code->builder, code->location, number.getType(), number, "",
             isReal ? "=f,0" : "=r,0",
             /*has_side_effects=*/true,
             /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
             LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

Value Block::renewThreadNumber() {
  Value before = thread;
  Value number = code->op<arith::TruncIOp>(code->builder.getI32Type(), thread);
  thread = code->op<arith::ExtUIOp>(code->indexType, renew(number));
  return before;
}

void Block::share(Value count, function_ref<void(Value)> body) {
  if (inside)
    return code->loop(code->index(0), count, 1, body);
  settle();
  inside = true;
  code->loop(thread, count, threads, body);
  inside = false;
  barrier();
}

void Block::barrier() {
  if (alone)
    NVVM::Barrier0Op::create(code->builder, code->location);
  else
    NVVM::BarrierOp::create(code->builder, code->location, TypeRange(),
                            code->integer(1), code->integer(threads),
                            NVVM::BarrierReductionAttr(), Value());
  read = written = false;
}

void Block::beforeRead() {
  if (written)
    barrier();
  read = true;
}

void Block::beforeWrite() {
  if (read)
    barrier();
  written = true;
}

void Block::settle() {
  if (read || written)
    barrier();
}

void Block::single(function_ref<void()> body) {
  share(code->index(1), [&](Value) { body(); });
}

} // namespace trowel::cuda
