// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Normalize/StateGraph.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace trowel {

SmallVector<Value> usedValues(Operation *op) {
  SmallVector<Value> used(op->getOperands());
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (operand.getParentBlock() == op->getBlock())
          used.push_back(operand);
    });
  return used;
}

StateGraph::StateGraph(rec::ProgramOp program) {
  llvm::StringMap<unsigned> numbers;
  Block &block = program.getBody().front();
  for (auto op : block.getOps<rec::UpdateOp>()) {
    // A state whose update is gone belongs to a stage already formed.
    numbers[op.getName()] = updates.size();
    updates.push_back(op);
  }
  states.resize(updates.size());
  none.resize(updates.size());
  for (Operation &op : block) {
    llvm::BitVector bits = none;
    if (auto state = dyn_cast<rec::StateOp>(op)) {
      auto it = numbers.find(state.getName());
      if (it != numbers.end()) {
        states[it->second] = state;
        bits.set(it->second);
      }
    }
    for (Value used : usedValues(&op))
      bits |= dependences(used);
    for (Value result : op.getResults())
      dependencesOf[result] = bits;
  }
}

llvm::BitVector StateGraph::dependences(Value value) const {
  auto it = dependencesOf.find(value);
  if (it != dependencesOf.end())
    return it->second;
  llvm::BitVector bits = none;
  if (Operation *op = value.getDefiningOp())
    for (Value used : usedValues(op))
      bits |= dependences(used);
  dependencesOf[value] = bits;
  return bits;
}

SmallVector<Operation *>
StateGraph::updateSlice(const llvm::BitVector &stage) const {
  llvm::SetVector<Operation *> slice;
  SmallVector<Value> work;
  for (unsigned i : stage.set_bits())
    work.push_back(update(i)->getOperand(0));
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || !slice.insert(op))
      continue;
    llvm::append_range(work, usedValues(op));
  }
  SmallVector<Operation *> ordered = slice.takeVector();
  llvm::sort(ordered,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ordered;
}

SmallVector<llvm::BitVector> StateGraph::components() const {
  // reach[i]: the states that i's update needs, directly or through others.
  unsigned count = size();
  SmallVector<llvm::BitVector> reach;
  for (unsigned i = 0; i < count; ++i)
    reach.push_back(dependences(update(i)->getOperand(0)));
  for (unsigned k = 0; k < count; ++k)
    for (unsigned i = 0; i < count; ++i)
      if (reach[i].test(k))
        reach[i] |= reach[k];

  SmallVector<llvm::BitVector> result;
  llvm::BitVector placed = none;
  auto component = [&](unsigned i) {
    llvm::BitVector bits = none;
    for (unsigned j = 0; j < count; ++j)
      if (j == i || (reach[i].test(j) && reach[j].test(i)))
        bits.set(j);
    return bits;
  };
  while (placed.count() < count)
    for (unsigned i = 0; i < count; ++i) {
      if (placed.test(i))
        continue;
      llvm::BitVector bits = component(i);
      llvm::BitVector needed = reach[i];
      needed.reset(bits);
      needed.reset(placed);
      if (needed.any())
        continue;
      result.push_back(bits);
      placed |= bits;
    }
  return result;
}

} // namespace trowel
