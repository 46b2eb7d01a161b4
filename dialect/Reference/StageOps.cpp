// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages of a token program at one token, by the formulas of `rec.stage`
// and `rec.across`.
#include "dialect/Reference/Machine.h"

using namespace mlir;

namespace trowel::interpreter {

/// The stage's states as the token began are made known as values: those of
/// the program's `rec.state` operations.
static SmallVector<Value> statesOf(Block &body, ArrayAttr names) {
  SmallVector<Value> result;
  for (StringAttr name : rec::stringsOf(names))
    for (auto op : body.getOps<rec::StateOp>())
      if (op.getNameAttr() == name)
        result.push_back(op.getResult());
  return result;
}

void Machine::stage(rec::StageOp op) {
  for (Operation &inner : op.getBody().front()) {
    if (auto x = dyn_cast<rec::RowOp>(inner))
      row(x);
    else if (auto x = dyn_cast<rec::ScalarRowOp>(inner))
      scalarRow(x);
    else if (auto x = dyn_cast<rec::AcrossOp>(inner))
      across(x);
    else if (!isa<rec::WriteOp, rec::TransitionOp, rec::ValueDecayOp,
                  rec::YieldOp>(inner))
      fail(&inner, "it has no meaning within a stage");
  }
  nextStates(op);
  Operation *yield = op.getBody().front().getTerminator();
  for (auto [result, value] : llvm::zip(op.getResults(), yield->getOperands()))
    values[result] = Numbers(values.at(value));
}

/// x = w + scale * (sum_j B_j @ S_j) + sum_q c_q * x_q + sum_i d_i * y_i
void Machine::row(rec::RowOp op) {
  auto parent = cast<rec::StageOp>(op->getParentOp());
  SmallVector<Value> entry = statesOf(body, parent.getStates());
  Value result = op.getResult();
  define(result);
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *x = at(result, head);
    std::fill(x, x + elements(result.getType()), 0);
    for (auto [state, read] : llvm::zip(op.getStates(), op.getReads()))
      accumulate(x, result.getType(), {read, entry[state]}, head);
    if (op.getScale()) {
      Numbers read(x, x + elements(result.getType()));
      std::fill(x, x + read.size(), 0);
      View view = View::dense(result.getType());
      Numbers scale = spread(op.getScale(), head, view);
      for (size_t i = 0; i < read.size(); ++i)
        x[i] = read[i] * scale[i];
    }
    if (op.getValue())
      accumulate(x, result.getType(), {op.getValue()}, head);
    for (auto [other, coupling] : llvm::zip(op.getRows(), op.getCouplings()))
      accumulate(x, result.getType(), {coupling, other}, head);
    for (auto [scalar, coefficient] :
         llvm::zip(op.getScalars(), op.getCoefficients()))
      accumulate(x, result.getType(), {coefficient, scalar}, head);
  }
}

/// y = sum over the value axes of row * vector
void Machine::scalarRow(rec::ScalarRowOp op) {
  define(op.getResult());
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *y = at(op.getResult(), head);
    std::fill(y, y + elements(op.getType()), 0);
    accumulate(y, op.getType(), {op.getRow(), op.getVector()}, head);
  }
}

/// sum_j A_j * (S_j @ p) + sum_w key_w * (x_w @ p_w) + value
void Machine::across(rec::AcrossOp op) {
  auto parent = cast<rec::StageOp>(op->getParentOp());
  SmallVector<Value> entry = statesOf(body, parent.getStates());
  Type type = op.getType();
  define(op.getResult());
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *x = at(op.getResult(), head);
    std::fill(x, x + elements(type), 0);
    for (auto [state, read] : llvm::zip(op.getStates(), op.getReads()))
      accumulate(x, type, {read, entry[state], op.getVector()}, head);
    for (auto [other, key, vector] :
         llvm::zip(op.getRows(), op.getKeys(), op.getVectors()))
      accumulate(x, type, {key, other, vector}, head);
    if (op.getValue())
      accumulate(x, type, {op.getValue()}, head);
  }
}

/// S_i = gv * (sum_j Phi_ij * S_j) + sum_w kappa_wi * scale_w * x_w
void Machine::nextStates(rec::StageOp op) {
  SmallVector<Value> entry = statesOf(body, op.getStates());
  Block &block = op.getBody().front();
  SmallVector<StringAttr> names = rec::stringsOf(op.getStates());
  Value decay;
  for (auto factor : block.getOps<rec::ValueDecayOp>())
    decay = factor.getValue();
  for (auto [i, state] : llvm::enumerate(entry)) {
    int64_t count = elements(state.getType());
    Numbers &next = updates[names[i].getValue()];
    next.assign(batch.heads * count, 0);
    for (int64_t head = 0; head < batch.heads; ++head) {
      double *to = next.data() + head * count;
      for (auto transition : block.getOps<rec::TransitionOp>()) {
        if (transition.getTo() != i)
          continue;
        SmallVector<Value> factors{transition.getValue(),
                                   entry[transition.getFrom()]};
        if (decay)
          factors.push_back(decay);
        accumulate(to, state.getType(), factors, head);
      }
      for (auto write : block.getOps<rec::WriteOp>()) {
        if (write.getState() != i)
          continue;
        SmallVector<Value> factors{write.getKey(), write.getRow()};
        if (write.getScale())
          factors.push_back(write.getScale());
        accumulate(to, state.getType(), factors, head);
      }
    }
  }
}

void Machine::sequential(rec::SequentialOp op) {
  Block &block = op.getBody().front();
  SmallVector<StringAttr> names = rec::stringsOf(op.getStates());
  for (auto [argument, name] : llvm::zip(block.getArguments(), names))
    values[argument] = states[name.getValue()];
  for (Operation &inner : block.without_terminator())
    execute(inner);
  Operation *yield = block.getTerminator();
  for (auto [i, name] : llvm::enumerate(names))
    updates[name.getValue()] = values.at(yield->getOperand(i));
  for (auto [result, value] : llvm::zip(
           op.getResults(), yield->getOperands().drop_front(names.size())))
    values[result] = Numbers(values.at(value));
}

} // namespace trowel::interpreter
