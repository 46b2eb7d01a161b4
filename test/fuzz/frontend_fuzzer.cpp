// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any bytes through the parser and the checker. Beyond not crashing: a message
// has words and a place inside the text, a program exists exactly when there is
// no error, and newlines mean nothing.

#include "frontend/Grammar/Parser.h"
#include "frontend/Sema/Sema.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace trowel;

static void require(bool condition, const char *what, const SourceFile &source,
                    const std::vector<Diagnostic> &diagnostics) {
  if (condition)
    return;
  std::fprintf(stderr, "broken: %s\n", what);
  for (const Diagnostic &diagnostic : diagnostics)
    std::fprintf(stderr, "%s", render(diagnostic, source).c_str());
  std::abort();
}

static void checkMessages(const std::vector<Diagnostic> &diagnostics,
                          const SourceFile &source) {
  int lines = 1 + static_cast<int>(
                      std::count(source.text.begin(), source.text.end(), '\n'));
  for (const Diagnostic &diagnostic : diagnostics) {
    std::string text = render(diagnostic, source);
    require(!diagnostic.message.empty(), "a message has words", source,
            diagnostics);
    require(diagnostic.location.line <= lines, "a message is inside the text",
            source, diagnostics);
  }
}

static bool hasError(const std::vector<Diagnostic> &diagnostics) {
  return std::any_of(
      diagnostics.begin(), diagnostics.end(), [](const Diagnostic &diagnostic) {
        return diagnostic.severity == Diagnostic::Severity::Error;
      });
}

/// Without comments, and all in one line. Texts with quotes are left alone.
static void checkInOneLine(const SourceFile &source) {
  if (source.text.find('"') != std::string::npos)
    return;
  SourceFile flat{source.name, ""};
  bool inComment = false;
  for (size_t i = 0; i < source.text.size(); ++i) {
    bool newline = source.text[i] == '\n' || source.text[i] == '\r';
    inComment = !newline && (inComment || source.text.compare(i, 2, "//") == 0);
    if (!inComment)
      flat.text += newline ? ' ' : source.text[i];
  }
  ParseResult result = parse(flat);
  require(result.diagnostics.empty(), "newlines mean nothing", flat,
          result.diagnostics);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  SourceFile source{"fuzz.trowel",
                    std::string(reinterpret_cast<const char *>(data), size)};
  ParseResult parsed = parse(source);
  checkMessages(parsed.diagnostics, source);
  if (!parsed.diagnostics.empty())
    return 0;
  checkInOneLine(source);
  for (const syntax::Attention &attention : parsed.file.attentions) {
    CheckResult checked = check(parsed.file, attention);
    checkMessages(checked.diagnostics, source);
    require(checked.program.has_value() != hasError(checked.diagnostics),
            "a program or an error", source, checked.diagnostics);
  }
  return 0;
}
