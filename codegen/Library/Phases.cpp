// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Phases.h"

using namespace mlir;

namespace trowel::library {

std::vector<OwningOpRef<ModuleOp>> splitPrograms(ModuleOp module) {
  std::vector<OwningOpRef<ModuleOp>> modules;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    modules.push_back(ModuleOp::create(program.getLoc()));
    modules.back()->push_back(program->clone());
  }
  return modules;
}

CompiledPhase beginPhase(ModuleOp single) {
  chunk::ProgramOp program = *single.getOps<chunk::ProgramOp>().begin();
  CompiledPhase phase;
  phase.reductions = headReductions(program);
  phase.chunkTokens = program.getTokens();
  return phase;
}

} // namespace trowel::library
