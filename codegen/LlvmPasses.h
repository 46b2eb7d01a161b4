// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs passes of LLVM over a module.
#ifndef TROWEL_CODEGEN_LLVMPASSES_H
#define TROWEL_CODEGEN_LLVMPASSES_H

#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"

namespace trowel::codegen {

using PassList =
    llvm::function_ref<llvm::ModulePassManager(llvm::PassBuilder &)>;

inline void runPasses(llvm::Module &module, llvm::TargetMachine &machine,
                      PassList passes) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager calls;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  passes(builder).run(module, modules);
}

} // namespace trowel::codegen

#endif // TROWEL_CODEGEN_LLVMPASSES_H
