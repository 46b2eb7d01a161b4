// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums over a stage's states: rows, reads of every axis, and outputs across the
// value axes.

#include "passes/Normalize/StageForm.h"

#include "passes/Normalize/Obstacles.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::axesOf;

namespace trowel {

static std::string listAxes(ArrayRef<StringAttr> axes) {
  std::string text = "[";
  for (auto [i, axis] : llvm::enumerate(axes))
    text += (i ? ", " : "") + axis.getValue().str();
  return text + "]";
}

static SmallVector<StringAttr> without(ArrayRef<StringAttr> axes,
                                       ArrayRef<StringAttr> others) {
  SmallVector<StringAttr> left(axes);
  llvm::erase_if(
      left, [&](StringAttr axis) { return llvm::is_contained(others, axis); });
  return left;
}

bool StageForm::sumsEveryKey(const LinearForm &form,
                             ArrayRef<StringAttr> over) const {
  return llvm::all_of(form.states, [&](const auto &term) {
    return llvm::all_of(keyAxes(term.first), [&](StringAttr axis) {
      return llvm::is_contained(over, axis);
    });
  });
}

bool StageForm::visitSum(Operation *op, Value summed, Value factor,
                         ArrayRef<StringAttr> over) {
  const LinearForm form = forms.find(summed)->second;
  if (factor && !mayUse(op, factor))
    return makeOpaque(op, "the state is read with a value of a later stage");
  auto isValue = [&](StringAttr axis) { return axes.isValue(axis); };
  if (llvm::none_of(over, isValue))
    return read(op, summed, factor, over);
  bool anyKey = !llvm::all_of(over, isValue);
  bool allValue = !anyKey && over.size() == axes.value.size();
  if (!form.isRead() && (allValue || !slice.contains(op))) {
    bool keysFirst = anyKey && sumsEveryKey(form, over) &&
                     (!factor || algebra.separate(factor));
    return keysFirst ? readEverywhere(op, summed, factor, over)
                     : readAcross(op, summed, factor, over);
  }
  if (allValue && form.contracted && slice.contains(op))
    return readScalar(op, form, factor, over);
  if (anyKey && slice.contains(op))
    return readEverywhere(op, summed, factor, over);
  return makeOpaque(op, "the state, or a read of it, is summed along " +
                            listAxes(over) +
                            ", which the stage's other reads keep apart");
}

/// Contracts axes that are no value axes: the result is a vector on the value
/// axes, with the axes that are left open.
bool StageForm::read(Operation *op, Value summed, Value factor,
                     ArrayRef<StringAttr> over) {
  if (!factor)
    factor = values.real(1);
  std::optional<Factor> parts = algebra.separate(factor);
  if (!parts)
    return makeOpaque(op, inseparable(factor, op->getLoc()));
  Obstacle why{op->getLoc(), ""};
  std::optional<LinearForm> form = meet(summed, axesOf(parts->key), why);
  if (!form)
    return makeOpaque(op, why);
  LinearForm result;
  result.contracted = axes.onlyValue(op->getResult(0));
  result.summed = form->summed;
  for (const auto &[state, known] : form->states) {
    Factor product = algebra.multiply(known, *parts);
    SmallVector<StringAttr> keys = keyAxes(state), summedKeys, others;
    Value coefficient = product.key;
    for (StringAttr axis : over)
      (llvm::is_contained(keys, axis) ? summedKeys : others).push_back(axis);
    contractsKeys |= !summedKeys.empty();
    result.summed = values.getOrder().unite(result.summed, summedKeys);
    coefficient = values.contract(coefficient, values.real(1), others);
    algebra.accumulate(result.states, state, {coefficient, product.value});
  }
  for (const auto &[row, known] : form->rows) {
    SmallVector<StringAttr> left(over);
    Place at;
    for (const auto &[axis, index] : known.at)
      if (llvm::is_contained(left, axis))
        llvm::erase(left, axis);
      else
        at.push_back({axis, index});
    Value key =
        values.contract(known.key, algebra.pick(parts->key, known.at), left);
    Value onValue = algebra.multiply(known, *parts).value;
    algebra.accumulate(result.rows, row, {key, onValue, at});
  }
  if (form->constant)
    result = withConstant(std::move(result),
                          values.contract(form->constant, factor, over));
  forms[op->getResult(0)] =
      result.contracted ? closed(std::move(result)) : result;
  return true;
}

/// Contracts key and value axes at once: the keys first, then what is left.
bool StageForm::readEverywhere(Operation *op, Value summed, Value factor,
                               ArrayRef<StringAttr> over) {
  std::optional<Factor> parts =
      factor ? algebra.separate(factor) : Factor{values.real(1), Value()};
  if (!parts)
    return makeOpaque(op, inseparable(factor, op->getLoc()));
  SmallVector<StringAttr> keys, rest;
  for (StringAttr axis : over)
    (axes.isValue(axis) ? rest : keys).push_back(axis);
  if (slice.contains(op) && rest.size() != axes.value.size())
    return makeOpaque(op, readsDiffer(op, over, axes.key));
  Value vector = values.contract(parts->key, summed, keys);
  if (slice.contains(op))
    slice.insert(vector.getDefiningOp());
  if (!forms.count(vector) && !opaque.count(vector))
    read(vector.getDefiningOp(), summed, parts->key, keys);
  if (problem)
    return false;
  if (slice.contains(op) && forms.count(vector)) {
    LinearForm form = forms.find(vector)->second;
    if (!form.contracted)
      return makeOpaque(op, readsDiffer(op, over, axes.key));
    return readScalar(op, form, parts->value, rest);
  }
  if (!materialise(vector))
    return false;
  Value scalar = values.contract(
      vector, parts->value ? parts->value : values.real(1), rest);
  rewritten.push_back({op->getResult(0), scalar});
  opaque.insert({op->getResult(0), readsDiffer(op, over, axes.key)});
  return true;
}

/// Contracts what a contracted form has left: a scalar that is solved for.
bool StageForm::readScalar(Operation *op, const LinearForm &form, Value factor,
                           ArrayRef<StringAttr> over) {
  if (factor && !axes.onlyValue(factor))
    return makeOpaque(op, "the read is summed with a factor on other axes");
  LinearForm result, vectors = form;
  result.contracted = true;
  vectors.scalars.clear();
  Value weight = factor ? factor : values.real(1);
  for (const auto &[index, coefficient] : form.scalars)
    result.scalars.push_back(
        {index, values.contract(coefficient, weight, over)});
  if (vectors.states.empty() && vectors.rows.empty()) {
    if (form.constant)
      result.constant = values.contract(form.constant, weight, over);
  } else {
    scalarList.push_back(
        {makeRow(vectors, op->getLoc()), values.spread(weight, axes.value)});
    result.scalars.push_back(
        {static_cast<unsigned>(scalarList.size() - 1), values.real(1)});
  }
  forms[op->getResult(0)] = result;
  return true;
}

/// Contracts value axes and leaves key axes: an output. Value axes that are
/// left, and axes that no state has, are taken position by position.
bool StageForm::readAcross(Operation *op, Value summed, Value factor,
                           ArrayRef<StringAttr> over) {
  if (!factor)
    factor = values.real(1);
  SmallVector<StringAttr> apart = without(axes.value, over);
  llvm::append_range(apart, without(values.getOrder().unite(openAxes(summed),
                                                            openAxes(factor)),
                                    axes.key));
  if (countPlaces(apart, values.getOrder()) > mostRows)
    return makeOpaque(op, tooManyRows(op, apart, values.getOrder()));
  SmallVector<Value> parts;
  for (const Place &place : placesAlong(apart, values.getOrder())) {
    std::optional<Factor> here =
        algebra.separate(algebra.pickWithin(factor, place));
    if (!here)
      return makeOpaque(op, inseparable(factor, op->getLoc()));
    Value part = acrossAt(op, summed, *here, place);
    parts.push_back(values.reduce(rec::ReduceKind::Sum, part,
                                  without(without(over, axes.value), apart)));
  }
  rewritten.push_back({op->getResult(0), assemble(parts, apart, over)});
  opaque.insert({op->getResult(0), readsDiffer(op, over, axes.key)});
  return true;
}

/// A place's part: all key axes are left.
Value StageForm::acrossAt(Operation *op, Value summed, Factor with,
                          const Place &place) {
  SmallVector<StringAttr> along =
      values.getOrder().unite(openAxes(summed), axesOf(with.key));
  Place extra;
  Value vector = with.value ? with.value : values.real(1);
  for (const auto &[axis, index] : place) {
    if (axes.isValue(axis))
      vector = values.mul(vector, values.oneHot(axis, index));
    else
      extra.push_back({axis, index});
    llvm::erase(along, axis);
  }
  with.value = values.spread(vector, axes.value);
  return across(at(forms.find(summed)->second, extra), with, along,
                op->getLoc());
}

/// The form contracted with a vector of all value axes. Terms with different
/// value factors are reads of their own.
Value StageForm::across(const LinearForm &form, const Factor &with,
                        ArrayRef<StringAttr> along, Location location) {
  llvm::MapVector<Value, Across> byVector;
  auto vectorOf = [&](const Factor &known) {
    return known.value ? values.mul(known.value, with.value) : with.value;
  };
  for (const auto &[state, known] : form.states) {
    Across &across = byVector[vectorOf(known)];
    across.reads.push_back({state, values.mul(known.key, with.key)});
  }
  for (auto &[vector, across] : byVector)
    across.vector = vector;
  if (byVector.empty())
    byVector[Value()] = Across();
  Across &first = byVector.front().second;
  for (const auto &[row, known] : form.rows) {
    Value key = algebra.multiply(known, {with.key, Value()}).key;
    for (const auto &[axis, index] : known.at)
      key = values.mul(key, values.oneHot(axis, index));
    first.rows.push_back({row, key, vectorOf(known)});
  }
  if (form.constant)
    first.value = values.contract(form.constant,
                                  values.mul(with.key, with.value), axes.value);
  Value sum;
  for (auto &[vector, across] : byVector) {
    across.replaced = placeholder(location, along);
    acrossList.push_back(across);
    sum = sum ? values.add(sum, across.replaced) : across.replaced;
  }
  return sum;
}

} // namespace trowel
