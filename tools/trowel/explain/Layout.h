// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text in 100 columns: paragraphs, tables, numbers.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_LAYOUT_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_LAYOUT_H

#include <cstdint>
#include <string>
#include <vector>

namespace trowel::explaining {

constexpr size_t pageWidth = 100;

/// The number of characters that UTF-8 `text` shows.
size_t widthOf(const std::string &text);

/// `text` broken at spaces; the first line begins with `first`, the others are
/// indented by `hanging`. Ends with a line break. A `noBreak` is a space at
/// which no line breaks.
constexpr char noBreak = '\x01';
std::string wrap(const std::string &text, const std::string &first,
                 size_t hanging);

/// Rows of cells in columns two spaces apart, each line indented by `indent`.
/// Columns listed in `right` are set to the right; what passes the page in the
/// last column is continued below.
std::string table(const std::vector<std::vector<std::string>> &rows,
                  size_t indent, const std::vector<size_t> &right = {});

/// "a", "a and b", "a, b and c".
std::string enumerate(const std::vector<std::string> &items);

/// "812", "16.4k", "131k", "2.10M".
std::string shortNumber(double number);
/// "772 bytes", "64 KiB".
std::string byteCount(int64_t bytes);
/// A real number in the language's syntax, six digits.
std::string realNumber(double number);

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_LAYOUT_H
