// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs taken through the compiler, for tests that compare a derived form
// with the meaning.
#ifndef TROWEL_TEST_UNIT_DERIVED_H
#define TROWEL_TEST_UNIT_DERIVED_H

#include "dialect/Chunk/Chunk.h"
#include "frontend/MLIRGen/MLIRGen.h"
#include "passes/Pipelines/Pipelines.h"
#include "test/unit/Programs.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

namespace trowel::test {

/// A program's module at one level.
struct Derived {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  bool succeeded = false;

  /// The first chunk program; the only one unless heads are reduced.
  chunk::ProgramOp chunkProgram() {
    auto programs = module->getOps<chunk::ProgramOp>();
    return programs.empty() ? chunk::ProgramOp() : *programs.begin();
  }
};

/// The normal form of a program; with `tokens` >= 0 its chunk program, and with
/// `gradient` the backward one behind it.
inline std::unique_ptr<mlir::MLIRContext> makeContext() {
  auto context = std::make_unique<mlir::MLIRContext>(
      mlir::MLIRContext::Threading::DISABLED);
  context->loadDialect<rec::RecDialect, chunk::ChunkDialect>();
  return context;
}

/// Null if a pass fails.
inline mlir::OwningOpRef<mlir::ModuleOp> deriveIn(mlir::MLIRContext &context,
                                                  const Program &program,
                                                  int64_t tokens,
                                                  int64_t rows = usualRows) {
  mlir::OwningOpRef<mlir::ModuleOp> module = generate(context, program);
  mlir::PassManager manager(&context);
  addNormalise(manager);
  addChunk(manager, tokens, rows);
  return mlir::succeeded(manager.run(*module)) ? std::move(module) : nullptr;
}

inline Derived derive(const Program &program, int64_t tokens = -1,
                      bool gradient = false, int64_t rows = usualRows) {
  Derived derived;
  derived.context = makeContext();
  derived.module = generate(*derived.context, program);
  mlir::PassManager manager(derived.context.get());
  addNormalise(manager);
  if (gradient)
    addDifferentiate(manager);
  if (tokens >= 0)
    addChunk(manager, tokens, rows);
  derived.succeeded = mlir::succeeded(manager.run(*derived.module));
  return derived;
}

/// The class of each state: "chunk", "scan" or "token".
inline std::map<std::string, std::string> classesOf(mlir::ModuleOp normalForm) {
  std::map<std::string, std::string> classes;
  normalForm.walk([&](mlir::Operation *op) {
    if (auto stage = mlir::dyn_cast<rec::StageOp>(op))
      for (mlir::Attribute name : stage.getStates())
        classes[mlir::cast<mlir::StringAttr>(name).str()] = "chunk";
    if (auto stage = mlir::dyn_cast<rec::SequentialOp>(op))
      for (mlir::Attribute name : stage.getStates())
        classes[mlir::cast<mlir::StringAttr>(name).str()] =
            stage.getScan() ? "scan" : "token";
  });
  return classes;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_DERIVED_H
