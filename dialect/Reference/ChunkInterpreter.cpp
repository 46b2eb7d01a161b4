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

/// [B, T, H, size…] to [B, T, size…] or [B, T, G, size…].
static Tensor reduced(const HeadReduction &reduction, const Tensor &operand,
                      const Batch &batch) {
  std::vector<int64_t> shape = operand.shape;
  shape.erase(shape.begin() + 2);
  if (reduction.to == rec::SharingKind::Grouped)
    shape.insert(shape.begin() + 2, batch.groups);
  Tensor result(shape);
  int64_t rows = batch.batch * batch.tokens;
  if (rows > 0)
    reduceHeads(reduction, operand.data.data(), rows, batch.heads, batch.groups,
                operand.elementCount() / (rows * batch.heads),
                result.data.data());
  return result;
}

TensorMap evaluateChunks(mlir::ModuleOp module, const Batch &batch,
                         const TensorMap &arguments) {
  TensorMap known = arguments, results;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    results = evaluateChunks(program, batch, known);
    for (const HeadReduction &reduction : headReductions(program))
      known[reduction.name] =
          reduced(reduction, results.at(reduction.name), batch);
  }
  return results;
}

TensorMap evaluateTokens(rec::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

} // namespace trowel
