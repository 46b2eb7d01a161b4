// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions over heads that need their own results.
#ifndef TROWEL_FRONTEND_SEMA_HEADFEEDBACK_H
#define TROWEL_FRONTEND_SEMA_HEADFEEDBACK_H

#include "frontend/AST/Program.h"

namespace trowel {

/// The reductions over heads (`sum[heads]`, `mean[group]`, …) that reach their
/// own operand through the states. A program is cut at its reductions, which
/// these do not allow.
std::vector<const Expr *> headFeedback(const Program &program);

} // namespace trowel

#endif // TROWEL_FRONTEND_SEMA_HEADFEEDBACK_H
