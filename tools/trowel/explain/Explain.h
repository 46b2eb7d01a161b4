// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel explain`: what the compiler makes of a program, and why.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_EXPLAIN_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_EXPLAIN_H

#include "frontend/AST/Program.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace trowel {

/// The explanation as text of at most 100 columns: what comes in and is
/// carried, the stages and how each runs, the equations of a token and of a
/// chunk, what prevents a better form and where, the work, and the numerics.
///
/// `normalForm` holds the program's `rec.program` after the stages are formed,
/// `chunkProgram` its `chunk.program`; `source` is what `program` was read
/// from.
std::string explain(const Program &program, const SourceFile &source,
                    mlir::ModuleOp normalForm, mlir::ModuleOp chunkProgram);

} // namespace trowel

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_EXPLAIN_H
