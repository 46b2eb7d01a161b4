// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values of checked expressions as `rec` operations.
#ifndef TROWEL_FRONTEND_MLIRGEN_EXPRGEN_H
#define TROWEL_FRONTEND_MLIRGEN_EXPRGEN_H

#include "dialect/Rec/ValueBuilder.h"
#include "frontend/AST/Program.h"

#include <map>

namespace trowel {

rec::DTypeKind dtypeKind(DType dtype);
rec::SharingKind sharingKind(Sharing sharing);

/// Builds values at the builder's place. What names stand for is in `inputs`,
/// `params`, `states` and `lets`, by the index that expressions use; `states`
/// holds the values that the states have now.
class ExprGen {
public:
  ExprGen(const Program &program, rec::ValueBuilder &values,
          mlir::StringAttr fileName)
      : program(program), values(values), fileName(fileName) {}

  std::vector<mlir::Value> inputs, params, states, lets;

  /// A running sum met on the way: a hidden state and its value at the end.
  struct Sum {
    std::string name;
    mlir::Value value;
    mlir::Location location;
  };
  std::vector<Sum> sums;

  /// Forgets the values of earlier statements: the states may be others now.
  void beginStatement(Location location);

  mlir::Value value(const Expr &expr);
  /// The value of a `let`, which remembers its name.
  mlir::Value named(const Let &let);

  /// The value with these element type and axes: a number fills them.
  mlir::Value filling(const Expr &expr, const std::vector<AxisId> &shape,
                      mlir::Type element);

  mlir::RankedTensorType type(const std::vector<AxisId> &axes,
                              mlir::Type element);
  mlir::Type elementType(DType dtype);

private:
  const Program &program;
  rec::ValueBuilder &values;
  mlir::StringAttr fileName;
  Location statement; // for expressions without a place of their own
  std::map<const Expr *, mlir::Value> done;

  mlir::Value build(const Expr &expr);
  mlir::Value buildOperation(const Expr &expr,
                             llvm::ArrayRef<mlir::Value> operands);
  mlir::Value buildMap(const Expr &expr, llvm::ArrayRef<mlir::Value> operands);
  mlir::Value buildPrefixSum(const Expr &expr, mlir::Value operand);
  llvm::SmallVector<mlir::Value> operandsOf(const Expr &expr);
  /// Turns integers into reals (or conditions into integers) where `element`
  /// asks for it.
  mlir::Value convert(mlir::Value value, mlir::Type element);
  void noteRange(mlir::Value value, const Expr &expr);
  void place(const Expr &expr);

  mlir::StringAttr name(AxisId axis) const;
  llvm::SmallVector<mlir::StringAttr>
  names(const std::vector<AxisId> &axes) const;
  mlir::Type elementType(Expr::Scalar scalar);
};

} // namespace trowel

#endif // TROWEL_FRONTEND_MLIRGEN_EXPRGEN_H
