// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Coefficients as products of a function of key axes and one of value axes.
#ifndef TROWEL_PASSES_NORMALIZE_PRODUCTS_H
#define TROWEL_PASSES_NORMALIZE_PRODUCTS_H

#include "dialect/Rec/Ranges.h"
#include "dialect/Rec/ValueBuilder.h"

#include <optional>

namespace trowel {

/// One position along each of some axes.
using Place = llvm::SmallVector<std::pair<mlir::StringAttr, int64_t>, 1>;

/// The value at a place along those of its axes that are there.
mlir::Value pickAt(rec::ValueBuilder &values, mlir::Value value,
                   const Place &at);

/// A coefficient as a product of a function of value axes and one of all other
/// axes. A factor without axes counts as key; a null `value` is one. It is zero
/// away from the place `at`, whose axes `key` lacks.
struct Factor {
  mlir::Value key;
  mlir::Value value;
  Place at = {};
};

/// The axes of a stage: `value` axes are common to its states, each state's
/// other axes are its key axes. Axes that no state has count as key axes.
struct StageAxes {
  llvm::SmallVector<mlir::StringAttr> value;
  llvm::SmallVector<mlir::StringAttr> key; // the union over the states

  bool isValue(mlir::StringAttr axis) const {
    return llvm::is_contained(value, axis);
  }
  bool onlyKey(mlir::Value v) const;
  bool onlyValue(mlir::Value v) const;
};

Factor multiply(rec::ValueBuilder &values, const Factor &a, const Factor &b);

/// A part whose range is not known to be what a product needs.
struct UnknownRange {
  mlir::Value part;
  llvm::StringRef needed; // "<= 0"
};

/// Takes state-free coefficients apart.
///
/// A product that is written stands as it is. What only equals a product (the
/// exponential of a sum, the root of a product) is one where its two parts
/// stay finite wherever it does, over many tokens too, which their ranges must
/// say: exp(200 - 200) is one, exp(200) * exp(-200) a NaN.
class Products {
public:
  Products(rec::ValueBuilder &values, const StageAxes &axes)
      : values(values), axes(axes) {}

  std::optional<Factor> find(mlir::Value coefficient);
  /// What would have to be known for `find` to succeed; empty if nothing helps.
  llvm::ArrayRef<UnknownRange> unknownRanges(mlir::Value coefficient);

private:
  struct Result {
    std::optional<Factor> factor;
    llvm::SmallVector<UnknownRange> unknown;
  };
  using Unknown = llvm::SmallVectorImpl<UnknownRange>;

  const Result &resultOf(mlir::Value coefficient);
  std::optional<Factor> parts(mlir::Value coefficient, Unknown &unknown);
  std::optional<Factor> takeApart(mlir::Value coefficient, Unknown &unknown);
  std::optional<Factor> partsOf(rec::MapOp map, Unknown &unknown);
  std::optional<Factor> quotient(rec::MapOp map, Unknown &unknown);
  std::optional<Factor> choice(rec::MapOp map, Unknown &unknown);
  std::optional<Factor> power(rec::MapOp map, Unknown &unknown);
  std::optional<Factor> powerOfSum(rec::MapOp map, Unknown &unknown);
  /// A value as a sum of a part on key axes and one on value axes; a null
  /// `value` is zero.
  std::optional<Factor> sum(mlir::Value exponent);
  std::optional<Factor> sumOf(rec::MapOp map);
  Factor each(const Factor &factor,
              llvm::function_ref<mlir::Value(mlir::Value)> function);
  void require(const Factor &parts, double low, double high,
               llvm::StringRef needed, Unknown &unknown);

  rec::ValueBuilder &values;
  const StageAxes &axes;
  rec::RangeFinder ranges;
  // Values share parts; each is looked at once.
  llvm::DenseMap<mlir::Value, std::unique_ptr<Result>> known;
  llvm::DenseMap<mlir::Value, std::optional<Factor>> sums;
};

} // namespace trowel

#endif // TROWEL_PASSES_NORMALIZE_PRODUCTS_H
