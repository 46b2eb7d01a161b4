// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A delay within a recurrence, or of a matrix state as a whole, becomes a
// hidden state:
//
//   %r = rec.contract %k, %S over ["K"]            %d = rec.state "delay.0"
//   hidden %d = rec.delay %r by 1                    →    %r = rec.contract %k,
//   %S … … %S's update uses %d …                        … rec.update "delay.0",
//   %r

#include "passes/Normalize/Passes.h"
#include "passes/Normalize/StateGraph.h"

using namespace mlir;

namespace trowel {

#define GEN_PASS_DEF_DELAYSTOSTATES
#include "passes/Normalize/Passes.h.inc"

namespace {

/// The delay feeds the update of a state that its operand depends on.
bool isWithinRecurrence(rec::DelayOp delay, const StateGraph &graph,
                        ArrayRef<llvm::BitVector> components) {
  llvm::BitVector read = graph.dependences(delay.getOperand());
  for (const llvm::BitVector &component : components)
    if (read.anyCommon(component) &&
        llvm::is_contained(graph.updateSlice(component), delay.getOperation()))
      return true;
  return false;
}

/// The delayed value is a matrix that reads a state of the same axes. As a
/// state it may join that one's stage; kept for every token it would be large.
bool isOfWholeState(rec::DelayOp delay, const StateGraph &graph) {
  ArrayRef<StringAttr> axes = rec::axesOf(delay.getOperand());
  llvm::BitVector read = graph.dependences(delay.getOperand());
  return axes.size() >= 2 && llvm::any_of(read.set_bits(), [&](unsigned i) {
           return rec::axesOf(graph.state(i).getResult()) == axes;
         });
}

void replaceByStates(rec::DelayOp delay, unsigned &counter) {
  Block *block = delay->getBlock();
  SmallVector<Attribute> layout;
  for (StringAttr axis : rec::axesOf(delay.getResult()))
    layout.push_back(axis);
  OpBuilder builder(delay.getContext());
  Value incoming = delay.getOperand();
  for (uint64_t i = 0; i < delay.getAmount(); ++i) {
    std::string name = "delay." + std::to_string(counter++);
    builder.setInsertionPointToStart(block);
    auto state = rec::StateOp::create(
        builder, delay.getLoc(), delay.getType(), name, rec::DTypeKind::F32,
        rec::SharingKind::Head, builder.getArrayAttr(layout), /*hidden=*/true,
        /*initial=*/Value());
    builder.setInsertionPointToEnd(block);
    rec::UpdateOp::create(builder, delay.getLoc(), name, incoming);
    incoming = state.getResult();
  }
  delay.getResult().replaceAllUsesWith(incoming);
  delay.erase();
}

struct DelaysToStates : impl::DelaysToStatesBase<DelaysToStates> {
  void runOnOperation() override {
    rec::ProgramOp program = getOperation();
    SmallVector<rec::DelayOp> within;
    {
      StateGraph graph(program);
      SmallVector<llvm::BitVector> components = graph.components();
      for (auto delay : program.getBody().getOps<rec::DelayOp>())
        if (isWithinRecurrence(delay, graph, components) ||
            isOfWholeState(delay, graph))
          within.push_back(delay);
    }
    unsigned counter = 0;
    for (rec::DelayOp delay : within)
      replaceByStates(delay, counter);
  }
};

} // namespace
} // namespace trowel
