// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Reference/ChunkInterpreter.h"

#include "dialect/Chunk/HeadReduction.h"
#include "dialect/Reference/Machine.h"

namespace trowel {

TensorMap evaluateChunks(chunk::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

TensorMap evaluateChunks(mlir::ModuleOp module, const Batch &batch,
                         const TensorMap &arguments) {
  TensorMap known = arguments, results;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    results = evaluateChunks(program, batch, known);
    for (const HeadReduction &reduction : headReductions(program))
      known[reduction.name] =
          reduceHeads(reduction, results.at(reduction.name), batch);
  }
  return results;
}

TensorMap evaluateTokens(rec::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

} // namespace trowel
