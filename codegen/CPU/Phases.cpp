// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/CPU/Phases.h"

using namespace mlir;

namespace trowel::cpu {

std::vector<OwningOpRef<ModuleOp>> splitPrograms(ModuleOp module) {
  std::vector<OwningOpRef<ModuleOp>> modules;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    modules.push_back(ModuleOp::create(program.getLoc()));
    modules.back()->push_back(program->clone());
  }
  return modules;
}

llvm::Expected<std::vector<Phase>>
compilePhases(ModuleOp module, const CpuOptions &options, Timings *timings) {
  std::vector<Phase> phases;
  for (OwningOpRef<ModuleOp> &single : splitPrograms(module)) {
    auto kernel = compileForCpu(*single, options, timings);
    if (!kernel)
      return kernel.takeError();
    chunk::ProgramOp program = *single->getOps<chunk::ProgramOp>().begin();
    phases.push_back({std::move(*kernel), headReductions(program)});
  }
  return std::move(phases);
}

} // namespace trowel::cpu
