// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Explain.h"

#include "tools/trowel/explain/Sections.h"

namespace trowel {

std::string explain(const Program &program, const SourceFile &source,
                    mlir::ModuleOp normalForm, mlir::ModuleOp chunkProgram) {
  using namespace explaining;
  rec::ProgramOp normal = *normalForm.getOps<rec::ProgramOp>().begin();
  chunk::ProgramOp chunk = *chunkProgram.getOps<chunk::ProgramOp>().begin();
  Expressions expressions(normal, program.sizes);
  TokenEquations equations(normal, expressions);
  Context context{program, source, normal, chunk, expressions, equations};
  return describeHeader(context) + describeStages(context) +
         describeObstacles(context) + describeToken(context) +
         describeChunk(context) + describeWork(context) +
         describeNumerics(context);
}

} // namespace trowel
