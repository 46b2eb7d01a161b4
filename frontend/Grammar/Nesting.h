// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds on how deep a program nests, checked on the tokens before anything
// recurses: the parser by brackets and prefixes, the tree's readers by
// operators.
#ifndef TROWEL_FRONTEND_GRAMMAR_NESTING_H
#define TROWEL_FRONTEND_GRAMMAR_NESTING_H

#include "frontend/Grammar/Antlr.h"
#include "frontend/Grammar/Source.h"

#include <optional>

namespace trowel {

/// An error at the first token that is nested too deep.
std::optional<Diagnostic> checkNesting(const TokenList &tokens,
                                       const SourceText &source);

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_NESTING_H
