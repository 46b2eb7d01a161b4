// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The walk over the operations that depend on a stage's states: each value as a
// linear form, or what it means that it is none.

#include "passes/Normalize/StageForm.h"

#include "passes/Normalize/Obstacles.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::axesOf;
using trowel::rec::MapKind;

namespace trowel {

StageForm::StageForm(rec::ProgramOp program, const StateGraph &graph,
                     const llvm::BitVector &stage,
                     ArrayRef<StringAttr> valueAxes)
    : program(program), graph(graph), stage(stage),
      builder(program.getContext()),
      values(builder, rec::AxisOrder::around(program)), algebra(values, axes) {
  axes.value.assign(valueAxes.begin(), valueAxes.end());
  for (unsigned i : stage.set_bits()) {
    members.push_back(i);
    axes.key = values.getOrder().unite(axes.key, keyAxes(members.size() - 1));
  }
  for (Operation *op : graph.updateSlice(stage))
    slice.insert(op);
  descendants.resize(graph.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (unsigned i = 0; i < graph.size(); ++i) {
      Value next = graph.update(i)->getOperand(0);
      if (stage.test(i) || descendants.test(i))
        continue;
      if (graph.dependsOn(next, stage) || graph.dependsOn(next, descendants)) {
        descendants.set(i);
        changed = true;
      }
    }
  }
}

SmallVector<StringAttr> StageForm::keyAxes(unsigned member) const {
  SmallVector<StringAttr> result;
  for (StringAttr axis : axesOf(graph.state(members[member]).getResult()))
    if (!axes.isValue(axis))
      result.push_back(axis);
  return result;
}

bool StageForm::reject(Operation *op, const Twine &message) {
  return reject(Obstacle{op->getLoc(), message.str()});
}

bool StageForm::reject(const Obstacle &why) {
  if (!problem)
    problem = why;
  return false;
}

/// A coefficient outside of the updates must not wait for this stage's results.
bool StageForm::mayUse(Operation *op, Value coefficient) const {
  return slice.contains(op) || !graph.dependsOn(coefficient, descendants);
}

//===----------------------------------------------------------------------===//
// Values that are no linear form
//===----------------------------------------------------------------------===//

/// The value becomes an output of the stage: a row, or rows further up.
bool StageForm::materialise(Value value) {
  if (!isDependent(value) || opaque.count(value) || outputRows.count(value) ||
      llvm::is_contained(llvm::make_first_range(rewritten), value))
    return true;
  auto it = forms.find(value);
  if (it == forms.end())
    return true;
  const LinearForm &form = it->second;
  bool isScalar = form.contracted && form.states.empty() && form.rows.empty() &&
                  !axes.value.empty() && axesOf(value).empty();
  if (isScalar) {
    outputScalars.insert({value, form});
    return true;
  }
  if (form.contracted) {
    unsigned row = makeRow(form, value.getLoc());
    outputRows.insert({value, row});
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (auto state = dyn_cast<rec::StateOp>(op))
    return reject(usedWhole(state));
  if (it->second.isRead() && !isa<rec::MapOp>(op))
    return materialiseOpen(value, it->second);
  for (Value operand : usedValues(op))
    if (!materialise(operand))
      return false;
  return true;
}

/// The operation's result is outside of the linear class: its operands are
/// outputs of the stage, and if it reaches an update the stage fails with
/// `why`.
bool StageForm::makeOpaque(Operation *op, const Twine &why) {
  return makeOpaque(op, Obstacle{op->getLoc(), why.str()});
}

bool StageForm::makeOpaque(Operation *op, Obstacle reason) {
  SmallVector<Value> used = usedValues(op);
  for (Value operand : used) {
    auto it = opaque.find(operand);
    if (it != opaque.end())
      reason = it->second;
  }
  for (Value operand : used)
    if (!materialise(operand)) {
      // In an update the operation itself is what prevents the form.
      if (slice.contains(op) && !reason.message.empty())
        problem = reason;
      else
        problem->location = op->getLoc();
      return false;
    }
  for (Value result : op->getResults())
    opaque.insert({result, reason});
  return true;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

bool StageForm::build() {
  if (axes.key.empty())
    return reject(graph.state(members[0]),
                  "the update is elementwise: no axis is contracted");
  for (unsigned number : members)
    if (auto why = infiniteStart(graph.state(number)))
      return reject(*why);
  for (Operation &op : program.getBody().front()) {
    if (isa<rec::UpdateOp>(op))
      continue;
    bool dependent =
        llvm::any_of(usedValues(&op), [&](Value v) { return isDependent(v); });
    if (auto state = dyn_cast<rec::StateOp>(op)) {
      for (auto [member, number] : llvm::enumerate(members))
        if (graph.state(number) == state) {
          LinearForm form;
          form.contracted = keyAxes(member).empty();
          builder.setInsertionPoint(&op);
          form.states.push_back({member, Factor{values.real(1), Value()}});
          forms[state.getResult()] = form;
        }
    } else if (dependent) {
      builder.setInsertionPoint(&op);
      values.setLocation(op.getLoc());
      visit(&op);
      if (problem)
        return false;
    }
  }
  builder.setInsertionPointToEnd(&program.getBody().front());
  phase = Phase::Updates;
  for (unsigned member = 0; member < members.size(); ++member)
    if (!finishUpdate(member))
      return false;
  // Updates of other states see this stage's values, too.
  for (unsigned i = 0; i < graph.size(); ++i)
    if (!stage.test(i) && !materialise(graph.update(i)->getOperand(0)))
      return false;
  phase = Phase::Order;
  return checkFrames() && checkKeys();
}

void StageForm::visit(Operation *op) {
  bool anyOpaque = llvm::any_of(op->getOperands(),
                                [&](Value v) { return opaque.count(v) > 0; });
  if (anyOpaque || op->getNumRegions()) {
    makeOpaque(op, "");
    return;
  }
  // Outside of the updates a vector needs no form: it is an output.
  bool vectorsOnly = llvm::all_of(op->getOperands(), [&](Value v) {
    auto it = forms.find(v);
    return it == forms.end() || it->second.contracted;
  });
  if (!slice.contains(op) && vectorsOnly) {
    makeOpaque(op, "");
    return;
  }
  if (auto map = dyn_cast<rec::MapOp>(op)) {
    visitMap(map);
  } else if (auto pick = dyn_cast<rec::PickOp>(op)) {
    visitPick(pick);
  } else if (auto contract = dyn_cast<rec::ContractOp>(op)) {
    bool left = isDependent(contract.getLhs());
    if (left && isDependent(contract.getRhs()))
      makeOpaque(op, "a product of two values that read the state");
    else
      visitSum(op, left ? contract.getLhs() : contract.getRhs(),
               left ? contract.getRhs() : contract.getLhs(),
               rec::stringsOf(contract.getAxes()));
  } else if (auto reduce = dyn_cast<rec::ReduceOp>(op);
             reduce && reduce.getKind() == rec::ReduceKind::Sum) {
    visitSum(op, reduce.getOperand(), Value(),
             rec::stringsOf(reduce.getAxes()));
  } else if (isa<rec::RenameOp>(op)) {
    makeOpaque(op, mixedChannels(op));
  } else {
    makeOpaque(op, "`" + op->getName().stripDialect() +
                       "` of a value that reads the state is not affine");
  }
}

bool StageForm::visitMap(rec::MapOp op) {
  Value result = op.getResult();
  Obstacle why{op.getLoc(), ""};
  auto formOf = [&](int i) {
    return meet(op.getOperand(i), axesOf(result), why);
  };
  auto dependent = [&](int i) { return isDependent(op.getOperand(i)); };
  switch (op.getKind()) {
  case MapKind::Neg:
    forms[result] = algebra.negate(*formOf(0));
    return true;
  case MapKind::Add:
  case MapKind::Sub: {
    bool subtract = op.getKind() == MapKind::Sub;
    std::optional<LinearForm> sides[2];
    for (int i : {0, 1}) {
      if (!dependent(i))
        continue;
      sides[i] = formOf(i);
      if (!sides[i])
        return makeOpaque(op, why);
      if (subtract && i == 1)
        sides[i] = algebra.negate(*sides[i]);
    }
    if (sides[0] && sides[1]) {
      forms[result] = algebra.add(*sides[0], *sides[1]);
      return true;
    }
    int free = sides[0] ? 1 : 0;
    Value constant = op.getOperand(free);
    if (!mayUse(op, constant))
      return makeOpaque(op, "a value of a later stage is added to the state");
    if (subtract && free == 1)
      constant = values.neg(constant);
    forms[result] = withConstant(*sides[1 - free], constant);
    return true;
  }
  case MapKind::Mul:
    if (dependent(0) && dependent(1))
      return makeOpaque(op, "a product of two values that read the state");
    return scaleBy(op, op.getOperand(dependent(0) ? 0 : 1),
                   op.getOperand(dependent(0) ? 1 : 0));
  case MapKind::Div:
    if (dependent(1))
      return makeOpaque(op, "a division by a value that reads the state");
    return scaleBy(
        op, op.getOperand(0),
        values.map(MapKind::Div, {values.real(1), op.getOperand(1)}));
  case MapKind::Where: {
    Value condition = op.getOperand(0);
    if (dependent(0))
      return makeOpaque(op, "a condition that reads the state");
    bool separable = axes.onlyKey(condition) || axes.onlyValue(condition);
    if (!separable || !mayUse(op, condition))
      return makeOpaque(op, "a condition that varies along key and value axes");
    LinearForm sum;
    sum.contracted = axes.onlyValue(result);
    for (int i : {1, 2}) {
      Value branch = op.getOperand(i);
      if (dependent(i)) {
        std::optional<LinearForm> side = formOf(i);
        if (!side)
          return makeOpaque(op, why);
        if (!maskRows(*side, condition, i == 2))
          return makeOpaque(op,
                            "a condition along key axes on what is written");
        sum = algebra.add(sum, algebra.select(*side, condition, i == 2));
        continue;
      }
      Value zero = values.real(0);
      Value taken = i == 1
                        ? values.map(MapKind::Where, {condition, branch, zero})
                        : values.map(MapKind::Where, {condition, zero, branch});
      sum = withConstant(std::move(sum), taken);
    }
    forms[result] = sum;
    return true;
  }
  default:
    return makeOpaque(op,
                      "`" + rec::stringifyMapKind(op.getKind()) +
                          "` of a value that reads the state is not affine");
  }
}

/// What is not taken must not reach the product of a key with a row: a zero in
/// the key alone would make a NaN of an infinity in the row. False if the
/// condition differs along a row's key.
bool StageForm::maskRows(LinearForm &form, Value condition, bool negated) {
  for (auto &[row, factor] : form.rows) {
    Value here = algebra.pick(condition, factor.at);
    if (axesOf(here).empty())
      row = maskedRow(row, here, negated);
    else if (axes.onlyKey(here))
      return false;
    else if (rowList[row].isFree())
      row = freeRow(algebra.choose(rowList[row].value, here, negated),
                    rowList[row].location);
  }
  return true;
}

unsigned StageForm::maskedRow(unsigned index, Value condition, bool negated) {
  Row row = rowList[index];
  auto choose = [&](Value value) {
    return algebra.choose(value, condition, negated);
  };
  if (row.isFree())
    return freeRow(choose(row.value), row.location);
  for (auto &[state, coefficient] : row.reads)
    coefficient = choose(coefficient);
  for (auto &[other, coupling] : row.couplings) {
    other = maskedRow(other, condition, negated);
    coupling = choose(coupling);
  }
  for (auto &[scalar, coefficient] : row.scalars)
    coefficient = choose(coefficient);
  if (row.value)
    row.value = choose(row.value);
  return addRow(row);
}

/// Adds a state-free value; a matrix becomes rows with keys at once, so that
/// later reads of this token meet vectors only.
LinearForm StageForm::withConstant(LinearForm form, Value constant) {
  if (form.isRead())
    return algebra.addConstant(std::move(form), constant);
  SmallVector<Factor> terms;
  if (!algebra.decompose(constant, terms))
    return algebra.addConstant(std::move(form), constant);
  for (const Factor &term : terms) {
    Value vector = term.value ? term.value : values.real(1);
    algebra.accumulate(form.rows, freeRow(vector, values.getLocation()),
                       Factor{term.key, Value()});
  }
  return form;
}

Obstacle StageForm::inseparable(Value factor, Location use) {
  return inseparableFactor(factor, algebra.unknownRanges(factor), axes, use);
}

bool StageForm::scaleBy(Operation *op, Value scaled, Value factor) {
  if (!mayUse(op, factor))
    return makeOpaque(op, "a value of a later stage scales the state");
  std::optional<Factor> parts = algebra.separate(factor);
  if (!parts)
    return makeOpaque(op, inseparable(factor, op->getLoc()));
  const LinearForm form = forms.find(scaled)->second;
  bool staysWithin = llvm::all_of(axesOf(parts->key), [&](StringAttr axis) {
    return rec::hasAxis(scaled, axis);
  });
  if (!form.isRead() || staysWithin) {
    forms[op->getResult(0)] = algebra.scale(form, *parts, factor);
    return true;
  }
  // The value part belongs to the row, the key part to the write.
  LinearForm vector = form;
  if (parts->value) {
    vector = algebra.scale(form, {values.real(1), parts->value}, parts->value);
    scaledAt.insert({parts->value, placeOf(factor, op->getLoc())});
  }
  Obstacle why{op->getLoc(), ""};
  std::optional<LinearForm> rows = asRows(scaled, vector, why);
  if (!rows)
    return makeOpaque(op, why);
  forms[op->getResult(0)] =
      algebra.scale(*rows, {parts->key, Value()}, parts->key);
  return true;
}

/// A position along an axis that no state has. Along a state's key axis it is a
/// read.
bool StageForm::visitPick(rec::PickOp op) {
  StringAttr axis = op.getAxisAttr();
  int64_t index = static_cast<int64_t>(op.getIndex());
  if (axes.isValue(axis))
    return makeOpaque(op, "a position along a value axis of the state");
  if (llvm::is_contained(axes.key, axis))
    return read(op, op.getOperand(), values.oneHot(axis, index), {axis});
  LinearForm form = at(forms.find(op.getOperand())->second, {{axis, index}});
  forms[op.getResult()] =
      axes.onlyValue(op.getResult()) ? closed(std::move(form)) : form;
  return true;
}

} // namespace trowel
