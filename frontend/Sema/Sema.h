// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the syntax tree of one attention to the checked program: names, sizes,
// axes, kinds of numbers, sharing, ranges.
#ifndef TROWEL_FRONTEND_SEMA_SEMA_H
#define TROWEL_FRONTEND_SEMA_SEMA_H

#include "frontend/AST/Program.h"
#include "frontend/AST/SyntaxTree.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trowel {

struct CheckOptions {
  /// `-D K=64`: overrides of the header's sizes.
  std::vector<std::pair<std::string, int64_t>> sizes;
};

struct CheckResult {
  /// Set exactly when `diagnostics` holds no error.
  std::optional<Program> program;
  /// Errors and warnings in the order of their places in the source.
  std::vector<Diagnostic> diagnostics;
};

/// Checks `attention`, one of `file` (whose `fn`s it may call). Never throws;
/// a wrong program is explained in the diagnostics, several independent errors
/// at once.
CheckResult check(const syntax::File &file, const syntax::Attention &attention,
                  const CheckOptions &options = {});

} // namespace trowel

#endif // TROWEL_FRONTEND_SEMA_SEMA_H
