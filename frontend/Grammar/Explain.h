// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is wrong with a text that does not parse: every independent error of it.
#ifndef TROWEL_FRONTEND_GRAMMAR_EXPLAIN_H
#define TROWEL_FRONTEND_GRAMMAR_EXPLAIN_H

#include "frontend/Grammar/Antlr.h"
#include "frontend/Grammar/Source.h"

namespace trowel {

/// At most this many errors are reported in one run.
constexpr size_t maximalErrors = 20;

/// `tokens` are those of the whole file, its end excluded.
std::vector<Diagnostic> explainErrors(const TokenList &tokens,
                                      const SourceText &source);

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_EXPLAIN_H
