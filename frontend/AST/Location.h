// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places in a source file and messages about them.
#ifndef TROWEL_FRONTEND_AST_LOCATION_H
#define TROWEL_FRONTEND_AST_LOCATION_H

#include <string>
#include <vector>

namespace trowel {

/// A half-open span of characters on one line; lines and columns count from 1.
struct Location {
  int line = 0;
  int column = 0;
  int length = 1;

  bool isKnown() const { return line > 0; }
};

/// One finding about a program: a primary location, the message, further
/// places that explain it, and a fix where there is one.
struct Diagnostic {
  enum class Severity { Error, Warning };
  struct Note {
    Location location; // unknown: the note has no place of its own
    std::string message;
  };

  Severity severity = Severity::Error;
  Location location;
  std::string message;
  std::vector<Note> notes;
  std::string help; // "use `*` for an outer product"; empty: none
};

/// A source text with the name that messages print.
struct SourceFile {
  std::string name;
  std::string text;
};

/// Renders `diagnostic` with the source line and a caret under the span:
///
///   gdn.trowel:12:8: error: `k` and `v` share no axis
///      12 |   S += k @ v
///         |        ^~~~~
///     help: use `*` for an outer product
std::string render(const Diagnostic &diagnostic, const SourceFile &source);

} // namespace trowel

#endif // TROWEL_FRONTEND_AST_LOCATION_H
