// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop of a block: thread i takes what is at i, i + 256, …, and a barrier
// follows, so that the next loop may read what any thread has written.
#include "codegen/CUDA/Block.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace trowel::cuda {

void Block::begin(cpu::Code &kernel) {
  code = &kernel;
  Value number = kernel.op<NVVM::ThreadIdXOp>(kernel.builder.getI32Type());
  thread = kernel.op<arith::ExtUIOp>(kernel.indexType, number);
}

void Block::share(Value count, function_ref<void(Value)> body) {
  if (inside)
    return code->loop(code->index(0), count, 1, body);
  inside = true;
  code->loop(thread, count, threads, body);
  inside = false;
  NVVM::Barrier0Op::create(code->builder, code->location);
}

void Block::single(function_ref<void()> body) {
  share(code->index(1), [&](Value) { body(); });
}

} // namespace trowel::cuda
