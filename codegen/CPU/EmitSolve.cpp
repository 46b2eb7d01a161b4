// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Unit lower triangular systems, by substitution in place of the right-hand
// side: in blocks of rows, or with factors on the value axes column by column.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

void Emitter::emitSolve(chunk::SolveOp op) {
  View matrix = viewOf(op.getMatrix()), rhs = viewOf(op.getRhs());
  View out = define(op.getResult());
  copy(out, rhs);
  bool hasValues = !spaceOf(out).axes.empty();
  if (op.getDecay()) {
    View decay = viewOf(op.getDecay());
    solveByColumns(matrix, out, &decay, op.getInclusive());
  } else if (hasValues) {
    solveByTriangle(matrix, out);
  } else {
    solveByColumns(matrix, out, nullptr, "none");
  }
}

/// True if consecutive steps along `inner`, then `outer`, are `step` apart.
static bool isFlat(const View &view, StringAttr outer, StringAttr inner,
                   int64_t step) {
  int64_t size = view.size(inner);
  return (!view.has(inner) || view.stride(inner).is(step)) &&
         (!view.has(outer) || view.stride(outer).is(step * size));
}

/// The step from row to row, those of a token among them.
Stride Emitter::rowStride(const View &view) const {
  return view.stride(view.has(rowAxis) ? rowAxis : token);
}

/// The matrix with equal steps from row to row and none between columns.
View Emitter::flatMatrix(const View &matrix) {
  if (isFlat(matrix, token, rowAxis, rowStride(matrix).fixed) &&
      isFlat(matrix, earlier, writeAxis, 1))
    return matrix;
  View flat = scratch(matrix.axes, matrix.sizes);
  copy(flat, matrix);
  return flat;
}

void Emitter::solveByTriangle(View matrix, const View &out) {
  if (!out.has(token) && !out.has(rowAxis))
    return; // one row
  matrix = flatMatrix(matrix);
  Value rows = code.mul(out.has(token) ? tokens : code.index(1),
                        code.index(out.size(rowAxis)));
  View space = spaceOf(out);
  ArrayRef<StringAttr> outer = ArrayRef(space.axes).drop_back();
  forEach(outer, ArrayRef(space.sizes).drop_back(), [&](Point &point) {
    Point corner = point;
    for (StringAttr axis : {token, rowAxis, space.last()})
      corner.at.set(axis, code.index(0));
    Value base = code.address(out, corner);
    Value stride = code.strideValue(rowStride(out));
    kernels.solve({code.start(matrix), code.strideValue(rowStride(matrix)),
                   base, stride, rows, columnsOf(space)});
  });
}

/// The identity's columns solved for, all at once.
void Emitter::emitInverse(chunk::InverseOp op) {
  View matrix = viewOf(op.getMatrix());
  View out = define(op.getResult());
  int64_t count = out.size(rowAxis);
  fill(out, 0);
  forTokens([&](Value t) {
    View block = code.at(code.at(out, token, t), earlier, t);
    for (int64_t r = 0; r < count; ++r)
      fill(block.picked(rowAxis, r).picked(writeAxis, r), 1);
  });
  views[op.getResult()].causal = true;
  if (out.axes.empty())
    return; // one row
  matrix = flatMatrix(matrix);
  Value rows = code.mul(tokens, code.index(count));
  if (code.team)
    return invertByHalves(matrix, out, rows, chunkTokens * count);
  kernels.solve({code.start(matrix), code.strideValue(rowStride(matrix)),
                 code.start(out), code.strideValue(rowStride(out)), rows,
                 code.index(roundUp(out.size(earlier) * count))});
}

/// Blocks on the diagonal of twice the size from those of half of it, all of a
/// size at the same time: what is below a pair of blocks P and Q that are
/// inverted is Q M P. `out` begins as the identity.
void Emitter::invertByHalves(const View &matrix, const View &out, Value rows,
                             int64_t mostRows) {
  View half = scratch({token, earlier}, {mostRows, mostRows});
  auto start = [&](const View &view) { return code.start(view); };
  Value m = start(matrix), t = start(out), x = start(half);
  Value mRow = code.strideValue(rowStride(matrix));
  Value tRow = code.strideValue(rowStride(out));
  Value xRow = code.strideValue(half.stride(token));
  auto place = [&](Value base, Value row, Value rowStep, Value column) {
    return code.behind(base, code.add(code.mul(row, rowStep), column));
  };
  auto sum = [&](Value low, Value high, function_ref<Value(Value)> a,
                 function_ref<Value(Value)> b) {
    return code.loop(
        low, high, 1, code.real(0), [&](Value k, ValueRange carried) {
          return Values{code.fma(code.loadScalar(a(k), code.realType),
                                 code.loadScalar(b(k), code.realType),
                                 carried[0])};
        })[0];
  };
  for (int64_t size = 1; size < mostRows; size *= 2) {
    int64_t pairs = llvm::divideCeil(mostRows, 2 * size);
    // The elements below: `body` gets where rows and columns begin.
    auto visit = [&](function_ref<Value(Value, Value, Value)> body, Value to,
                     Value toRow) {
      code.team->share(code.index(pairs * size * size), [&](Value number) {
        auto take = [&](int64_t count) {
          Value part = code.op<arith::RemUIOp>(number, code.index(count));
          number = code.op<arith::DivUIOp>(number, code.index(count));
          return part;
        };
        Value j = take(size), i = take(size);
        Value first = code.mul(number, code.index(2 * size));
        Value middle = code.add(first, code.index(size));
        Value row = code.add(middle, i), column = code.add(first, j);
        Value present =
            code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, row, rows);
        code.ifThen(present, [&] {
          LLVM::StoreOp::create(code.builder, code.location,
                                body(row, column, middle),
                                place(to, row, toRow, column), 4u);
        });
      });
    };
    visit(
        [&](Value row, Value column, Value middle) {
          return sum(
              column, middle, [&](Value k) { return place(m, row, mRow, k); },
              [&](Value k) { return place(t, k, tRow, column); });
        },
        x, xRow);
    visit(
        [&](Value row, Value column, Value middle) {
          return sum(
              middle, code.add(row, code.index(1)),
              [&](Value k) { return place(t, row, tRow, k); },
              [&](Value k) { return place(x, k, xRow, column); });
        },
        t, tRow);
  }
}

void Emitter::solveByColumns(const View &matrix, const View &out,
                             const View *decay, StringRef inclusive) {
  View space = spaceOf(out);
  View moving = scratch(space.axes, space.sizes);
  int64_t rows = out.size(rowAxis);
  auto addTimes = [&](const View &to, const View &factor, const View &x) {
    pointwise(to, {to, factor, x}, [&](ArrayRef<Value> v, Point &) {
      return Values{code.fma(v[1], v[2], v[0])};
    });
  };
  auto cell = [&](Value t, Value r, Value s, Value w) {
    View entry = code.at(code.at(matrix, token, t), earlier, s);
    return code.at(code.at(entry, rowAxis, r), writeAxis, w);
  };
  auto row = [&](Value t, Value r) {
    return code.at(code.at(out, token, t), rowAxis, r);
  };
  auto decayAt = [&](Value t) {
    View factor = code.at(*decay, token, t);
    pointwise(moving, {moving, factor}, [&](ArrayRef<Value> v, Point &) {
      return Values{code.op<arith::MulFOp>(v[0], v[1])};
    });
  };
  Value zero = code.index(0), count = code.index(rows);
  code.loop(zero, tokens, 1, [&](Value s) {
    code.loop(zero, count, 1, [&](Value r) {
      code.loop(zero, r, 1, [&](Value w) {
        addTimes(row(s, r), cell(s, r, s, w), row(s, w));
      });
    });
    code.loop(zero, count, 1, [&](Value w) {
      copy(moving, row(s, w));
      if (decay && inclusive == "column")
        decayAt(s);
      code.loop(code.add(s, code.index(1)), tokens, 1, [&](Value t) {
        if (decay && inclusive == "row")
          decayAt(t);
        code.loop(zero, count, 1, [&](Value r) {
          addTimes(row(t, r), cell(t, r, s, w), moving);
        });
        if (decay && inclusive != "row")
          decayAt(t);
      });
    });
  });
}

} // namespace trowel::cpu
