// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Types.h"

#include "frontend/Reference/Arithmetic.h"

namespace trowel {

void roundToType(Tensor &tensor, DType dtype) {
  for (double &x : tensor.data)
    x = reference::castTo(dtype, x);
}

} // namespace trowel
