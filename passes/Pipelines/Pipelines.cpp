// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Pipelines/Pipelines.h"

#include "passes/Chunk/Passes.h"
#include "passes/Gradient/Passes.h"
#include "passes/Normalize/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace trowel {

void addNormalise(OpPassManager &manager) {
  manager.addPass(createSplitHeads());
  OpPassManager &program = manager.nest<rec::ProgramOp>();
  program.addPass(createCSEPass());
  program.addPass(createDelaysToStates());
  program.addPass(createFormStages());
}

void addDifferentiate(OpPassManager &manager) {
  manager.addPass(createDifferentiate());
  manager.nest<rec::ProgramOp>().addPass(createCSEPass());
}

void addChunk(OpPassManager &manager, int64_t tokens, int64_t rows) {
  manager.addPass(createChunkPrograms(ChunkProgramsOptions{tokens, rows}));
  OpPassManager &program = manager.nest<chunk::ProgramOp>();
  program.addPass(createSingleToken());
  program.addPass(createCSEPass());
}

void registerTrowelPasses() {
  registerNormalizePasses();
  registerChunkPasses();
  registerGradientPasses();
  PassPipelineRegistration<>(
      "rec-normalise", "Bring token programs to normal form",
      [](OpPassManager &manager) { addNormalise(manager); });
  PassPipelineRegistration<>("rec-to-chunk",
                             "Derive the chunk program of a token program",
                             [](OpPassManager &manager) {
                               addNormalise(manager);
                               addChunk(manager);
                             });
  PassPipelineRegistration<>(
      "rec-to-gradient",
      "Derive the chunk programs of a token program and its gradient",
      [](OpPassManager &manager) {
        addNormalise(manager);
        addDifferentiate(manager);
        addChunk(manager);
      });
}

} // namespace trowel
