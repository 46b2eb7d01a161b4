// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a causal matrix with keys that decay on their way.
#include "codegen/CPU/Emitter.h"

#include <set>

using namespace mlir;

namespace trowel::cpu {

void Emitter::emitApply(chunk::ApplyOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  auto keyIndex = op.getKeyIndex();
  for (size_t i = 1; i < keyIndex.size(); i += 2)
    phi.states = std::max(phi.states, keyIndex[i] + 1);
  for (int64_t state : op.getResultStates())
    phi.states = std::max(phi.states, state + 1);
  for (auto [to, from] : phi.blocks)
    phi.states = std::max({phi.states, to + 1, from + 1});
  Views outs;
  for (Value result : op.getResults()) {
    outs.push_back(define(result));
    fill(outs.back(), 0);
  }
  if (chunkTokens == 1) // no token is earlier
    return;
  if (phi.axes(token).empty())
    applyByFactors(op, phi, outs);
  else
    applyByColumns(op, phi, outs);
}

void Emitter::applyByFactors(chunk::ApplyOp op, const Transition &phi,
                             const Views &outs) {
  View matrix = viewOf(op.getMatrix());
  auto pairs = phi.reached();
  auto keyIndex = op.getKeyIndex();
  int64_t rows = matrix.size(rowAxis);
  for (auto [out, state] : llvm::zip(outs, op.getResultStates()))
    for (auto [b, key] : llvm::enumerate(op.getKeys())) {
      std::pair<int64_t, int64_t> block{state, keyIndex[2 * b + 1]};
      auto *it = llvm::find(pairs, block);
      if (it == pairs.end())
        continue;
      View x = viewOf(key).renamed(token, earlier);
      for (int64_t r = 0; r < rows; ++r) {
        View part =
            matrix.picked(rowAxis, r).picked(writeAxis, keyIndex[2 * b]);
        View decayed = scratch({token, earlier}, {chunkTokens, chunkTokens});
        scanFactors(phi, [&](Point &point, ValueRange factors, Value before) {
          Value y = code.load(part, point);
          if (!phi.identity)
            y = code.op<arith::MulFOp>(y, factors[it - pairs.begin()]);
          code.store(decayed, point, code.select(before, y, code.real(0)));
        });
        decayed.causal = true;
        View target = out.picked(rowAxis, r);
        contract(target, decayed, spreadOver(x, spaceOf(target)), {earlier},
                 true);
      }
    }
}

void Emitter::applyByColumns(chunk::ApplyOp op, const Transition &phi,
                             const Views &outs) {
  View matrix = viewOf(op.getMatrix());
  auto keyIndex = op.getKeyIndex();
  Views keys;
  for (Value key : op.getKeys())
    keys.push_back(viewOf(key));
  Views tiles = keys;
  SmallVector<int64_t> states;
  for (size_t i = 0; i < keys.size(); ++i)
    states.push_back(keyIndex[2 * i + 1]);
  tiles.append(outs.begin(), outs.end());
  states.append(op.getResultStates().begin(), op.getResultStates().end());
  Travellers travellers = makeTravellers(stateSpaces(phi, tiles, states));
  std::set<int64_t> writes;
  for (size_t i = 0; i < keys.size(); ++i)
    writes.insert(keyIndex[2 * i]);
  for (int64_t w : writes)
    travel(phi, travellers, keys, keyIndex, w, [&](Value s, Value t) {
      View column =
          code.at(code.at(matrix, token, t), earlier, s).picked(writeAxis, w);
      for (auto [out, state] : llvm::zip(outs, op.getResultStates()))
        for (int64_t r = 0; r < matrix.size(rowAxis); ++r) {
          View target = code.at(out, token, t).picked(rowAxis, r);
          pointwise(
              target,
              {target, column.picked(rowAxis, r), travellers.states[state]},
              [&](ArrayRef<Value> x, Point &) {
                return Values{code.fma(x[1], x[2], x[0])};
              });
        }
    });
}

} // namespace trowel::cpu
