// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Chunk/DeadOps.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace trowel {

void eraseDead(chunk::ProgramOp program,
               llvm::function_ref<bool(Operation &)> isKept) {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(program.getBody().front())))
    if (isOpTriviallyDead(&op) && !(isKept && isKept(op)) &&
        !isa<rec::StateOp, rec::InputOp, rec::ParamOp>(op))
      op.erase();
}

} // namespace trowel
