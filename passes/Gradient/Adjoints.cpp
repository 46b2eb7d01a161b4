// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Gradient/Adjoints.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::axesOf;
using trowel::rec::MapKind;

namespace trowel {

bool Adjoints::hasGradient(Value value) {
  Operation *op = value.getDefiningOp();
  return isa<FloatType>(getElementTypeOrSelf(value)) &&
         !isa_and_nonnull<rec::ConstantOp, rec::PositionOp>(op);
}

/// The axes of `from` that `value` lacks.
static SmallVector<StringAttr> missing(Value value, Value from) {
  SmallVector<StringAttr> result;
  for (StringAttr axis : axesOf(from))
    if (!rec::hasAxis(value, axis))
      result.push_back(axis);
  return result;
}

Value Adjoints::fit(Value gradient, Value primal) {
  Value summed =
      values.reduce(rec::ReduceKind::Sum, gradient, missing(primal, gradient));
  return values.spread(summed, axesOf(primal));
}

void Adjoints::add(Value primal, Value gradient) {
  if (!gradient || !hasGradient(primal) || rec::isConstant(gradient, 0))
    return;
  Value fitted = fit(gradient, primal);
  bool mask = isMasked(gradient);
  Value &sum = sums[primal];
  if (sum) {
    mask |= isMasked(sum);
    fitted = values.add(sum, fitted);
  }
  sum = fitted;
  if (mask)
    masked.insert(sum);
}

/// The product is summed at once over axes that neither has to keep.
void Adjoints::addProduct(Value primal, Value factor, Value gradient) {
  if (!gradient || !hasGradient(primal))
    return;
  SmallVector<StringAttr> over = missing(primal, gradient);
  for (StringAttr axis : missing(primal, factor))
    if (!llvm::is_contained(over, axis))
      over.push_back(axis);
  Value product = over.empty() ? values.mul(factor, gradient)
                               : values.contract(factor, gradient, over);
  if (isMasked(gradient))
    masked.insert(product);
  add(primal, product);
}

bool Adjoints::propagate(Operation *op) {
  if (isa<rec::ConstantOp, rec::PositionOp, rec::StopOp, rec::InputOp,
          rec::ParamOp, rec::StateOp>(op))
    return true;
  if (op->getNumResults() != 1 || op->getNumRegions() != 0)
    return false;
  Value gradient = of(op->getResult(0));
  if (!gradient)
    return true;
  values.setLocation(op->getLoc());
  if (auto map = dyn_cast<rec::MapOp>(op)) {
    propagateMap(map, gradient);
  } else if (auto contract = dyn_cast<rec::ContractOp>(op)) {
    propagateContract(contract, gradient);
  } else if (auto reduce = dyn_cast<rec::ReduceOp>(op)) {
    propagateReduce(reduce, gradient);
  } else if (auto rename = dyn_cast<rec::RenameOp>(op)) {
    add(rename.getOperand(),
        values.rename(gradient, rename.getToAttr(), rename.getFromAttr()));
  } else if (auto pick = dyn_cast<rec::PickOp>(op)) {
    propagatePick(pick, gradient);
  } else if (auto stack = dyn_cast<rec::StackOp>(op)) {
    for (auto [i, value] : llvm::enumerate(stack.getValues()))
      add(value, values.pick(gradient, stack.getAxisAttr(), i));
  } else if (auto repeat = dyn_cast<rec::RepeatOp>(op)) {
    propagateRepeat(repeat, gradient);
  } else if (auto cast = dyn_cast<rec::CastOp>(op)) {
    if (cast.getDtype() != rec::DTypeKind::I32)
      add(cast.getOperand(), gradient);
  } else if (auto delay = dyn_cast<rec::DelayOp>(op)) {
    auto later = rec::DelayOp::create(values.getBuilder(), op->getLoc(),
                                      gradient.getType(), gradient,
                                      delay.getAmount(), !delay.getReverse(),
                                      /*saved=*/StringAttr());
    add(delay.getOperand(), later);
  } else {
    return false;
  }
  return true;
}

void Adjoints::propagateContract(rec::ContractOp op, Value gradient) {
  addProduct(op.getLhs(), op.getRhs(), gradient);
  addProduct(op.getRhs(), op.getLhs(), gradient);
}

/// Of several largest elements the first takes the gradient.
void Adjoints::propagateReduce(rec::ReduceOp op, Value gradient) {
  Value operand = op.getOperand();
  if (op.getKind() == rec::ReduceKind::Sum) {
    add(operand, values.spread(gradient, axesOf(operand)));
    return;
  }
  SmallVector<StringAttr> axes = rec::stringsOf(op.getAxes());
  Value position = values.positionsAlong(axes);
  Value isLargest = values.map(MapKind::Eq, {operand, op.getResult()});
  Value last =
      values.real(static_cast<double>(values.type(axes).getNumElements()));
  Value candidate = values.map(MapKind::Where, {isLargest, position, last});
  Value first = values.neg(
      values.reduce(rec::ReduceKind::Max, values.neg(candidate), axes));
  addSelected(operand, values.map(MapKind::Eq, {position, first}), gradient,
              /*negated=*/false);
}

void Adjoints::propagatePick(rec::PickOp op, Value gradient) {
  Value position = values.positionsAlong({op.getAxisAttr()});
  Value here = values.map(
      MapKind::Eq, {position, values.real(static_cast<double>(op.getIndex()))});
  Value zero = values.real(0);
  add(op.getOperand(), values.map(MapKind::Where, {here, gradient, zero}));
}

/// Sums the gradients of an element's repetitions: a product with zeros and
/// ones.
void Adjoints::propagateRepeat(rec::RepeatOp op, Value gradient) {
  int64_t from = rec::axisSize(op.getOperand(), op.getFromAttr());
  int64_t to = rec::axisSize(op.getResult(), op.getToAttr());
  Value coarse = values.positionsAlong({op.getFromAttr()});
  Value fine = values.positionsAlong({op.getToAttr()});
  Value block = values.map(
      MapKind::Floor,
      {values.map(MapKind::Div,
                  {fine, values.real(static_cast<double>(to / from))})});
  Value belongs =
      values.map(MapKind::Where, {values.map(MapKind::Eq, {coarse, block}),
                                  values.real(1), values.real(0)});
  addProduct(op.getOperand(), belongs, gradient);
}

} // namespace trowel
