// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding, and the places in a text that need the text itself.

#include "frontend/Grammar/Source.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace trowel {

static constexpr size_t maximalLength = 1 << 20; // 1 MiB

/// The length of the UTF-8 sequence that starts at `i`; 0 if it is none.
static size_t sequenceLength(const std::string &text, size_t i) {
  auto byte = [&](size_t k) {
    return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
  };
  unsigned first = byte(i);
  size_t length = first < 0x80   ? 1
                  : first < 0xC2 ? 0
                  : first < 0xE0 ? 2
                  : first < 0xF0 ? 3
                  : first < 0xF5 ? 4
                                 : 0;
  for (size_t k = 1; k < length; ++k)
    if ((byte(i + k) & 0xC0) != 0x80)
      return 0;
  unsigned second = byte(i + 1);
  bool overlong =
      (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  bool outside = (first == 0xED && second > 0x9F) || // surrogates
                 (first == 0xF4 && second > 0x8F);
  return overlong || outside ? 0 : length;
}

std::optional<Diagnostic> SourceText::read(const std::string &text) {
  Diagnostic error;
  if (text.size() > maximalLength) {
    error.message = "the file is larger than 1 MiB";
    return error;
  }
  int line = 1, column = 1;
  size_t i = text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0; // byte order mark
  Ascii.reserve(text.size());
  while (i < text.size()) {
    size_t length = sequenceLength(text, i);
    if (length == 0) {
      error.location = {line, column, 1};
      error.message = "this byte is not UTF-8 text";
      return error;
    }
    if (length > 1)
      Foreign[Ascii.size()] = text.substr(i, length);
    Ascii += length > 1 ? foreignCharacter : text[i];
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n';
    i += length;
  }
  return std::nullopt;
}

std::string SourceText::slice(size_t begin, size_t end) const {
  end = std::min(end, Ascii.size());
  std::string result;
  for (size_t i = begin; i < end; ++i) {
    auto foreign = Foreign.find(i);
    if (foreign != Foreign.end())
      result += foreign->second;
    else
      result += Ascii[i];
  }
  return result;
}

Location SourceText::locate(size_t begin, size_t end, size_t line,
                            size_t column) const {
  end = std::min(end, Ascii.size());
  begin = std::min(begin, end);
  std::string_view span(Ascii.data() + begin, end - begin);
  size_t newline = span.find('\n');
  if (newline != std::string_view::npos) {
    span = span.substr(0, std::min(newline, span.find("//")));
    while (!span.empty() && span.back() <= ' ')
      span.remove_suffix(1);
  }
  Location location;
  location.line = static_cast<int>(line);
  location.column = static_cast<int>(column);
  location.length = std::max(1, static_cast<int>(span.size()));
  return location;
}

std::string SourceText::commentAbove(size_t offset, size_t column) const {
  auto lineStart = [&](size_t at) {
    size_t newline = at == 0 ? std::string::npos : Ascii.rfind('\n', at - 1);
    return newline == std::string::npos ? 0 : newline + 1;
  };
  auto firstVisible = [&](size_t at) {
    return std::min(Ascii.find_first_not_of(" \t", at), Ascii.size());
  };
  size_t start = offset - column;
  if (firstVisible(start) != offset)
    return "";
  std::vector<std::string> lines;
  while (start > 0) {
    size_t end = start - 1; // the newline
    start = lineStart(end);
    size_t text = firstVisible(start);
    if (Ascii.compare(text, 2, "//") != 0)
      break;
    text = std::min(Ascii.find_first_not_of("/", text), end);
    text += text < end && Ascii[text] == ' ';
    while (end > text && Ascii[end - 1] <= ' ')
      --end;
    lines.push_back(slice(text, end));
  }
  std::string result;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    result += (result.empty() ? "" : "\n") + *line;
  return result;
}

} // namespace trowel
