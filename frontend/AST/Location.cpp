// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/AST/Location.h"

#include <algorithm>
#include <sstream>

namespace trowel {

static std::string lineOf(const std::string &text, int line) {
  std::istringstream stream(text);
  std::string result;
  for (int i = 0; i < line; ++i)
    if (!std::getline(stream, result))
      return "";
  while (!result.empty() && (result.back() == '\r'))
    result.pop_back();
  return result;
}

static void renderPlace(std::ostringstream &os, const Location &location,
                        const SourceFile &source) {
  std::string line = lineOf(source.text, location.line);
  std::string number = std::to_string(location.line);
  number.insert(0, number.size() < 4 ? 4 - number.size() : 0, ' ');
  os << number << " | " << line << '\n';
  os << std::string(number.size(), ' ') << " | ";
  int column = std::max(location.column, 1);
  for (int i = 0; i + 1 < column; ++i)
    os << (i < static_cast<int>(line.size()) && line[i] == '\t' ? '\t' : ' ');
  int space = std::max<int>(1, static_cast<int>(line.size()) - column + 1);
  int length = std::clamp(location.length, 1, space);
  os << '^' << std::string(length - 1, '~') << '\n';
}

std::string render(const Diagnostic &diagnostic, const SourceFile &source) {
  std::ostringstream os;
  auto place = [&](const Location &location) {
    os << source.name << ':';
    if (location.isKnown())
      os << location.line << ':' << location.column << ':';
    os << ' ';
  };
  place(diagnostic.location);
  os << (diagnostic.severity == Diagnostic::Severity::Error ? "error: "
                                                            : "warning: ")
     << diagnostic.message << '\n';
  if (diagnostic.location.isKnown())
    renderPlace(os, diagnostic.location, source);
  for (const Diagnostic::Note &note : diagnostic.notes) {
    if (note.location.isKnown()) {
      place(note.location);
      os << "note: " << note.message << '\n';
      renderPlace(os, note.location, source);
    } else {
      os << "  note: " << note.message << '\n';
    }
  }
  if (!diagnostic.help.empty())
    os << "  help: " << diagnostic.help << '\n';
  return os.str();
}

} // namespace trowel
