// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The decayed Gram matrix of one state whose channels have their own factors,
// in blocks of tokens. With E the block's beginning,
//
//   G[t, s] = (B_t Phi_{t-1} ... Phi_E) . (Phi_{E-1} ... Phi_{s+1} kappa_s)
//
// is a matrix product for all s before the block; the keys' side is kept
// transposed and carried from block to block. Within the block a key meets row
// after row on its way. Nothing is divided, and a pair depends on what lies
// between its tokens only. A token's rows and writes lie side by side; the more
// there are, the fewer tokens make a block.
#include "codegen/CPU/Emitter.h"
#include "codegen/CPU/TokenBlocks.h"

using namespace mlir;

namespace trowel::cpu {

namespace {

struct GramBlocks : TokenBlocks {
  using TokenBlocks::TokenBlocks;

  View rows;
  View out; // on `t`, `t.r` and the columns
  StringAttr place;
  int64_t blockTokens;
  View scaledRows, carriedKeys, transposed;

  void scaleRows();
  void clearColumns();
  void carryKeys(Value width);
  void meetRows();
};
} // namespace

/// Rows times the factors from the block's beginning on; the block's total.
void GramBlocks::scaleRows() {
  forEachLane([&](Value lane) {
    Value product = code.loop(
        code.index(0), count, 1, code.real(1),
        [&](Value i, ValueRange carried) {
          Point from = pointAt(token, code.add(first, i), channel, lane);
          Point to = pointAt(place, i, channel, lane);
          forEach(rowCount, [&](Value r) {
            from.at.set(rowAxis, r);
            to.at.set(rowAxis, r);
            code.store(
                scaledRows, to,
                code.op<arith::MulFOp>(code.load(rows, from), carried[0]));
          });
          return Values{
              code.op<arith::MulFOp>(code.load(phi, from), carried[0])};
        })[0];
    code.store(total, pointAt(place, code.index(0), channel, lane), product);
  });
}

/// Each key of the block meets the later rows of the block.
void GramBlocks::meetRows() {
  int64_t vectors = roundUp(channels) / lanes;
  auto at = [&](Value t, int64_t v) {
    Point point = pointAt(token, t, channel, code.index(v * lanes));
    if (channels % lanes != 0 && v == vectors - 1)
      point.bound = code.index(channels);
    return point;
  };
  auto dot = [&](ValueRange key, Value t, Value r) {
    Value sum = code.real(0);
    for (int64_t v = 0; v < vectors; ++v) {
      Point point = at(t, v);
      point.at.set(rowAxis, r);
      Value b = code.load(rows, point), k = key[v];
      if (Value mask = code.mask(point)) {
        b = code.select(mask, b, code.real(0));
        k = code.select(mask, k, code.real(0));
      }
      sum = code.fma(b, k, sum);
    }
    return code.broadcast(code.sumLanes(sum));
  };
  auto meet = [&](Value i, Value w) {
    Value s = code.add(first, i);
    Values key;
    for (int64_t v = 0; v < vectors; ++v) {
      Point point = at(s, v);
      point.at.set(writeAxis, w);
      key.push_back(code.load(keys, point));
    }
    Values carried =
        code.loop(code.add(s, code.index(1)), code.add(first, count), 1, key,
                  [&](Value t, ValueRange x) {
                    forEach(rowCount, [&](Value r) {
                      Point target;
                      target.at.set(token, t);
                      target.at.set(rowAxis, r);
                      target.at.set(columns, columnOf(s, w));
                      code.store(out, target, dot(x, t, r));
                    });
                    Values next;
                    for (int64_t v = 0; v < vectors; ++v)
                      next.push_back(code.op<arith::MulFOp>(
                          code.load(phi, at(t, v)), x[v]));
                    return next;
                  });
    for (int64_t v = 0; v < vectors; ++v) {
      Point point = pointAt(place, i, channel, code.index(v * lanes));
      point.at.set(writeAxis, w);
      code.store(carriedKeys, point, carried[v]);
    }
  };
  code.loop(code.index(0), count, 1,
            [&](Value i) { forEach(keyCount, [&](Value w) { meet(i, w); }); });
}

/// Clears what the product has written at and behind the block's own columns.
void GramBlocks::clearColumns() {
  code.loop(code.index(0), count, 1, [&](Value i) {
    forEach(rowCount, [&](Value r) {
      code.loop(code.index(0), code.index(out.size(columns)), lanes,
                [&](Value column) {
                  Point point =
                      pointAt(token, code.add(first, i), columns, column);
                  point.at.set(rowAxis, r);
                  point.bound = columnOf(first, code.index(0));
                  Value kept = code.select(code.mask(point),
                                           code.load(out, point), code.real(0));
                  code.store(out, point, kept);
                });
    });
  });
}

/// The keys of all earlier blocks go on to this one's end.
void GramBlocks::carryKeys(Value width) {
  forEach(channels, [&](Value at) {
    Point one;
    one.at.set(channel, at);
    Value factor = code.load(total, one);
    code.loop(code.index(0), width, lanes, [&](Value column) {
      Point point = pointAt(channel, at, columns, column);
      Value key = code.load(transposed, point);
      code.store(transposed, point, code.op<arith::MulFOp>(key, factor));
    });
  });
}

bool Emitter::gramByBlocks(const GramPart &part, const View &out) {
  const Transition &phi = part.phi;
  if (phi.states != 1 || phi.phi.size() != 1)
    return false;
  Coefficients tiles = part.rows;
  tiles.append(part.keys.begin(), part.keys.end());
  View space = spaceOf(phi, tiles, {});
  if (space.axes.size() != 1 || space.sizes[0] > 16 * lanes)
    return false;
  GramBlocks g(code);
  g.rowCount = part.rowCount;
  g.keyCount = part.keyCount;
  g.channels = space.sizes[0];
  g.blockTokens = 8;
  while (g.blockTokens > 1 &&
         g.blockTokens * std::max(g.rowCount, g.keyCount) > 8)
    g.blockTokens /= 2;
  g.token = token;
  g.rowAxis = rowAxis;
  g.writeAxis = writeAxis;
  g.channel = space.axes[0];
  g.place = StringAttr::get(g.channel.getContext(), "t.place");
  g.columns = out.has(columnAxis) ? columnAxis : earlier;
  g.out = out;
  g.phi = phi.phi[0];
  g.rows = stack(part.rows, 0, rowAxis, part.rowCount, space);
  g.keys = stack(part.keys, 0, writeAxis, part.keyCount, space);
  for (View *view : {&g.phi, &g.rows, &g.keys})
    if (view->last() != g.channel || !view->loadsWhole())
      *view = withInnermost(*view, g.channel);
  g.scaledRows = scratch({g.place, rowAxis, g.channel},
                         {g.blockTokens, g.rowCount, g.channels});
  g.carriedKeys = scratch({g.place, writeAxis, g.channel},
                          {g.blockTokens, g.keyCount, g.channels});
  g.total = scratch(g.channel, g.channels);
  g.transposed = scratch({g.channel, g.columns},
                         {roundUp(g.channels), out.sizes.back() + lanes});
  auto rowStride = [&](const View &view, StringAttr outer, StringAttr inner) {
    return code.strideValue(view.stride(view.has(inner) ? inner : outer));
  };
  Value across = code.strideValue(g.transposed.stride(g.channel));
  code.loop(code.index(0), tokens, g.blockTokens, [&](Value first) {
    g.first = first;
    g.count = code.min(code.sub(tokens, first), code.index(g.blockTokens));
    Value known = code.mul(first, code.index(g.keyCount));
    Value width = code.op<arith::AndIOp>(code.add(known, code.index(lanes - 1)),
                                         code.index(-lanes));
    g.scaleRows();
    kernels.product(
        {code.start(g.scaledRows), rowStride(g.scaledRows, g.place, rowAxis),
         code.index(1), code.start(g.transposed), across,
         code.behind(code.start(out), code.mul(first, out.stride(token))),
         rowStride(out, token, rowAxis),
         code.mul(g.count, code.index(g.rowCount)), code.index(g.channels),
         width});
    g.clearColumns();
    g.carryKeys(width);
    g.meetRows();
    kernels.transpose({code.start(g.carriedKeys),
                       rowStride(g.carriedKeys, g.place, writeAxis),
                       code.behind(code.start(g.transposed), known), across,
                       code.mul(g.count, code.index(g.keyCount)),
                       code.index(g.channels)});
  });
  return true;
}

} // namespace trowel::cpu
