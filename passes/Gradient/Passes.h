// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that derive gradients.
#ifndef TROWEL_PASSES_GRADIENT_PASSES_H
#define TROWEL_PASSES_GRADIENT_PASSES_H

#include "dialect/Rec/Rec.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace trowel {

#define GEN_PASS_DECL
#include "passes/Gradient/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Gradient/Passes.h.inc"

} // namespace trowel

#endif // TROWEL_PASSES_GRADIENT_PASSES_H
