// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions on matrices of floats that the module holds once and calls from
// everywhere: the register-blocked product, products and systems with a
// triangular matrix, and the transposed copy. Matrices are given by address and
// strides in elements.
#ifndef TROWEL_CODEGEN_CPU_KERNELS_H
#define TROWEL_CODEGEN_CPU_KERNELS_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

/// C[rows, columns] (+)= A[rows, depth] B[depth, columns]. Columns are next to
/// each other in B and C, in a multiple of 16 that may be read and written.
/// Every element of C is summed in the order of the depth.
struct Product {
  Value a, aRow, aDepth;
  Value b, bDepth;
  Value c, cRow;
  Value rows, depth, columns;
  bool accumulate = false;
};

/// C[i] += sum over j < (i + 1) * width of A[i, j] B[j]: A is causal, with
/// `width` columns a row.
struct Triangle {
  Value a, aRow, aDepth;
  Value b, bDepth;
  Value c, cRow;
  Value rows, width, columns;
};

/// Solves C' = C + A C' in place; A is strictly lower triangular, and what lies
/// above its diagonal is not read. The elements of a row are next to each
/// other.
struct System {
  Value a, aRow;
  Value c, cRow;
  Value rows, columns;
};

/// to[column, row] = from[row, column]. Columns are next to each other in
/// `from`, rows in `to`. Both sides are handled in blocks of 16: `from` is read
/// up to a multiple of 16 columns, `to` is written up to multiples of 16.
struct Transposition {
  Value from, fromRow;
  Value to, toRow;
  Value rows, columns;
};

class Kernels {
public:
  /// `wide`: the machine has 32 registers of 512 bits for accumulators.
  /// `fewRows`: products of one or two rows matter; they read B once, in long
  /// rows.
  Kernels(Code &code, bool wide, bool fewRows)
      : code(code), wide(wide), fewRows(fewRows) {}

  void product(const Product &product);
  void triangle(const Triangle &triangle);
  void solve(const System &system);
  void transpose(const Transposition &transposition);

private:
  using Body = llvm::function_ref<void(mlir::ValueRange)>;
  /// The function of this name; `define` writes it when it is first asked for.
  mlir::func::FuncOp function(llvm::StringRef name,
                              llvm::ArrayRef<mlir::Type> types, Body define);
  mlir::func::FuncOp productFunction();
  void productBody(mlir::ValueRange arguments);
  /// Some rows of a product with as many columns as fit in the registers.
  struct RowBlock {
    Product product;
    Value row, column;
    int64_t rows, vectors;
    Values aRows, cells; // where they begin
  };
  void productPanel(const Product &product, Value accumulate, Value column,
                    int64_t vectors, int64_t rows);
  void productBlock(const Product &product, Value accumulate, Value row,
                    Value column, int64_t vectors, int64_t rows);
  RowBlock block(const Product &product, Value row, Value column,
                 int64_t vectors, int64_t rows);
  Values multiply(const RowBlock &block, Value from, Value to, int64_t firstRow,
                  mlir::ValueRange sums);
  Values loadCells(const RowBlock &block);
  void storeCells(const RowBlock &block, mlir::ValueRange sums);
  /// Four rows at a time, with panels of so many vectors; then those that
  /// remain one by one.
  void forFourRows(
      Value rows, Value columns,
      llvm::function_ref<void(Value row, Value column, int64_t vectors)> four,
      llvm::function_ref<void(Value row)> one);
  void triangleBody(mlir::ValueRange arguments);
  void solveBody(mlir::ValueRange arguments);
  void transposeBody(mlir::ValueRange arguments);
  void call(mlir::func::FuncOp function, mlir::ValueRange arguments);

  Code &code;
  bool wide, fewRows;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_KERNELS_H
