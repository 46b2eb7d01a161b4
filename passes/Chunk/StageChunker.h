// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The work of one stage over a chunk, in parts: rows and states
// (ChunkStage.cpp), reads of every axis (ChunkScalars.cpp).
#ifndef TROWEL_PASSES_CHUNK_STAGECHUNKER_H
#define TROWEL_PASSES_CHUNK_STAGECHUNKER_H

#include "passes/Chunk/ChunkStage.h"

#include "llvm/ADT/DenseSet.h"

namespace trowel {

/// A row that is written, or that other rows of its token use.
struct Slot {
  rec::RowOp row;
  PerState keys;     // by state; empty: not written
  mlir::Value scale; // on value axes, to the token's end; null: one
  mlir::Value now;   // the row's tile, as the token's later rows see it
  mlir::Value later; // the same as the token ends, for later tokens
};

class StageChunker {
public:
  StageChunker(rec::StageOp stage, rec::ValueBuilder &values, TileOf tileOf,
               llvm::SmallVectorImpl<mlir::Value> &states)
      : stage(stage), values(values), tileOf(tileOf), states(states),
        keySide(values, keyAxesOfStates()), valueSide(values, {valueAxes()}) {}

  llvm::SmallVector<mlir::Value> run();

private:
  /// A part of a scalar: a vector times a solved row, or times what a row reads
  /// of states.
  struct ScalarPart {
    unsigned scalar;
    rec::RowOp row;
    int solved;          // the position among the solved rows; -1: reads
    mlir::Value earlier; // the vector, for what earlier tokens wrote
    mlir::Value within;  // for what this token adds; null: nothing
  };
  /// A vector that a scalar scales.
  struct ScaledVector {
    unsigned scalar, column;
    mlir::Value now, later; // as in a slot
  };

  llvm::SmallVector<llvm::SmallVector<mlir::StringAttr>> keyAxesOfStates();
  llvm::SmallVector<mlir::StringAttr> valueAxes() {
    return rec::stringsOf(stage.getValueAxes());
  }
  mlir::StringAttr axis(llvm::StringRef name) {
    return values.getBuilder().getStringAttr(name);
  }

  void readTransition();
  void makeSlots();
  Slot &slotOf(mlir::Operation *row);
  PerState readsOf(rec::RowOp row);
  mlir::Value contractStates(const PerState &entry, mlir::Value vector = {});
  mlir::Value entryPart(rec::RowOp row);
  mlir::Value product(llvm::ArrayRef<PerState> rows,
                      llvm::ArrayRef<Slot *> slots,
                      llvm::ArrayRef<Transitions::Within> within);
  mlir::Value earlierPart(rec::RowOp row, llvm::ArrayRef<Slot *> slots,
                          bool withinToo);
  mlir::Value withinPart(rec::RowOp row,
                         llvm::function_ref<bool(unsigned)> take);
  bool sharesProduct(rec::RowOp row, unsigned coupling);
  mlir::Value scaled(rec::RowOp row, mlir::Value tile);
  llvm::SmallVector<Transitions::Within> solvedCouplings();
  mlir::Value solveMatrix();
  llvm::StringRef decayOfSolved();
  mlir::Value solveSide(rec::RowOp row);
  void solve();
  mlir::Value nowTile(Slot &slot);
  mlir::Value outputRow(rec::RowOp row);
  mlir::Value acrossTile(rec::AcrossOp op);
  void updateStates();

  // Scalars (ChunkScalars.cpp).
  void findScalars();
  void solveScalars();
  mlir::Value scaledBy(rec::RowOp row, unsigned j);
  llvm::SmallVector<ScaledVector> scaledVectors();
  void takeParts(unsigned i, rec::RowOp row, mlir::Value weight,
                 llvm::SmallVectorImpl<ScalarPart> &parts,
                 llvm::SmallVectorImpl<Transitions::Within> &direct);
  llvm::SmallVector<Slot *> systemSlots();
  mlir::Value pathMatrix(llvm::ArrayRef<ScalarPart> parts);
  mlir::Value scalarMatrix();
  mlir::Value dotProducts(llvm::ArrayRef<ScalarPart> parts,
                          llvm::ArrayRef<ScaledVector> vectors);
  mlir::Value cellOf(mlir::Value matrix, unsigned row, unsigned column);
  mlir::Value stackCells(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> cells);
  mlir::Value contractWith(mlir::Value row, mlir::Value vector);
  mlir::Value scalarTile(mlir::Value scalar);
  mlir::Value plusScalars(rec::RowOp row, mlir::Value result);

  mlir::Value pickRow(mlir::Value tile, unsigned index,
                      llvm::StringRef name = "t.r") {
    return values.pick(tile, axis(name), index);
  }
  mlir::Value sum(mlir::Value a, mlir::Value b) {
    return !a ? b : !b ? a : values.add(a, b);
  }
  mlir::Value full(mlir::Value tile) {
    return values.spread(perToken(values, tile), valueAxes());
  }

  rec::StageOp stage;
  rec::ValueBuilder &values;
  TileOf tileOf;
  llvm::SmallVectorImpl<mlir::Value> &states;
  Transitions keySide, valueSide;
  mlir::Value decay;          // on value axes; null: none
  mlir::Value decayFromStart; // product of the decays before each token
  llvm::SmallVector<rec::RowOp> solved;
  llvm::SmallVector<Slot, 0> slots;
  llvm::SmallVector<Slot *> solvedSlots, freeSlots;
  llvm::SmallVector<rec::ScalarRowOp> fed;   // scalars that feed writes
  llvm::DenseSet<mlir::Operation *> pending; // of them, still to solve for
  llvm::DenseMap<mlir::Value, mlir::Value> scalars; // tiles on `t` alone
};

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_STAGECHUNKER_H
