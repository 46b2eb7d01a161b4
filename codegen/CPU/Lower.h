// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the emitters' operations to optimised LLVM IR for this machine.
#ifndef TROWEL_CODEGEN_CPU_LOWER_H
#define TROWEL_CODEGEN_CPU_LOWER_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace trowel::cpu {

/// Loads the dialects that the emitters write and LLVM's translation needs.
void loadTargetDialects(mlir::MLIRContext &context);

/// Turns scf, arith, vector and func into the llvm dialect.
llvm::Error lowerToLlvmDialect(mlir::ModuleOp module);

llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLlvmIr(mlir::ModuleOp module, llvm::LLVMContext &context,
                  llvm::TargetMachine &machine);

void optimise(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level);

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_LOWER_H
