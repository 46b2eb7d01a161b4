// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradient of one state's transition from products: running sums forward
// and back, then for every pair of a read and an earlier key the tokens between
// them. Lanes along the transition's axes.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

void Emitter::emitTransitionGradient(chunk::TransitionGradientOp op) {
  View phi = viewOf(op.getPhi()), corner = viewOf(op.getCorner()),
       ends = viewOf(op.getEnds()), starts = viewOf(op.getStarts()),
       out = define(op.getResult());
  View before = scratch(op.getType()); // the factors of all earlier tokens
  View space = spaceOf(Views{out});
  auto multiply = [&](Value a, Value b) {
    return code.op<arith::MulFOp>(a, b);
  };
  nest(
      space.axes, space.sizes, space.last(), [](Point &) {},
      [&](Point &point) {
        Value last = code.sub(tokens, code.index(1));
        code.loop(
            code.index(0), tokens, 1, {code.load(corner, point), code.real(1)},
            [&](Value t, ValueRange x) {
              point.at.set(token, t);
              code.store(out, point, x[0]);
              code.store(before, point, x[1]);
              Value factor = code.load(phi, point);
              return Values{code.fma(factor, x[0], code.load(ends, point)),
                            multiply(factor, x[1])};
            });
        code.loop(code.index(0), tokens, 1, {code.real(0), code.real(1)},
                  [&](Value i, ValueRange x) {
                    point.at.set(token, code.sub(last, i));
                    Value sum = multiply(code.load(out, point), x[1]);
                    code.store(out, point,
                               code.fma(code.load(before, point), x[0], sum));
                    Value factor = code.load(phi, point);
                    return Values{
                        code.fma(factor, x[0], code.load(starts, point)),
                        multiply(factor, x[1])};
                  });
        point.at.set(token, Value());
      });
  addBetween(op, phi, out, space);
}

/// For a read at u: on the way forward what earlier keys have become when they
/// reach token t, on the way back what of the read has.
void Emitter::addBetween(chunk::TransitionGradientOp op, const View &phi,
                         const View &out, const View &space) {
  if (op.getReads().empty())
    return;
  size_t count = op.getReads().size();
  Views reads, keys, matrices, arrived;
  for (auto [read, matrix] : llvm::zip(op.getReads(), op.getMatrices())) {
    reads.push_back(viewOf(read));
    matrices.push_back(viewOf(matrix));
    arrived.push_back(scratch({token}, {chunkTokens * lanes}));
  }
  for (Value key : op.getKeys())
    keys.push_back(viewOf(key));
  // A vector for each token.
  auto arrivedAt = [&](const View &view, Value t) {
    return code.behind(view, code.mul(t, code.index(lanes)));
  };
  nest(
      space.axes, space.sizes, space.last(), [](Point &) {},
      [&](Point &point) {
        code.loop(code.index(1), tokens, 1, [&](Value u) {
          Views rows;
          for (const View &matrix : matrices)
            rows.push_back(code.at(matrix, token, u));
          code.loop(code.index(0), u, 1, Values(count, code.real(0)),
                    [&](Value t, ValueRange sums) {
                      point.at.set(token, t);
                      Value factor = code.load(phi, point);
                      Values next;
                      for (size_t r = 0; r < count; ++r) {
                        code.storeVector(sums[r], arrivedAt(arrived[r], t));
                        Value sum = code.op<arith::MulFOp>(factor, sums[r]);
                        for (auto [w, key] : llvm::enumerate(keys)) {
                          View cell =
                              code.at(rows[r], earlier, t).picked(writeAxis, w);
                          sum = code.fma(code.load(key, point),
                                         code.load(cell, Point()), sum);
                        }
                        next.push_back(sum);
                      }
                      return next;
                    });
          Values initial;
          point.at.set(token, u);
          for (const View &read : reads)
            initial.push_back(code.load(read, point));
          Value last = code.sub(u, code.index(1));
          code.loop(
              code.index(0), u, 1, initial, [&](Value i, ValueRange weights) {
                Value t = code.sub(last, i);
                point.at.set(token, t);
                Value sum = code.load(out, point),
                      factor = code.load(phi, point);
                Values next;
                for (size_t r = 0; r < count; ++r) {
                  Value vector = code.loadVector(arrivedAt(arrived[r], t));
                  sum = code.fma(weights[r], vector, sum);
                  next.push_back(code.op<arith::MulFOp>(factor, weights[r]));
                }
                code.store(out, point, sum);
                return next;
              });
        });
        point.at.set(token, Value());
      });
}

} // namespace trowel::cpu
