// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splits a token program into stages and forms them one after the other. After
// the pass the block holds state-free values, `rec.stage` and `rec.sequential`
// operations, and outputs, in an order in which values come before their uses;
// no `rec.update` is left, since each stage updates its states.

#include "passes/Normalize/Obstacles.h"
#include "passes/Normalize/Passes.h"
#include "passes/Normalize/SequentialStage.h"
#include "passes/Normalize/StageForm.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel {

#define GEN_PASS_DEF_FORMSTAGES
#include "passes/Normalize/Passes.h.inc"

namespace {

/// The axes over which an operation sums or maximises its operand.
SmallVector<StringAttr> reducedAxes(Operation *op) {
  if (auto contract = dyn_cast<rec::ContractOp>(op))
    return rec::stringsOf(contract.getAxes());
  if (auto reduce = dyn_cast<rec::ReduceOp>(op))
    return rec::stringsOf(reduce.getAxes());
  return {};
}

/// The axes that reads of the stage contract: those in its updates, and the
/// others.
std::pair<SmallVector<StringAttr>, SmallVector<StringAttr>>
contractedAxes(rec::ProgramOp program, const StateGraph &graph,
               const llvm::BitVector &stage) {
  SmallVector<Operation *> slice = graph.updateSlice(stage);
  SmallVector<StringAttr> feeding, others;
  for (Operation &op : program.getBody().front()) {
    if (!llvm::any_of(op.getOperands(),
                      [&](Value v) { return graph.dependsOn(v, stage); }))
      continue;
    llvm::append_range(llvm::is_contained(slice, &op) ? feeding : others,
                       reducedAxes(&op));
  }
  return {feeding, others};
}

/// The choices of value axes to try, the likeliest first: all common axes that
/// no read in an update contracts or, if there are none such, that no other
/// read does; then the other subsets, larger ones first.
SmallVector<SmallVector<StringAttr>>
valueAxesChoices(rec::ProgramOp program, const StateGraph &graph,
                 const llvm::BitVector &stage) {
  SmallVector<StringAttr> common;
  bool first = true;
  for (unsigned i : stage.set_bits()) {
    Value state = graph.state(i).getResult();
    if (first)
      common.assign(rec::axesOf(state).begin(), rec::axesOf(state).end());
    else
      llvm::erase_if(common,
                     [&](StringAttr a) { return !rec::hasAxis(state, a); });
    first = false;
  }
  auto [feeding, others] = contractedAxes(program, graph, stage);
  auto without = [&](ArrayRef<StringAttr> contracted) {
    SmallVector<StringAttr> rest = common;
    llvm::erase_if(
        rest, [&](StringAttr a) { return llvm::is_contained(contracted, a); });
    return rest;
  };
  SmallVector<SmallVector<StringAttr>> choices{
      without(feeding.empty() ? others : feeding)};
  // Reads that feed writes and contract every axis are scalars: they decide
  // nothing.
  if (choices.front().empty() && !feeding.empty())
    choices.front() = without(others);
  if (choices.front().empty() && !feeding.empty())
    choices.clear();
  for (int size = static_cast<int>(common.size()); size >= 0; --size)
    for (unsigned mask = 0; mask < (1u << common.size()); ++mask) {
      if (llvm::popcount(mask) != size)
        continue;
      SmallVector<StringAttr> choice;
      for (auto [i, axis] : llvm::enumerate(common))
        if (mask >> i & 1)
          choice.push_back(axis);
      if (!llvm::is_contained(choices, choice))
        choices.push_back(choice);
    }
  return choices;
}

/// Erases updates of formed stages and values that nothing uses any more.
void clean(rec::ProgramOp program, const StateGraph &graph,
           const llvm::BitVector &stage) {
  for (unsigned i : stage.set_bits())
    graph.update(i)->erase();
  Block &block = program.getBody().front();
  sortTopologically(&block);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (!isa<rec::StateOp>(op) && isOpTriviallyDead(&op))
      op.erase();
}

/// Forms the stage with matrix products if one of the choices of axes allows
/// it; the likeliest may do so with reads for outputs that leave key axes open.
/// Otherwise `obstacle` is that of the choice that came furthest, with axes of
/// both kinds if there is one, the likeliest first.
bool formChunked(rec::ProgramOp program, const StateGraph &graph,
                 const llvm::BitVector &stage,
                 std::optional<Obstacle> &obstacle) {
  auto best = std::make_pair(StageForm::Phase::Walk, false);
  SmallVector<SmallVector<StringAttr>> choices =
      valueAxesChoices(program, graph, stage);
  for (bool splitKeys : {false, true})
    for (const auto &choice :
         ArrayRef(choices).take_front(splitKeys ? 1 : choices.size())) {
      StageForm form(program, graph, stage, choice);
      if (splitKeys)
        form.splitKeys();
      if (form.build()) {
        emitStage(form, program, graph);
        return true;
      }
      auto rank =
          std::make_pair(form.reached(), !form.stageAxes().value.empty());
      if (form.stageAxes().key.empty() || (obstacle && rank <= best))
        continue;
      obstacle = form.obstacle();
      best = rank;
    }
  return false;
}

/// An update of `later` uses a matrix state of `earlier` whole, elementwise.
bool takesWhole(const StateGraph &graph, const llvm::BitVector &later,
                const llvm::BitVector &earlier) {
  auto isWhole = [&](Value operand, unsigned i) {
    ArrayRef<StringAttr> axes = rec::axesOf(graph.state(i).getResult());
    return axes.size() >= 2 && graph.dependences(operand).test(i) &&
           rec::axesOf(operand) == axes;
  };
  SmallVector<Value> used;
  for (unsigned i : later.set_bits()) // it may become a copy, as delays do
    used.push_back(graph.update(i)->getOperand(0));
  for (Operation *op : graph.updateSlice(later))
    if (isa<rec::MapOp>(op))
      llvm::append_range(used, op->getOperands());
  return llvm::any_of(used, [&](Value value) {
    return llvm::any_of(earlier.set_bits(),
                        [&](unsigned i) { return isWhole(value, i); });
  });
}

bool reads(const StateGraph &graph, const llvm::BitVector &later,
           const llvm::BitVector &earlier) {
  return llvm::any_of(later.set_bits(), [&](unsigned i) {
    return graph.dependsOn(graph.update(i)->getOperand(0), earlier);
  });
}

/// The component joined with the later ones that take its matrix states whole:
/// such a state is no rank-one write, but part of the same stage. What does not
/// read these states may stand between.
llvm::BitVector joinWholeUses(const StateGraph &graph,
                              ArrayRef<llvm::BitVector> components) {
  llvm::BitVector joined = components.front();
  for (const llvm::BitVector &later : components.drop_front()) {
    if (takesWhole(graph, later, joined))
      joined |= later;
    else if (reads(graph, later, joined))
      break;
  }
  return joined;
}

bool areVectors(const StateGraph &graph, const llvm::BitVector &stage) {
  return llvm::all_of(stage.set_bits(), [&](unsigned i) {
    return rec::axesOf(graph.state(i).getResult()).size() <= 1;
  });
}

struct FormStages : impl::FormStagesBase<FormStages> {
  void runOnOperation() override {
    rec::ProgramOp program = getOperation();
    while (true) {
      StateGraph graph(program);
      if (graph.size() == 0)
        break;
      SmallVector<llvm::BitVector> components = graph.components();
      formFirst(program, graph, components);
    }
  }

  void formFirst(rec::ProgramOp program, const StateGraph &graph,
                 ArrayRef<llvm::BitVector> components) {
    std::optional<Obstacle> obstacle;
    llvm::BitVector joined = joinWholeUses(graph, components);
    if (joined != components.front()) {
      std::optional<Obstacle> ofJoined;
      if (formChunked(program, graph, joined, ofJoined))
        return clean(program, graph, joined);
    }
    const llvm::BitVector &stage = components.front();
    if (formChunked(program, graph, stage, obstacle))
      return clean(program, graph, stage);
    bool scan = isScan(graph, stage);
    if (std::optional<Obstacle> nonlinear = findNonlinear(graph, stage))
      obstacle = nonlinear;
    else if (!obstacle || (scan && areVectors(graph, stage)))
      obstacle = elementwise(graph, stage);
    emitSequential(program, graph, stage, scan, *obstacle);
    clean(program, graph, stage);
  }
};

} // namespace
} // namespace trowel
