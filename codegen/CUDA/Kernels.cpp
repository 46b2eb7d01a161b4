// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/CUDA/Kernels.h"

#include "codegen/CPU/Lower.h"
#include "codegen/CUDA/KernelEmitter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace trowel::cuda {

/// Marks the lowered function as a kernel of so many threads.
static void markKernel(ModuleOp module, const KernelInfo &info) {
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(info.name);
  Builder builder(module.getContext());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      builder.getDenseI32ArrayAttr({static_cast<int32_t>(info.threads), 1, 1}));
  // Else ptxas spills registers for the sake of more blocks at a time, which
  // shared memory has no room for.
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                    builder.getI32IntegerAttr(1));
}

llvm::Expected<Kernels> emitKernels(ModuleOp given, cpu::Timings *timings) {
  codegen::Stopwatch watch(timings);
  OwningOpRef<ModuleOp> own = given.clone();
  ModuleOp source = *own;
  cpu::loadTargetDialects(*source.getContext());
  source.getContext()->loadDialect<NVVM::NVVMDialect>();
  Kernels result;
  result.module = ModuleOp::create(source.getLoc());
  auto team = std::make_unique<Block>();
  Block &block = *team;
  cpu::Output output(*result.module, std::move(team));
  for (chunk::ProgramOp program : source.getOps<chunk::ProgramOp>()) {
    markColumns(program);
    KernelInfo info;
    info.name = program.getSymName().str();
    KernelEmitter emitter(program, output, block, info.name);
    if (!emitter.emit())
      return llvm::createStringError(emitter.error);
    emitter.placeWorkspace();
    info.interface = emitter.interface();
    info.threads = emitter.threads();
    (emitter.isShared() ? info.sharedBytes : info.workspaceBytes) =
        emitter.workspaceBytes();
    result.kernels.push_back(std::move(info));
  }
  watch.lap("emit");
  if (failed(mlir::verify(*result.module)))
    return llvm::createStringError("the emitted code is not valid");
  if (llvm::Error failure = cpu::lowerToLlvmDialect(*result.module))
    return std::move(failure);
  for (const KernelInfo &info : result.kernels)
    markKernel(*result.module, info);
  watch.lap("lower");
  return std::move(result);
}

} // namespace trowel::cuda
