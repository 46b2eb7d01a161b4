// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The product keeps up to 16 accumulators of 16 floats in registers: 4 rows by
// 64 columns, or 8 rows by 32 or 16; a quarter of that on machines with fewer
// or shorter registers. What remains of the rows goes one by one. Every sum
// runs in the same order in all of these.
#include "codegen/CPU/Kernels.h"

using namespace mlir;

namespace trowel::cpu {

func::FuncOp Kernels::function(StringRef name, ArrayRef<Type> types,
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

void Kernels::call(func::FuncOp function, ValueRange arguments) {
  func::CallOp::create(code.builder, code.location, function, arguments);
}

//===--- Product ----------------------------------------------------------===//

func::FuncOp Kernels::productFunction() {
  Type p = code.pointerType, i = code.indexType;
  return function("product",
                  {p, i, i, p, i, p, i, i, i, i, code.builder.getI1Type()},
                  [&](ValueRange arguments) { productBody(arguments); });
}

void Kernels::product(const Product &p) {
  Value accumulate =
      code.op<arith::ConstantOp>(code.builder.getBoolAttr(p.accumulate));
  call(productFunction(), {p.a, p.aRow, p.aDepth, p.b, p.bDepth, p.c, p.cRow,
                           p.rows, p.depth, p.columns, accumulate});
}

void Kernels::productBody(ValueRange x) {
  Product p{x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]};
  Value accumulate = x[10];
  auto downTo = [&](int64_t multiple) {
    return code.op<arith::AndIOp>(p.columns, code.index(-multiple));
  };
  Value whole = wide ? downTo(64) : code.index(0), half = downTo(32);
  if (wide)
    code.loop(code.index(0), whole, 64,
              [&](Value column) { productPanel(p, accumulate, column, 4, 4); });
  code.loop(whole, half, 32, [&](Value column) {
    productPanel(p, accumulate, column, 2, wide ? 8 : 2);
  });
  code.loop(half, p.columns, 16, [&](Value column) {
    productPanel(p, accumulate, column, 1, wide ? 8 : 4);
  });
}

void Kernels::productPanel(const Product &p, Value accumulate, Value column,
                           int64_t vectors, int64_t rows) {
  Value blocked = code.op<arith::AndIOp>(p.rows, code.index(-rows));
  code.loop(code.index(0), blocked, rows, [&](Value row) {
    productBlock(p, accumulate, row, column, vectors, rows);
  });
  code.loop(blocked, p.rows, 1, [&](Value row) {
    productBlock(p, accumulate, row, column, vectors, 1);
  });
}

void Kernels::productBlock(const Product &p, Value accumulate, Value row,
                           Value column, int64_t vectors, int64_t rows) {
  Values aRows, cells;
  for (int64_t i = 0; i < rows; ++i) {
    Value r = code.add(row, code.index(i));
    aRows.push_back(code.behind(p.a, code.mul(r, p.aRow)));
    Value c = code.behind(p.c, code.add(code.mul(r, p.cRow), column));
    for (int64_t j = 0; j < vectors; ++j)
      cells.push_back(code.behind(c, code.index(j * lanes)));
  }
  SmallVector<Type> types(cells.size(), code.realVector);
  auto initial = scf::IfOp::create(code.builder, code.location, types,
                                   accumulate, /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(code.builder);
    code.builder.setInsertionPointToStart(initial.thenBlock());
    Values loaded = llvm::map_to_vector<8>(
        cells, [&](Value cell) { return code.loadVector(cell); });
    scf::YieldOp::create(code.builder, code.location, loaded);
    code.builder.setInsertionPointToStart(initial.elseBlock());
    Values zeros(cells.size(), code.real(0));
    scf::YieldOp::create(code.builder, code.location, zeros);
  }
  Value panel = code.behind(p.b, column);
  Values sums = code.loop(
      code.index(0), p.depth, 1, initial.getResults(),
      [&](Value k, ValueRange sums) {
        Value b = code.behind(panel, code.mul(k, p.bDepth));
        Value along = code.mul(k, p.aDepth);
        Values row, next;
        for (int64_t j = 0; j < vectors; ++j)
          row.push_back(code.loadVector(code.behind(b, code.index(j * lanes))));
        for (int64_t i = 0; i < rows; ++i) {
          Value a = code.broadcast(
              code.loadScalar(code.behind(aRows[i], along), code.realType));
          for (int64_t j = 0; j < vectors; ++j)
            next.push_back(code.fma(a, row[j], sums[i * vectors + j]));
        }
        return next;
      });
  for (auto [sum, cell] : llvm::zip(sums, cells))
    code.storeVector(sum, cell);
}

//===--- Triangle ---------------------------------------------------------===//

void Kernels::triangle(const Triangle &t) {
  Type p = code.pointerType, i = code.indexType;
  productFunction();
  func::FuncOp callee =
      function("triangle", {p, i, p, i, p, i, i, i, i},
               [&](ValueRange arguments) { triangleBody(arguments); });
  call(callee, {t.a, t.aRow, t.b, t.bRow, t.c, t.cRow, t.rows, t.columns,
                code.index(t.inclusive ? 1 : 0)});
}

/// Blocks of 4 rows: first the product with all rows above the block, then the
/// block's own triangle, row by row.
void Kernels::triangleBody(ValueRange x) {
  Value a = x[0], aRow = x[1], b = x[2], bRow = x[3], c = x[4], cRow = x[5];
  Value rows = x[6], columns = x[7], inclusive = x[8];
  Value one = code.index(1);
  code.loop(code.index(0), rows, 4, [&](Value first) {
    Value count = code.min(code.sub(rows, first), code.index(4));
    Value aBlock = code.behind(a, code.mul(first, aRow));
    Value cBlock = code.behind(c, code.mul(first, cRow));
    product({aBlock, aRow, one, b, bRow, cBlock, cRow, count, first, columns,
             true});
    Value aCorner = code.behind(aBlock, first);
    Value bBlock = code.behind(b, code.mul(first, bRow));
    code.loop(code.index(0), count, 1, [&](Value i) {
      product({code.behind(aCorner, code.mul(i, aRow)), aRow, one, bBlock, bRow,
               code.behind(cBlock, code.mul(i, cRow)), cRow, one,
               code.add(i, inclusive), columns, true});
    });
  });
}

//===--- Transposition ----------------------------------------------------===//

void Kernels::transpose(const Transposition &t) {
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

void Kernels::transposeBody(ValueRange x) {
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
