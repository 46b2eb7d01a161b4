// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads with open axes: `kn @ S` with kn : [N, K] is N rows at a token. Scaled,
// added up, summed over N it stays one form, of which a sum may leave a single
// row. Only where it must be rows, because it is written or is an output, is it
// taken apart:
//
//   S += kn @ (vn - kn @ S)
//
//   u_i = vn[N = i] - kn[N = i] @ S
//   S'  = S + kn[N = 0] * u_0 + kn[N = 1] * u_1 + …

#include "passes/Normalize/StageForm.h"

#include "passes/Normalize/Obstacles.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"

#include <numeric>

using namespace mlir;
using trowel::rec::axesOf;

namespace trowel {

SmallVector<StringAttr> StageForm::openAxes(Value value) const {
  SmallVector<StringAttr> open;
  for (StringAttr axis : axesOf(value))
    if (!axes.isValue(axis))
      open.push_back(axis);
  return open;
}

/// The form at a place along its open axes.
LinearForm StageForm::at(const LinearForm &form, const Place &place) {
  LinearForm result;
  result.contracted = form.contracted;
  result.summed = form.summed;
  for (const auto &[state, factor] : form.states) {
    SmallVector<StringAttr> keys = keyAxes(state);
    Value key = factor.key;
    for (const auto &[axis, index] : place)
      if (!llvm::is_contained(keys, axis))
        key = algebra.pick(key, {{axis, index}});
      else
        key = values.mul(key, values.oneHot(axis, index));
    algebra.accumulate(result.states, state, {key, factor.value});
  }
  for (const auto &[row, factor] : form.rows) {
    Factor here{algebra.pick(factor.key, place), factor.value};
    bool isThere = true;
    for (const auto &known : factor.at) {
      const auto *same = llvm::find_if(
          place, [&](const auto &p) { return p.first == known.first; });
      if (same == place.end())
        here.at.push_back(known);
      else
        isThere &= same->second == known.second;
    }
    if (isThere)
      algebra.accumulate(result.rows, row, here);
  }
  for (const auto &[scalar, coefficient] : form.scalars)
    result.scalars.push_back({scalar, algebra.pick(coefficient, place)});
  if (form.constant)
    result.constant = algebra.pick(form.constant, place);
  return result;
}

/// The form of a value without open axes.
LinearForm StageForm::closed(LinearForm form) {
  form.contracted = true;
  for (auto &[state, factor] : form.states)
    factor.key = values.spread(factor.key, keyAxes(state));
  return form;
}

/// A read as rows: one for each place along its open axes.
LinearForm StageForm::rowsAt(Value value, const LinearForm &form) {
  LinearForm rows;
  for (const Place &place : placesAlong(openAxes(value), values.getOrder())) {
    unsigned row = makeRow(closed(at(form, place)), value.getLoc());
    rows.rows.push_back({row, Factor{values.real(1), Value(), place}});
  }
  return rows;
}

/// The first key axis of a state that a read leaves open; null: there is none.
StringAttr StageForm::openKey(Value value, const LinearForm &form) const {
  for (const auto &[state, factor] : form.states)
    for (StringAttr axis : keyAxes(state))
      if (rec::hasAxis(value, axis))
        return axis;
  return StringAttr();
}

/// What a form reads becomes rows that may be written, which takes a read of
/// every key axis. States that it has whole stay.
std::optional<LinearForm> StageForm::asRows(Value value, const LinearForm &form,
                                            Obstacle &why) {
  SmallVector<StringAttr> open = openAxes(value);
  LinearForm read = form, whole;
  if (!form.contracted) {
    read.states.clear();
    whole.rows = std::move(read.rows);
    read.rows.clear();
    for (const auto &term : form.states) {
      bool isRead = llvm::any_of(keyAxes(term.first), [&](StringAttr axis) {
        return llvm::is_contained(form.summed, axis);
      });
      (isRead ? read : whole).states.push_back(term);
    }
  }
  if (openKey(value, read)) {
    why = readsDiffer(value.getDefiningOp(), form.summed, axes.key);
    return std::nullopt;
  }
  if (countPlaces(open, values.getOrder()) > mostRows) {
    why = tooManyRows(value.getDefiningOp(), open, values.getOrder());
    return std::nullopt;
  }
  llvm::append_range(whole.rows, rowsAt(value, read).rows);
  return whole;
}

/// A value's form where it meets something with other axes: a read becomes rows
/// if it lacks one of them.
std::optional<LinearForm>
StageForm::meet(Value value, ArrayRef<StringAttr> others, Obstacle &why) {
  const LinearForm form = forms.find(value)->second;
  bool isWithin = llvm::all_of(others, [&](StringAttr axis) {
    return axes.isValue(axis) || rec::hasAxis(value, axis);
  });
  if (!form.isRead() || isWithin)
    return form;
  return asRows(value, form, why);
}

/// What stands in the program for a result of the stage.
Value StageForm::placeholder(Location location, ArrayRef<StringAttr> along) {
  return UnrealizedConversionCastOp::create(
             builder, location, TypeRange{values.type(along)}, ValueRange{})
      .getResult(0);
}

/// One value from its parts at each place along some axes: stacked, or added up
/// along those that are summed.
Value StageForm::assemble(ArrayRef<Value> parts, ArrayRef<StringAttr> along,
                          ArrayRef<StringAttr> summed) {
  SmallVector<Value> now(parts);
  for (StringAttr axis : llvm::reverse(along)) {
    SmallVector<Value> next;
    size_t size = values.getOrder().size(axis);
    for (size_t i = 0; i < now.size(); i += size) {
      ArrayRef<Value> part = ArrayRef<Value>(now).slice(i, size);
      if (!llvm::is_contained(summed, axis))
        next.push_back(values.stack(part, axis));
      else
        next.push_back(std::accumulate(
            part.begin() + 1, part.end(), part.front(),
            [&](Value a, Value b) { return values.add(a, b); }));
    }
    now = std::move(next);
  }
  return now.front();
}

/// A read with open axes as an output: its rows, stacked.
bool StageForm::materialiseOpen(Value value, const LinearForm &form) {
  SmallVector<StringAttr> open = openAxes(value);
  if (countPlaces(open, values.getOrder()) > mostRows)
    return reject(tooManyRows(value.getDefiningOp(), open, values.getOrder()));
  StringAttr key = openKey(value, form);
  if (key && !keysMaySplit)
    return reject(readLeavesKey(value.getDefiningOp(), key));
  SmallVector<Value> parts;
  for (const auto &[row, factor] : rowsAt(value, form).rows) {
    parts.push_back(placeholder(value.getLoc(), axes.value));
    outputRows.insert({parts.back(), row});
  }
  rewritten.push_back({value, assemble(parts, open, {})});
  return true;
}

} // namespace trowel
