// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Special registers: where a thread is (PTX ISA 10).
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

namespace trowel::emulator {

static uint32_t tidX(Thread &t) { return t.index % t.machine->shape.block.x; }
static uint32_t tidY(Thread &t) {
  const Dim3 &block = t.machine->shape.block;
  return t.index / block.x % block.y;
}
static uint32_t tidZ(Thread &t) {
  const Dim3 &block = t.machine->shape.block;
  return t.index / block.x / block.y;
}
static uint32_t ntidX(Thread &t) { return t.machine->shape.block.x; }
static uint32_t ntidY(Thread &t) { return t.machine->shape.block.y; }
static uint32_t ntidZ(Thread &t) { return t.machine->shape.block.z; }
static uint32_t ctaX(Thread &t) { return t.machine->cta.x; }
static uint32_t ctaY(Thread &t) { return t.machine->cta.y; }
static uint32_t ctaZ(Thread &t) { return t.machine->cta.z; }
static uint32_t nctaX(Thread &t) { return t.machine->shape.grid.x; }
static uint32_t nctaY(Thread &t) { return t.machine->shape.grid.y; }
static uint32_t nctaZ(Thread &t) { return t.machine->shape.grid.z; }
static uint32_t laneId(Thread &t) { return t.lane(); }
static uint32_t warpSizeOf(Thread &) { return warpSize; }

template <uint32_t (*value)(Thread &)>
static Step read(Thread &thread, const Instruction &at) {
  thread[at.result] = value(thread);
  return Step::Next;
}

template <uint32_t (*value)(Thread &)>
static llvm::Error decode(Decoder &decoder, mlir::Operation *op) {
  decoder.emit(op, read<value>);
  return llvm::Error::success();
}

void addSpecialRegisters(Table &table) {
  table["nvvm.read.ptx.sreg.tid.x"] = decode<tidX>;
  table["nvvm.read.ptx.sreg.tid.y"] = decode<tidY>;
  table["nvvm.read.ptx.sreg.tid.z"] = decode<tidZ>;
  table["nvvm.read.ptx.sreg.ntid.x"] = decode<ntidX>;
  table["nvvm.read.ptx.sreg.ntid.y"] = decode<ntidY>;
  table["nvvm.read.ptx.sreg.ntid.z"] = decode<ntidZ>;
  table["nvvm.read.ptx.sreg.ctaid.x"] = decode<ctaX>;
  table["nvvm.read.ptx.sreg.ctaid.y"] = decode<ctaY>;
  table["nvvm.read.ptx.sreg.ctaid.z"] = decode<ctaZ>;
  table["nvvm.read.ptx.sreg.nctaid.x"] = decode<nctaX>;
  table["nvvm.read.ptx.sreg.nctaid.y"] = decode<nctaY>;
  table["nvvm.read.ptx.sreg.nctaid.z"] = decode<nctaZ>;
  table["nvvm.read.ptx.sreg.laneid"] = decode<laneId>;
  table["nvvm.read.ptx.sreg.warpsize"] = decode<warpSizeOf>;
}

} // namespace trowel::emulator
