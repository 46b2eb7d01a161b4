// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/CPU/TeamKernels.h"

#include "codegen/CPU/Team.h"

using namespace mlir;

namespace trowel::cpu {

void TeamKernels::shareGrid(Value rows, Value columns,
                            function_ref<void(Value, Value)> body) {
  // Numbers of 32 bits, which a GPU divides in few instructions.
  Type narrow = code.builder.getI32Type();
  Value width = code.op<arith::TruncIOp>(narrow, columns);
  code.team->share(code.mul(rows, columns), [&](Value place) {
    Value number = code.op<arith::TruncIOp>(narrow, place);
    Value row = code.op<arith::DivUIOp>(number, width);
    Value column = code.op<arith::RemUIOp>(number, width);
    body(code.op<arith::ExtUIOp>(code.indexType, row),
         code.op<arith::ExtUIOp>(code.indexType, column));
  });
}

Value TeamKernels::load(Value base, Value distance) {
  return code.loadScalar(code.behind(base, distance), code.realType);
}

void TeamKernels::store(Value value, Value base, Value distance) {
  LLVM::StoreOp::create(code.builder, code.location, value,
                        code.behind(base, distance), 4u);
}

Value TeamKernels::dot(Value a, Value aStep, Value b, Value bStep, Value depth,
                       Value sum) {
  return code.loop(code.index(0), depth, 1, sum,
                   [&](Value k, ValueRange carried) {
                     Value x = load(a, code.mul(k, aStep));
                     Value y = load(b, code.mul(k, bStep));
                     return Values{code.fma(x, y, carried[0])};
                   })[0];
}

void TeamKernels::product(const Product &p) {
  shareGrid(p.rows, p.columns, [&](Value row, Value column) {
    Value a = code.behind(p.a, code.mul(row, p.aRow));
    Value b = code.behind(p.b, column);
    Value c = code.add(code.mul(row, p.cRow), column);
    Value sum = p.accumulate ? load(p.c, c) : code.real(0);
    store(dot(a, p.aDepth, b, p.bDepth, p.depth, sum), p.c, c);
  });
}

void TeamKernels::triangle(const Triangle &t) {
  shareGrid(t.rows, t.columns, [&](Value row, Value column) {
    Value a = code.behind(t.a, code.mul(row, t.aRow));
    Value b = code.behind(t.b, column);
    Value c = code.add(code.mul(row, t.cRow), column);
    Value depth = code.mul(code.add(row, code.index(1)), t.width);
    store(dot(a, t.aDepth, b, t.bDepth, depth, load(t.c, c)), t.c, c);
  });
}

/// A column is one thread's from the first row to the last.
void TeamKernels::solve(const System &s) {
  code.team->share(s.columns, [&](Value column) {
    Value c = code.behind(s.c, column);
    code.loop(code.index(0), s.rows, 1, [&](Value row) {
      Value a = code.behind(s.a, code.mul(row, s.aRow));
      Value place = code.mul(row, s.cRow);
      store(dot(a, code.index(1), c, s.cRow, row, load(c, place)), c, place);
    });
  });
}

void TeamKernels::transpose(const Transposition &t) {
  shareGrid(t.rows, t.columns, [&](Value row, Value column) {
    Value element = load(t.from, code.add(code.mul(row, t.fromRow), column));
    store(element, t.to, code.add(code.mul(column, t.toRow), row));
  });
}

} // namespace trowel::cpu
