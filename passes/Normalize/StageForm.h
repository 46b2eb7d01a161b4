// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Brings one stage to normal form: walks the operations that depend on its
// states, carrying each value as a LinearForm, and collects rows, writes and
// the transition.
#ifndef TROWEL_PASSES_NORMALIZE_STAGEFORM_H
#define TROWEL_PASSES_NORMALIZE_STAGEFORM_H

#include "passes/Normalize/LinearForm.h"
#include "passes/Normalize/StateGraph.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"

namespace trowel {

/// A vector on value axes: `value + scale * sum(read @ S) + sum(coupling * row)
/// + sum(coefficient * scalar)`.
struct Row {
  mlir::Location location;
  llvm::SmallVector<std::pair<unsigned, mlir::Value>> reads; // (state, B)
  mlir::Value scale;                                         // null: one
  llvm::SmallVector<std::pair<unsigned, mlir::Value>> couplings;
  mlir::Value value; // null: zero
  llvm::SmallVector<std::pair<unsigned, mlir::Value>> scalars;

  bool readsVectors() const { return !reads.empty() || !couplings.empty(); }
  /// Known before the token's reads: nothing to solve for.
  bool isFree() const { return !readsVectors() && scalars.empty(); }
};

/// A read that contracts every axis: `row . vector`, over the value axes.
struct ScalarRead {
  unsigned row;
  mlir::Value vector;
};

struct Write {
  unsigned state;
  unsigned row;
  mlir::Value key;
  mlir::Value scale; // null: one
};

struct Transition {
  unsigned to, from;
  mlir::Value value;
};

/// An output that contracts the value axes.
struct Across {
  mlir::Value replaced;
  llvm::SmallVector<std::pair<unsigned, mlir::Value>> reads; // (state, A)
  mlir::Value vector; // null iff there are no reads
  struct OfRow {
    unsigned row;
    mlir::Value key, vector;
  };
  llvm::SmallVector<OfRow> rows;
  mlir::Value value; // null: zero
};

/// The attempt at one stage with one choice of value axes.
class StageForm {
public:
  StageForm(rec::ProgramOp program, const StateGraph &graph,
            const llvm::BitVector &stage,
            llvm::ArrayRef<mlir::StringAttr> valueAxes);

  /// Outputs may leave key axes of a state open: a row for each position along
  /// them, which reads of every key axis do not need.
  void splitKeys() { keysMaySplit = true; }
  /// True if the normal form exists; otherwise `obstacle()` says why not.
  bool build();
  const Obstacle &obstacle() const { return *problem; }
  /// How far `build` came: the later, the more its obstacle says.
  enum class Phase { Walk, Updates, Order };
  Phase reached() const { return phase; }

  // The result, for StageIR.
  llvm::ArrayRef<unsigned> states() const { return members; }
  const StageAxes &stageAxes() const { return axes; }
  llvm::SmallVector<mlir::StringAttr> keyAxes(unsigned state) const;
  llvm::ArrayRef<Row> rows() const { return rowList; }
  llvm::ArrayRef<Write> writes() const { return writeList; }
  llvm::ArrayRef<Transition> transitions() const { return transitionList; }
  llvm::ArrayRef<Across> acrosses() const { return acrossList; }
  llvm::ArrayRef<ScalarRead> scalarReads() const { return scalarList; }
  mlir::Value valueDecay() const { return decay; }
  /// Values of the program that become rows, in the order found.
  const llvm::MapVector<mlir::Value, unsigned> &outputs() const {
    return outputRows;
  }
  /// Scalars of the program that are read along every axis.
  const llvm::MapVector<mlir::Value, LinearForm> &scalarOutputs() const {
    return outputScalars;
  }
  /// Values of the program, and what to compute from the stage's results in
  /// their place.
  llvm::ArrayRef<std::pair<mlir::Value, mlir::Value>> replacements() const {
    return rewritten;
  }
  rec::ValueBuilder &valueBuilder() { return values; }

private:
  // The walk (StageForm.cpp).
  void visit(mlir::Operation *op);
  bool visitMap(rec::MapOp op);
  bool visitPick(rec::PickOp op);
  bool visitSum(mlir::Operation *op, mlir::Value summed, mlir::Value factor,
                llvm::ArrayRef<mlir::StringAttr> over);
  bool read(mlir::Operation *op, mlir::Value summed, mlir::Value factor,
            llvm::ArrayRef<mlir::StringAttr> over);
  bool readEverywhere(mlir::Operation *op, mlir::Value summed,
                      mlir::Value factor,
                      llvm::ArrayRef<mlir::StringAttr> over);
  bool readScalar(mlir::Operation *op, const LinearForm &form,
                  mlir::Value factor, llvm::ArrayRef<mlir::StringAttr> over);
  bool sumsEveryKey(const LinearForm &form,
                    llvm::ArrayRef<mlir::StringAttr> over) const;
  bool readAcross(mlir::Operation *op, mlir::Value summed, mlir::Value factor,
                  llvm::ArrayRef<mlir::StringAttr> over);
  mlir::Value acrossAt(mlir::Operation *op, mlir::Value summed, Factor with,
                       const Place &place);
  mlir::Value across(const LinearForm &form, const Factor &with,
                     llvm::ArrayRef<mlir::StringAttr> along,
                     mlir::Location location);
  Obstacle inseparable(mlir::Value factor, mlir::Location use);
  bool scaleBy(mlir::Operation *op, mlir::Value scaled, mlir::Value factor);
  bool maskRows(LinearForm &form, mlir::Value condition, bool negated);
  unsigned maskedRow(unsigned index, mlir::Value condition, bool negated);
  LinearForm withConstant(LinearForm form, mlir::Value constant);
  bool reject(mlir::Operation *op, const llvm::Twine &message);
  bool reject(const Obstacle &why);
  bool makeOpaque(mlir::Operation *op, const llvm::Twine &why);
  bool makeOpaque(mlir::Operation *op, Obstacle reason);
  bool materialise(mlir::Value value);
  bool isDependent(mlir::Value value) const {
    return graph.dependsOn(value, stage);
  }
  bool mayUse(mlir::Operation *op, mlir::Value coefficient) const;

  // Open axes (OpenAxes.cpp).
  llvm::SmallVector<mlir::StringAttr> openAxes(mlir::Value value) const;
  LinearForm at(const LinearForm &form, const Place &place);
  LinearForm closed(LinearForm form);
  mlir::StringAttr openKey(mlir::Value value, const LinearForm &form) const;
  std::optional<LinearForm> asRows(mlir::Value value, const LinearForm &form,
                                   Obstacle &why);
  std::optional<LinearForm>
  meet(mlir::Value value, llvm::ArrayRef<mlir::StringAttr> axes, Obstacle &why);
  LinearForm rowsAt(mlir::Value value, const LinearForm &form);
  bool materialiseOpen(mlir::Value value, const LinearForm &form);
  mlir::Value assemble(llvm::ArrayRef<mlir::Value> parts,
                       llvm::ArrayRef<mlir::StringAttr> along,
                       llvm::ArrayRef<mlir::StringAttr> summed);
  mlir::Value placeholder(mlir::Location location,
                          llvm::ArrayRef<mlir::StringAttr> axes);

  // Rows and updates (StageUpdates.cpp).
  unsigned makeRow(const LinearForm &form, mlir::Location location);
  unsigned addRow(const Row &row);
  LinearForm takeFreeRows(const LinearForm &form);
  unsigned freeRow(mlir::Value value, mlir::Location location);
  bool finishUpdate(unsigned member);
  bool addTransitions(unsigned member, const LinearForm &form);
  bool addWrites(unsigned member, const LinearForm &form);
  unsigned scaledRow(unsigned row, mlir::Value scale);
  bool checkFrames();
  bool checkKeys();

  rec::ProgramOp program;
  const StateGraph &graph;
  llvm::BitVector stage;
  llvm::BitVector descendants;         // states whose update needs the stage's
  llvm::SmallVector<unsigned> members; // state numbers in the graph
  StageAxes axes;
  mlir::OpBuilder builder;
  rec::ValueBuilder values;
  FormAlgebra algebra;
  llvm::DenseSet<mlir::Operation *> slice;

  llvm::DenseMap<mlir::Value, LinearForm> forms;
  llvm::DenseMap<mlir::Value, Obstacle> opaque;
  llvm::SmallVector<Row, 0> rowList;
  llvm::DenseMap<mlir::Value, unsigned> freeRows;
  llvm::SmallVector<Write> writeList;
  llvm::SmallVector<Transition> transitionList;
  llvm::SmallVector<Across, 0> acrossList;
  llvm::SmallVector<ScalarRead> scalarList;
  llvm::MapVector<mlir::Value, unsigned> outputRows;
  llvm::MapVector<mlir::Value, LinearForm> outputScalars;
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> rewritten;
  mlir::Value decay;
  Phase phase = Phase::Walk;
  bool decayKnown = false;
  bool keysMaySplit = false;
  bool contractsKeys = false;
  llvm::DenseMap<mlir::Value, mlir::Location> scaledAt; // factors of reads
  std::optional<Obstacle> problem;
};

/// Makes the `rec.stage` of a form that was built and replaces the program's
/// values by its results.
void emitStage(StageForm &form, rec::ProgramOp program,
               const StateGraph &graph);

} // namespace trowel

#endif // TROWEL_PASSES_NORMALIZE_STAGEFORM_H
