// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A causal matrix times the keys of one state whose channels have their own
// factors, in blocks of tokens. With E the block's beginning,
//
//   O[t] = Phi_{t-1} ... Phi_E sum_s A[t, s] (Phi_{E-1} ... Phi_{s+1} kappa_s)
//
// is a matrix product for all s before the block; the keys are carried from
// block to block. Within the block a key visits row after row on its way.
// Nothing is divided, and a pair depends on what lies between its tokens only.
#include "codegen/CPU/Emitter.h"
#include "codegen/CPU/TokenBlocks.h"

using namespace mlir;

namespace trowel::cpu {

namespace {

constexpr int64_t blockTokens = 8;

struct ApplyBlocks : TokenBlocks {
  using TokenBlocks::TokenBlocks;

  View matrix; // on `t`, `t.r` and the columns
  View out, carried;

  Point placeAt(StringAttr axis, Value index, Value lane) {
    return pointAt(axis, index, channel, lane);
  }
  void scaleRows();
  void carryKeys();
  void visitRows();
};
} // namespace

/// What earlier blocks gave, times the factors from this one's beginning on;
/// the block's total.
void ApplyBlocks::scaleRows() {
  forEachLane([&](Value lane) {
    Value product = code.loop(
        code.index(0), count, 1, code.real(1), [&](Value i, ValueRange factor) {
          Point point = placeAt(token, code.add(first, i), lane);
          forEach(rowCount, [&](Value r) {
            point.at.set(rowAxis, r);
            code.store(
                out, point,
                code.op<arith::MulFOp>(code.load(out, point), factor[0]));
          });
          return Values{
              code.op<arith::MulFOp>(code.load(phi, point), factor[0])};
        })[0];
    code.store(total, placeAt(channel, lane, lane), product);
  });
}

/// The keys of all earlier blocks go on to this one's end.
void ApplyBlocks::carryKeys() {
  Value known = code.mul(first, code.index(keyCount));
  forEachLane([&](Value lane) {
    Value factor = code.load(total, placeAt(channel, lane, lane));
    code.loop(code.index(0), known, 1, [&](Value column) {
      Point point = placeAt(columns, column, lane);
      code.store(carried, point,
                 code.op<arith::MulFOp>(code.load(carried, point), factor));
    });
  });
}

/// Each key of the block goes through the later rows of the block.
void ApplyBlocks::visitRows() {
  auto visit = [&](Value i, Value w, Value lane) {
    Value s = code.add(first, i);
    Point at = placeAt(token, s, lane);
    at.at.set(writeAxis, w);
    Value key = code.loop(
        code.add(s, code.index(1)), code.add(first, count), 1,
        code.load(keys, at), [&](Value t, ValueRange x) {
          Point target = placeAt(token, t, lane);
          Point cell;
          cell.at.set(token, t);
          cell.at.set(columns, columnOf(s, w));
          forEach(rowCount, [&](Value r) {
            target.at.set(rowAxis, r);
            cell.at.set(rowAxis, r);
            code.store(out, target,
                       code.fma(code.load(matrix, cell), x[0],
                                code.load(out, target)));
          });
          return Values{code.op<arith::MulFOp>(code.load(phi, target), x[0])};
        })[0];
    code.store(carried, placeAt(columns, columnOf(s, w), lane), key);
  };
  forEachLane([&](Value lane) {
    code.loop(code.index(0), count, 1, [&](Value i) {
      forEach(keyCount, [&](Value w) { visit(i, w, lane); });
    });
  });
}

bool Emitter::applyByBlocks(const ApplyPart &part) {
  const Transition &phi = part.phi;
  if (phi.states != 1 || phi.phi.size() != 1 || part.outs.size() != 1)
    return false;
  View space = spaceOf(phi, part.keys, part.outs[0].second);
  ApplyBlocks a(code);
  a.out = part.outs[0].second;
  if (space.axes.size() != 1 || a.out.last() != space.axes[0] ||
      !a.out.storesWhole())
    return false;
  a.rowCount = part.matrix.size(rowAxis);
  a.keyCount = part.matrix.size(writeAxis);
  a.channels = space.sizes[0];
  a.token = token;
  a.rowAxis = rowAxis;
  a.writeAxis = writeAxis;
  a.channel = space.axes[0];
  a.matrix = asColumns(part.matrix);
  a.columns = a.matrix.has(columnAxis) ? columnAxis : earlier;
  a.phi = phi.phi[0];
  a.keys = stack(part.keys, 0, writeAxis, a.keyCount, space);
  for (View *view : {&a.phi, &a.keys})
    if (view->last() != a.channel || !view->loadsWhole())
      *view = withInnermost(*view, a.channel);
  a.total = scratch(a.channel, a.channels);
  a.carried = scratch({a.columns, a.channel},
                      {chunkTokens * a.keyCount, roundUp(a.channels)});
  auto rowStride = [&](const View &view) {
    return code.strideValue(view.stride(view.has(rowAxis) ? rowAxis : token));
  };
  code.loop(code.index(0), tokens, blockTokens, [&](Value first) {
    a.first = first;
    a.count = code.min(code.sub(tokens, first), code.index(blockTokens));
    kernels.product(
        {code.behind(code.start(a.matrix),
                     code.mul(first, a.matrix.stride(token))),
         rowStride(a.matrix), code.strideValue(a.matrix.stride(a.columns)),
         code.start(a.carried), code.strideValue(a.carried.stride(a.columns)),
         code.behind(code.start(a.out), code.mul(first, a.out.stride(token))),
         rowStride(a.out), code.mul(a.count, code.index(a.rowCount)),
         code.mul(first, code.index(a.keyCount)),
         code.index(roundUp(a.channels))});
    a.scaleRows();
    a.carryKeys();
    a.visitRows();
  });
  return true;
}

} // namespace trowel::cpu
