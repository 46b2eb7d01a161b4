// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows, and what the states become at the token's end: the transition, the
// writes, and whether one solve serves them all.

#include "passes/Normalize/StageForm.h"

#include "passes/Normalize/Obstacles.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::axesOf;

namespace trowel {

unsigned StageForm::freeRow(Value value, Location location) {
  auto [it, isNew] = freeRows.insert({value, rowList.size()});
  if (isNew)
    rowList.push_back(Row{location, {}, Value(), {}, value, {}});
  return it->second;
}

/// The form with rows that read no vectors as known values and scalars, where a
/// value factor stands between: such a row is no part of the solve.
LinearForm StageForm::takeFreeRows(const LinearForm &form) {
  LinearForm result = form;
  result.rows.clear();
  for (const auto &[index, factor] : form.rows) {
    const Row &row = rowList[index];
    if (!factor.value || row.readsVectors()) {
      result.rows.push_back({index, factor});
      continue;
    }
    Value scale = values.mul(factor.key, factor.value);
    for (const auto &[scalar, coefficient] : row.scalars)
      algebra.accumulate(result.scalars, scalar,
                         values.mul(coefficient, scale));
    if (row.value)
      result =
          algebra.addConstant(std::move(result), values.mul(row.value, scale));
  }
  return result;
}

/// The row of a contracted form. Reads that carry different value factors are
/// rows of their own, coupled with a one.
unsigned StageForm::makeRow(const LinearForm &made, Location location) {
  LinearForm form = takeFreeRows(made);
  if (form.states.empty() && form.rows.empty() && form.scalars.empty())
    return freeRow(form.constant, location);
  Row row{location, {}, Value(), {}, form.constant, form.scalars};
  llvm::MapVector<Value, SmallVector<std::pair<unsigned, Value>>> byScale;
  for (const auto &[state, factor] : form.states)
    byScale[factor.value].push_back({state, factor.key});
  for (const auto &[index, factor] : form.rows)
    row.couplings.push_back({index, factor.value
                                        ? values.mul(factor.key, factor.value)
                                        : factor.key});
  if (byScale.size() <= 1) {
    if (!byScale.empty()) {
      row.scale = byScale.begin()->first;
      row.reads = byScale.begin()->second;
    }
  } else {
    for (auto &[scale, reads] : byScale) {
      row.couplings.push_back({rowList.size(), values.real(1)});
      rowList.push_back(Row{location, reads, scale, {}, Value(), {}});
    }
  }
  return addRow(row);
}

/// The row's number; equal rows are one.
unsigned StageForm::addRow(const Row &row) {
  auto same = [&](const Row &other) {
    return other.reads == row.reads && other.scale == row.scale &&
           other.couplings == row.couplings && other.value == row.value &&
           other.scalars == row.scalars;
  };
  for (auto [index, other] : llvm::enumerate(rowList))
    if (same(other))
      return index;
  rowList.push_back(row);
  return rowList.size() - 1;
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

bool StageForm::finishUpdate(unsigned member) {
  rec::UpdateOp update = graph.update(members[member]);
  Value next = update->getOperand(0);
  values.setLocation(next.getLoc());
  auto problemOf = opaque.find(next);
  if (problemOf != opaque.end()) {
    if (!problem)
      problem = problemOf->second;
    return false;
  }
  LinearForm form;
  auto it = forms.find(next);
  if (it != forms.end())
    form = it->second;
  else
    form = withConstant(form, next); // forgets the state altogether
  if (form.isRead() && !form.contracted) {
    Obstacle why{next.getLoc(), ""};
    std::optional<LinearForm> rows = asRows(next, form, why);
    if (!rows)
      return reject(why);
    form = *rows;
  }
  if (form.contracted) {
    // The state has no key axes: reads of such states are its transition.
    LinearForm matrix, rest;
    rest.contracted = true;
    for (const auto &[state, factor] : form.states)
      (keyAxes(state).empty() ? matrix : rest)
          .states.push_back({state, factor});
    rest.rows = form.rows;
    rest.scalars = form.scalars;
    rest.constant = form.constant;
    if (!rest.states.empty() || !rest.rows.empty() || !rest.scalars.empty() ||
        rest.constant)
      matrix.rows.push_back(
          {makeRow(rest, next.getLoc()), Factor{values.real(1), Value()}});
    form = matrix;
  }
  if (form.constant)
    return reject(fullRankTerm(form.constant,
                               algebra.unknownRanges(form.constant), axes,
                               values.getOrder(), next.getLoc()));
  return addTransitions(member, form) && addWrites(member, form);
}

bool StageForm::addTransitions(unsigned member, const LinearForm &form) {
  Operation *op = graph.update(members[member])->getOperand(0).getDefiningOp();
  auto stateOf = [&](unsigned i) {
    return graph.state(members[i]).getResult();
  };
  SmallVector<StringAttr> keys = keyAxes(member);
  llvm::DenseSet<unsigned> seen;
  for (const auto &[from, factor] : form.states) {
    if (!seen.insert(from).second)
      return reject(sumOfFactors(rec::nameOf(stateOf(from)), op->getLoc()));
    if (keyAxes(from) != keys)
      return reject(op, "a state with other key axes enters as a whole");
    if (decayKnown && decay != factor.value)
      return reject(decaysDiffer(rec::nameOf(stateOf(member)),
                                 factor.value ? factor.value : decay, axes,
                                 op->getLoc()));
    decay = factor.value;
    decayKnown = true;
    transitionList.push_back({member, from, factor.key});
  }
  return true;
}

bool StageForm::addWrites(unsigned member, const LinearForm &form) {
  for (const auto &[row, factor] : form.rows) {
    unsigned written = row;
    Value scale = factor.value;
    if (scale && !rowList[row].readsVectors()) {
      written = scaledRow(row, scale);
      scale = Value();
    }
    Value key = factor.key;
    for (const auto &[axis, index] : factor.at)
      key = values.mul(key, values.oneHot(axis, index));
    writeList.push_back(
        {member, written, values.spread(key, keyAxes(member)), scale});
  }
  return true;
}

/// A row that reads no vectors, times a function of the value axes.
unsigned StageForm::scaledRow(unsigned row, Value scale) {
  LinearForm form;
  form.contracted = true;
  form.constant = rowList[row].value;
  form.scalars = rowList[row].scalars;
  return makeRow(algebra.scale(form, {values.real(1), scale}, scale),
                 rowList[row].location);
}

/// Rows that feed writes through reads must share one place among the value
/// decays of the token: all before, or all after.
bool StageForm::checkFrames() {
  llvm::SetVector<unsigned> solved;
  for (const Write &write : writeList)
    solved.insert(write.row);
  for (unsigned i = 0; i < solved.size(); ++i)
    for (const auto &[row, coupling] : rowList[solved[i]].couplings)
      solved.insert(row);
  std::optional<bool> after;
  auto place = [&](bool isAfter) {
    bool agrees = !after || *after == isAfter;
    after = isAfter;
    return agrees;
  };
  auto useOf = [&](Value scale, Location otherwise) {
    auto known = scaledAt.find(scale);
    return known == scaledAt.end() ? otherwise : known->second;
  };
  for (unsigned index : solved) {
    const Row &row = rowList[index];
    if (!row.readsVectors())
      continue;
    for (const auto &[other, coupling] : row.couplings)
      if (!axesOf(coupling).empty())
        return reject(
            factorOnRead(coupling, axes, useOf(coupling, row.location)));
    if (row.scale && row.scale != decay)
      return reject(
          factorOnRead(row.scale, axes, useOf(row.scale, row.location)));
    if (!decay || row.reads.empty())
      continue;
    if (!place(row.scale == decay))
      return reject(decayOnRead(decay, row.location));
  }
  for (const Write &write : writeList) {
    const Row &row = rowList[write.row];
    bool fine = !row.readsVectors()    ? !write.scale
                : !decay               ? !write.scale
                : after.value_or(true) ? !write.scale
                                       : write.scale == decay;
    if (!fine)
      return reject(write.scale && write.scale != decay
                        ? factorOnRead(write.scale, axes,
                                       useOf(write.scale, row.location))
                        : decayOnRead(decay, row.location));
  }
  return true;
}

/// A stage whose states are never contracted along a key axis is elementwise.
bool StageForm::checkKeys() {
  bool anyRead =
      !outputRows.empty() || !acrossList.empty() ||
      llvm::any_of(rowList, [](const Row &r) { return !r.isFree(); });
  if (contractsKeys || !acrossList.empty() || !anyRead)
    return true;
  return reject(graph.state(members[0]),
                "the state is read elementwise, never contracted");
}

} // namespace trowel
