// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A sum over heads couples the heads of a token; everything else is computed
// head by head. The program is cut there:
//
//   rec.program @p                          rec.program @p.heads.1
//     %m = rec.reduce_heads mean %x    →      rec.output "heads.0", %x
//     …  %m …                               rec.program @p
//                                             %m = rec.input "heads.0" shared …
//
// Whoever runs the module runs its programs in order and, between them, reduces
// the outputs that the attribute `heads` of a program lists over heads.

#include "dialect/Rec/Axes.h"
#include "passes/Normalize/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace trowel {

#define GEN_PASS_DEF_SPLITHEADS
#include "passes/Normalize/Passes.h.inc"

namespace {

/// Everything that values depend on, through the states' updates of earlier
/// tokens, too.
llvm::SetVector<Operation *> history(ArrayRef<Value> values) {
  llvm::SetVector<Operation *> ops;
  SmallVector<Value> work(values);
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || !ops.insert(op))
      continue;
    llvm::append_range(work, op->getOperands());
    auto state = dyn_cast<rec::StateOp>(op);
    if (!state)
      continue;
    for (auto update : op->getBlock()->getOps<rec::UpdateOp>())
      if (update.getName() == state.getName())
        work.push_back(update.getValue());
  }
  return ops;
}

/// The type in which a value goes from one program to the next.
rec::DTypeKind passedAs(Value value) {
  return getElementTypeOrSelf(value).isInteger(32) ? rec::DTypeKind::I32
                                                   : rec::DTypeKind::F32;
}

class HeadSplitter {
public:
  explicit HeadSplitter(rec::ProgramOp program) : program(program) {
    llvm::append_range(reductions,
                       program.getBody().getOps<rec::ReduceHeadsOp>());
  }

  LogicalResult run();

private:
  LogicalResult findPhases();
  rec::ProgramOp makePhase(unsigned phase);
  void replaceByInput(rec::ReduceHeadsOp reduction);
  void keepOnlyOperands(rec::ProgramOp copy, unsigned phase,
                        const IRMapping &mapping);

  rec::ProgramOp program;
  SmallVector<rec::ReduceHeadsOp> reductions;
  DenseMap<Operation *, unsigned> phaseOf; // from 1
  unsigned phases = 0;
};

/// A reduction's phase comes after those of all that its operand depends on.
LogicalResult HeadSplitter::findPhases() {
  for (size_t round = 0; round <= reductions.size(); ++round) {
    bool changed = false;
    for (rec::ReduceHeadsOp reduction : reductions) {
      unsigned phase = 1;
      for (Operation *op : history({reduction.getOperand()}))
        if (isa<rec::ReduceHeadsOp>(op)) {
          if (op == reduction)
            return reduction.emitError(
                "a reduction over heads feeds back, through a state, into what "
                "it reduces: this is not supported yet");
          phase = std::max(phase, phaseOf.lookup(op) + 1);
        }
      changed |= phaseOf[reduction] != phase;
      phaseOf[reduction] = phase;
      phases = std::max(phases, phase);
    }
    if (!changed)
      break;
  }
  return success();
}

void HeadSplitter::replaceByInput(rec::ReduceHeadsOp reduction) {
  OpBuilder builder(reduction);
  int64_t index = reduction->getAttrOfType<IntegerAttr>("number").getInt();
  SmallVector<Attribute> layout;
  for (StringAttr axis : rec::axesOf(reduction.getResult()))
    layout.push_back(axis);
  auto input = rec::InputOp::create(
      builder, reduction.getLoc(), reduction.getType(),
      builder.getStringAttr("heads." + std::to_string(index)),
      rec::DTypeKindAttr::get(builder.getContext(),
                              passedAs(reduction.getResult())),
      reduction.getToAttr(), builder.getArrayAttr(layout), ArrayAttr());
  reduction.getResult().replaceAllUsesWith(input.getResult());
  reduction.erase();
}

/// Turns the copy's reductions of this phase into outputs and drops what only
/// the program's own outputs and states need.
void HeadSplitter::keepOnlyOperands(rec::ProgramOp copy, unsigned phase,
                                    const IRMapping &mapping) {
  Block &block = copy.getBody().front();
  for (auto output : llvm::make_early_inc_range(block.getOps<rec::OutputOp>()))
    output.erase();
  OpBuilder builder = OpBuilder::atBlockEnd(&block);
  SmallVector<Attribute> heads;
  SmallVector<Value> operands;
  for (auto [index, reduction] : llvm::enumerate(reductions)) {
    if (phaseOf[reduction] != phase)
      continue;
    Value operand = mapping.lookup(reduction.getOperand());
    operands.push_back(operand);
    SmallVector<Attribute> layout;
    for (StringAttr axis : rec::axesOf(operand))
      layout.push_back(axis);
    std::string name = "heads." + std::to_string(index);
    rec::OutputOp::create(builder, reduction.getLoc(), name, passedAs(operand),
                          rec::SharingKind::Head, builder.getArrayAttr(layout),
                          /*debug=*/false, operand);
    heads.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("name", builder.getStringAttr(name)),
         builder.getNamedAttr(
             "kind", builder.getStringAttr(
                         rec::stringifyReduceKind(reduction.getKind()))),
         builder.getNamedAttr(
             "to", builder.getStringAttr(
                       rec::stringifySharingKind(reduction.getTo())))}));
  }
  copy->setAttr("heads", builder.getArrayAttr(heads));
  llvm::SetVector<Operation *> needed = history(operands);
  llvm::StringSet<> states;
  for (Operation *op : needed)
    if (auto state = dyn_cast<rec::StateOp>(op))
      states.insert(state.getName());
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    auto update = dyn_cast<rec::UpdateOp>(op);
    if ((update && !states.contains(update.getName())) ||
        (!needed.contains(&op) && op.use_empty() &&
         !isa<rec::UpdateOp, rec::OutputOp>(op)))
      op.erase();
  }
}

rec::ProgramOp HeadSplitter::makePhase(unsigned phase) {
  OpBuilder builder(program);
  IRMapping mapping;
  auto copy = cast<rec::ProgramOp>(builder.clone(*program, mapping));
  copy.setSymName((program.getSymName() + ".heads." + Twine(phase)).str());
  keepOnlyOperands(copy, phase, mapping);
  return copy;
}

LogicalResult HeadSplitter::run() {
  if (reductions.empty())
    return success();
  if (failed(findPhases()))
    return failure();
  Builder builder(program.getContext());
  for (auto [index, reduction] : llvm::enumerate(reductions))
    reduction->setAttr("number", builder.getI64IntegerAttr(index));
  SmallVector<rec::ProgramOp> programs;
  for (unsigned phase = 1; phase <= phases; ++phase)
    programs.push_back(makePhase(phase));
  programs.push_back(program);
  // What is left of reductions in each program is an earlier phase's result.
  for (rec::ProgramOp each : programs)
    for (auto reduction : llvm::make_early_inc_range(
             each.getBody().getOps<rec::ReduceHeadsOp>()))
      replaceByInput(reduction);
  return success();
}

struct SplitHeads : impl::SplitHeadsBase<SplitHeads> {
  void runOnOperation() override {
    for (auto program :
         llvm::make_early_inc_range(getOperation().getOps<rec::ProgramOp>()))
      if (failed(HeadSplitter(program).run()))
        return signalPassFailure();
  }
};

} // namespace
} // namespace trowel
