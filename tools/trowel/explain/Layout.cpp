// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Layout.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

namespace trowel::explaining {

size_t widthOf(const std::string &text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (c & 0xc0) != 0x80; });
}

std::string wrap(const std::string &text, const std::string &first,
                 size_t hanging) {
  std::istringstream words(text);
  std::string result, line = first, word;
  bool fresh = true;
  while (words >> word) {
    if (!fresh && widthOf(line) + 1 + widthOf(word) > pageWidth) {
      result += line + "\n";
      line = std::string(hanging, ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + word;
    fresh = false;
  }
  result += line + "\n";
  std::replace(result.begin(), result.end(), noBreak, ' ');
  return result;
}

static std::string padded(const std::string &text, size_t width, bool right) {
  size_t own = widthOf(text);
  std::string space(width > own ? width - own : 0, ' ');
  return right ? space + text : text + space;
}

std::string table(const std::vector<std::vector<std::string>> &rows,
                  size_t indent, const std::vector<size_t> &right) {
  std::vector<size_t> widths;
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      if (i + 1 < row.size() || row.size() < widths.size())
        widths[i] = std::max(widths[i], widthOf(row[i]));
    }
  if (!widths.empty()) // a column set to the right is as wide as its widest
    for (size_t column : right)
      for (const auto &row : rows)
        if (column < row.size())
          widths[column] = std::max(widths[column], widthOf(row[column]));
  std::string result;
  for (const auto &row : rows) {
    std::string line(indent, ' ');
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      bool toRight = std::find(right.begin(), right.end(), i) != right.end();
      line += padded(row[i], widths[i], toRight) + "  ";
    }
    size_t last = row.empty() ? 0 : row.size() - 1;
    bool toRight = std::find(right.begin(), right.end(), last) != right.end();
    std::string text = row.empty() ? "" : row[last];
    if (toRight)
      text = padded(text, widths[last], true);
    if (!toRight && widthOf(line) + widthOf(text) > pageWidth)
      line = wrap(text, line, widthOf(line));
    else
      line += text + "\n";
    size_t end = line.find_last_not_of(" \n");
    result += (end == std::string::npos ? "" : line.substr(0, end + 1)) + "\n";
  }
  return result;
}

std::string enumerate(const std::vector<std::string> &items) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i)
    text += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
  return text;
}

std::string shortNumber(double number) {
  const char *units[] = {"", "k", "M", "G", "T"};
  int unit = 0;
  while (number >= 999.5 && unit < 4) {
    number /= 1000;
    ++unit;
  }
  char text[32];
  int digits = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  std::snprintf(text, sizeof(text), "%.*f%s", digits, number, units[unit]);
  return text;
}

std::string byteCount(int64_t bytes) {
  char text[32];
  if (bytes >= 1024 && bytes % 1024 == 0)
    std::snprintf(text, sizeof(text), "%lld KiB",
                  static_cast<long long>(bytes / 1024));
  else if (bytes >= 10240)
    std::snprintf(text, sizeof(text), "%.1f KiB", double(bytes) / 1024);
  else
    std::snprintf(text, sizeof(text), "%lld byte%s",
                  static_cast<long long>(bytes), bytes == 1 ? "" : "s");
  return text;
}

std::string realNumber(double number) {
  if (std::isinf(number))
    return number > 0 ? "inf" : "-inf";
  char text[64];
  std::snprintf(text, sizeof(text), "%.6g", number);
  return text;
}

} // namespace trowel::explaining
