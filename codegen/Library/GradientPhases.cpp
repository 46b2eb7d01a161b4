// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/GradientPhases.h"

#include "codegen/Library/Phases.h"
#include "passes/Chunk/DeadOps.h"

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
  eraseDead(program, isKept);
}

static chunk::ProgramOp programOf(ModuleOp single) {
  return *single.getOps<chunk::ProgramOp>().begin();
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
  for (OwningOpRef<ModuleOp> &single : splitPrograms(module)) {
    CompiledPhase phase = beginPhase(*single);
    phase.isBackward = programOf(*single)->hasAttr("backward");
    phase.isBeginning = programOf(*single)->hasAttr("beginning");
    auto &list = phase.isBackward    ? backward
                 : phase.isBeginning ? beginning
                                     : forward;
    phase.source = phase.isBeginning ? static_cast<int64_t>(forward.size()) - 1
                                     : static_cast<int64_t>(list.size());
    list.push_back({std::move(single), std::move(phase)});
  }
  for (size_t i = 0; i < forward.size(); ++i) {
    agree(programOf(*forward[i].module), programOf(*backward[i].module));
    dropOutputs(programOf(*forward[i].module));
  }
  std::reverse(backward.begin(), backward.end());
  for (auto *list : {&backward, &beginning})
    std::move(list->begin(), list->end(), std::back_inserter(forward));
  markSummed(forward);
  return forward;
}

} // namespace trowel::library
