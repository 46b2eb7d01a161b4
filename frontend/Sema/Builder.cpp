// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Builder.h"

#include "frontend/Sema/Fold.h"
#include "frontend/Sema/Ranges.h"

#include <algorithm>
#include <iterator>

namespace trowel::sema {

Axes unite(const Axes &a, const Axes &b) {
  Axes result;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(),
                 std::back_inserter(result));
  return result;
}

Axes common(const Axes &a, const Axes &b) {
  Axes result;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(result));
  return result;
}

Axes without(const Axes &a, const Axes &b) {
  Axes result;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(),
                      std::back_inserter(result));
  return result;
}

bool contains(const Axes &axes, AxisId axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

bool isNumber(const ExprPtr &x) { return x && x->kind == Expr::Kind::Number; }

static std::shared_ptr<Expr> start(Expr::Kind kind, Location at,
                                   std::vector<ExprPtr> operands) {
  auto expr = std::make_shared<Expr>();
  expr->kind = kind;
  expr->location = at;
  for (const ExprPtr &operand : operands) {
    expr->axes = unite(expr->axes, operand->axes);
    expr->sharing = std::max(expr->sharing, operand->sharing);
    expr->perToken |= operand->perToken;
    expr->height = std::max(expr->height, operand->height + 1);
  }
  expr->operands = std::move(operands);
  return expr;
}

/// A node of one operand that keeps the operand's kind of number and range.
static std::shared_ptr<Expr> passing(Expr::Kind kind, Location at,
                                     const ExprPtr &x) {
  auto expr = start(kind, at, {x});
  expr->scalar = x->scalar;
  expr->range = x->range;
  return expr;
}

/// Whether both are the same value: reads of one thing at one place.
static bool isSameValue(const ExprPtr &a, const ExprPtr &b) {
  if (a == b)
    return true;
  bool isLeaf = a->kind == Expr::Kind::Input || a->kind == Expr::Kind::Param ||
                a->kind == Expr::Kind::State || a->kind == Expr::Kind::Let;
  return isLeaf && a->kind == b->kind && a->index == b->index;
}

ExprPtr Builder::number(double value, Location at, bool isWhole) const {
  auto expr = start(Expr::Kind::Number, at, {});
  expr->number = value;
  expr->scalar = isWhole ? Expr::Scalar::Integer : Expr::Scalar::Real;
  expr->range = outward(closed(value, value));
  return expr;
}

ExprPtr Builder::position(Location at) const {
  auto expr = start(Expr::Kind::Position, at, {});
  expr->scalar = Expr::Scalar::Integer;
  expr->perToken = true;
  expr->range = intersect(wrapped(anything()), closed(0, 1e300));
  return expr;
}

static Interval rangeOfDeclaration(const Declaration &declaration) {
  if (declaration.range)
    return *declaration.range;
  if (declaration.dtype == DType::E4M3) // finite numbers only
    return closed(-448, 448);
  if (declaration.dtype == DType::I32)
    return wrapped(anything());
  return anything();
}

ExprPtr Builder::leaf(Expr::Kind kind, int index, Location at) const {
  auto expr = start(kind, at, {});
  expr->index = index;
  if (kind == Expr::Kind::Let) {
    const Expr &value = *program.lets[index].value;
    expr->axes = value.axes;
    expr->scalar = value.scalar;
    expr->sharing = value.sharing;
    expr->perToken = value.perToken;
    expr->range = value.range;
    return expr;
  }
  const Declaration &declaration =
      kind == Expr::Kind::Input   ? program.inputs[index]
      : kind == Expr::Kind::Param ? program.params[index]
                                  : program.states[index];
  expr->axes = declaration.shape;
  std::sort(expr->axes.begin(), expr->axes.end());
  expr->sharing = declaration.sharing;
  expr->perToken = kind != Expr::Kind::Param;
  expr->range = rangeOfDeclaration(declaration);
  if (declaration.dtype == DType::I32)
    expr->scalar = Expr::Scalar::Integer;
  return expr;
}

ExprPtr Builder::asReal(ExprPtr x) const {
  if (!isNumber(x) || x->scalar != Expr::Scalar::Integer)
    return x;
  return number(x->number, x->location);
}

/// The kind of number that `op` makes of its operands.
static Expr::Scalar scalarOf(MapOp op, const std::vector<ExprPtr> &operands) {
  switch (op) {
  case MapOp::Lt:
  case MapOp::Le:
  case MapOp::Gt:
  case MapOp::Ge:
  case MapOp::Eq:
  case MapOp::Ne:
  case MapOp::And:
  case MapOp::Or:
  case MapOp::Not:
    return Expr::Scalar::Boolean;
  case MapOp::Neg:
  case MapOp::Abs:
  case MapOp::Add:
  case MapOp::Sub:
  case MapOp::Mul:
  case MapOp::Mod:
  case MapOp::Max:
  case MapOp::Min:
  case MapOp::Where:
    break;
  default:
    return Expr::Scalar::Real;
  }
  size_t first = op == MapOp::Where ? 1 : 0;
  bool isInteger = false;
  for (size_t i = first; i < operands.size(); ++i) {
    if (operands[i]->scalar != Expr::Scalar::Integer)
      return Expr::Scalar::Real;
    isInteger |= !isNumber(operands[i]);
  }
  return isInteger ? Expr::Scalar::Integer : Expr::Scalar::Real;
}

ExprPtr Builder::map(MapOp op, std::vector<ExprPtr> operands,
                     Location at) const {
  for (const ExprPtr &operand : operands)
    if (!operand)
      return nullptr;
  if (ExprPtr folded = fold(*this, op, operands, at))
    return folded;
  Expr::Scalar scalar = scalarOf(op, operands);
  bool hasReal = false;
  for (const ExprPtr &operand : operands)
    hasReal |= operand->scalar == Expr::Scalar::Real;
  bool isSame = operands.size() == 2 && isSameValue(operands[0], operands[1]);
  if (scalar == Expr::Scalar::Real || hasReal)
    for (ExprPtr &operand : operands)
      operand = asReal(operand);
  std::vector<Interval> ranges;
  for (const ExprPtr &operand : operands)
    ranges.push_back(operand->range);
  auto expr = start(Expr::Kind::Map, at, std::move(operands));
  expr->mapOp = op;
  expr->scalar = scalar;
  expr->range = isSame && op == MapOp::Mul ? rangeOfSquare(ranges[0])
                                           : rangeOfMap(op, ranges);
  if (scalar == Expr::Scalar::Integer)
    expr->range = wrapped(expr->range);
  return expr;
}

ExprPtr Builder::power(ExprPtr base, ExprPtr exponent, Location at) const {
  if (!base || !exponent)
    return nullptr;
  bool isSmall = isNumber(exponent) && !isNumber(base) &&
                 (exponent->number == 2 || exponent->number == 4);
  if (!isSmall)
    return map(MapOp::Pow, {base, exponent}, at);
  ExprPtr square = map(MapOp::Mul, {base, base}, at);
  return exponent->number == 2 ? square : map(MapOp::Mul, {square, square}, at);
}

int64_t Builder::elements(const Axes &axes) const {
  int64_t count = 1;
  for (AxisId axis : axes)
    count =
        std::min<int64_t>(count * program.axes[axis].size, int64_t(1) << 40);
  return count;
}

ExprPtr Builder::contract(ExprPtr a, ExprPtr b, Location at) const {
  if (!a || !b)
    return nullptr;
  Axes over = common(a->axes, b->axes);
  Interval term = isSameValue(a, b)
                      ? rangeOfSquare(a->range)
                      : rangeOfMap(MapOp::Mul, {a->range, b->range});
  auto expr = start(Expr::Kind::Contract, at, {std::move(a), std::move(b)});
  expr->axes = without(expr->axes, over);
  expr->range = rangeOfSum(term, elements(over));
  expr->over = std::move(over);
  return expr;
}

ExprPtr Builder::reduce(ReduceOp op, ExprPtr x, Axes over, Location at) const {
  if (!x)
    return nullptr;
  auto expr = passing(Expr::Kind::Reduce, at, x);
  expr->axes = without(expr->axes, over);
  expr->reduceOp = op;
  if (op == ReduceOp::Sum)
    expr->range = rangeOfSum(x->range, elements(over));
  if (expr->scalar == Expr::Scalar::Integer)
    expr->range = wrapped(expr->range);
  expr->over = std::move(over);
  return expr;
}

ExprPtr Builder::reduceHeads(ReduceOp op, ExprPtr x, Sharing to,
                             Location at) const {
  if (!x)
    return nullptr;
  auto expr = passing(Expr::Kind::ReduceHeads, at, x);
  expr->reduceOp = op;
  expr->sharing = to;
  if (op == ReduceOp::Sum)
    expr->range = rangeOfOpenSum(x->range);
  if (op == ReduceOp::Mean)
    expr->scalar = Expr::Scalar::Real;
  return expr;
}

ExprPtr Builder::rename(ExprPtr x, AxisId from, AxisId to, Location at) const {
  if (!x)
    return nullptr;
  auto expr = passing(Expr::Kind::Rename, at, x);
  expr->axes = unite(without(expr->axes, {from}), {to});
  expr->from = from;
  expr->to = to;
  return expr;
}

ExprPtr Builder::pick(ExprPtr x, AxisId axis, int64_t index,
                      Location at) const {
  if (!x)
    return nullptr;
  auto expr = passing(Expr::Kind::Pick, at, x);
  expr->axes = without(expr->axes, {axis});
  expr->from = axis;
  expr->index = static_cast<int>(index);
  return expr;
}

ExprPtr Builder::repeat(ExprPtr x, AxisId from, AxisId to, Location at) const {
  if (!x)
    return nullptr;
  auto expr = passing(Expr::Kind::Repeat, at, x);
  expr->axes = unite(without(expr->axes, {from}), {to});
  expr->from = from;
  expr->to = to;
  return expr;
}

ExprPtr Builder::cast(ExprPtr x, DType dtype, Location at) const {
  if (!x)
    return nullptr;
  bool isInteger = dtype == DType::I32;
  if (!isInteger)
    x = asReal(x);
  auto expr = passing(Expr::Kind::Cast, at, x);
  expr->scalar = isInteger ? Expr::Scalar::Integer : Expr::Scalar::Real;
  expr->dtype = dtype;
  expr->range = rangeOfCast(dtype, x->range);
  return expr;
}

ExprPtr Builder::prefixSum(ExprPtr x, Location at) const {
  if (!x)
    return nullptr;
  x = asReal(x);
  auto expr = passing(Expr::Kind::PrefixSum, at, x);
  expr->perToken = true;
  expr->range = rangeOfOpenSum(x->range);
  if (expr->scalar == Expr::Scalar::Integer)
    expr->range = wrapped(expr->range);
  return expr;
}

ExprPtr Builder::stop(ExprPtr x, Location at) const {
  return x ? ExprPtr(passing(Expr::Kind::Stop, at, asReal(x))) : nullptr;
}

ExprPtr Builder::delay(ExprPtr x, int amount, Location at) const {
  if (!x)
    return nullptr;
  auto expr = passing(Expr::Kind::Delay, at, x);
  expr->amount = amount;
  expr->perToken = true;
  expr->range = hull(x->range, closed(0, 0));
  return expr;
}

ExprPtr Builder::bounded(ExprPtr x, Interval range) const {
  if (!x || isNumber(x))
    return x;
  auto expr = std::make_shared<Expr>(*x);
  expr->range = intersect(expr->range, range);
  return expr;
}

} // namespace trowel::sema
