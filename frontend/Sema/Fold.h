// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic on constants, at compile time and in double precision.
#ifndef TROWEL_FRONTEND_SEMA_FOLD_H
#define TROWEL_FRONTEND_SEMA_FOLD_H

#include "frontend/Sema/Builder.h"

namespace trowel::sema {

/// The value of `op` over constant operands; a `where` whose condition is
/// constant is the branch it takes, unless that lacks an axis of the other.
/// Null when there is nothing to fold.
ExprPtr fold(const Builder &build, MapOp op,
             const std::vector<ExprPtr> &operands, Location at);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_FOLD_H
