// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a causal matrix with keys that decay on their way.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

void Emitter::emitApply(chunk::ApplyOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  Coefficients keys = coefficients(op.getKeys(), op.getKeyIndex());
  for (const Coefficient &key : keys)
    phi.include(key.state);
  phi.include(op.getResultStates());
  Views outs;
  for (Value result : op.getResults()) {
    outs.push_back(define(result));
    fill(outs.back(), 0);
  }
  if (chunkTokens == 1) // no token is earlier
    return;
  for (ArrayRef<int64_t> component : phi.components()) {
    ApplyPart part{phi.restrictedTo(component),
                   viewOf(op.getMatrix()),
                   within(component, keys),
                   {}};
    for (auto [out, state] : llvm::zip(outs, op.getResultStates())) {
      const auto *place = llvm::find(component, state);
      if (place != component.end())
        part.outs.push_back({place - component.begin(), out});
    }
    if (part.keys.empty() || part.outs.empty())
      continue;
    if (part.phi.axes(token).empty())
      applyByFactors(part);
    else if (!code.hasVectors() || !applyByBlocks(part))
      applyByColumns(part);
  }
}

void Emitter::applyByFactors(const ApplyPart &part) {
  View matrix = asColumns(part.matrix);
  int64_t width = part.matrix.size(writeAxis);
  int64_t rows = part.matrix.size(rowAxis);
  auto pairs = part.phi.reached();
  for (auto &[to, out] : part.outs) {
    View space = spaceOf(Views{out});
    for (size_t n = 0; n < pairs.size(); ++n) {
      if (pairs[n].first != to)
        continue;
      View keys = stack(part.keys, pairs[n].second, writeAxis, width, space);
      if (keys.axes.empty())
        continue;
      View decayed = scratch(matrix.axes, matrix.sizes);
      scanFactors(
          part.phi, width, [&](Point &point, ValueRange factors, Value before) {
            code.loop(code.index(0), code.index(rows), 1, [&](Value r) {
              point.at.set(rowAxis, r);
              Value y = code.load(matrix, point);
              if (!part.phi.identity)
                y = code.op<arith::MulFOp>(y, factors[n]);
              code.store(decayed, point, code.select(before, y, code.real(0)));
            });
          });
      decayed.causal = true;
      StringAttr columns = matrix.has(columnAxis) ? columnAxis : earlier;
      contract(out, decayed, asColumns(keys.renamed(token, earlier)), {columns},
               true);
    }
  }
}

void Emitter::applyByColumns(const ApplyPart &part) {
  Views outs;
  for (auto &[state, out] : part.outs)
    outs.push_back(out);
  View space = spaceOf(part.phi, part.keys, outs);
  int64_t width = part.matrix.size(writeAxis);
  Views travellers, keys;
  for (int64_t state = 0; state < part.phi.states; ++state) {
    travellers.push_back(scratch(space.axes, space.sizes));
    keys.push_back(stack(part.keys, state, writeAxis, width, space));
  }
  travel(part.phi, travellers, keys, width, [&](Value s, Value w, Value t) {
    View column = code.at(code.at(code.at(part.matrix, token, t), earlier, s),
                          writeAxis, w);
    code.loop(
        code.index(0), code.index(part.matrix.size(rowAxis)), 1, [&](Value r) {
          for (auto &[state, out] : part.outs) {
            View target = code.at(code.at(out, token, t), rowAxis, r);
            pointwise(target,
                      {target, code.at(column, rowAxis, r), travellers[state]},
                      [&](ArrayRef<Value> x, Point &) {
                        return Values{code.fma(x[1], x[2], x[0])};
                      });
          }
        });
  });
}

} // namespace trowel::cpu
