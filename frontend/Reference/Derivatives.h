// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The derivatives of one operation on one element, in float64.
#ifndef TROWEL_FRONTEND_REFERENCE_DERIVATIVES_H
#define TROWEL_FRONTEND_REFERENCE_DERIVATIVES_H

#include "frontend/AST/Program.h"

#include <array>

namespace trowel::reference {

/// The derivative of a map of reals by each of its operands `x`, of which it
/// made `result`. `where` and what takes conditions or whole numbers count as
/// constant in those.
std::array<double, 3> derivatives(MapOp op, const std::array<double, 3> &x,
                                  double result);

} // namespace trowel::reference

#endif // TROWEL_FRONTEND_REFERENCE_DERIVATIVES_H
