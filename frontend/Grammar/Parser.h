// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text to syntax tree. The only folder of the project that meets ANTLR: neither
// its types nor exceptions leave it.
#ifndef TROWEL_FRONTEND_GRAMMAR_PARSER_H
#define TROWEL_FRONTEND_GRAMMAR_PARSER_H

#include "frontend/AST/Location.h"
#include "frontend/AST/SyntaxTree.h"

#include <vector>

namespace trowel {

/// `file` is complete when `diagnostics` is empty; else it is empty.
struct ParseResult {
  syntax::File file;
  std::vector<Diagnostic> diagnostics;
};

/// Parses `source`, which may be any bytes; never throws. Reports every
/// independent error in one run. Refuses, with an error, files above 1 MiB,
/// text that is not UTF-8, and nesting deeper than 256.
ParseResult parse(const SourceFile &source);

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_PARSER_H
