// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Compile.h"

#include "dialect/Chunk/Chunk.h"
#include "frontend/MLIRGen/MLIRGen.h"
#include "passes/Pipelines/Pipelines.h"
#include "tools/trowel/Messages.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

#include <iterator>

using namespace mlir;

namespace trowel::tool {

Compiler::Compiler(Timings &timings)
    : times(timings), context(MLIRContext::Threading::DISABLED) {
  // Whatever MLIR says is about our IR, not about the user's program.
  context.getDiagEngine().registerHandler(
      [](mlir::Diagnostic &) { return success(); });
  context.loadDialect<rec::RecDialect, chunk::ChunkDialect>();
}

OwningOpRef<ModuleOp> Compiler::lower(const Loaded &loaded, Level level,
                                      int64_t tokens) {
  auto run = [&](const char *phase, const char *doing, ModuleOp module,
                 auto addPasses) {
    PassManager manager(&context);
    addPasses(manager);
    if (times.measure(phase, [&] { return failed(manager.run(module)); }))
      internalError(std::string(doing) + " of `" + loaded.program.name +
                    "` failed");
  };
  OwningOpRef<ModuleOp> module = times.measure("mlirgen", [&] {
    return generate(context, loaded.program, loaded.source.name);
  });
  if (level == Level::Rec)
    return module;
  run("normalise", "deriving the normal form", *module,
      [](PassManager &manager) { addNormalise(manager); });
  if (level == Level::NormalForm)
    return module;
  run("chunk", "deriving the chunk program", *module,
      [&](PassManager &manager) { addChunk(manager, tokens); });
  return module;
}

std::vector<StateInfo> classify(ModuleOp normalForm) {
  llvm::StringMap<StateClass> classes;
  auto note = [&](ArrayAttr states, StateClass stateClass) {
    for (StringAttr name : states.getAsRange<StringAttr>())
      classes[name.getValue()] = stateClass;
  };
  normalForm.walk(
      [&](rec::StageOp stage) { note(stage.getStates(), StateClass::Chunk); });
  normalForm.walk([&](rec::SequentialOp stage) {
    note(stage.getStates(),
         stage.getScan() ? StateClass::Scan : StateClass::TokenByToken);
  });
  std::vector<StateInfo> states;
  normalForm.walk([&](rec::StateOp state) {
    auto it = classes.find(state.getName());
    if (!state.getHidden() && it != classes.end())
      states.push_back({state.getName().str(), it->second});
  });
  return states;
}

std::string describe(const std::vector<StateInfo> &states) {
  const std::pair<StateClass, const char *> classes[] = {
      {StateClass::Chunk, "chunk"},
      {StateClass::Scan, "scan"},
      {StateClass::TokenByToken, "token by token"}};
  std::string text;
  for (auto [stateClass, word] : classes) {
    std::string names;
    for (const StateInfo &state : states)
      if (state.stateClass == stateClass)
        names += (names.empty() ? "" : ", ") + state.name;
    if (!names.empty())
      text += (text.empty() ? "" : "; ") + names + " " + word;
  }
  return text.empty() ? "no state" : text;
}

} // namespace trowel::tool
