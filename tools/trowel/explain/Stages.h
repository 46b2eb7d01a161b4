// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages of a program as the explanation speaks of them.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_STAGES_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_STAGES_H

#include "tools/trowel/explain/Expressions.h"

#include <vector>

namespace trowel::explaining {

/// An equation `left = right`.
struct Equation {
  std::string left, right;
};

/// How the states of a stage fade from token to token, apart from reads.
enum class Decay { None, Scalar, Channel, Block };

/// A stage that runs in chunks.
struct ChunkStage {
  rec::StageOp op;
  std::vector<std::string> states;
  llvm::SmallVector<mlir::StringAttr> keyAxes, valueAxes;
  llvm::SmallVector<rec::RowOp> solved; // reads that feed writes
  llvm::SmallVector<rec::RowOp> free;   // written, known before those reads
  llvm::SmallVector<rec::ScalarRowOp>
      scalars;                           // reads of every axis, solved first
  llvm::SmallVector<rec::RowOp> outputs; // read for what comes after the stage
  llvm::SmallVector<rec::AcrossOp> across;
  Decay decay = Decay::None;
  bool decaysValues = false;

  explicit ChunkStage(rec::StageOp op);
  llvm::SmallVector<rec::TransitionOp> transitions() const;
};

/// Names every row of the program's stages and what stages export, and writes
/// the equations of one token: of each stage, then of the outputs.
class TokenEquations {
public:
  TokenEquations(rec::ProgramOp program, Expressions &expressions);

  const std::vector<Equation> &of(mlir::Operation *stage) {
    return stages[stage];
  }
  const std::vector<Equation> &outputs() const { return outputList; }
  /// What rows are called.
  std::string nameOf(rec::RowOp row) { return expressions.whole(row); }

private:
  void describe(rec::StageOp op);
  void describe(rec::SequentialOp op);
  Text textOf(rec::StageOp stage, rec::RowOp row);
  Text textOf(rec::StageOp stage, rec::AcrossOp across);
  std::optional<Text> readAtEnd(rec::StageOp stage, rec::RowOp row);
  std::optional<Text> readAtEnd(rec::StageOp stage, rec::AcrossOp across);
  void nameRow(rec::StageOp stage, rec::RowOp row);
  void nameScalar(rec::StageOp stage, rec::ScalarRowOp scalar);
  void nameShared(rec::SequentialOp op, mlir::Value value);
  std::optional<Text> runningSum(mlir::Value value, mlir::Block &block);
  Text stateAtEnd(rec::StageOp stage, unsigned state);

  Expressions &expressions;
  llvm::DenseMap<mlir::Operation *, std::vector<Equation>> stages;
  std::vector<Equation> reads; // of the stage being described, for outputs
  std::vector<Equation> outputList;
};

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_STAGES_H
