// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The product keeps up to 16 accumulators of 16 floats in registers: 4 rows by
// 64 columns, or 8 rows by 32 or 16; a quarter of that on machines with fewer
// or shorter registers. What remains of the rows goes one by one. Every sum
// runs in the same order in all of these.
#include "codegen/CPU/VectorKernels.h"

using namespace mlir;

namespace trowel::cpu {

func::FuncOp VectorKernels::function(StringRef name, ArrayRef<Type> types,
                                     Body define) {
  if (auto known = code.module.lookupSymbol<func::FuncOp>(name))
    return known;
  func::FuncOp made = code.function(name, types);
  OpBuilder::InsertionGuard guard(code.builder);
  Block &block = made.getBody().front();
  code.builder.setInsertionPointToStart(&block);
  define(block.getArguments());
  func::ReturnOp::create(code.builder, code.location);
  return made;
}

void VectorKernels::call(func::FuncOp function, ValueRange arguments) {
  func::CallOp::create(code.builder, code.location, function, arguments);
}

//===--- Product ----------------------------------------------------------===//

func::FuncOp VectorKernels::productFunction() {
  Type p = code.pointerType, i = code.indexType;
  return function("product",
                  {p, i, i, p, i, p, i, i, i, i, code.builder.getI1Type()},
                  [&](ValueRange arguments) { productBody(arguments); });
}

void VectorKernels::product(const Product &p) {
  Value accumulate =
      code.op<arith::ConstantOp>(code.builder.getBoolAttr(p.accumulate));
  call(productFunction(), {p.a, p.aRow, p.aDepth, p.b, p.bDepth, p.c, p.cRow,
                           p.rows, p.depth, p.columns, accumulate});
}

void VectorKernels::productBody(ValueRange x) {
  Product p{x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]};
  Value accumulate = x[10];
  auto downTo = [&](int64_t multiple) {
    return code.op<arith::AndIOp>(p.columns, code.index(-multiple));
  };
  Value whole = wide ? downTo(64) : code.index(0), half = downTo(32);
  Value broad = code.index(0);
  if (wide && fewRows) {
    Value few = code.op<arith::CmpIOp>(arith::CmpIPredicate::sle, p.rows,
                                       code.index(2));
    broad = code.select(few, downTo(128), broad);
    code.loop(code.index(0), broad, 128,
              [&](Value column) { productPanel(p, accumulate, column, 8, 2); });
  }
  if (wide)
    code.loop(broad, whole, 64,
              [&](Value column) { productPanel(p, accumulate, column, 4, 4); });
  code.loop(whole, half, 32, [&](Value column) {
    productPanel(p, accumulate, column, 2, wide ? 8 : 2);
  });
  code.loop(half, p.columns, 16, [&](Value column) {
    productPanel(p, accumulate, column, 1, wide ? 8 : 4);
  });
}

void VectorKernels::productPanel(const Product &p, Value accumulate,
                                 Value column, int64_t vectors, int64_t rows) {
  Value blocked = code.op<arith::AndIOp>(p.rows, code.index(-rows));
  code.loop(code.index(0), blocked, rows, [&](Value row) {
    productBlock(p, accumulate, row, column, vectors, rows);
  });
  Value pairs = blocked;
  if (fewRows && rows > 2) {
    pairs = code.op<arith::AndIOp>(p.rows, code.index(-2));
    code.loop(blocked, pairs, 2, [&](Value row) {
      productBlock(p, accumulate, row, column, vectors, 2);
    });
  }
  code.loop(pairs, p.rows, 1, [&](Value row) {
    productBlock(p, accumulate, row, column, vectors, 1);
  });
}

VectorKernels::RowBlock VectorKernels::block(const Product &p, Value row,
                                             Value column, int64_t vectors,
                                             int64_t rows) {
  RowBlock block{p, row, column, rows, vectors, {}, {}};
  for (int64_t i = 0; i < rows; ++i) {
    Value r = code.add(row, code.index(i));
    block.aRows.push_back(code.behind(p.a, code.mul(r, p.aRow)));
    Value c = code.behind(p.c, code.add(code.mul(r, p.cRow), column));
    for (int64_t j = 0; j < vectors; ++j)
      block.cells.push_back(code.behind(c, code.index(j * lanes)));
  }
  return block;
}

/// Adds A[i, k] B[k] for k in [from, to) to the sums of the rows from
/// `firstRow` on.
Values VectorKernels::multiply(const RowBlock &x, Value from, Value to,
                               int64_t firstRow, ValueRange initial) {
  const Product &p = x.product;
  Value panel = code.behind(p.b, x.column);
  return code.loop(from, to, 1, initial, [&](Value k, ValueRange sums) {
    Value b = code.behind(panel, code.mul(k, p.bDepth));
    Value along = code.mul(k, p.aDepth);
    Values row, next(sums.take_front(firstRow * x.vectors));
    for (int64_t j = 0; j < x.vectors; ++j)
      row.push_back(code.loadVector(code.behind(b, code.index(j * lanes))));
    for (int64_t i = firstRow; i < x.rows; ++i) {
      Value a = code.broadcast(
          code.loadScalar(code.behind(x.aRows[i], along), code.realType));
      for (int64_t j = 0; j < x.vectors; ++j)
        next.push_back(code.fma(a, row[j], sums[i * x.vectors + j]));
    }
    return next;
  });
}

void VectorKernels::productBlock(const Product &p, Value accumulate, Value row,
                                 Value column, int64_t vectors, int64_t rows) {
  RowBlock x = block(p, row, column, vectors, rows);
  SmallVector<Type> types(x.cells.size(), code.realVector);
  auto initial = scf::IfOp::create(code.builder, code.location, types,
                                   accumulate, /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(code.builder);
    code.builder.setInsertionPointToStart(initial.thenBlock());
    scf::YieldOp::create(code.builder, code.location, loadCells(x));
    code.builder.setInsertionPointToStart(initial.elseBlock());
    Values zeros(x.cells.size(), code.real(0));
    scf::YieldOp::create(code.builder, code.location, zeros);
  }
  storeCells(x, multiply(x, code.index(0), p.depth, 0, initial.getResults()));
}

Values VectorKernels::loadCells(const RowBlock &x) {
  return llvm::map_to_vector<8>(
      x.cells, [&](Value cell) { return code.loadVector(cell); });
}

void VectorKernels::storeCells(const RowBlock &x, ValueRange sums) {
  for (auto [sum, cell] : llvm::zip(sums, x.cells))
    code.storeVector(sum, cell);
}

//===--- Triangles --------------------------------------------------------===//

void VectorKernels::forFourRows(Value rows, Value columns,
                                function_ref<void(Value, Value, int64_t)> four,
                                function_ref<void(Value)> one) {
  Value blocked = code.op<arith::AndIOp>(rows, code.index(-4));
  Value whole =
      wide ? code.op<arith::AndIOp>(columns, code.index(-64)) : code.index(0);
  code.loop(code.index(0), blocked, 4, [&](Value row) {
    if (wide)
      code.loop(code.index(0), whole, 64,
                [&](Value column) { four(row, column, 4); });
    code.loop(whole, columns, 16, [&](Value column) { four(row, column, 1); });
  });
  code.loop(blocked, rows, 1, one);
}

void VectorKernels::triangle(const Triangle &t) {
  Type p = code.pointerType, i = code.indexType;
  productFunction();
  func::FuncOp callee =
      function("triangle", {p, i, i, p, i, p, i, i, i, i},
               [&](ValueRange arguments) { triangleBody(arguments); });
  call(callee, {t.a, t.aRow, t.aDepth, t.b, t.bDepth, t.c, t.cRow, t.rows,
                t.width, t.columns});
}

/// In a block of four rows, the columns before the block belong to all of them,
/// a row's own columns to it and those below.
void VectorKernels::triangleBody(ValueRange x) {
  Product p{x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], true};
  Value width = x[8];
  auto four = [&](Value row, Value column, int64_t vectors) {
    RowBlock rows = block(p, row, column, vectors, 4);
    Value depth = code.mul(row, width);
    Values sums = multiply(rows, code.index(0), depth, 0, loadCells(rows));
    for (int64_t i = 0; i < 4; ++i) {
      Value next = code.add(depth, width);
      sums = multiply(rows, depth, next, i, sums);
      depth = next;
    }
    storeCells(rows, sums);
  };
  forFourRows(p.rows, p.columns, four, [&](Value row) {
    Product single = p;
    single.a = code.behind(p.a, code.mul(row, p.aRow));
    single.c = code.behind(p.c, code.mul(row, p.cRow));
    single.rows = code.index(1);
    single.depth = code.mul(code.add(row, code.index(1)), width);
    product(single);
  });
}

void VectorKernels::solve(const System &s) {
  Type p = code.pointerType, i = code.indexType;
  productFunction();
  func::FuncOp callee =
      function("solve", {p, i, p, i, i, i},
               [&](ValueRange arguments) { solveBody(arguments); });
  call(callee, {s.a, s.aRow, s.c, s.cRow, s.rows, s.columns});
}

/// A block's own triangle is solved in registers.
void VectorKernels::solveBody(ValueRange x) {
  Value one = code.index(1), zero = code.index(0);
  Product p{x[0], x[1], one, x[2], x[3], x[2], x[3], x[4], zero, x[5], true};
  auto four = [&](Value row, Value column, int64_t vectors) {
    RowBlock rows = block(p, row, column, vectors, 4);
    Values sums = multiply(rows, zero, row, 0, loadCells(rows));
    for (int64_t k = 0; k < 3; ++k)
      for (int64_t i = k + 1; i < 4; ++i) {
        Value at = code.add(row, code.index(k));
        Value a = code.broadcast(
            code.loadScalar(code.behind(rows.aRows[i], at), code.realType));
        for (int64_t j = 0; j < vectors; ++j) {
          Value &sum = sums[i * vectors + j];
          sum = code.fma(a, sums[k * vectors + j], sum);
        }
      }
    storeCells(rows, sums);
  };
  forFourRows(p.rows, p.columns, four, [&](Value row) {
    Product single = p;
    single.a = code.behind(p.a, code.mul(row, p.aRow));
    single.c = code.behind(p.c, code.mul(row, p.cRow));
    single.rows = one;
    single.depth = row;
    product(single);
  });
}

//===--- Transposition ----------------------------------------------------===//

void VectorKernels::transpose(const Transposition &t) {
  Type p = code.pointerType, i = code.indexType;
  func::FuncOp callee =
      function("transpose", {p, i, p, i, i, i},
               [&](ValueRange arguments) { transposeBody(arguments); });
  call(callee, {t.from, t.fromRow, t.to, t.toRow, t.rows, t.columns});
}

/// Four rounds that each exchange halves between pairs of rows at a distance.
static Values transposeBlock(Code &code, Values rows) {
  for (int64_t distance = 1; distance < lanes; distance *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < lanes; ++i) {
      bool upper = i & distance;
      low.push_back(upper ? lanes + i - distance : i);
      high.push_back(upper ? lanes + i : i + distance);
    }
    Values next(lanes);
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & distance)
        continue;
      Value a = rows[i], b = rows[i + distance];
      next[i] = code.op<vector::ShuffleOp>(a, b, low);
      next[i + distance] = code.op<vector::ShuffleOp>(a, b, high);
    }
    rows = next;
  }
  return rows;
}

void VectorKernels::transposeBody(ValueRange x) {
  Value from = x[0], fromRow = x[1], to = x[2], toRow = x[3];
  Value rows = x[4], columns = x[5];
  Value lastRow = code.sub(rows, code.index(1));
  code.loop(code.index(0), rows, lanes, [&](Value row) {
    Values sources;
    for (int64_t i = 0; i < lanes; ++i) {
      // A row that is not there is replaced by the last one.
      Value r = code.min(code.add(row, code.index(i)), lastRow);
      sources.push_back(code.behind(from, code.mul(r, fromRow)));
    }
    code.loop(code.index(0), columns, lanes, [&](Value column) {
      Values block;
      for (Value source : sources)
        block.push_back(code.loadVector(code.behind(source, column)));
      block = transposeBlock(code, block);
      for (int64_t i = 0; i < lanes; ++i) {
        Value c = code.add(column, code.index(i));
        code.storeVector(block[i],
                         code.behind(to, code.add(code.mul(c, toRow), row)));
      }
    });
  });
}

} // namespace trowel::cpu
