// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Signs of other languages. The lexer knows them, the grammar does not: each is
// reported by its own name and, where its meaning is plain, read as what was
// meant, so that the rest of the statement is still checked.
#ifndef TROWEL_FRONTEND_GRAMMAR_SLIPS_H
#define TROWEL_FRONTEND_GRAMMAR_SLIPS_H

#include "frontend/Grammar/Antlr.h"
#include "frontend/Grammar/Source.h"

namespace trowel {

/// Reports the slips among `tokens`; returns the tokens with the repaired ones
/// in their new meaning. What could not be repaired stays a slip.
TokenList repairSlips(const TokenList &tokens, const SourceText &source,
                      std::vector<Diagnostic> &diagnostics);

/// A token that no rule uses: it has been reported.
bool isSlip(const antlr4::Token *token);

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_SLIPS_H
