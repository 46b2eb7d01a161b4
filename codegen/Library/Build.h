// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the chunk programs of a module to what a library is linked of.
#ifndef TROWEL_CODEGEN_LIBRARY_BUILD_H
#define TROWEL_CODEGEN_LIBRARY_BUILD_H

#include "codegen/Library/Device.h"
#include "codegen/Library/Tables.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>

namespace trowel::library {

/// What `linkLibrary` and `linkObject` take, and the texts beside it.
struct Built {
  std::vector<std::string> objects;
  std::string header, description;
  std::unique_ptr<Tables> tables;
};

/// What a library has code for; some of either.
struct Targets {
  std::vector<Machine> machines; // the best first
  std::vector<Chip> chips;
};

/// Code for every target from chunk programs, from those of one token a chunk
/// and, for a backward function, from those of the gradient (null: none). For
/// chips, which may have other chunks, from `device` and those of one token,
/// which are in one context. `version` is the compiler's.
llvm::Expected<Built> build(const Program &program, mlir::ModuleOp module,
                            mlir::ModuleOp step, mlir::ModuleOp gradient,
                            mlir::ModuleOp device, const Targets &targets,
                            const std::string &version);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_BUILD_H
