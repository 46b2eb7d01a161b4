// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Work on matrices by vectors: functions that the module holds once and calls
// from everywhere, the register-blocked product among them.
#ifndef TROWEL_CODEGEN_CPU_VECTORKERNELS_H
#define TROWEL_CODEGEN_CPU_VECTORKERNELS_H

#include "codegen/CPU/Kernels.h"

namespace trowel::cpu {

class VectorKernels : public Kernels {
public:
  /// `wide`: the machine has 32 registers of 512 bits for accumulators.
  /// `fewRows`: products of one or two rows matter; they read B once, in long
  /// rows.
  VectorKernels(Code &code, bool wide, bool fewRows)
      : code(code), wide(wide), fewRows(fewRows) {}

  void product(const Product &product) override;
  void triangle(const Triangle &triangle) override;
  void solve(const System &system) override;
  void transpose(const Transposition &transposition) override;

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

#endif // TROWEL_CODEGEN_CPU_VECTORKERNELS_H
