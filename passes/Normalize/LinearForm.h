// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pair that a stage's value is: its coefficients on the states as the token
// began, and its coefficients on the rows made since.
#ifndef TROWEL_PASSES_NORMALIZE_LINEARFORM_H
#define TROWEL_PASSES_NORMALIZE_LINEARFORM_H

#include "passes/Normalize/Products.h"

namespace trowel {

/// Why a stage has no chunk form, where, and what to change.
struct Obstacle {
  mlir::Location location;
  std::string message;
  std::string help = {};
};

/// A read with axes that no state has is a row for each position along them; a
/// token takes at most so many rows of one read, or outer products of one sum.
constexpr int64_t mostRows = 64;

/// All positions along `axes`, the last axis fastest.
llvm::SmallVector<Place, 0> placesAlong(llvm::ArrayRef<mlir::StringAttr> axes,
                                        const rec::AxisOrder &order);
/// Their number.
int64_t countPlaces(llvm::ArrayRef<mlir::StringAttr> axes,
                    const rec::AxisOrder &order);

/// An affine expression in a stage's states (as the token began) and rows: sum
/// of key * value * S_j over `states`, sum of key * value * x_r over `rows`,
/// plus `constant`.
///
/// The terms of `states` are summed over the axes `summed`, which the value
/// does not have; what other axes it has besides value axes are open. With none
/// open it is contracted, a vector on value axes: the keys of `rows` are then
/// scalars, and `scalars` are coefficients, on value axes, of reads that
/// contract every axis.
struct LinearForm {
  bool contracted = false;
  llvm::SmallVector<mlir::StringAttr> summed;
  llvm::SmallVector<std::pair<unsigned, Factor>> states;
  llvm::SmallVector<std::pair<unsigned, Factor>> rows;
  llvm::SmallVector<std::pair<unsigned, mlir::Value>> scalars;
  mlir::Value constant; // null: zero

  /// A read of the states, along all key axes or some.
  bool isRead() const { return contracted || !summed.empty(); }
};

/// Arithmetic on forms. Operations that leave the class return nothing.
class FormAlgebra {
public:
  FormAlgebra(rec::ValueBuilder &values, const StageAxes &axes)
      : values(values), axes(axes), products(values, axes) {}

  /// Splits a state-free coefficient into key and value parts, if it is a
  /// product.
  std::optional<Factor> separate(mlir::Value coefficient) {
    return products.find(coefficient);
  }
  /// What keeps a coefficient from being one.
  llvm::ArrayRef<UnknownRange> unknownRanges(mlir::Value coefficient) {
    return products.unknownRanges(coefficient);
  }
  /// A state-free matrix as a sum of key times value.
  bool decompose(mlir::Value matrix, llvm::SmallVectorImpl<Factor> &terms);

  LinearForm add(const LinearForm &a, const LinearForm &b);
  LinearForm addConstant(LinearForm form, mlir::Value constant);
  LinearForm negate(LinearForm form);
  /// Scales by a product of key and value parts; a contracted form takes only
  /// parts without key axes.
  LinearForm scale(LinearForm form, const Factor &factor, mlir::Value whole);
  /// `condition ? taken : 0`, elementwise, or with `negated` the other branch.
  mlir::Value choose(mlir::Value taken, mlir::Value condition, bool negated);
  /// The same for a form.
  LinearForm select(LinearForm form, mlir::Value condition, bool negated);

  Factor multiply(const Factor &a, const Factor &b) {
    return trowel::multiply(values, a, b);
  }
  /// The value at a place along those of its axes that are there.
  mlir::Value pick(mlir::Value value, const Place &at);
  /// The same; what has key and value axes there is looked into, so that it
  /// shows as a product if it is one.
  mlir::Value pickWithin(mlir::Value value, const Place &at);
  void accumulate(llvm::SmallVectorImpl<std::pair<unsigned, Factor>> &terms,
                  unsigned index, const Factor &factor);
  void
  accumulate(llvm::SmallVectorImpl<std::pair<unsigned, mlir::Value>> &terms,
             unsigned index, mlir::Value coefficient);

private:
  bool decomposeNew(mlir::Value matrix, llvm::SmallVectorImpl<Factor> &terms);
  bool decomposeSum(mlir::Operation *sum, llvm::SmallVectorImpl<Factor> &terms);
  void addTerm(llvm::SmallVectorImpl<Factor> &terms, const Factor &term);

  rec::ValueBuilder &values;
  const StageAxes &axes;
  Products products;
  // Values share parts; each is looked at once.
  llvm::DenseMap<mlir::Value, std::optional<llvm::SmallVector<Factor>>>
      decomposed;
};

} // namespace trowel

#endif // TROWEL_PASSES_NORMALIZE_LINEARFORM_H
