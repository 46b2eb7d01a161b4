// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Rec/ValueBuilder.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel::rec {

bool isConstant(Value value, double number) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return false;
  auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!elements || !elements.isSplat())
    return false;
  if (isa<FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>().convertToDouble() == number;
  return elements.getSplatValue<APInt>().getSExtValue() == number;
}

mlir::Location ValueBuilder::getLocation() const {
  return location ? *location : builder.getUnknownLoc();
}

RankedTensorType ValueBuilder::type(ArrayRef<StringAttr> axes,
                                    Type element) const {
  return order.type(builder.getContext(), axes,
                    element ? element : builder.getF32Type());
}

Value ValueBuilder::remember(Operation *op) {
  llvm::hash_code hash = OperationEquivalence::computeHash(
      op, OperationEquivalence::directHashValue,
      OperationEquivalence::ignoreHashValue,
      OperationEquivalence::IgnoreLocations);
  for (Operation *other : known[hash]) {
    if (other->getBlock() != op->getBlock() ||
        !OperationEquivalence::isEquivalentTo(
            other, op, OperationEquivalence::IgnoreLocations))
      continue;
    op->erase();
    return other->getResult(0);
  }
  known[hash].push_back(op);
  return op->getResult(0);
}

Value ValueBuilder::splat(double value, ArrayRef<StringAttr> axes) {
  RankedTensorType resultType = type(axes);
  auto attribute = DenseElementsAttr::get(resultType, static_cast<float>(value));
  return remember(ConstantOp::create(builder, getLocation(), resultType,
                                     cast<TypedAttr>(Attribute(attribute))));
}

Value ValueBuilder::real(double value) { return splat(value, {}); }

Value ValueBuilder::integer(int64_t value) {
  RankedTensorType resultType = type({}, builder.getI32Type());
  auto attribute =
      DenseElementsAttr::get(resultType, static_cast<int32_t>(value));
  return remember(ConstantOp::create(builder, getLocation(), resultType,
                                     cast<TypedAttr>(Attribute(attribute))));
}

static Type elementOf(MapKind kind, ArrayRef<Value> operands) {
  auto element = [](Value v) {
    return cast<RankedTensorType>(v.getType()).getElementType();
  };
  MLIRContext *context = operands[0].getContext();
  switch (kind) {
  case MapKind::Lt:
  case MapKind::Le:
  case MapKind::Gt:
  case MapKind::Ge:
  case MapKind::Eq:
  case MapKind::Ne:
  case MapKind::And:
  case MapKind::Or:
  case MapKind::Not:
    return IntegerType::get(context, 1);
  case MapKind::ToReal:
    return Float32Type::get(context);
  case MapKind::Where:
    return element(operands[1]);
  default:
    return element(operands[0]);
  }
}

/// The operand that `kind` leaves as it is, if a zero or one makes it so.
static Value foldIdentity(MapKind kind, ArrayRef<Value> operands) {
  auto is = [&](int i, double number) { return isConstant(operands[i], number); };
  switch (kind) {
  case MapKind::Add:
    return is(0, 0) ? operands[1] : is(1, 0) ? operands[0] : Value();
  case MapKind::Sub:
    return is(1, 0) ? operands[0] : Value();
  case MapKind::Mul:
    return is(0, 1) ? operands[1] : is(1, 1) ? operands[0] : Value();
  case MapKind::Div:
    return is(1, 1) ? operands[0] : Value();
  default:
    return Value();
  }
}

Value ValueBuilder::map(MapKind kind, ArrayRef<Value> operands) {
  SmallVector<StringAttr> axes;
  for (Value operand : operands)
    axes = order.unite(axes, axesOf(operand));
  RankedTensorType resultType = type(axes, elementOf(kind, operands));
  if (Value same = foldIdentity(kind, operands))
    if (same.getType() == resultType)
      return same;
  if (kind == MapKind::Neg)
    if (auto inner = operands[0].getDefiningOp<MapOp>())
      if (inner.getKind() == MapKind::Neg)
        return inner.getOperand(0);
  return remember(
      MapOp::create(builder, getLocation(), resultType, kind, operands));
}

Value ValueBuilder::contract(Value lhs, Value rhs, ArrayRef<StringAttr> axes) {
  SmallVector<StringAttr> common, onlyLeft, onlyRight;
  for (StringAttr axis : axes) {
    bool left = hasAxis(lhs, axis), right = hasAxis(rhs, axis);
    if (left && right)
      common.push_back(axis);
    else if (left)
      onlyLeft.push_back(axis);
    else if (right)
      onlyRight.push_back(axis);
    else // a sum of equal terms
      lhs = mul(lhs, real(static_cast<double>(order.size(axis))));
  }
  if (!onlyLeft.empty())
    lhs = reduce(ReduceKind::Sum, lhs, onlyLeft);
  if (!onlyRight.empty())
    rhs = reduce(ReduceKind::Sum, rhs, onlyRight);
  if (common.empty())
    return mul(lhs, rhs);
  SmallVector<StringAttr> kept;
  for (StringAttr axis : order.unite(axesOf(lhs), axesOf(rhs)))
    if (!llvm::is_contained(common, axis))
      kept.push_back(axis);
  SmallVector<Attribute> names(common.begin(), common.end());
  return remember(ContractOp::create(builder, getLocation(), type(kept), lhs,
                                     rhs, builder.getArrayAttr(names)));
}

Value ValueBuilder::reduce(ReduceKind kind, Value operand,
                           ArrayRef<StringAttr> axes) {
  if (axes.empty())
    return operand;
  SmallVector<StringAttr> kept;
  for (StringAttr axis : axesOf(operand))
    if (!llvm::is_contained(axes, axis))
      kept.push_back(axis);
  SmallVector<Attribute> names(axes.begin(), axes.end());
  Type element = cast<RankedTensorType>(operand.getType()).getElementType();
  return remember(ReduceOp::create(builder, getLocation(), type(kept, element),
                                   kind, operand, builder.getArrayAttr(names)));
}

Value ValueBuilder::rename(Value operand, StringAttr from, StringAttr to) {
  SmallVector<StringAttr> axes(axesOf(operand));
  llvm::replace(axes, from, to);
  Type element = cast<RankedTensorType>(operand.getType()).getElementType();
  return remember(RenameOp::create(builder, getLocation(), type(axes, element),
                                   operand, from, to));
}

Value ValueBuilder::pick(Value operand, StringAttr axis, int64_t index) {
  SmallVector<StringAttr> axes;
  for (StringAttr name : axesOf(operand))
    if (name != axis)
      axes.push_back(name);
  Type element = cast<RankedTensorType>(operand.getType()).getElementType();
  return remember(PickOp::create(builder, getLocation(), type(axes, element),
                                 operand, axis, index));
}

Value ValueBuilder::spread(Value operand, ArrayRef<StringAttr> axes) {
  SmallVector<StringAttr> missing;
  for (StringAttr axis : axes)
    if (!hasAxis(operand, axis))
      missing.push_back(axis);
  return missing.empty() ? operand : mul(operand, splat(1, missing));
}

} // namespace trowel::rec
