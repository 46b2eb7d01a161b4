// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/GradientPhases.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <algorithm>
#include <map>

using namespace mlir;

namespace trowel::library {

/// Erases outputs that no reduction over heads needs, and what only they did.
/// Delays that the backward program knows stay.
static void dropOutputs(chunk::ProgramOp program) {
  Block &block = program.getBody().front();
  std::vector<HeadReduction> reductions = headReductions(program);
  auto kept = program->getAttrOfType<ArrayAttr>("kept");
  auto isKept = [&](Operation &op) {
    auto delay = dyn_cast<rec::DelayOp>(op);
    return delay && llvm::is_contained(kept, delay.getSavedAttr());
  };
  for (auto output : llvm::make_early_inc_range(block.getOps<rec::OutputOp>()))
    if (llvm::none_of(reductions, [&](const HeadReduction &reduction) {
          return reduction.name == output.getName();
        }))
      output.erase();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op) && !isKept(op) &&
        !isa<rec::StateOp, rec::InputOp, rec::ParamOp>(op))
      op.erase();
}

static GradientPhase makePhase(chunk::ProgramOp program, int64_t source) {
  GradientPhase made;
  made.module = ModuleOp::create(program.getLoc());
  auto copy = cast<chunk::ProgramOp>(program->clone());
  made.module->push_back(copy);
  CompiledPhase &phase = made.phase;
  phase.isBackward = program->hasAttr("backward");
  phase.isBeginning = program->hasAttr("beginning");
  phase.source = source;
  phase.chunkTokens = program.getTokens();
  phase.divisions.push_back({1, 1, {}, {}});
  if (!phase.isBackward && !phase.isBeginning)
    phase.reductions = headReductions(program);
  return made;
}

static chunk::ProgramOp programOf(GradientPhase &phase) {
  return *phase.module->getOps<chunk::ProgramOp>().begin();
}

/// Says to both programs what goes from one to the other: the passes may have
/// dropped what one of them has no use for.
static void agree(chunk::ProgramOp forward, chunk::ProgramOp backward) {
  SmallVector<Attribute> names;
  for (auto state : backward.getBody().getOps<rec::StateOp>())
    if (state.getSaved())
      names.push_back(state.getNameAttr());
  for (auto delay : backward.getBody().getOps<rec::DelayOp>())
    if (delay.getSaved())
      names.push_back(delay.getSavedAttr());
  auto kept = ArrayAttr::get(forward.getContext(), names);
  forward->setAttr("kept", kept);
  backward->setAttr("kept", kept);
}

/// What several programs have a part of is added up before it is rounded.
static void markSummed(std::vector<GradientPhase> &phases) {
  std::map<std::string, std::vector<rec::OutputOp>> outputs;
  for (GradientPhase &phase : phases)
    if (phase.phase.isBackward)
      phase.module->walk([&](rec::OutputOp output) {
        outputs[output.getName().str()].push_back(output);
      });
  for (auto &[name, list] : outputs)
    for (rec::OutputOp output : list)
      if (list.size() > 1)
        output->setAttr("summed", UnitAttr::get(output.getContext()));
}

std::vector<GradientPhase> splitGradient(ModuleOp module) {
  std::vector<GradientPhase> forward, backward, beginning;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    if (program->hasAttr("backward"))
      backward.push_back(
          makePhase(program, static_cast<int64_t>(backward.size())));
    else if (program->hasAttr("beginning"))
      beginning.push_back(
          makePhase(program, static_cast<int64_t>(forward.size()) - 1));
    else
      forward.push_back(
          makePhase(program, static_cast<int64_t>(forward.size())));
  }
  for (size_t i = 0; i < forward.size(); ++i) {
    agree(programOf(forward[i]), programOf(backward[i]));
    dropOutputs(programOf(forward[i]));
  }
  std::reverse(backward.begin(), backward.end());
  for (auto *list : {&backward, &beginning})
    std::move(list->begin(), list->end(), std::back_inserter(forward));
  markSummed(forward);
  return forward;
}

} // namespace trowel::library
