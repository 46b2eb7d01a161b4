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
static uint32_t ctaX(Thread &t) { return t.cta->position.x; }
static uint32_t ctaY(Thread &t) { return t.cta->position.y; }
static uint32_t ctaZ(Thread &t) { return t.cta->position.z; }
static uint32_t nctaX(Thread &t) { return t.machine->shape.grid.x; }
static uint32_t nctaY(Thread &t) { return t.machine->shape.grid.y; }
static uint32_t nctaZ(Thread &t) { return t.machine->shape.grid.z; }
static uint32_t laneId(Thread &t) { return t.lane(); }
static uint32_t warpSizeOf(Thread &) { return warpSize; }
static uint32_t maskEq(Thread &t) { return 1u << t.lane(); }
static uint32_t maskLt(Thread &t) { return maskEq(t) - 1; }
static uint32_t maskLe(Thread &t) { return maskLt(t) | maskEq(t); }
static uint32_t maskGt(Thread &t) { return ~maskLe(t); }
static uint32_t maskGe(Thread &t) { return ~maskLt(t); }
// A launch without clusters has clusters of one CTA.
static Dim3 cluster(Thread &t) { return t.machine->shape.cluster; }
static uint32_t clusterX(Thread &t) { return ctaX(t) / cluster(t).x; }
static uint32_t clusterY(Thread &t) { return ctaY(t) / cluster(t).y; }
static uint32_t clusterZ(Thread &t) { return ctaZ(t) / cluster(t).z; }
static uint32_t nclusterX(Thread &t) { return nctaX(t) / cluster(t).x; }
static uint32_t nclusterY(Thread &t) { return nctaY(t) / cluster(t).y; }
static uint32_t nclusterZ(Thread &t) { return nctaZ(t) / cluster(t).z; }
static uint32_t inClusterX(Thread &t) { return ctaX(t) % cluster(t).x; }
static uint32_t inClusterY(Thread &t) { return ctaY(t) % cluster(t).y; }
static uint32_t inClusterZ(Thread &t) { return ctaZ(t) % cluster(t).z; }
static uint32_t clusterSizeX(Thread &t) { return cluster(t).x; }
static uint32_t clusterSizeY(Thread &t) { return cluster(t).y; }
static uint32_t clusterSizeZ(Thread &t) { return cluster(t).z; }
static uint32_t ctaRank(Thread &t) { return t.cta->rank; }
static uint32_t ctaCount(Thread &t) { return t.machine->ctas.size(); }
static uint32_t sharedSize(Thread &t) { return t.machine->sharedSize(); }
static uint32_t dynamicSize(Thread &t) {
  return t.machine->shape.dynamicShared;
}
/// Time is the number of instructions that the CTA has run.
static uint64_t clock64(Thread &t) { return t.machine->time(); }
static uint32_t clock32(Thread &t) { return t.machine->time(); }

template <auto value> static Step read(Thread &thread, const Instruction &at) {
  thread[at.result] = value(thread);
  return Step::Next;
}

template <auto value>
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
  table["nvvm.read.ptx.sreg.lanemask.eq"] = decode<maskEq>;
  table["nvvm.read.ptx.sreg.lanemask.lt"] = decode<maskLt>;
  table["nvvm.read.ptx.sreg.lanemask.le"] = decode<maskLe>;
  table["nvvm.read.ptx.sreg.lanemask.gt"] = decode<maskGt>;
  table["nvvm.read.ptx.sreg.lanemask.ge"] = decode<maskGe>;
  table["nvvm.read.ptx.sreg.clusterid.x"] = decode<clusterX>;
  table["nvvm.read.ptx.sreg.nclusterid.x"] = decode<nclusterX>;
  table["nvvm.read.ptx.sreg.cluster.ctaid.x"] = decode<inClusterX>;
  table["nvvm.read.ptx.sreg.cluster.nctaid.x"] = decode<clusterSizeX>;
  table["nvvm.read.ptx.sreg.clusterid.y"] = decode<clusterY>;
  table["nvvm.read.ptx.sreg.nclusterid.y"] = decode<nclusterY>;
  table["nvvm.read.ptx.sreg.cluster.ctaid.y"] = decode<inClusterY>;
  table["nvvm.read.ptx.sreg.cluster.nctaid.y"] = decode<clusterSizeY>;
  table["nvvm.read.ptx.sreg.clusterid.z"] = decode<clusterZ>;
  table["nvvm.read.ptx.sreg.nclusterid.z"] = decode<nclusterZ>;
  table["nvvm.read.ptx.sreg.cluster.ctaid.z"] = decode<inClusterZ>;
  table["nvvm.read.ptx.sreg.cluster.nctaid.z"] = decode<clusterSizeZ>;
  table["nvvm.read.ptx.sreg.cluster.ctarank"] = decode<ctaRank>;
  table["nvvm.read.ptx.sreg.cluster.nctarank"] = decode<ctaCount>;
  table["nvvm.read.ptx.sreg.total.smem.size"] = decode<sharedSize>;
  table["nvvm.read.ptx.sreg.dynamic.smem.size"] = decode<dynamicSize>;
  table["nvvm.read.ptx.sreg.clock"] = decode<clock32>;
  table["nvvm.read.ptx.sreg.clock64"] = decode<clock64>;
  table["nvvm.read.ptx.sreg.globaltimer"] = decode<clock64>;
  table["nvvm.read.ptx.sreg.globaltimer.lo"] = decode<clock32>;
}

} // namespace trowel::emulator
