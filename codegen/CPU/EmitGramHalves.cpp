// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The decayed Gram matrix of one state whose channels have their own factors,
// by halves. A chunk is halved, its halves are, and so on: for every pair s < t
// there is one level at which t is in the right half of what s is in the left
// half of. At that level the row is scaled by the factors from the middle to t,
// the key by those from s to the middle. Factors that are at most one give
// nothing larger; nothing is divided, and a pair depends on what lies between
// its tokens only.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

bool Emitter::gramByHalves(const GramPart &part, const View &out) {
  if (part.phi.states != 1)
    return false;
  Coefficients tiles = part.rows;
  tiles.append(part.keys.begin(), part.keys.end());
  View space = spaceOf(part.phi, tiles, {});
  View rows = stack(part.rows, 0, rowAxis, part.rowCount, space);
  View keys = stack(part.keys, 0, writeAxis, part.keyCount, space);
  const View &phi = part.phi.phi.front();
  View scaledRows = scratch(rows.axes, rows.sizes);
  View scaledKeys = scratch(keys.axes, keys.sizes);
  auto both = [&](Value x, int64_t bits) {
    return code.op<arith::AndIOp>(x, code.index(bits));
  };
  auto isZero = [&](Value x) {
    return code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, x, code.index(0));
  };
  // Token by token from the middle, or back from it: what is scaled, then the
  // token's own factor.
  auto scale = [&](const View &from, const View &to, StringAttr axis,
                   int64_t count, int64_t half, bool backwards) {
    scan(
        space, code.real(1), backwards,
        [&](Point &point, ValueRange carried) {
          Value t = point.at.lookup(token);
          Value past = backwards ? code.add(t, code.index(1)) : t;
          Value product = code.select(isZero(both(past, half - 1)),
                                      code.real(1), carried[0]);
          code.loop(code.index(0), code.index(count), 1, [&](Value i) {
            Point place = point;
            place.at.set(axis, i);
            code.store(to, place,
                       code.op<arith::MulFOp>(code.load(from, place), product));
          });
          return Values{code.op<arith::MulFOp>(code.load(phi, point), product)};
        },
        nullptr);
  };
  fill(out, 0);
  for (int64_t half = llvm::PowerOf2Ceil(chunkTokens) / 2; half > 0;
       half /= 2) {
    scale(rows, scaledRows, rowAxis, part.rowCount, half, false);
    scale(keys, scaledKeys, writeAxis, part.keyCount, half, true);
    nest(
        out.axes, out.sizes, out.last(), [](Point &) {},
        [&](Point &point) {
          Value t = point.at.lookup(token), s = point.at.lookup(earlier);
          Value differ = code.op<arith::XOrIOp>(t, s);
          Value here = code.op<arith::AndIOp>(
              code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, s, t),
              code.op<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                     both(differ, -half), code.index(half)));
          code.ifThen(here, [&] {
            Point key = point;
            key.at.set(token, s);
            std::function<Value(size_t, Value)> sum = [&](size_t depth,
                                                          Value before) {
              if (depth == space.axes.size())
                return code.fma(code.load(scaledRows, point),
                                code.load(scaledKeys, key), before);
              return code.loop(code.index(0), code.index(space.sizes[depth]), 1,
                               before, [&](Value i, ValueRange carried) {
                                 point.at.set(space.axes[depth], i);
                                 key.at.set(space.axes[depth], i);
                                 return Values{sum(depth + 1, carried[0])};
                               })[0];
            };
            code.store(out, point, sum(0, code.real(0)));
          });
        });
  }
  return true;
}

} // namespace trowel::cpu
