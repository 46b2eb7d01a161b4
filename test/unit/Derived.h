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
#include "test/unit/Checked.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <filesystem>

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

/// The normal form of a program; with `tokens` >= 0 its chunk program.
inline Derived derive(const Program &program, int64_t tokens = -1) {
  Derived derived;
  derived.context = std::make_unique<mlir::MLIRContext>(
      mlir::MLIRContext::Threading::DISABLED);
  derived.context->loadDialect<rec::RecDialect, chunk::ChunkDialect>();
  derived.module = generate(*derived.context, program);
  mlir::PassManager manager(derived.context.get());
  addNormalise(manager);
  if (tokens >= 0)
    addChunk(manager, tokens);
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

/// Overrides that make a program's larger sizes small and unequal, so that it
/// can be evaluated token by token in no time.
inline CheckOptions smallSizes(const syntax::Attention &attention) {
  CheckOptions options;
  int64_t next = 6;
  for (const syntax::Size &size : attention.sizes)
    if (size.value > 6)
      options.sizes.push_back({size.name.text, std::max<int64_t>(3, next--)});
  return options;
}

/// The `.trowel` files of a folder of the project, sorted.
inline std::vector<std::string> programFiles(const std::string &folder) {
  std::vector<std::string> files;
  for (const auto &entry : std::filesystem::directory_iterator(
           std::string(TROWEL_SOURCE_DIR) + "/" + folder))
    if (entry.path().extension() == ".trowel")
      files.push_back(folder + "/" + entry.path().filename().string());
  std::sort(files.begin(), files.end());
  return files;
}

/// Every program that ships: examples, inventions, the language's own.
inline std::vector<std::string> allPrograms() {
  std::vector<std::string> files;
  for (const char *folder : {"examples", "docs/inventions", "test/language"})
    for (const std::string &file : programFiles(folder))
      files.push_back(file);
  return files;
}

/// The attentions of a file, with small sizes, that the checker accepts.
inline std::vector<Program> checkedPrograms(const std::string &file) {
  SourceFile source{file,
                    readFile(std::string(TROWEL_SOURCE_DIR) + "/" + file)};
  ParseResult parsed = parse(source);
  std::vector<Program> programs;
  for (const syntax::Attention &attention : parsed.file.attentions) {
    CheckResult result = check(parsed.file, attention, smallSizes(attention));
    if (result.program)
      programs.push_back(*result.program);
  }
  return programs;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_DERIVED_H
