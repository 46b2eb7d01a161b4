// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/CPU/Phases.h"

#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace trowel::cpu {

llvm::Expected<std::vector<Phase>> compilePhases(ModuleOp module,
                                                 const CpuOptions &options,
                                                 Timings *timings) {
  std::vector<Phase> phases;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    OwningOpRef<ModuleOp> single = ModuleOp::create(module.getLoc());
    OpBuilder::atBlockEnd(single->getBody()).clone(*program);
    auto kernel = compileForCpu(*single, options, timings);
    if (!kernel)
      return kernel.takeError();
    phases.push_back({std::move(*kernel), headReductions(program)});
  }
  return std::move(phases);
}

} // namespace trowel::cpu
