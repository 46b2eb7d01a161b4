// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A source text as the lexer reads it: one ASCII character for each character,
// so that the lexer's offsets are those of this string and its columns are
// characters. Whatever is not ASCII may stand in comments and strings only.
#ifndef TROWEL_FRONTEND_GRAMMAR_SOURCE_H
#define TROWEL_FRONTEND_GRAMMAR_SOURCE_H

#include "frontend/AST/Location.h"

#include <optional>
#include <string>
#include <unordered_map>

namespace trowel {

class SourceText {
public:
  /// What a character that is not ASCII reads as; no token contains it.
  static constexpr char foreignCharacter = '\x1a';

  /// Decodes `text`; an error if it is too long or not UTF-8.
  std::optional<Diagnostic> read(const std::string &text);

  const std::string &ascii() const { return Ascii; }

  /// The characters from `begin` to `end` (excluded), in UTF-8 again.
  std::string slice(size_t begin, size_t end) const;

  /// The span from `begin` to `end`, or its part on the first line.
  Location locate(size_t begin, size_t end, size_t line, size_t column) const;

  /// The `//` lines directly above the line that starts `column` characters
  /// before `offset`; none if something else stands before `offset`.
  std::string commentAbove(size_t offset, size_t column) const;

private:
  std::string Ascii;
  std::unordered_map<size_t, std::string> Foreign;
};

} // namespace trowel

#endif // TROWEL_FRONTEND_GRAMMAR_SOURCE_H
