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
  APInt integer = elements.getSplatValue<APInt>();
  // A condition's one is 1, not -1.
  return (integer.getBitWidth() == 1
              ? double(integer.getZExtValue())
              : double(integer.getSExtValue())) == number;
}

mlir::Location ValueBuilder::getLocation() const {
  return location ? *location : builder.getUnknownLoc();
}

RankedTensorType ValueBuilder::type(ArrayRef<StringAttr> axes,
                                    Type element) const {
  return order.type(builder.getContext(), axes,
                    element ? element : builder.getF32Type());
}

/// A type with axes of the operands, at the sizes that they have there.
static RankedTensorType typeFrom(ArrayRef<Value> operands,
                                 ArrayRef<StringAttr> axes, Type element) {
  SmallVector<int64_t> shape;
  for (StringAttr axis : axes)
    for (Value operand : operands)
      if (hasAxis(operand, axis)) {
        shape.push_back(axisSize(operand, axis));
        break;
      }
  return RankedTensorType::get(shape, element,
                               AxesAttr::get(element.getContext(), axes));
}

Value ValueBuilder::remember(Operation *op) {
  // What a pass notes in discardable attributes makes no value another one.
  constexpr auto flags = OperationEquivalence::IgnoreLocations |
                         OperationEquivalence::IgnoreDiscardableAttrs;
  llvm::hash_code hash = OperationEquivalence::computeHash(
      op, OperationEquivalence::directHashValue,
      OperationEquivalence::ignoreHashValue, flags);
  for (Operation *other : known[hash]) {
    if (other->getBlock() != op->getBlock() ||
        !OperationEquivalence::isEquivalentTo(other, op, flags))
      continue;
    op->erase();
    return other->getResult(0);
  }
  known[hash].push_back(op);
  return op->getResult(0);
}

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

Value ValueBuilder::constant(double value, ArrayRef<StringAttr> axes,
                             Type element) {
  RankedTensorType resultType = type(axes, element);
  DenseElementsAttr attribute;
  if (isa<FloatType>(resultType.getElementType()))
    attribute = DenseElementsAttr::get(type(axes, builder.getF64Type()), value);
  else if (resultType.getElementType().isInteger(1))
    attribute = DenseElementsAttr::get(resultType, value != 0);
  else
    attribute = DenseElementsAttr::get(resultType, static_cast<int32_t>(value));
  return remember(ConstantOp::create(builder, getLocation(), resultType,
                                     cast<TypedAttr>(Attribute(attribute))));
}

Value ValueBuilder::positionsAlong(ArrayRef<StringAttr> axes) {
  RankedTensorType resultType = type(axes);
  SmallVector<double> numbers;
  for (int64_t i = 0; i < resultType.getNumElements(); ++i)
    numbers.push_back(static_cast<double>(i));
  Attribute elements = DenseElementsAttr::get(type(axes, builder.getF64Type()),
                                              ArrayRef<double>(numbers));
  return remember(ConstantOp::create(builder, getLocation(), resultType,
                                     cast<TypedAttr>(elements)));
}

Value ValueBuilder::splat(double value, ArrayRef<StringAttr> axes) {
  return constant(value, axes, builder.getF32Type());
}

Value ValueBuilder::oneHot(StringAttr axis, int64_t index) {
  SmallVector<double> numbers(order.size(axis), 0);
  numbers[index] = 1;
  auto attribute = DenseElementsAttr::get(type({axis}, builder.getF64Type()),
                                          ArrayRef<double>(numbers));
  return remember(ConstantOp::create(builder, getLocation(), type({axis}),
                                     cast<TypedAttr>(Attribute(attribute))));
}

Value ValueBuilder::real(double value) { return splat(value, {}); }

Value ValueBuilder::integer(int64_t value) {
  return constant(static_cast<double>(value), {}, builder.getI32Type());
}

static Type elementOf(MapKind kind, ArrayRef<Value> operands) {
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
    return elementOf(operands[1]);
  default:
    return elementOf(operands[0]);
  }
}

/// The operand that `kind` leaves as it is, if a zero or one makes it so.
static Value foldIdentity(MapKind kind, ArrayRef<Value> operands) {
  auto is = [&](int i, double number) {
    return isConstant(operands[i], number);
  };
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
  RankedTensorType resultType =
      typeFrom(operands, axes, elementOf(kind, operands));
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
  return remember(ContractOp::create(builder, getLocation(),
                                     typeFrom({lhs, rhs}, kept, elementOf(lhs)),
                                     lhs, rhs, builder.getArrayAttr(names)));
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
  return remember(ReduceOp::create(
      builder, getLocation(), typeFrom({operand}, kept, elementOf(operand)),
      kind, operand, builder.getArrayAttr(names)));
}

Value ValueBuilder::rename(Value operand, StringAttr from, StringAttr to) {
  SmallVector<StringAttr> renamed(axesOf(operand));
  llvm::replace(renamed, from, to);
  // The axis moves to its new name's place in the canonical order.
  SmallVector<StringAttr> axes = order.unite(renamed, {});
  SmallVector<int64_t> shape;
  for (StringAttr axis : axes)
    shape.push_back(axisSize(operand, axis == to ? from : axis));
  auto resultType = RankedTensorType::get(
      shape, elementOf(operand), AxesAttr::get(builder.getContext(), axes));
  return remember(
      RenameOp::create(builder, getLocation(), resultType, operand, from, to));
}

Value ValueBuilder::pick(Value operand, StringAttr axis, int64_t index) {
  SmallVector<StringAttr> axes;
  for (StringAttr name : axesOf(operand))
    if (name != axis)
      axes.push_back(name);
  return remember(PickOp::create(builder, getLocation(),
                                 typeFrom({operand}, axes, elementOf(operand)),
                                 operand, axis, index));
}

Value ValueBuilder::stack(ArrayRef<Value> parts, StringAttr axis) {
  SmallVector<StringAttr> axes = order.unite(axesOf(parts.front()), {axis});
  SmallVector<int64_t> shape;
  for (StringAttr name : axes)
    shape.push_back(name == axis ? static_cast<int64_t>(parts.size())
                                 : axisSize(parts.front(), name));
  auto resultType =
      RankedTensorType::get(shape, elementOf(parts.front()),
                            AxesAttr::get(builder.getContext(), axes));
  return remember(
      StackOp::create(builder, getLocation(), resultType, parts, axis));
}

Value ValueBuilder::repeat(Value operand, StringAttr from, StringAttr to) {
  SmallVector<StringAttr> axes(axesOf(operand));
  llvm::replace(axes, from, to);
  return remember(RepeatOp::create(builder, getLocation(),
                                   type(axes, elementOf(operand)), operand,
                                   from, to));
}

Value ValueBuilder::round(Value operand, DTypeKind dtype) {
  Type element = dtype == DTypeKind::I32 ? Type(builder.getI32Type())
                                         : Type(builder.getF32Type());
  return remember(CastOp::create(
      builder, getLocation(), type(axesOf(operand), element), operand, dtype));
}

Value ValueBuilder::delay(Value operand, int64_t amount) {
  return remember(DelayOp::create(builder, getLocation(), operand.getType(),
                                  operand, amount,
                                  /*reverse=*/false, /*saved=*/StringAttr()));
}

Value ValueBuilder::stop(Value operand) {
  return remember(
      StopOp::create(builder, getLocation(), operand.getType(), operand));
}

Value ValueBuilder::reduceHeads(ReduceKind kind, Value operand,
                                SharingKind to) {
  return remember(ReduceHeadsOp::create(builder, getLocation(),
                                        operand.getType(), kind, operand, to));
}

Value ValueBuilder::spread(Value operand, ArrayRef<StringAttr> axes) {
  SmallVector<StringAttr> missing;
  for (StringAttr axis : axes)
    if (!hasAxis(operand, axis))
      missing.push_back(axis);
  return missing.empty() ? operand : mul(operand, splat(1, missing));
}

} // namespace trowel::rec
