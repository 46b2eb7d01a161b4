// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes checked expressions: derives axes, kind of number, sharing, and range
// of each from its operands, and folds what is constant. It assumes that the
// operands are legal; the checker has said so before. A null operand (one with
// an error) makes a null result.
#ifndef TROWEL_FRONTEND_SEMA_BUILDER_H
#define TROWEL_FRONTEND_SEMA_BUILDER_H

#include "frontend/AST/Program.h"

#include <vector>

namespace trowel::sema {

using Axes = std::vector<AxisId>;

Axes unite(const Axes &a, const Axes &b);
Axes common(const Axes &a, const Axes &b);
Axes without(const Axes &a, const Axes &b);
bool contains(const Axes &axes, AxisId axis);

class Builder {
public:
  explicit Builder(const Program &program) : program(program) {}

  /// A constant. A whole one counts as an integer beside an i32, else as real.
  ExprPtr number(double value, Location at, bool isWhole = false) const;
  ExprPtr position(Location at) const;
  /// Input, Param, State or Let number `index` of the program.
  ExprPtr leaf(Expr::Kind kind, int index, Location at) const;

  ExprPtr map(MapOp op, std::vector<ExprPtr> operands, Location at) const;
  ExprPtr power(ExprPtr base, ExprPtr exponent, Location at) const;
  /// The product of both, summed over every axis they share.
  ExprPtr contract(ExprPtr a, ExprPtr b, Location at) const;
  ExprPtr reduce(ReduceOp op, ExprPtr x, Axes over, Location at) const;
  ExprPtr reduceHeads(ReduceOp op, ExprPtr x, Sharing to, Location at) const;
  ExprPtr rename(ExprPtr x, AxisId from, AxisId to, Location at) const;
  ExprPtr pick(ExprPtr x, AxisId axis, int64_t index, Location at) const;
  ExprPtr repeat(ExprPtr x, AxisId from, AxisId to, Location at) const;
  ExprPtr cast(ExprPtr x, DType dtype, Location at) const;
  ExprPtr prefixSum(ExprPtr x, Location at) const;
  ExprPtr stop(ExprPtr x, Location at) const;
  /// `x`, an input or let, `amount` tokens ago.
  ExprPtr delay(ExprPtr x, int amount, Location at) const;
  /// `x`, known to lie in `range` too.
  ExprPtr bounded(ExprPtr x, Interval range) const;
  /// A whole constant as the real it is.
  ExprPtr asReal(ExprPtr x) const;

private:
  int64_t elements(const Axes &axes) const;

  const Program &program;
};

bool isNumber(const ExprPtr &x);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_BUILDER_H
