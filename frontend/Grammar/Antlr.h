// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ANTLR's runtime and the generated lexer and parser, for this folder only.
#ifndef TROWEL_FRONTEND_GRAMMAR_ANTLR_H
#define TROWEL_FRONTEND_GRAMMAR_ANTLR_H

#include "TrowelLexer.h"
#include "TrowelParser.h"

#include <vector>

namespace trowel {

using TokenList = std::vector<antlr4::Token *>;

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_ANTLR_H
