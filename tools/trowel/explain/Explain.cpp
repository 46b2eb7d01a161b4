// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Explain.h"

#include "dialect/Chunk/HeadReduction.h"
#include "tools/trowel/explain/Layout.h"
#include "tools/trowel/explain/Sections.h"

#include "llvm/ADT/STLExtras.h"

namespace trowel {

using namespace explaining;

/// Everything but the header, of one program of the module.
static std::string describeProgram(const Context &context) {
  return describeStages(context) + describeObstacles(context) +
         describeToken(context) + describeChunk(context) +
         describeWork(context) + describeNumerics(context);
}

/// What happens over heads between two programs of the module.
static std::string describeReductions(rec::ProgramOp program) {
  std::string text;
  for (const HeadReduction &reduction : headReductions(program)) {
    std::string over = reduction.to == rec::SharingKind::Shared
                           ? "all heads"
                           : "the heads of each group";
    text += wrap("`" + reduction.name + "` of this part is reduced (" +
                     rec::stringifyReduceKind(reduction.kind).str() +
                     ") over " + over + ".",
                 "  ", 2);
  }
  return text.empty() ? "" : "\nOver heads\n" + text;
}

std::string explain(const Program &program, const SourceFile &source,
                    mlir::ModuleOp normalForm, mlir::ModuleOp chunkProgram) {
  std::string text;
  auto normals = llvm::to_vector(normalForm.getOps<rec::ProgramOp>());
  auto chunks = llvm::to_vector(chunkProgram.getOps<chunk::ProgramOp>());
  for (auto [i, normal, chunk] : llvm::enumerate(normals, chunks)) {
    Expressions expressions(normal, program.sizes);
    TokenEquations equations(normal, expressions);
    Context context{program,
                    source,
                    normal,
                    chunk,
                    expressions,
                    equations,
                    i + 1 == normals.size()};
    if (i == 0)
      text += describeHeader(context);
    if (normals.size() > 1)
      text += "\nPart " + std::to_string(i + 1) + " of " +
              std::to_string(normals.size()) + "\n";
    text += describeProgram(context) + describeReductions(normal);
  }
  return text;
}

} // namespace trowel
