// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalars, reads of every axis, that feed writes. Each scales vectors on the
// value axes, which later tokens read, as vectors and as scalars:
//
//   y = y0 + N y,   N[t, i, s, j] = sum over parts p of i and vectors d of j
//                                   of T[t, p, s, d] * (p_t . d_s)
//
// y0 is what the scalars are if none scaled anything. T = (I - M)^-1 follows
// keys and reads from the row that a scalar scales to the row that it reads,
// through any number of solved rows between. Value decays on the way multiply
// to that between s and t wherever the rows between lie: they are in p_t . d_s.

#include "passes/Chunk/StageChunker.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace trowel {

/// The scalars that rows which feed writes need, and those that these need; in
/// program order.
void StageChunker::findScalars() {
  llvm::SetVector<Operation *> needed;
  Block &block = stage.getBody().front();
  for (auto write : block.getOps<rec::WriteOp>())
    needed.insert(write.getRow().getDefiningOp());
  for (unsigned i = 0; i < needed.size(); ++i) {
    if (auto scalar = dyn_cast<rec::ScalarRowOp>(needed[i])) {
      needed.insert(scalar.getRow().getDefiningOp());
      continue;
    }
    auto row = cast<rec::RowOp>(needed[i]);
    for (ValueRange operands : {row.getRows(), row.getScalars()})
      for (Value operand : operands)
        needed.insert(operand.getDefiningOp());
  }
  for (auto scalar : block.getOps<rec::ScalarRowOp>())
    if (needed.contains(scalar)) {
      fed.push_back(scalar);
      pending.insert(scalar);
    }
}

/// Solves for the scalars that feed writes: everything as if they were zero,
/// then they, then everything again.
void StageChunker::solveScalars() {
  findScalars();
  if (fed.empty())
    return;
  solve();
  SmallVector<Value> sides;
  for (rec::ScalarRowOp scalar : fed) {
    Value row = outputRow(scalar.getRow().getDefiningOp<rec::RowOp>());
    sides.push_back(perToken(values, contractWith(row, scalar.getVector())));
  }
  Value solution = values.stack(sides, axis("t.r"));
  if (Value matrix = scalarMatrix())
    solution = chunk::SolveOp::create(values.getBuilder(), values.getLocation(),
                                      solution.getType(), matrix, solution,
                                      Value(), "none");
  for (auto [index, scalar] : llvm::enumerate(fed))
    scalars[scalar.getResult()] = pickRow(solution, index);
  pending.clear();
  for (Slot &slot : slots) {
    if (llvm::is_contained(freeSlots, &slot))
      slot.now = slot.later = plusScalars(slot.row, slot.now);
    else
      slot.now = Value(); // made with the scalars at zero
  }
}

//===----------------------------------------------------------------------===//
// The matrix N
//===----------------------------------------------------------------------===//

/// What scalar j scales in a row, the rows that a solved row takes in included;
/// null if nothing.
Value StageChunker::scaledBy(rec::RowOp row, unsigned j) {
  Value result;
  for (auto [scalar, coefficient] :
       llvm::zip(row.getScalars(), row.getCoefficients()))
    if (scalar.getDefiningOp() == fed[j])
      result = sum(result, full(tileOf(coefficient)));
  for (auto [other, coupling] : llvm::zip(row.getRows(), row.getCouplings())) {
    auto taken = other.getDefiningOp<rec::RowOp>();
    if (llvm::is_contained(solved, taken))
      continue;
    if (Value vector = scaledBy(taken, j))
      result = sum(result, values.mul(vector, tileOf(coupling)));
  }
  return result;
}

/// The vectors d: what scalars scale in rows that are written or solved for.
SmallVector<StageChunker::ScaledVector> StageChunker::scaledVectors() {
  SmallVector<ScaledVector> result;
  for (auto [column, slot] : llvm::enumerate(systemSlots()))
    for (unsigned j = 0; j < fed.size(); ++j)
      if (Value now = scaledBy(slot->row, j))
        result.push_back({j, static_cast<unsigned>(column), now,
                          slot->scale ? values.mul(now, slot->scale) : now});
  return result;
}

/// The parts p of `weight . row`, and, in `direct`, what scalars of the same
/// token add to it without a part.
void StageChunker::takeParts(unsigned i, rec::RowOp row, Value weight,
                             SmallVectorImpl<ScalarPart> &parts,
                             SmallVectorImpl<Transitions::Within> &direct) {
  auto *position = llvm::find(solved, row);
  if (position != solved.end()) {
    bool decays = decay && decayOfSolved() == "row";
    parts.push_back({i, row, static_cast<int>(position - solved.begin()),
                     decays ? values.mul(weight, decay) : weight, weight});
    return;
  }
  if (!row.getReads().empty())
    parts.push_back({i, row, -1, scaled(row, weight), Value()});
  for (auto [scalar, coefficient] :
       llvm::zip(row.getScalars(), row.getCoefficients())) {
    auto *j = llvm::find(fed, scalar.getDefiningOp<rec::ScalarRowOp>());
    direct.push_back(
        {i, static_cast<unsigned>(j - fed.begin()),
         values.contract(weight, full(tileOf(coefficient)), valueAxes())});
  }
  for (auto [other, coupling] : llvm::zip(row.getRows(), row.getCouplings()))
    takeParts(i, other.getDefiningOp<rec::RowOp>(),
              values.mul(weight, tileOf(coupling)), parts, direct);
}

/// The solved rows, then the other written rows.
SmallVector<Slot *> StageChunker::systemSlots() {
  SmallVector<Slot *> result(solvedSlots);
  llvm::append_range(result, freeSlots);
  return result;
}

/// T: columns are the solved rows and the other written ones; rows the same and
/// the parts that read, or these alone where nothing is solved.
Value StageChunker::pathMatrix(ArrayRef<ScalarPart> parts) {
  SmallVector<PerState> rows, keys;
  SmallVector<Transitions::Within> within = solvedCouplings();
  for (Slot *slot : systemSlots()) {
    keys.push_back(slot->keys);
    if (llvm::is_contained(solvedSlots, slot))
      rows.push_back(readsOf(slot->row));
    else if (!solved.empty())
      rows.push_back({});
  }
  for (const ScalarPart &part : parts)
    if (part.solved < 0)
      rows.push_back(readsOf(part.row));
  if (solved.empty()) // nothing is read in between
    return keySide.gram(rows, keys, within);
  keys.resize(rows.size());
  Value matrix = keySide.gram(rows, keys, within);
  return chunk::InverseOp::create(values.getBuilder(), values.getLocation(),
                                  matrix.getType(), matrix);
}

/// N, on t.r and t.w if there are several scalars; null if it is zero.
Value StageChunker::scalarMatrix() {
  SmallVector<ScalarPart> parts;
  SmallVector<Transitions::Within> direct;
  for (auto [i, scalar] : llvm::enumerate(fed))
    takeParts(i, scalar.getRow().getDefiningOp<rec::RowOp>(),
              full(tileOf(scalar.getVector())), parts, direct);
  SmallVector<ScaledVector> vectors = scaledVectors();
  SmallVector<SmallVector<Value>> cells(fed.size(),
                                        SmallVector<Value>(fed.size()));
  if (!parts.empty() && !vectors.empty()) {
    Value paths = pathMatrix(parts), dots = dotProducts(parts, vectors);
    unsigned reading = solved.empty() ? 0 : systemSlots().size();
    for (auto [p, part] : llvm::enumerate(parts)) {
      unsigned row = part.solved >= 0 ? part.solved : reading++;
      for (auto [d, vector] : llvm::enumerate(vectors)) {
        Value &cell = cells[part.scalar][vector.scalar];
        cell = sum(cell, values.mul(cellOf(paths, row, vector.column),
                                    cellOf(dots, p, d)));
      }
    }
  }
  Value matrix = stackCells(cells);
  if (direct.empty())
    return matrix;
  SmallVector<PerState> none(fed.size());
  return sum(matrix, keySide.gram(none, none, direct));
}

/// p_t . d_s, decayed between.
Value StageChunker::dotProducts(ArrayRef<ScalarPart> parts,
                                ArrayRef<ScaledVector> vectors) {
  SmallVector<PerState> rows, columns;
  SmallVector<Transitions::Within> within;
  for (const ScaledVector &vector : vectors)
    columns.push_back({{0, vector.later}});
  for (auto [p, part] : llvm::enumerate(parts)) {
    rows.push_back({{0, part.earlier}});
    for (auto [d, vector] : llvm::enumerate(vectors))
      if (part.within)
        within.push_back(
            {static_cast<unsigned>(p), static_cast<unsigned>(d),
             values.contract(part.within, vector.now, valueAxes())});
  }
  return valueSide.gram(rows, columns, within);
}

Value StageChunker::cellOf(Value matrix, unsigned row, unsigned column) {
  return pickRow(pickRow(matrix, row), column, "t.w");
}

/// The cells as one matrix; null if all are.
Value StageChunker::stackCells(ArrayRef<SmallVector<Value>> cells) {
  bool any = llvm::any_of(cells, [](const SmallVector<Value> &row) {
    return llvm::any_of(row, [](Value cell) { return bool(cell); });
  });
  if (!any || cells.size() == 1)
    return cells.front().front();
  SmallVector<StringAttr> square{axis("t"), axis("t.s")};
  SmallVector<Value> columns;
  for (unsigned j = 0; j < cells.size(); ++j) {
    SmallVector<Value> column;
    for (const SmallVector<Value> &row : cells)
      column.push_back(row[j] ? row[j] : values.spread(values.real(0), square));
    columns.push_back(values.stack(column, axis("t.r")));
  }
  return values.stack(columns, axis("t.w"));
}

//===----------------------------------------------------------------------===//
// Scalars as tiles
//===----------------------------------------------------------------------===//

Value StageChunker::contractWith(Value row, Value vector) {
  return values.contract(row, full(tileOf(vector)), valueAxes());
}

Value StageChunker::scalarTile(Value scalar) {
  auto it = scalars.find(scalar);
  if (it != scalars.end())
    return it->second;
  auto op = scalar.getDefiningOp<rec::ScalarRowOp>();
  Value row = outputRow(op.getRow().getDefiningOp<rec::RowOp>());
  return scalars[scalar] = contractWith(row, op.getVector());
}

/// The row with what scalars add to it, but for those not yet solved for.
Value StageChunker::plusScalars(rec::RowOp row, Value result) {
  for (auto [scalar, coefficient] :
       llvm::zip(row.getScalars(), row.getCoefficients()))
    if (!pending.contains(scalar.getDefiningOp()))
      result = sum(result, values.mul(tileOf(coefficient), scalarTile(scalar)));
  return result;
}

} // namespace trowel
