// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks programs given as text, for the tests of Sema.
#ifndef TROWEL_TEST_UNIT_CHECKED_H
#define TROWEL_TEST_UNIT_CHECKED_H

#include "frontend/Grammar/Parser.h"
#include "frontend/Sema/Sema.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace trowel::test {

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Checked {
  SourceFile source;
  std::vector<Diagnostic> diagnostics;
  std::optional<Program> program; // of the last attention

  /// Every message, as the user sees it.
  std::string messages() const {
    std::string text;
    for (const Diagnostic &diagnostic : diagnostics)
      text += render(diagnostic, source);
    return text;
  }
};

/// Parses and checks every attention of `text`.
inline Checked checkText(const std::string &text,
                         const CheckOptions &options = {},
                         const std::string &name = "test.trowel") {
  Checked checked;
  checked.source = {name, text};
  ParseResult parsed = parse(checked.source);
  checked.diagnostics = std::move(parsed.diagnostics);
  for (const syntax::Attention &attention : parsed.file.attentions) {
    CheckResult result = check(parsed.file, attention, options);
    checked.program = std::move(result.program);
    for (Diagnostic &diagnostic : result.diagnostics)
      checked.diagnostics.push_back(std::move(diagnostic));
  }
  return checked;
}

/// The one attention of `text`, which must be right.
inline Program checkedProgram(const std::string &text,
                              const CheckOptions &options = {}) {
  Checked checked = checkText(text, options);
  if (!checked.program) {
    std::fputs(checked.messages().c_str(), stderr);
    std::abort();
  }
  return *checked.program;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_CHECKED_H
