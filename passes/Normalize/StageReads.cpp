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

bool StageForm::visitSum(Operation *op, Value summed, Value factor,
                         ArrayRef<StringAttr> over) {
  const LinearForm form = forms.find(summed)->second;
  if (factor && !mayUse(op, factor))
    return makeOpaque(op, "the state is read with a value of a later stage");
  bool anyValue = llvm::any_of(over, [&](StringAttr a) { return axes.isValue(a); });
  if (!anyValue)
    return read(op, form, factor, over);
  bool anyKey = llvm::any_of(over, [&](StringAttr a) { return !axes.isValue(a); });
  bool allValue = !anyKey && over.size() == axes.value.size();
  if (allValue && !form.contracted)
    return readAcross(op, form, factor, over);
  if (allValue && slice.contains(op))
    return readScalar(op, form, factor, over);
  if (anyKey && !form.contracted)
    return readEverywhere(op, summed, factor, over);
  return makeOpaque(op, "the state, or a read of it, is summed along " +
                            listAxes(over) +
                            ", which the stage's other reads keep apart");
}

/// Contracts every key axis: the result is a vector on the value axes.
bool StageForm::read(Operation *op, const LinearForm &form, Value factor,
                     ArrayRef<StringAttr> over) {
  if (form.contracted) {
    Value summed = factor ? values.reduce(rec::ReduceKind::Sum, factor, over)
                          : values.real(1);
    return scaleBy(op, form, summed);
  }
  std::optional<Factor> parts =
      factor ? algebra.separate(factor) : Factor{values.real(1), Value()};
  if (!parts)
    return makeOpaque(op, inseparableFactor(factor, axes, op->getLoc()));
  LinearForm result;
  result.contracted = true;
  for (const auto &[state, known] : form.states) {
    Factor product = algebra.multiply(known, *parts);
    SmallVector<StringAttr> keys = keyAxes(state), others;
    for (StringAttr axis : keys)
      if (!llvm::is_contained(over, axis))
        return makeOpaque(op, readsDiffer(op, over, keys));
    for (StringAttr axis : axesOf(product.key))
      if (!llvm::is_contained(keys, axis)) {
        if (!llvm::is_contained(over, axis))
          return makeOpaque(op, "the read leaves the key axis `" +
                                    axis.getValue() + "` open");
        others.push_back(axis);
      }
    Value coefficient =
        values.reduce(rec::ReduceKind::Sum, product.key, others);
    for (StringAttr axis : over)
      if (!llvm::is_contained(keys, axis) && !llvm::is_contained(others, axis))
        coefficient = values.mul(
            coefficient,
            values.real(static_cast<double>(values.getOrder().size(axis))));
    algebra.accumulate(result.states, state,
                       {values.spread(coefficient, keys), product.value});
    contractsKeys |= !keys.empty();
  }
  for (const auto &[row, known] : form.rows) {
    Value scalar = values.contract(known.key, parts->key, over);
    if (!axesOf(scalar).empty())
      return makeOpaque(op, "the read leaves a key axis open");
    Value onValue = algebra.multiply(known, *parts).value;
    algebra.accumulate(result.rows, row, {scalar, onValue});
  }
  if (form.constant)
    result.constant = values.contract(form.constant,
                                      factor ? factor : values.real(1), over);
  if (result.constant && !axes.onlyValue(result.constant))
    return makeOpaque(op, "the read leaves a key axis open");
  forms[op->getResult(0)] = result;
  return true;
}

/// Contracts key and value axes at once: the keys first, then what is left.
bool StageForm::readEverywhere(Operation *op, Value summed, Value factor,
                               ArrayRef<StringAttr> over) {
  std::optional<Factor> parts =
      factor ? algebra.separate(factor) : Factor{values.real(1), Value()};
  if (!parts)
    return makeOpaque(op, inseparableFactor(factor, axes, op->getLoc()));
  SmallVector<StringAttr> keys, rest;
  for (StringAttr axis : over)
    (axes.isValue(axis) ? rest : keys).push_back(axis);
  if (rest.size() != axes.value.size())
    return makeOpaque(op, readsDiffer(op, over, axes.key));
  Value vector = values.contract(parts->key, summed, keys);
  if (slice.contains(op))
    slice.insert(vector.getDefiningOp());
  if (!forms.count(vector) && !opaque.count(vector))
    read(vector.getDefiningOp(), forms.find(summed)->second, parts->key, keys);
  if (problem)
    return false;
  if (slice.contains(op) && forms.count(vector)) {
    LinearForm form = forms.find(vector)->second;
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
    scalarList.push_back({makeRow(vectors, op->getLoc()),
                          values.spread(weight, axes.value)});
    result.scalars.push_back(
        {static_cast<unsigned>(scalarList.size() - 1), values.real(1)});
  }
  forms[op->getResult(0)] = result;
  return true;
}

/// Contracts the value axes: an output on the key axes.
bool StageForm::readAcross(Operation *op, const LinearForm &form, Value factor,
                           ArrayRef<StringAttr> over) {
  std::optional<Factor> parts =
      factor ? algebra.separate(factor) : Factor{values.real(1), Value()};
  if (!parts)
    return makeOpaque(op, inseparableFactor(factor, axes, op->getLoc()));
  Across across;
  across.replaced = op->getResult(0);
  for (const auto &[state, known] : form.states) {
    Factor product = algebra.multiply(known, *parts);
    Value vector = values.spread(
        product.value ? product.value : values.real(1), axes.value);
    if (across.vector && across.vector != vector)
      return makeOpaque(op, "states with different value factors are read at once");
    across.vector = vector;
    across.reads.push_back({state, product.key});
  }
  for (const auto &[row, known] : form.rows) {
    Factor product = algebra.multiply(known, *parts);
    across.rows.push_back(
        {row, product.key,
         values.spread(product.value ? product.value : values.real(1),
                       axes.value)});
  }
  if (form.constant)
    across.value = values.contract(form.constant,
                                   factor ? factor : values.real(1), over);
  acrossList.push_back(across);
  opaque.insert({op->getResult(0), readsDiffer(op, over, axes.key)});
  return true;
}

} // namespace trowel
