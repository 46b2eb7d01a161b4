// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fences between the generic and the asynchronous proxy (PTX ISA 9.7.13,
// `fence.proxy`). The asynchronous proxy sees what the thread knew of when it
// came to the fence, for everybody who learns of the fence.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

template <bool shared, bool global>
static Step fence(Thread &thread, const Instruction &) {
  if (shared)
    thread.known.fencedShared.join(thread.known.seen);
  if (global)
    thread.known.fencedGlobal.join(thread.known.seen);
  return Step::Next;
}

static llvm::Error decodeFence(Decoder &decoder, Operation *op) {
  switch (cast<NVVM::FenceProxyOp>(op).getKind()) {
  case NVVM::ProxyKind::async:
    decoder.emit(op, fence<true, true>);
    return llvm::Error::success();
  case NVVM::ProxyKind::async_global:
    decoder.emit(op, fence<false, true>);
    return llvm::Error::success();
  case NVVM::ProxyKind::async_shared:
    decoder.emit(op, fence<true, false>);
    return llvm::Error::success();
  default:
    return refuse(op, "only fences of the asynchronous proxy run");
  }
}

void addFences(Table &table) { table["nvvm.fence.proxy"] = decodeFence; }

} // namespace trowel::emulator
