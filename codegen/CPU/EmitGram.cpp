// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decayed Gram matrices. Factors that are the same for all channels come
// between the matrix product of rows and keys and the result; factors of
// channels travel with the keys from token to token.
#include "codegen/CPU/Emitter.h"

#include <set>

using namespace mlir;

namespace trowel::cpu {

void Emitter::emitGram(chunk::GramOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  for (auto index : {op.getRowIndex(), op.getKeyIndex()})
    for (size_t i = 1; i < index.size(); i += 2)
      phi.states = std::max(phi.states, index[i] + 1);
  for (auto [to, from] : phi.blocks)
    phi.states = std::max({phi.states, to + 1, from + 1});
  View out = define(op.getResult());
  if (!gramByBlocks(op, phi, out)) {
    fill(out, 0);
    if (chunkTokens > 1 && phi.axes(token).empty())
      gramByFactors(op, phi, out);
    else if (chunkTokens > 1)
      gramByColumns(op, phi, out);
  }
  gramDiagonal(op, out);
  views[op.getResult()].causal = true;
}

void Emitter::gramDiagonal(chunk::GramOp op, const View &out) {
  Views within;
  for (Value value : op.getWithin())
    within.push_back(viewOf(value));
  if (within.empty())
    return;
  code.loop(code.index(0), tokens, 1, [&](Value t) {
    View block = code.at(code.at(out, token, t), earlier, t);
    for (auto [i, view] : llvm::enumerate(within)) {
      View cell = block.picked(rowAxis, op.getWithinIndex()[2 * i])
                      .picked(writeAxis, op.getWithinIndex()[2 * i + 1]);
      addTo(cell, code.at(view, token, t));
    }
  });
}

//===--- The same factor for all channels ---------------------------------===//

void Emitter::scanFactors(const Transition &phi,
                          function_ref<void(Point &, ValueRange, Value)> use) {
  View space;
  space.axes.push_back(earlier);
  space.sizes.push_back(chunkTokens);
  auto pairs = phi.reached();
  Values zeros(pairs.size(), code.real(0));
  scan(
      space, zeros, false,
      [&](Point &point, ValueRange factors) {
        auto narrow = [&](Value i) {
          return code.broadcast(
              code.op<arith::TruncIOp>(code.builder.getI32Type(), i));
        };
        Value t = narrow(point.at.lookup(token));
        Value s = code.op<arith::AddIOp>(narrow(point.at.lookup(earlier)),
                                         code.laneNumbers());
        Value before = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, s, t);
        Value equal = code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, s, t);
        use(point, factors, before);
        Values next = stepProducts(phi, factors, point, false);
        for (auto [pair, value] : llvm::zip(pairs, next)) {
          Value fresh = code.real(pair.first == pair.second ? 1 : 0);
          value = code.select(before, value,
                              code.select(equal, fresh, code.real(0)));
        }
        return next;
      },
      nullptr);
}

/// The states in a list of pairs (index, state).
static SmallVector<int64_t> statesIn(ArrayRef<int64_t> first,
                                     ArrayRef<int64_t> second) {
  SmallVector<int64_t> states;
  for (ArrayRef<int64_t> pairs : {first, second})
    for (size_t i = 1; i < pairs.size(); i += 2)
      states.push_back(pairs[i]);
  return states;
}

void Emitter::gramByFactors(chunk::GramOp op, const Transition &phi,
                            const View &out) {
  auto pairs = phi.reached();
  auto rowIndex = op.getRowIndex(), keyIndex = op.getKeyIndex();
  Views tiles;
  for (Value row : op.getRows())
    tiles.push_back(viewOf(row));
  for (Value key : op.getKeys())
    tiles.push_back(viewOf(key));
  StateSpaces spaces = stateSpaces(phi, tiles, statesIn(rowIndex, keyIndex));
  std::map<std::pair<int64_t, int64_t>, std::vector<std::pair<View, size_t>>>
      cells;
  for (auto [a, row] : llvm::enumerate(op.getRows()))
    for (auto [b, key] : llvm::enumerate(op.getKeys())) {
      std::pair<int64_t, int64_t> block{rowIndex[2 * a + 1],
                                        keyIndex[2 * b + 1]};
      auto *it = llvm::find(pairs, block);
      if (it == pairs.end())
        continue;
      View x = viewOf(row), y = viewOf(key);
      const View &space = spaces.spaces[block.first];
      View product = scratch({token, earlier}, {chunkTokens, chunkTokens});
      contract(product, spreadOver(x, space),
               spreadOver(y, space).renamed(token, earlier),
               llvm::to_vector_of<StringAttr>(space.axes));
      cells[{rowIndex[2 * a], keyIndex[2 * b]}].push_back(
          {product, it - pairs.begin()});
    }
  scanFactors(phi, [&](Point &point, ValueRange factors, Value before) {
    for (auto &[cell, terms] : cells) {
      Value sum;
      for (auto &[product, pair] : terms) {
        Value x = code.load(product, point);
        if (sum)
          sum = code.fma(x, factors[pair], sum);
        else
          sum = phi.identity ? x : code.op<arith::MulFOp>(x, factors[pair]);
      }
      code.store(out.picked(rowAxis, cell.first).picked(writeAxis, cell.second),
                 point, code.select(before, sum, code.real(0)));
    }
  });
}

//===--- Factors of channels ----------------------------------------------===//

/// For each state the first of those that transitions join with it.
static SmallVector<int64_t> componentsOf(const Transition &phi) {
  SmallVector<int64_t> component(phi.states);
  for (int64_t i = 0; i < phi.states; ++i)
    component[i] = i;
  for (int64_t round = 0; round < phi.states; ++round)
    for (auto [to, from] : phi.blocks)
      component[to] = component[from] =
          std::min(component[to], component[from]);
  return component;
}

Emitter::StateSpaces Emitter::stateSpaces(const Transition &phi,
                                          ArrayRef<View> tiles,
                                          ArrayRef<int64_t> states) {
  StateSpaces result;
  result.component = componentsOf(phi);
  for (int64_t c : result.component) {
    Views all;
    for (auto [tile, state] : llvm::zip(tiles, states))
      if (result.component[state] == c)
        all.push_back(tile);
    for (auto [factor, block] : llvm::zip(phi.phi, phi.blocks))
      if (result.component[block.first] == c)
        all.push_back(factor);
    result.spaces.push_back(spaceOf(all));
  }
  return result;
}

Emitter::Travellers Emitter::makeTravellers(const StateSpaces &spaces) {
  Travellers result;
  result.component = spaces.component;
  for (const View &space : spaces.spaces)
    result.states.push_back(scratch(space.axes, space.sizes));
  return result;
}

/// One token's transition of the states of one component.
void Emitter::moveTravellers(const Transition &phi,
                             const Travellers &travellers, int64_t component,
                             Value t) {
  Views outs, ins;
  SmallVector<int64_t> place(phi.states);
  for (int64_t i = 0; i < phi.states; ++i)
    if (travellers.component[i] == component) {
      place[i] = outs.size();
      outs.push_back(travellers.states[i]);
    }
  ins = outs;
  SmallVector<std::pair<int64_t, int64_t>> blocks;
  for (auto [factor, block] : llvm::zip(phi.phi, phi.blocks))
    if (travellers.component[block.first] == component) {
      ins.push_back(code.at(factor, token, t));
      blocks.push_back({place[block.first], place[block.second]});
    }
  pointwise(outs, ins, [&](ArrayRef<Value> x, Point &) {
    Values next(outs.size());
    for (auto [n, block] : llvm::enumerate(blocks)) {
      Value factor = x[outs.size() + n], from = x[block.second];
      Value &sum = next[block.first];
      sum = sum ? code.fma(factor, from, sum)
                : code.op<arith::MulFOp>(factor, from);
    }
    for (Value &sum : next)
      if (!sum)
        sum = code.real(0);
    return next;
  });
}

void Emitter::travel(const Transition &phi, const Travellers &travellers,
                     ArrayRef<View> keys, ArrayRef<int64_t> keyIndex, int64_t w,
                     function_ref<void(Value, Value)> visit) {
  code.loop(code.index(0), tokens, 1, [&](Value s) {
    for (const View &state : travellers.states)
      fill(state, 0);
    for (auto [i, key] : llvm::enumerate(keys))
      if (keyIndex[2 * i] == w)
        addTo(travellers.states[keyIndex[2 * i + 1]], code.at(key, token, s));
    code.loop(code.add(s, code.index(1)), tokens, 1, [&](Value t) {
      visit(s, t);
      for (int64_t i = 0; i < phi.states; ++i)
        if (travellers.component[i] == i)
          moveTravellers(phi, travellers, i, t);
    });
  });
}

void Emitter::gramByColumns(chunk::GramOp op, const Transition &phi,
                            const View &out) {
  auto rowIndex = op.getRowIndex(), keyIndex = op.getKeyIndex();
  Views rows, keys;
  for (Value row : op.getRows())
    rows.push_back(viewOf(row));
  for (Value key : op.getKeys())
    keys.push_back(viewOf(key));
  Views tiles = rows;
  tiles.append(keys.begin(), keys.end());
  StateSpaces spaces = stateSpaces(phi, tiles, statesIn(rowIndex, keyIndex));
  Travellers travellers = makeTravellers(spaces);
  std::set<int64_t> writes;
  for (size_t i = 0; i < keys.size(); ++i)
    writes.insert(keyIndex[2 * i]);
  for (int64_t w : writes)
    travel(phi, travellers, keys, keyIndex, w, [&](Value s, Value t) {
      std::set<int64_t> begun;
      View column =
          code.at(code.at(out, token, t), earlier, s).picked(writeAxis, w);
      for (auto [i, row] : llvm::enumerate(rows)) {
        int64_t state = rowIndex[2 * i + 1];
        const View &space = spaces.spaces[state];
        contract(column.picked(rowAxis, rowIndex[2 * i]),
                 spreadOver(code.at(row, token, t), space),
                 travellers.states[state],
                 llvm::to_vector_of<StringAttr>(space.axes),
                 !begun.insert(rowIndex[2 * i]).second);
      }
    });
}

} // namespace trowel::cpu
