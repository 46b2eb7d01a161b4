// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a file's name to checked programs. Diagnostics go to stderr.
#ifndef TROWEL_TOOLS_TROWEL_LOAD_H
#define TROWEL_TOOLS_TROWEL_LOAD_H

#include "frontend/AST/Program.h"
#include "frontend/Sema/Sema.h"
#include "tools/trowel/Timings.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trowel::tool {

/// Which program a command is about.
struct ProgramRequest {
  std::string path;
  std::string attention;          // empty: the file's only one
  std::vector<std::string> sizes; // "K=64"
};

struct Loaded {
  SourceFile source;
  std::shared_ptr<const syntax::File> file;
  const syntax::Attention *attention = nullptr; // one of `file`
  CheckOptions options;
  Program program;
};

/// Reads, parses and checks one attention. Nothing if there was any error,
/// after saying so.
std::optional<Loaded> load(const ProgramRequest &request, Timings &timings);

/// Without a name in the request every attention of the file, in its order.
/// Empty if there was any error.
std::vector<Loaded> loadAll(const ProgramRequest &request, Timings &timings);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_LOAD_H
