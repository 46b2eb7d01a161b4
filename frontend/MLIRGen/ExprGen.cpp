// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "frontend/MLIRGen/ExprGen.h"

#include "frontend/MLIRGen/SourceLocation.h"

#include "llvm/Support/ErrorHandling.h"

#include <cmath>

using namespace mlir;

namespace trowel {

rec::DTypeKind dtypeKind(DType dtype) {
  static_assert(int(DType::F32) == int(rec::DTypeKind::F32) &&
                int(DType::E4M3) == int(rec::DTypeKind::E4M3) &&
                int(DType::I32) == int(rec::DTypeKind::I32));
  return static_cast<rec::DTypeKind>(dtype);
}

rec::SharingKind sharingKind(Sharing sharing) {
  static_assert(int(Sharing::Shared) == int(rec::SharingKind::Shared) &&
                int(Sharing::Head) == int(rec::SharingKind::Head));
  return static_cast<rec::SharingKind>(sharing);
}

static rec::MapKind mapKind(MapOp op) {
  static_assert(int(MapOp::Neg) == int(rec::MapKind::Neg) &&
                int(MapOp::Not) == int(rec::MapKind::Not) &&
                int(MapOp::Max) == int(rec::MapKind::Max) &&
                int(MapOp::Lt) == int(rec::MapKind::Lt) &&
                int(MapOp::Where) == int(rec::MapKind::Where));
  return static_cast<rec::MapKind>(op);
}

static rec::ReduceKind reduceKind(ReduceOp op) {
  static_assert(int(ReduceOp::Sum) == int(rec::ReduceKind::Sum) &&
                int(ReduceOp::Mean) == int(rec::ReduceKind::Mean));
  return static_cast<rec::ReduceKind>(op);
}

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

//===----------------------------------------------------------------------===//
// Names, types, places
//===----------------------------------------------------------------------===//

StringAttr ExprGen::name(AxisId axis) const {
  return StringAttr::get(fileName.getContext(), program.axes[axis].name);
}

SmallVector<StringAttr> ExprGen::names(const std::vector<AxisId> &axes) const {
  return llvm::map_to_vector(axes, [&](AxisId axis) { return name(axis); });
}

RankedTensorType ExprGen::type(const std::vector<AxisId> &axes, Type element) {
  return values.type(names(axes), element);
}

Type ExprGen::elementType(DType dtype) {
  return elementType(dtype == DType::I32 ? Expr::Scalar::Integer
                                         : Expr::Scalar::Real);
}

Type ExprGen::elementType(Expr::Scalar scalar) {
  OpBuilder &builder = values.getBuilder();
  switch (scalar) {
  case Expr::Scalar::Real:
    return builder.getF32Type();
  case Expr::Scalar::Integer:
    return builder.getI32Type();
  case Expr::Scalar::Boolean:
    return builder.getI1Type();
  }
  llvm_unreachable("no such scalar");
}

void ExprGen::place(const Expr &expr) {
  values.setLocation(mlirLocation(
      fileName, expr.location.isKnown() ? expr.location : statement));
}

void ExprGen::beginStatement(Location location) {
  statement = location;
  values.setLocation(mlirLocation(fileName, location));
  done.clear();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value ExprGen::convert(Value value, Type element) {
  Type own = elementOf(value);
  if (own == element)
    return value;
  OpBuilder &builder = values.getBuilder();
  if (element.isF32())
    return values.map(rec::MapKind::ToReal, {value});
  // A condition where a whole number is asked for.
  assert(own.isInteger(1) && element.isInteger(32) && "no such conversion");
  Type integer = builder.getI32Type();
  return values.map(rec::MapKind::Where,
                    {value, values.constant(1, {}, integer),
                     values.constant(0, {}, integer)});
}

Value ExprGen::filling(const Expr &expr, const std::vector<AxisId> &shape,
                       Type element) {
  if (expr.kind == Expr::Kind::Number) {
    place(expr);
    return values.constant(expr.number, names(shape), element);
  }
  Value result = convert(value(expr), element);
  assert(result.getType() == type(shape, element) && "checked: the same axes");
  return result;
}

Value ExprGen::value(const Expr &expr) {
  auto known = done.find(&expr);
  if (known != done.end())
    return known->second;
  Value built = build(expr);
  done[&expr] = built;
  return built;
}

Value ExprGen::named(const Let &let) {
  Value result = value(*let.value);
  Operation *op = result.getDefiningOp();
  if (!isa<rec::ConstantOp>(op) && rec::nameOf(result).empty())
    op->setDiscardableAttr("let", StringAttr::get(op->getContext(), let.name));
  return result;
}

SmallVector<Value> ExprGen::operandsOf(const Expr &expr) {
  SmallVector<Value> operands;
  for (const ExprPtr &operand : expr.operands)
    operands.push_back(value(*operand));
  return operands;
}

Value ExprGen::build(const Expr &expr) {
  switch (expr.kind) {
  case Expr::Kind::Number:
    place(expr);
    return values.constant(expr.number, {}, elementType(expr.scalar));
  case Expr::Kind::Input:
    return inputs[expr.index];
  case Expr::Kind::Param:
    return params[expr.index];
  case Expr::Kind::State:
    return states[expr.index];
  case Expr::Kind::Let:
    return lets[expr.index];
  default:
    break;
  }
  SmallVector<Value> operands = operandsOf(expr);
  place(expr);
  Value result = buildOperation(expr, operands);
  assert(result.getType() == type(expr.axes, elementType(expr.scalar)) &&
         "an expression's axes are its value's");
  noteRange(result, expr);
  return result;
}

Value ExprGen::buildOperation(const Expr &expr, ArrayRef<Value> operands) {
  Type element = elementType(expr.scalar);
  switch (expr.kind) {
  case Expr::Kind::Position:
    return values.position();
  case Expr::Kind::Map:
    return buildMap(expr, operands);
  case Expr::Kind::Contract:
    return values.contract(convert(operands[0], element),
                           convert(operands[1], element), names(expr.over));
  case Expr::Kind::Reduce:
    return values.reduce(reduceKind(expr.reduceOp),
                         convert(operands[0], element), names(expr.over));
  case Expr::Kind::ReduceHeads:
    return values.reduceHeads(reduceKind(expr.reduceOp),
                              convert(operands[0], element),
                              sharingKind(expr.sharing));
  case Expr::Kind::Rename:
    return values.rename(operands[0], name(expr.from), name(expr.to));
  case Expr::Kind::Pick:
    return values.pick(operands[0], name(expr.from), expr.index);
  case Expr::Kind::Repeat:
    return values.repeat(operands[0], name(expr.from), name(expr.to));
  case Expr::Kind::Cast:
    return values.round(operands[0], dtypeKind(expr.dtype));
  case Expr::Kind::Delay:
    return values.delay(operands[0], expr.amount);
  case Expr::Kind::PrefixSum:
    return buildPrefixSum(expr, convert(operands[0], element));
  case Expr::Kind::Stop:
    return values.stop(operands[0]);
  default:
    llvm_unreachable("names and numbers have no operation");
  }
}

/// The element type that a map's operands are brought to; null: each its own.
static Type commonElement(MapOp op, ArrayRef<Value> operands, Type result) {
  bool isCondition = op >= MapOp::Lt && op <= MapOp::Ne;
  if (op == MapOp::And || op == MapOp::Or || op == MapOp::Not)
    return {};
  if (!isCondition)
    return result;
  // A comparison takes reals as soon as one operand is real.
  for (Value operand : operands)
    if (elementOf(operand).isF32())
      return elementOf(operand);
  return {};
}

Value ExprGen::buildMap(const Expr &expr, ArrayRef<Value> operands) {
  Type common = commonElement(expr.mapOp, operands, elementType(expr.scalar));
  bool isWhere = expr.mapOp == MapOp::Where;
  SmallVector<Value> converted;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    const Expr &source = *expr.operands[i];
    if (!common || (isWhere && i == 0))
      converted.push_back(operand);
    else if (source.kind == Expr::Kind::Number)
      converted.push_back(values.constant(source.number, {}, common));
    else
      converted.push_back(convert(operand, common));
  }
  return values.map(mapKind(expr.mapOp), converted);
}

Value ExprGen::buildPrefixSum(const Expr &expr, Value operand) {
  OpBuilder &builder = values.getBuilder();
  std::string name = "prefix_sum." + std::to_string(sums.size());
  bool integer = elementOf(operand).isInteger(32);
  SmallVector<Attribute> layout;
  for (StringAttr axis : rec::axesOf(operand))
    layout.push_back(axis);
  Value before = rec::StateOp::create(
      builder, values.getLocation(), operand.getType(), name,
      integer ? rec::DTypeKind::I32 : rec::DTypeKind::F32,
      sharingKind(expr.sharing), builder.getArrayAttr(layout),
      /*hidden=*/true, /*initial=*/Value());
  Value after = values.add(before, operand);
  sums.push_back({name, after, values.getLocation()});
  return after;
}

/// Notes the inferred range, unless it says nothing or the value is a
/// declaration or another expression's, which has its own.
void ExprGen::noteRange(Value value, const Expr &expr) {
  bool says = std::isfinite(expr.range.low) || std::isfinite(expr.range.high);
  Operation *op = value.getDefiningOp();
  if (!says ||
      isa<rec::InputOp, rec::ParamOp, rec::StateOp, rec::ConstantOp>(op))
    return;
  if (!op->getDiscardableAttr("range"))
    op->setDiscardableAttr("range", values.getBuilder().getF64ArrayAttr(
                                        {expr.range.low, expr.range.high}));
}

} // namespace trowel
