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

/// The indices that occur, in order; the tiles get their places among them.
static SmallVector<int64_t> compact(Coefficients &tiles) {
  std::set<int64_t> known;
  for (const Coefficient &tile : tiles)
    known.insert(tile.index);
  SmallVector<int64_t> places(known.begin(), known.end());
  for (Coefficient &tile : tiles)
    tile.index = llvm::find(places, tile.index) - places.begin();
  return places;
}

void Emitter::emitGram(chunk::GramOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  Coefficients rows = coefficients(op.getRows(), op.getRowIndex());
  Coefficients keys = coefficients(op.getKeys(), op.getKeyIndex());
  for (const Coefficients *tiles : {&rows, &keys})
    for (const Coefficient &tile : *tiles)
      phi.include(tile.state);
  View out = define(op.getResult());
  int64_t rowCount = out.size(rowAxis), keyCount = out.size(writeAxis);
  bool written = false;
  for (ArrayRef<int64_t> component : phi.components()) {
    GramPart part{phi.restrictedTo(component), within(component, rows),
                  within(component, keys), 0, 0};
    if (part.rows.empty() || part.keys.empty() || chunkTokens == 1)
      continue;
    SmallVector<int64_t> rowPlaces = compact(part.rows);
    SmallVector<int64_t> keyPlaces = compact(part.keys);
    part.rowCount = rowPlaces.size();
    part.keyCount = keyPlaces.size();
    bool whole = part.rowCount == rowCount && part.keyCount == keyCount;
    if (!written && !whole)
      parts.write("clear", [&] { fill(out, 0); });
    size_t mark = scratchPlaces.size();
    View target = out;
    if (written || !whole)
      target =
          scratch({token, rowAxis, earlier, writeAxis},
                  {chunkTokens, part.rowCount, chunkTokens, part.keyCount});
    parts.write("gram", [&] { emitGramPart(part, target); });
    if (written || !whole)
      for (size_t i = 0; i < rowPlaces.size(); ++i)
        for (size_t j = 0; j < keyPlaces.size(); ++j)
          parts.write("add", [&] {
            addTo(out.picked(rowAxis, rowPlaces[i])
                      .picked(writeAxis, keyPlaces[j]),
                  target.picked(rowAxis, i).picked(writeAxis, j));
          });
    releaseScratch(mark);
    written = true;
  }
  if (!written)
    parts.write("clear", [&] { fill(out, 0); });
  gramDiagonal(op, out);
  views[op.getResult()].causal = true;
}

void Emitter::emitGramPart(const GramPart &part, const View &out) {
  if (part.phi.axes(token).empty())
    return gramByFactors(part, asColumns(out));
  if (code.hasVectors() ? gramByBlocks(part, asColumns(out))
                        : gramByHalves(part, out))
    return;
  fill(out, 0);
  gramByColumns(part, out);
}

void Emitter::gramDiagonal(chunk::GramOp op, const View &out) {
  for (auto [i, value] : llvm::enumerate(op.getWithin())) {
    View coupling = viewOf(value);
    View entry = out.picked(rowAxis, op.getWithinIndex()[2 * i])
                     .picked(writeAxis, op.getWithinIndex()[2 * i + 1]);
    parts.write("diagonal", [&] {
      forTokens([&](Value t) {
        addTo(code.at(code.at(entry, token, t), earlier, t),
              code.at(coupling, token, t));
      });
    });
  }
}

//===--- The same factor for all channels ---------------------------------===//

void Emitter::scanFactors(const Transition &phi, int64_t width,
                          function_ref<void(Point &, ValueRange, Value)> use) {
  View space;
  space.axes.push_back(width == 1 ? earlier : columnAxis);
  space.sizes.push_back(chunkTokens * width);
  auto pairs = phi.reached();
  Values zeros(pairs.size(), code.real(0));
  scan(
      space, zeros, false,
      [&](Point &point, ValueRange factors) {
        auto narrow = [&](Value i) {
          return code.broadcast(
              code.op<arith::TruncIOp>(code.builder.getI32Type(), i));
        };
        Value t = code.mul(point.at.lookup(token), code.index(width));
        Value column = code.op<arith::AddIOp>(
            narrow(point.at.lookup(space.last())), code.laneNumbers());
        Value before = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, column,
                                              narrow(t));
        Value notAfter =
            code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, column,
                                   narrow(code.add(t, code.index(width))));
        use(point, factors, before);
        Values next = stepProducts(phi, factors, point, false);
        for (auto [pair, value] : llvm::zip(pairs, next)) {
          Value fresh = code.real(pair.first == pair.second ? 1 : 0);
          value = code.select(before, value,
                              code.select(notAfter, fresh, code.real(0)));
        }
        return next;
      },
      nullptr);
}

void Emitter::gramByFactors(const GramPart &part, const View &out) {
  Coefficients tiles = part.rows;
  tiles.append(part.keys.begin(), part.keys.end());
  View space = spaceOf(part.phi, tiles, {});
  auto pairs = part.phi.reached();
  SmallVector<std::pair<View, size_t>> terms;
  for (int64_t to = 0; to < part.phi.states; ++to) {
    View rows = stack(part.rows, to, rowAxis, part.rowCount, space);
    for (auto [n, pair] : llvm::enumerate(pairs)) {
      if (pair.first != to || rows.axes.empty())
        continue;
      View keys =
          stack(part.keys, pair.second, writeAxis, part.keyCount, space);
      if (keys.axes.empty())
        continue;
      View product = terms.empty() ? out : scratch(out.axes, out.sizes);
      contract(product, rows, asColumns(keys.renamed(token, earlier)),
               llvm::to_vector_of<StringAttr>(space.axes));
      terms.push_back({product, n});
    }
  }
  if (terms.empty())
    return fill(out, 0);
  scanFactors(
      part.phi, part.keyCount,
      [&](Point &point, ValueRange factors, Value before) {
        code.loop(code.index(0), code.index(part.rowCount), 1, [&](Value row) {
          point.at.set(rowAxis, row);
          Value sum;
          for (auto &[product, pair] : terms) {
            Value x = code.load(product, point);
            if (sum)
              sum = code.fma(x, factors[pair], sum);
            else
              sum = part.phi.identity
                        ? x
                        : code.op<arith::MulFOp>(x, factors[pair]);
          }
          code.store(out, point, code.select(before, sum, code.real(0)));
        });
      });
}

//===--- Factors of channels ----------------------------------------------===//

/// One token's transition.
void Emitter::moveTravellers(const Transition &phi, const Views &travellers,
                             Value t) {
  Views ins = travellers;
  for (const View &factor : phi.phi)
    ins.push_back(code.at(factor, token, t));
  pointwise(travellers, ins, [&](ArrayRef<Value> x, Point &) {
    Values next(phi.states);
    for (auto [n, block] : llvm::enumerate(phi.blocks)) {
      Value factor = x[phi.states + n], from = x[block.second];
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

void Emitter::travel(const Transition &phi, const Views &travellers,
                     const Views &keys, int64_t count,
                     function_ref<void(Value, Value, Value)> visit) {
  code.loop(code.index(0), tokens, 1, [&](Value s) {
    code.loop(code.index(0), code.index(count), 1, [&](Value w) {
      for (auto [traveller, key] : llvm::zip(travellers, keys)) {
        if (key.axes.empty())
          fill(traveller, 0);
        else
          copy(traveller, code.at(code.at(key, token, s), writeAxis, w));
      }
      code.loop(code.add(s, code.index(1)), tokens, 1, [&](Value t) {
        visit(s, w, t);
        moveTravellers(phi, travellers, t);
      });
    });
  });
}

void Emitter::gramByColumns(const GramPart &part, const View &out) {
  Coefficients tiles = part.rows;
  tiles.append(part.keys.begin(), part.keys.end());
  View space = spaceOf(part.phi, tiles, {});
  Views travellers, rows, keys;
  for (int64_t state = 0; state < part.phi.states; ++state) {
    travellers.push_back(scratch(space.axes, space.sizes));
    rows.push_back(stack(part.rows, state, rowAxis, part.rowCount, space));
    keys.push_back(stack(part.keys, state, writeAxis, part.keyCount, space));
  }
  travel(part.phi, travellers, keys, part.keyCount,
         [&](Value s, Value w, Value t) {
           View column = code.at(code.at(code.at(out, token, t), earlier, s),
                                 writeAxis, w);
           code.loop(code.index(0), code.index(part.rowCount), 1, [&](Value r) {
             bool begun = false;
             for (auto [row, traveller] : llvm::zip(rows, travellers)) {
               if (row.axes.empty())
                 continue;
               contract(code.at(column, rowAxis, r),
                        code.at(code.at(row, token, t), rowAxis, r), traveller,
                        llvm::to_vector_of<StringAttr>(space.axes), begun);
               begun = true;
             }
           });
         });
}

} // namespace trowel::cpu
