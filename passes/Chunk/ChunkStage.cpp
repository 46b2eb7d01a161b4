// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Over a chunk, with S0 the states as it begins:
//
//   scalars       y = y0 + N y     reads of every axis (ChunkScalars.cpp)
//   solved rows   U = X + M U      X = w + F S0 + G U_free + C y
//   outputs       O = w + F S0 + G_free U_free + G U
//   states        S = Phi S0 + Kh^T U
//
// M and G are decayed Gram matrices of rows and keys, F and Kh the rows and
// keys carried to the chunk's start and end. A decay on value axes acts on the
// other side of each product: its transition is one of its own, with the rows'
// values in place of keys.

#include "passes/Chunk/StageChunker.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace trowel {

/// Rows that feed writes, directly or through other rows, and are not known
/// before the reads; in program order.
static SmallVector<rec::RowOp> solvedRows(rec::StageOp stage) {
  llvm::SetVector<Operation *> feeding;
  Block &block = stage.getBody().front();
  for (auto write : block.getOps<rec::WriteOp>())
    feeding.insert(write.getRow().getDefiningOp());
  for (unsigned i = 0; i < feeding.size(); ++i)
    for (Value row : cast<rec::RowOp>(feeding[i]).getRows())
      feeding.insert(row.getDefiningOp());
  SmallVector<rec::RowOp> result;
  for (auto row : block.getOps<rec::RowOp>())
    if (feeding.contains(row) &&
        !(row.getReads().empty() && row.getRows().empty()))
      result.push_back(row);
  return result;
}

unsigned solvedRowCount(rec::StageOp stage) { return solvedRows(stage).size(); }

SmallVector<SmallVector<StringAttr>> StageChunker::keyAxesOfStates() {
  SmallVector<StringAttr> common = valueAxes();
  SmallVector<SmallVector<StringAttr>> result;
  for (Value state : states) {
    SmallVector<StringAttr> keys;
    for (StringAttr name : rec::axesOf(state))
      if (!llvm::is_contained(common, name))
        keys.push_back(name);
    result.push_back(keys);
  }
  return result;
}

void StageChunker::readTransition() {
  Block &block = stage.getBody().front();
  for (auto op : block.getOps<rec::TransitionOp>())
    keySide.set(op.getTo(), op.getFrom(), tileOf(op.getValue()));
  keySide.finish();
  for (auto op : block.getOps<rec::ValueDecayOp>())
    decay = full(tileOf(op.getValue()));
  if (decay)
    valueSide.set(0, 0, decay);
  else
    valueSide.set(0, 0, values.real(1));
  valueSide.finish();
  if (decay) {
    PerState ones{{0, full(values.real(1))}};
    decayFromStart = valueSide.pull(ones).front().second;
  }
}

void StageChunker::makeSlots() {
  solved = solvedRows(stage);
  Block &block = stage.getBody().front();
  llvm::SetVector<Operation *> needed;
  for (auto write : block.getOps<rec::WriteOp>())
    needed.insert(write.getRow().getDefiningOp());
  for (auto row : block.getOps<rec::RowOp>())
    for (Value other : row.getRows())
      needed.insert(other.getDefiningOp());
  for (auto across : block.getOps<rec::AcrossOp>())
    for (Value other : across.getRows())
      needed.insert(other.getDefiningOp());
  for (auto row : block.getOps<rec::RowOp>())
    if (needed.contains(row))
      slots.push_back({row, {}, Value(), Value(), Value()});
  for (auto write : block.getOps<rec::WriteOp>()) {
    Slot &slot = slotOf(write.getRow().getDefiningOp());
    Value key = tileOf(write.getKey());
    auto *known = llvm::find_if(slot.keys, [&](auto &entry) {
      return entry.first == write.getState();
    });
    if (known != slot.keys.end())
      known->second = values.add(known->second, key);
    else
      slot.keys.push_back({static_cast<unsigned>(write.getState()), key});
    if (write.getScale())
      slot.scale = full(tileOf(write.getScale()));
  }
  for (Slot &slot : slots) {
    if (llvm::is_contained(solved, slot.row)) {
      solvedSlots.push_back(&slot);
    } else if (!slot.keys.empty()) {
      slot.now = full(slot.row.getValue() ? tileOf(slot.row.getValue())
                                          : values.real(0));
      slot.later = slot.now;
      freeSlots.push_back(&slot);
    }
  }
}

Slot &StageChunker::slotOf(Operation *row) {
  return *llvm::find_if(slots, [&](Slot &slot) { return slot.row == row; });
}

Value StageChunker::nowTile(Slot &slot) {
  if (!slot.now)
    slot.now = outputRow(slot.row);
  return slot.now;
}

PerState StageChunker::readsOf(rec::RowOp row) {
  PerState result;
  for (auto [state, value] : llvm::zip(row.getStates(), row.getReads()))
    result.push_back({static_cast<unsigned>(state), tileOf(value)});
  return result;
}

/// A state times vectors of all tokens does not care for their order.
static Value contractState(rec::ValueBuilder &values, Value state, Value vector,
                           ArrayRef<StringAttr> axes) {
  auto reverse = vector.getDefiningOp<chunk::ReverseOp>();
  if (!reverse)
    return values.contract(state, vector, axes);
  Value product = values.contract(state, reverse.getTile(), axes);
  return chunk::ReverseOp::create(values.getBuilder(), values.getLocation(),
                                  product.getType(), product);
}

/// sum_j entry_j @ S_j over the key axes.
Value StageChunker::contractStates(const PerState &entry, Value vector) {
  Value result;
  SmallVector<SmallVector<StringAttr>> keys = keyAxesOfStates();
  for (const auto &[state, coefficient] : entry) {
    Value term =
        vector ? values.mul(coefficient, contractState(values, states[state],
                                                       vector, valueAxes()))
               : values.contract(coefficient, states[state], keys[state]);
    result = sum(result, term);
  }
  return result;
}

Value StageChunker::scaled(rec::RowOp row, Value tile) {
  return tile && row.getScale() ? values.mul(tile, tileOf(row.getScale()))
                                : tile;
}

/// What a row reads of the states as the chunk begins, before its scale.
Value StageChunker::entryPart(rec::RowOp row) {
  if (row.getReads().empty())
    return Value();
  Value part = contractStates(keySide.pull(readsOf(row)));
  return decay ? values.mul(part, decayFromStart) : part;
}

/// The Gram matrix of rows and slots times the slots' tiles: a tile on t, t.r.
Value StageChunker::product(ArrayRef<PerState> rows, ArrayRef<Slot *> columns,
                            ArrayRef<Transitions::Within> within) {
  SmallVector<PerState> keys;
  for (Slot *slot : columns)
    keys.push_back(slot->keys);
  Value gram = keySide.gram(rows, keys, within);
  if (decay) {
    SmallVector<PerState> vectors;
    for (Slot *slot : columns)
      vectors.push_back({{0, slot->later}});
    return valueSide.apply(gram, vectors).front().second;
  }
  Value result;
  for (auto [index, slot] : llvm::enumerate(columns)) {
    Value column = pickRow(gram, index, "t.w");
    Value tile = values.rename(slot->later, axis("t"), axis("t.s"));
    result = sum(result, values.contract(column, tile, {axis("t.s")}));
  }
  return result;
}

/// A coupling without value axes, where no value factor intervenes, is an entry
/// on the Gram matrix's diagonal.
bool StageChunker::sharesProduct(rec::RowOp row, unsigned coupling) {
  Slot &slot = slotOf(row.getRows()[coupling].getDefiningOp());
  return !decay && !row.getScale() && !slot.keys.empty() &&
         rec::axesOf(row.getCouplings()[coupling]).empty();
}

/// Couplings with this token's earlier rows, one by one.
Value StageChunker::withinPart(rec::RowOp row,
                               llvm::function_ref<bool(unsigned)> take) {
  Value result;
  for (unsigned i = 0; i < row.getRows().size(); ++i)
    if (take(i))
      result = sum(result,
                   values.mul(nowTile(slotOf(row.getRows()[i].getDefiningOp())),
                              tileOf(row.getCouplings()[i])));
  return result;
}

/// What a row reads of the writes of earlier tokens, and, if `withinToo`, the
/// couplings that share the product.
Value StageChunker::earlierPart(rec::RowOp row, ArrayRef<Slot *> columns,
                                bool withinToo) {
  if (columns.empty())
    return Value();
  SmallVector<Transitions::Within> within;
  for (unsigned i = 0; withinToo && i < row.getRows().size(); ++i)
    for (auto [index, slot] : llvm::enumerate(columns))
      if (slot->row == row.getRows()[i].getDefiningOp() &&
          sharesProduct(row, i))
        within.push_back(
            {0, static_cast<unsigned>(index), tileOf(row.getCouplings()[i])});
  if (row.getReads().empty() && within.empty())
    return Value();
  return pickRow(product({readsOf(row)}, columns, within), 0);
}

/// X: all that a solved row adds up but the rows solved for.
Value StageChunker::solveSide(rec::RowOp row) {
  auto isFree = [&](unsigned i) {
    return !llvm::is_contained(solved, row.getRows()[i].getDefiningOp());
  };
  Value side =
      scaled(row, sum(entryPart(row), earlierPart(row, freeSlots, true)));
  side = sum(side, withinPart(row, [&](unsigned i) {
               return isFree(i) && !sharesProduct(row, i);
             }));
  if (row.getValue())
    side = sum(side, tileOf(row.getValue()));
  side = plusScalars(row, side);
  return full(side ? side : values.real(0));
}

/// Couplings of solved rows with solved rows of the same token.
SmallVector<Transitions::Within> StageChunker::solvedCouplings() {
  SmallVector<Transitions::Within> within;
  for (auto [index, row] : llvm::enumerate(solved))
    for (auto [other, coupling] :
         llvm::zip(row.getRows(), row.getCouplings())) {
      auto *position = llvm::find(solved, other.getDefiningOp());
      if (position != solved.end())
        within.push_back({static_cast<unsigned>(index),
                          static_cast<unsigned>(position - solved.begin()),
                          tileOf(coupling)});
    }
  return within;
}

/// M: the solved rows against the solved rows' keys.
Value StageChunker::solveMatrix() {
  SmallVector<PerState> rows, keys;
  for (rec::RowOp row : solved) {
    rows.push_back(readsOf(row));
    keys.push_back(slotOf(row).keys);
  }
  return keySide.gram(rows, keys, solvedCouplings());
}

/// Whether the solved rows read after their token's value decay ("row"), or
/// their writes meet it ("column").
StringRef StageChunker::decayOfSolved() {
  StringRef inclusive = "none";
  for (rec::RowOp row : solved) {
    if (row.getScale())
      inclusive = "row";
    if (slotOf(row).scale)
      inclusive = "column";
  }
  return inclusive;
}

void StageChunker::solve() {
  if (solved.empty())
    return;
  SmallVector<Value> sides;
  for (rec::RowOp row : solved)
    sides.push_back(solveSide(row));
  Value right = values.stack(sides, axis("t.r"));
  Value rows = chunk::SolveOp::create(values.getBuilder(), values.getLocation(),
                                      right.getType(), solveMatrix(), right,
                                      decay, decayOfSolved());
  for (auto [index, row] : llvm::enumerate(solved)) {
    Slot &slot = slotOf(row);
    slot.now = pickRow(rows, index);
    slot.later = slot.scale ? values.mul(slot.now, slot.scale) : slot.now;
  }
}

/// A row's tile: solved for, or read from states and rows.
Value StageChunker::outputRow(rec::RowOp row) {
  if (llvm::is_contained(solved, row))
    return slotOf(row).now;
  Value read = entryPart(row);
  read = sum(read, earlierPart(row, freeSlots, true));
  read = sum(read, earlierPart(row, solvedSlots, true));
  Value result = scaled(row, read);
  result =
      sum(result,
          withinPart(row, [&](unsigned i) { return !sharesProduct(row, i); }));
  if (row.getValue())
    result = sum(result, tileOf(row.getValue()));
  result = plusScalars(row, result);
  return full(result ? result : values.real(0));
}

/// A read across the value axes, on key axes.
Value StageChunker::acrossTile(rec::AcrossOp op) {
  Value result;
  PerState reads;
  for (auto [state, value] : llvm::zip(op.getStates(), op.getReads()))
    reads.push_back({static_cast<unsigned>(state), tileOf(value)});
  if (!reads.empty()) {
    Value vector = full(tileOf(op.getVector()));
    Value fromStart = decay ? values.mul(vector, decayFromStart) : vector;
    result = contractStates(keySide.pull(reads), fromStart);
    SmallVector<Slot *> columns(freeSlots);
    llvm::append_range(columns, solvedSlots);
    llvm::erase_if(columns, [](Slot *slot) { return slot->keys.empty(); });
    if (!columns.empty()) {
      SmallVector<PerState> keys, rows;
      for (Slot *slot : columns) {
        keys.push_back(slot->keys);
        rows.push_back({{0, slot->later}});
      }
      Value gram = valueSide.gram({PerState{{0, vector}}}, rows, {});
      PerState carried = keySide.apply(gram, keys);
      for (const auto &[state, coefficient] : reads)
        for (const auto &[other, tile] : carried)
          if (other == state)
            result = sum(result, values.mul(coefficient, pickRow(tile, 0)));
    }
  }
  for (auto [row, key, vector] :
       llvm::zip(op.getRows(), op.getKeys(), op.getVectors())) {
    Value dot = values.contract(nowTile(slotOf(row.getDefiningOp())),
                                tileOf(vector), valueAxes());
    result = sum(result, values.mul(tileOf(key), dot));
  }
  if (op.getValue())
    result = sum(result, tileOf(op.getValue()));
  SmallVector<StringAttr> axes(rec::axesOf(op.getResult()));
  return values.spread(perToken(values, result ? result : values.real(0)),
                       axes);
}

void StageChunker::updateStates() {
  SmallVector<Value> next(states.size());
  Value total;
  if (decay)
    total = valueSide.total().front().second;
  for (const auto &[block, factor] : keySide.total()) {
    Value kept = states[block.second];
    if (factor)
      kept = values.mul(kept, factor);
    next[block.first] = sum(next[block.first], kept);
  }
  if (total)
    for (Value &state : next)
      if (state)
        state = values.mul(state, total);
  for (Slot &slot : slots) {
    if (slot.keys.empty())
      continue;
    Value vector = slot.later;
    if (decay)
      vector = valueSide.push({{0, vector}}).front().second;
    for (const auto &[state, key] : keySide.push(slot.keys))
      next[state] = sum(next[state], values.contract(perToken(values, key),
                                                     vector, {axis("t")}));
  }
  for (auto [state, updated] : llvm::zip(states, next)) {
    SmallVector<StringAttr> axes(rec::axesOf(state));
    state = values.spread(updated ? updated : values.real(0), axes);
  }
}

SmallVector<Value> StageChunker::run() {
  readTransition();
  makeSlots();
  solveScalars();
  solve();
  SmallVector<Value> results;
  for (Value value : stage.getBody().front().getTerminator()->getOperands()) {
    if (auto row = value.getDefiningOp<rec::RowOp>())
      results.push_back(outputRow(row));
    else if (value.getDefiningOp<rec::ScalarRowOp>())
      results.push_back(perToken(values, scalarTile(value)));
    else
      results.push_back(acrossTile(value.getDefiningOp<rec::AcrossOp>()));
  }
  updateStates();
  return results;
}

SmallVector<Value> chunkStage(rec::StageOp stage, rec::ValueBuilder &values,
                              TileOf tileOf, SmallVectorImpl<Value> &states) {
  return StageChunker(stage, values, tileOf, states).run();
}

} // namespace trowel
