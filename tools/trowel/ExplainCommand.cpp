// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel explain`: what the compiler makes of a program, and why.
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/explain/Explain.h"

#include <iostream>

namespace trowel::tool {

int runExplain(const ExplainArguments &arguments) {
  Timings timings;
  std::vector<Loaded> programs = loadAll(arguments.program, timings);
  for (const Loaded &loaded : programs) {
    Compiler compiler(timings);
    mlir::OwningOpRef<mlir::ModuleOp> normalForm =
        compiler.lower(loaded, Level::NormalForm);
    mlir::OwningOpRef<mlir::ModuleOp> chunks =
        compiler.lower(loaded, Level::Chunk);
    std::cout << explain(loaded.program, loaded.source, *normalForm, *chunks);
  }
  return programs.empty() ? 1 : 0;
}

} // namespace trowel::tool
