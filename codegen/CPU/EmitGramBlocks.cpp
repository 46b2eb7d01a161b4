// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The decayed Gram matrix of one state whose channels have their own factors,
// in blocks of 8 tokens. With E the block's beginning,
//
//   G[t, s] = (B_t Phi_{t-1} ... Phi_E) . (Phi_{E-1} ... Phi_{s+1} kappa_s)
//
// is a matrix product for all s before the block; the keys' side is kept
// transposed and carried from block to block. Within the block a key meets row
// after row on its way. Nothing is divided, and a pair depends on what lies
// between its tokens only.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

namespace {
constexpr int64_t blockTokens = 8;

/// What the parts of the computation share.
struct GramBlocks {
  View phi, key;
  Views rows;
  Views cells; // for each row: where its part of the result lies, on t and t.s
  StringAttr channel;
  int64_t channels;
  View scaledRow, carriedKey, total, transposed;
};

/// The block at hand.
struct Block8 {
  Value first, count;
};
} // namespace

static Point pointAt(StringAttr axis, Value index, StringAttr channel,
                     Value lane) {
  Point point;
  point.vector = channel;
  point.at.set(axis, index);
  point.at.set(channel, lane);
  return point;
}

/// Rows times the factors from the block's beginning on; the block's total.
static void scaleRows(Code &code, const GramBlocks &g, const Block8 &block,
                      const View &row, StringAttr token, StringAttr place) {
  code.loop(code.index(0), code.index(g.channels), lanes, [&](Value lane) {
    Value product = code.loop(
        code.index(0), block.count, 1, code.real(1),
        [&](Value i, ValueRange carried) {
          Value t = code.add(block.first, i);
          Point at = pointAt(token, t, g.channel, lane);
          Value scaled = code.op<arith::MulFOp>(code.load(row, at), carried[0]);
          code.store(g.scaledRow, pointAt(place, i, g.channel, lane), scaled);
          return Values{
              code.op<arith::MulFOp>(code.load(g.phi, at), carried[0])};
        })[0];
    code.store(g.total, pointAt(place, code.index(0), g.channel, lane),
               product);
  });
}

/// Each key of the block meets the later rows of the block.
static void meetRows(Code &code, const GramBlocks &g, const Block8 &block,
                     StringAttr token, StringAttr earlier, StringAttr place) {
  int64_t vectors = roundUp(g.channels) / lanes;
  auto at = [&](Value t, int64_t v) {
    Point point = pointAt(token, t, g.channel, code.index(v * lanes));
    if (g.channels % lanes != 0 && v == vectors - 1)
      point.bound = code.index(g.channels);
    return point;
  };
  code.loop(code.index(0), block.count, 1, [&](Value i) {
    Value s = code.add(block.first, i);
    Values key;
    for (int64_t v = 0; v < vectors; ++v)
      key.push_back(code.load(g.key, at(s, v)));
    Value end = code.add(block.first, block.count);
    Values carried = code.loop(
        code.add(s, code.index(1)), end, 1, key, [&](Value t, ValueRange x) {
          for (auto [row, cell] : llvm::zip(g.rows, g.cells)) {
            Value sum = code.real(0);
            for (int64_t v = 0; v < vectors; ++v) {
              Point point = at(t, v);
              Value b = code.load(row, point), k = x[v];
              if (Value mask = code.mask(point)) {
                b = code.select(mask, b, code.real(0));
                k = code.select(mask, k, code.real(0));
              }
              sum = code.fma(b, k, sum);
            }
            Point target;
            target.at.set(token, t);
            target.at.set(earlier, s);
            code.store(cell, target, code.broadcast(code.sumLanes(sum)));
          }
          Values next;
          for (int64_t v = 0; v < vectors; ++v)
            next.push_back(
                code.op<arith::MulFOp>(code.load(g.phi, at(t, v)), x[v]));
          return next;
        });
    for (int64_t v = 0; v < vectors; ++v)
      code.store(g.carriedKey,
                 pointAt(place, i, g.channel, code.index(v * lanes)),
                 carried[v]);
  });
}

/// Clears what the product has written at and behind the block's own columns.
static void clearColumns(Code &code, const View &cell, const Block8 &block,
                         int64_t columns, StringAttr token,
                         StringAttr earlier) {
  code.loop(code.index(0), block.count, 1, [&](Value i) {
    code.loop(code.index(0), code.index(columns), lanes, [&](Value s) {
      Point point = pointAt(token, code.add(block.first, i), earlier, s);
      point.bound = block.first;
      Value kept =
          code.select(code.mask(point), code.load(cell, point), code.real(0));
      code.store(cell, point, kept);
    });
  });
}

/// The keys of all earlier blocks go on to this one's end.
static void carryKeys(Code &code, const GramBlocks &g, Value columns,
                      StringAttr earlier) {
  code.loop(code.index(0), code.index(g.channels), 1, [&](Value channel) {
    Point one;
    one.at.set(g.channel, channel);
    Value factor = code.load(g.total, one);
    code.loop(code.index(0), columns, lanes, [&](Value s) {
      Point point = pointAt(g.channel, channel, earlier, s);
      Value key = code.load(g.transposed, point);
      code.store(g.transposed, point, code.op<arith::MulFOp>(key, factor));
    });
  });
}

/// One state with one key axis, one write, keys and rows in place.
bool Emitter::gramByBlocks(chunk::GramOp op, const Transition &phi,
                           const View &out) {
  if (phi.states != 1 || phi.phi.size() != 1 || op.getKeys().size() != 1 ||
      chunkTokens % lanes != 0 || chunkTokens < 2 * blockTokens)
    return false;
  GramBlocks g;
  g.phi = phi.phi[0];
  g.key = viewOf(op.getKeys()[0]);
  auto fits = [&](const View &view) {
    return view.axes.size() == 2 && view.has(token) && view.loadsWhole() &&
           view.last() == g.phi.last();
  };
  if (!fits(g.phi) || !fits(g.key) || g.phi.sizes.back() > 16 * lanes)
    return false;
  g.channel = g.phi.last();
  g.channels = g.phi.sizes.back();
  auto place = StringAttr::get(op.getContext(), "t.place");
  llvm::SmallDenseSet<int64_t> known;
  for (auto [i, value] : llvm::enumerate(op.getRows())) {
    View row = viewOf(value);
    int64_t r = op.getRowIndex()[2 * i];
    if (!fits(row) || !known.insert(r).second)
      return false;
    g.rows.push_back(row);
    g.cells.push_back(out.picked(rowAxis, r));
  }
  if (static_cast<int64_t>(known.size()) != out.size(rowAxis) ||
      out.has(writeAxis))
    return false;
  g.scaledRow = scratch({place, g.channel}, {blockTokens, g.channels});
  g.carriedKey = scratch({place, g.channel}, {blockTokens, g.channels});
  g.total = scratch(g.channel, g.channels);
  g.transposed =
      scratch({g.channel, earlier}, {roundUp(g.channels), chunkTokens + lanes});
  code.loop(code.index(0), tokens, blockTokens, [&](Value first) {
    Block8 block{first,
                 code.min(code.sub(tokens, first), code.index(blockTokens))};
    Value columns = code.op<arith::AndIOp>(
        code.add(first, code.index(lanes - 1)), code.index(-lanes));
    auto start = [&](const View &view) { return code.start(view); };
    for (auto [row, cell] : llvm::zip(g.rows, g.cells)) {
      scaleRows(code, g, block, row, token, place);
      Value target =
          code.behind(start(cell), code.mul(first, cell.stride(token)));
      kernels.product({start(g.scaledRow),
                       code.strideValue(g.scaledRow.stride(place)),
                       code.index(1), start(g.transposed),
                       code.strideValue(g.transposed.stride(g.channel)), target,
                       code.strideValue(cell.stride(token)), block.count,
                       code.index(g.channels), columns});
      clearColumns(code, cell, block, chunkTokens, token, earlier);
    }
    carryKeys(code, g, columns, earlier);
    meetRows(code, g, block, token, earlier, place);
    kernels.transpose({start(g.carriedKey),
                       code.strideValue(g.carriedKey.stride(place)),
                       code.behind(start(g.transposed), first),
                       code.strideValue(g.transposed.stride(g.channel)),
                       block.count, code.index(g.channels)});
  });
  return true;
}

} // namespace trowel::cpu
