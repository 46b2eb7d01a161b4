// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values of the `rec` dialect as expressions of the language.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_EXPRESSIONS_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_EXPRESSIONS_H

#include "dialect/Rec/Axes.h"

#include <map>
#include <set>
#include <string>

namespace trowel::explaining {

/// How tightly a text binds. As in the language, but that a product with `@`
/// stands in parentheses within another product.
enum class Binding {
  Condition,
  Sum,
  Contraction,
  Product,
  Unary,
  Power,
  Postfix
};

/// An expression without its sign.
struct Text {
  std::string text;
  Binding binding = Binding::Postfix;
  bool negative = false;

  /// With its sign, in parentheses if it binds less tightly than `least`.
  std::string at(Binding least) const;
  std::string whole() const { return at(Binding::Condition); }
};

Text product(const Text &a, const Text &b);
Text sum(const Text &a, const Text &b);
Text quotient(const Text &a, const Text &b);
/// `a @ b`.
Text contraction(const Text &a, const Text &b);

/// The value is `normalize(x)`: a vector of length one at most.
bool isNormalized(mlir::Value value);

/// Prints values with the source's names where it has them.
class Expressions {
public:
  /// `sizes`: the program's sizes, to say K^-0.5 where a number is that.
  Expressions(rec::ProgramOp program,
              std::vector<std::pair<std::string, int64_t>> sizes);

  Text print(mlir::Value value);
  std::string whole(mlir::Value value) { return print(value).whole(); }

  /// From now on the value has this name, or this expression.
  void setName(mlir::Value value, const std::string &name);
  void setText(mlir::Value value, const Text &text) { known[value] = text; }
  bool isNamed(mlir::Value value) const { return known.count(value); }
  /// A name that nothing has: `base`, or `base` with a number.
  std::string freshName(const std::string &base);
  /// "sum(x)", with the axes if the operand has several.
  Text reduction(const std::string &name, mlir::ArrayAttr axes,
                 mlir::Value operand);

private:
  /// Positions along axes that are picked of what is printed.
  using Picks = llvm::SmallVector<std::pair<mlir::StringAttr, int64_t>, 2>;

  Text printOperation(mlir::Operation *op);
  Text picked(Text text, const Picks &at);
  Text printConstant(rec::ConstantOp op);
  Text printMap(rec::MapOp op);
  Text printReduce(rec::ReduceOp op);
  Text printRename(rec::RenameOp op);
  Text printPick(rec::PickOp op);
  Text printStack(rec::StackOp op);
  Text printOther(mlir::Operation *op);
  Text call(const std::string &name, llvm::ArrayRef<mlir::Value> operands);
  /// What the language says in one word: `normalize`, `softmax`, `x^2` and
  /// such.
  std::optional<Text> printIdiom(rec::MapOp op);
  std::optional<Text> printLength(rec::MapOp op);

  std::vector<std::pair<std::string, int64_t>> sizes;
  std::map<void *, Text> cache; // of what is printed without picks
  Picks picks;
  llvm::DenseMap<mlir::Value, Text> known;
  std::set<std::string> taken;
};

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_EXPRESSIONS_H
