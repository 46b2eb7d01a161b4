// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sections of an explanation.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_SECTIONS_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_SECTIONS_H

#include "dialect/Chunk/Chunk.h"
#include "frontend/AST/Program.h"
#include "tools/trowel/explain/Stages.h"

#include <string>

namespace trowel::explaining {

/// What every section reads.
struct Context {
  const Program &program;
  const SourceFile &source;
  rec::ProgramOp normal;
  chunk::ProgramOp chunk;
  Expressions &expressions;
  TokenEquations &equations;
  bool isLast; // of the module's programs: its outputs are the program's

  int64_t tokens() const {
    return const_cast<chunk::ProgramOp &>(chunk).getTokens();
  }
  int64_t axisSize(mlir::StringAttr axis) const {
    return rec::AxisOrder::around(normal).size(axis);
  }
};

/// Name, sizes, title, what comes in, goes out and is carried.
std::string describeHeader(const Context &context);
/// One line a stage: its states, how it runs, its axes.
std::string describeStages(const Context &context);
/// The equations of one token.
std::string describeToken(const Context &context);
/// The equations of a chunk of tokens.
std::string describeChunk(const Context &context);
/// For each stage without matrix products: why, where, what to change.
std::string describeObstacles(const Context &context);
/// FLOPs, bytes, serial steps.
std::string describeWork(const Context &context);
/// Decays, roundings, precision.
std::string describeNumerics(const Context &context);

/// Of a tensor at the boundary, for one token or sequence of its owner.
int64_t byteSize(const Program &program, const Declaration &declaration);
/// "K", "K, J"; "none" if there are none.
std::string listAxes(llvm::ArrayRef<mlir::StringAttr> axes);
/// A source line with a caret below the place.
std::string sourceLine(const SourceFile &source, const Location &place);

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_SECTIONS_H
