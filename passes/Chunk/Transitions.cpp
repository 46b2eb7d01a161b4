// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Chunk/Transitions.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel {

static StringAttr axisNamed(rec::ValueBuilder &values, StringRef name) {
  return values.getBuilder().getStringAttr(name);
}

Value perToken(rec::ValueBuilder &values, Value value) {
  return values.spread(value, {axisNamed(values, "t")});
}

void Transitions::set(unsigned to, unsigned from, Value factor) {
  factors.push_back(factor);
  blocks.push_back(to);
  blocks.push_back(from);
}

void Transitions::finish() {
  // A token that keeps nothing of the states: operations take no factors as the
  // identity, so the zero is written out.
  if (factors.empty())
    set(0, 0, values.real(0));
  identity = factors.size() == axes.size();
  for (auto [i, factor] : llvm::enumerate(factors))
    identity &=
        blocks[2 * i] == blocks[2 * i + 1] && rec::isConstant(factor, 1);
  if (identity) {
    factors.clear();
    blocks.clear();
  }
  for (Value &factor : factors)
    factor = perToken(values, factor);
}

/// States to which a row goes backwards, or a key forwards.
SmallVector<unsigned> Transitions::reachable(const PerState &start,
                                             bool forward) const {
  llvm::SmallVector<bool> seen(size());
  for (const auto &[state, value] : start)
    seen[state] = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i + 1 < blocks.size(); i += 2) {
      unsigned source = blocks[i + (forward ? 1 : 0)];
      unsigned target = blocks[i + (forward ? 0 : 1)];
      if (seen[source] && !seen[target])
        changed = seen[target] = true;
    }
  }
  SmallVector<unsigned> states;
  for (unsigned i = 0; i < size(); ++i)
    if (seen[i])
      states.push_back(i);
  return states;
}

RankedTensorType Transitions::tileType(const PerState &operands,
                                       unsigned state) {
  SmallVector<StringAttr> all{axisNamed(values, "t")};
  auto take = [&](Value value) {
    for (StringAttr axis : rec::axesOf(value))
      if (llvm::is_contained(axes[state], axis))
        all = values.getOrder().unite(all, {axis});
  };
  for (const auto &[other, value] : operands)
    if (axes[other] == axes[state])
      take(value);
  for (auto [i, factor] : llvm::enumerate(factors))
    if (axes[blocks[2 * i]] == axes[state])
      take(factor);
  return values.type(all);
}

static std::pair<SmallVector<Value>, SmallVector<int64_t>>
split(rec::ValueBuilder &values, const PerState &parts) {
  std::pair<SmallVector<Value>, SmallVector<int64_t>> result;
  for (const auto &[state, value] : parts) {
    result.first.push_back(perToken(values, value));
    result.second.push_back(state);
  }
  return result;
}

template <typename Op>
PerState Transitions::carry(const PerState &part, bool forward) {
  if (identity)
    return part;
  auto [tiles, states] = split(values, part);
  SmallVector<int64_t> targets;
  SmallVector<Type> types;
  for (unsigned state : reachable(part, forward)) {
    targets.push_back(state);
    types.push_back(tileType(part, state));
  }
  auto op = Op::create(values.getBuilder(), values.getLocation(), types,
                       factors, blocks, tiles, states, targets);
  PerState result;
  for (auto [i, target] : llvm::enumerate(targets))
    result.push_back({static_cast<unsigned>(target), op.getResult(i)});
  return result;
}

PerState Transitions::pull(const PerState &row) {
  return carry<chunk::PullOp>(row, /*forward=*/false);
}

PerState Transitions::push(const PerState &key) {
  return carry<chunk::PushOp>(key, /*forward=*/true);
}

SmallVector<std::pair<std::pair<unsigned, unsigned>, Value>>
Transitions::total() {
  SmallVector<std::pair<std::pair<unsigned, unsigned>, Value>> result;
  if (identity) {
    for (unsigned i = 0; i < size(); ++i)
      result.push_back({{i, i}, Value()});
    return result;
  }
  if (factors.empty())
    return result;
  SmallVector<int64_t> targets;
  SmallVector<Type> types;
  for (unsigned from = 0; from < size(); ++from) {
    // One step from the state, then any number of steps.
    PerState start;
    for (size_t i = 0; i + 1 < blocks.size(); i += 2)
      if (blocks[i + 1] == from)
        start.push_back({static_cast<unsigned>(blocks[i]), Value()});
    for (unsigned to : reachable(start, /*forward=*/true)) {
      targets.push_back(to);
      targets.push_back(from);
      SmallVector<StringAttr> kept;
      for (StringAttr axis : rec::axesOf(tileType({}, to)))
        if (axis.getValue() != "t")
          kept.push_back(axis);
      types.push_back(values.type(kept));
    }
  }
  auto op = chunk::TotalOp::create(values.getBuilder(), values.getLocation(),
                                   types, factors, blocks, targets);
  for (unsigned i = 0; i < op.getNumResults(); ++i)
    result.push_back({{static_cast<unsigned>(targets[2 * i]),
                       static_cast<unsigned>(targets[2 * i + 1])},
                      op.getResult(i)});
  return result;
}

/// Operands of several rows or keys, with their pairs (index, state).
static void flatten(rec::ValueBuilder &values, ArrayRef<PerState> groups,
                    SmallVectorImpl<Value> &tiles,
                    SmallVectorImpl<int64_t> &pairs) {
  for (auto [index, group] : llvm::enumerate(groups))
    for (const auto &[state, value] : group) {
      tiles.push_back(perToken(values, value));
      pairs.push_back(static_cast<int64_t>(index));
      pairs.push_back(state);
    }
}

Value Transitions::gram(ArrayRef<PerState> rows, ArrayRef<PerState> keys,
                        ArrayRef<Within> within) {
  SmallVector<Value> rowTiles, keyTiles, couplings;
  SmallVector<int64_t> rowIndex, keyIndex, withinIndex;
  flatten(values, rows, rowTiles, rowIndex);
  flatten(values, keys, keyTiles, keyIndex);
  for (const Within &entry : within) {
    couplings.push_back(perToken(values, entry.coupling));
    withinIndex.push_back(entry.row);
    withinIndex.push_back(entry.write);
  }
  rec::AxisOrder order = values.getOrder();
  order.setSize(axisNamed(values, "t.r"), static_cast<int64_t>(rows.size()));
  order.setSize(axisNamed(values, "t.w"), static_cast<int64_t>(keys.size()));
  SmallVector<StringAttr> all;
  for (StringRef name : {"t", "t.r", "t.s", "t.w"})
    all.push_back(axisNamed(values, name));
  Builder &builder = values.getBuilder();
  RankedTensorType type =
      order.type(builder.getContext(), all, builder.getF32Type());
  return chunk::GramOp::create(values.getBuilder(), values.getLocation(), type,
                               factors, blocks, rowTiles, rowIndex, keyTiles,
                               keyIndex, couplings, withinIndex);
}

PerState Transitions::apply(Value matrix, ArrayRef<PerState> keys) {
  SmallVector<Value> tiles;
  SmallVector<int64_t> pairs, targets;
  flatten(values, keys, tiles, pairs);
  PerState all;
  for (const PerState &group : keys)
    llvm::append_range(all, group);
  rec::AxisOrder order = values.getOrder();
  StringAttr rowAxis = axisNamed(values, "t.r");
  order.setSize(rowAxis, rec::axisSize(matrix, rowAxis));
  SmallVector<Type> types;
  for (unsigned state : reachable(all, /*forward=*/true)) {
    targets.push_back(state);
    SmallVector<StringAttr> axesOfResult =
        order.unite(rec::axesOf(tileType(all, state)), {rowAxis});
    types.push_back(order.type(matrix.getContext(), axesOfResult,
                               values.getBuilder().getF32Type()));
  }
  auto op =
      chunk::ApplyOp::create(values.getBuilder(), values.getLocation(), types,
                             factors, blocks, matrix, tiles, pairs, targets);
  PerState result;
  for (auto [i, target] : llvm::enumerate(targets))
    result.push_back({static_cast<unsigned>(target), op.getResult(i)});
  return result;
}

} // namespace trowel
