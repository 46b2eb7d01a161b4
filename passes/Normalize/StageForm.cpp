// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Normalize/StageForm.h"

#include "passes/Normalize/Obstacles.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::axesOf;
using trowel::rec::MapKind;

namespace trowel {

static std::string listAxes(ArrayRef<StringAttr> axes) {
  std::string text = "[";
  for (auto [i, axis] : llvm::enumerate(axes))
    text += (i ? ", " : "") + axis.getValue().str();
  return text + "]";
}

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
  if (!isDependent(value) || opaque.count(value) || outputRows.count(value))
    return true;
  auto it = forms.find(value);
  if (it == forms.end())
    return true;
  if (it->second.contracted) {
    unsigned row = makeRow(it->second, value.getLoc());
    outputRows.insert({value, row});
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (auto state = dyn_cast<rec::StateOp>(op))
    return reject(usedWhole(state));
  for (Value operand : usedValues(op))
    if (!materialise(operand))
      return false;
  return true;
}

/// The operation's result is outside of the linear class: its operands are
/// outputs of the stage, and if it reaches an update the stage fails with `why`.
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
    bool dependent = llvm::any_of(
        usedValues(&op), [&](Value v) { return isDependent(v); });
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
  auto formOf = [&](Value v) { return forms.find(v)->second; };
  auto dependent = [&](int i) { return isDependent(op.getOperand(i)); };
  switch (op.getKind()) {
  case MapKind::Neg:
    forms[result] = algebra.negate(formOf(op.getOperand(0)));
    return true;
  case MapKind::Add:
  case MapKind::Sub: {
    bool subtract = op.getKind() == MapKind::Sub;
    std::optional<LinearForm> sides[2];
    bool needMatrix = !axes.onlyValue(result);
    for (int i : {0, 1}) {
      if (!dependent(i))
        continue;
      LinearForm form = formOf(op.getOperand(i));
      sides[i] = needMatrix ? asMatrix(form, op) : form;
      if (!sides[i])
        return makeOpaque(op, "the state has other axes here");
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
    return scaleBy(op, formOf(op.getOperand(dependent(0) ? 0 : 1)),
                   op.getOperand(dependent(0) ? 1 : 0));
  case MapKind::Div:
    if (dependent(1))
      return makeOpaque(op, "a division by a value that reads the state");
    return scaleBy(op, formOf(op.getOperand(0)),
                   values.map(MapKind::Div,
                              {values.real(1), op.getOperand(1)}));
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
        LinearForm form = formOf(branch);
        std::optional<LinearForm> side =
            sum.contracted ? form : asMatrix(form, op);
        if (!side)
          return makeOpaque(op, "the state has other axes here");
        sum = algebra.add(sum, algebra.select(*side, condition, i == 2));
        continue;
      }
      Value zero = values.real(0);
      Value taken =
          i == 1 ? values.map(MapKind::Where, {condition, branch, zero})
                 : values.map(MapKind::Where, {condition, zero, branch});
      sum = withConstant(std::move(sum), taken);
    }
    forms[result] = sum;
    return true;
  }
  default:
    return makeOpaque(op, "`" + rec::stringifyMapKind(op.getKind()) +
                              "` of a value that reads the state is not affine");
  }
}

/// A vector spread over key axes: a row written with a key of ones.
std::optional<LinearForm> StageForm::asMatrix(const LinearForm &form,
                                              Operation *op) {
  if (!form.contracted)
    return form;
  SmallVector<StringAttr> keys;
  for (StringAttr axis : axesOf(op->getResult(0))) {
    if (axes.isValue(axis))
      continue;
    if (!llvm::is_contained(axes.key, axis))
      return std::nullopt;
    keys.push_back(axis);
  }
  LinearForm matrix;
  unsigned row = makeRow(form, op->getLoc());
  matrix.rows.push_back({row, Factor{values.splat(1, keys), Value()}});
  return matrix;
}

/// Adds a state-free value; a matrix becomes rows with keys at once, so that
/// later reads of this token meet vectors only.
LinearForm StageForm::withConstant(LinearForm form, Value constant) {
  if (form.contracted)
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

bool StageForm::scaleBy(Operation *op, const LinearForm &form, Value factor) {
  if (!mayUse(op, factor))
    return makeOpaque(op, "a value of a later stage scales the state");
  std::optional<Factor> parts = algebra.separate(factor);
  if (!parts)
    return makeOpaque(op, inseparableFactor(factor, axes, op->getLoc()));
  if (!form.contracted || axesOf(parts->key).empty()) {
    forms[op->getResult(0)] = algebra.scale(form, *parts, factor);
    return true;
  }
  // The value part belongs to the row, the key part to the write.
  LinearForm vector = form;
  if (parts->value) {
    vector = algebra.scale(form, {values.real(1), parts->value}, parts->value);
    scaledAt.insert({parts->value, placeOf(factor, op->getLoc())});
  }
  LinearForm matrix;
  matrix.rows.push_back({makeRow(vector, op->getLoc()), {parts->key, Value()}});
  forms[op->getResult(0)] = matrix;
  return true;
}

//===----------------------------------------------------------------------===//
// Reads
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

unsigned StageForm::freeRow(Value value, Location location) {
  auto [it, isNew] = freeRows.insert({value, rowList.size()});
  if (isNew)
    rowList.push_back(Row{location, {}, Value(), {}, value, {}});
  return it->second;
}

/// The row of a contracted form. Reads that carry different value factors are
/// rows of their own, coupled with a one.
unsigned StageForm::makeRow(const LinearForm &form, Location location) {
  if (form.states.empty() && form.rows.empty() && form.scalars.empty())
    return freeRow(form.constant, location);
  Row row{location, {}, Value(), {}, form.constant, form.scalars};
  llvm::MapVector<Value, SmallVector<std::pair<unsigned, Value>>> byScale;
  for (const auto &[state, factor] : form.states)
    byScale[factor.value].push_back({state, factor.key});
  for (const auto &[index, factor] : form.rows)
    row.couplings.push_back(
        {index, factor.value ? values.mul(factor.key, factor.value)
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
  if (form.contracted) {
    // The state has no key axes: reads of such states are its transition.
    LinearForm matrix, rest;
    rest.contracted = true;
    for (const auto &[state, factor] : form.states)
      (keyAxes(state).empty() ? matrix : rest).states.push_back({state, factor});
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
    return reject(fullRankTerm(form.constant, axes, next.getLoc()));
  return addTransitions(member, form) && addWrites(member, form);
}

bool StageForm::addTransitions(unsigned member, const LinearForm &form) {
  Operation *op = graph.update(members[member])->getOperand(0).getDefiningOp();
  auto stateOf = [&](unsigned i) { return graph.state(members[i]).getResult(); };
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
    writeList.push_back({member, written, factor.key, scale});
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
  if (!checkScalars(solved.getArrayRef()))
    return false;
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
        return reject(factorOnRead(coupling, axes,
                                 useOf(coupling, row.location)));
    if (row.scale && row.scale != decay)
      return reject(factorOnRead(row.scale, axes,
                               useOf(row.scale, row.location)));
    if (!decay || row.reads.empty())
      continue;
    if (!place(row.scale == decay))
      return reject(decayOnRead(decay, row.location));
  }
  for (const Write &write : writeList) {
    const Row &row = rowList[write.row];
    bool fine = !row.readsVectors() ? !write.scale
                : !decay            ? !write.scale
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

/// A scalar that feeds writes is solved for by itself: one to a stage, and no
/// row that feeds a write reads vectors, too.
bool StageForm::checkScalars(ArrayRef<unsigned> solved) {
  llvm::SetVector<unsigned> used;
  for (unsigned index : solved)
    for (const auto &[scalar, coefficient] : rowList[index].scalars)
      used.insert(scalar);
  if (used.empty())
    return true;
  bool vectors = llvm::any_of(
      solved, [&](unsigned index) { return rowList[index].readsVectors(); });
  const Row &row = rowList[scalarList[used.front()].row];
  if (used.size() == 1 && !vectors && row.scalars.empty())
    return true;
  if (!problem)
    problem = Obstacle{row.location,
                       "this read contracts every axis and feeds writes together "
                       "with other reads: the chunk would need two solves",
                       "let either the scalar or the other reads feed the writes"};
  return false;
}

/// A stage whose states are never contracted along a key axis is elementwise.
bool StageForm::checkKeys() {
  bool anyRead = !outputRows.empty() || !acrossList.empty() ||
                 llvm::any_of(rowList, [](const Row &r) { return !r.isFree(); });
  if (contractsKeys || !acrossList.empty() || !anyRead)
    return true;
  return reject(graph.state(members[0]),
                "the state is read elementwise, never contracted");
}

} // namespace trowel
