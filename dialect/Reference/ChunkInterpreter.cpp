// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Reference/ChunkInterpreter.h"

#include "dialect/Reference/Machine.h"

namespace trowel {

TensorMap evaluateChunks(chunk::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

TensorMap evaluateTokens(rec::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

} // namespace trowel
