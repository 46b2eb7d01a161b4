// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The backward program of a token program in normal form: its own operations
// once more, then theirs in reverse.
#include "passes/Gradient/Passes.h"
#include "passes/Gradient/StageAdjoint.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace trowel {

#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Gradient/Passes.h.inc"

namespace {

class Differentiator {
public:
  Differentiator(rec::ProgramOp program, rec::ProgramOp target)
      : program(program), builder(target.getContext()),
        values(builder, rec::AxisOrder::around(target)), adjoints(values) {
    builder.setInsertionPointToEnd(&target.getBody().front());
  }

  LogicalResult run();

private:
  void copyForward();
  void addStateGradients();
  void seedOutputs();
  LogicalResult goBack();
  void emitGradients();
  Value gradientOf(Value value) {
    Value gradient = adjoints.of(value);
    return gradient ? gradient : values.splat(0, rec::axesOf(value));
  }

  rec::ProgramOp program;
  OpBuilder builder;
  rec::ValueBuilder values;
  Adjoints adjoints;
  StatePairs states;
  IRMapping mapping;
  SmallVector<Operation *> forward;
};

/// The forward program without its outputs, from the states that it saved.
void Differentiator::copyForward() {
  for (Operation &op : program.getBody().front()) {
    if (isa<rec::OutputOp>(op))
      continue;
    Operation *copy = builder.clone(op, mapping);
    if (auto state = dyn_cast<rec::StateOp>(copy)) {
      state.setSaved(true);
      state.getInitialMutable().clear();
      states.forward[state.getName()] = state.getResult();
    }
    Operation *made = copy;
    if (auto stage = dyn_cast<rec::StageOp>(copy))
      made = exportRows(stage);
    else if (auto stage = dyn_cast<rec::SequentialOp>(copy))
      made = exportStates(stage);
    for (auto [result, value] : llvm::zip(op.getResults(), made->getResults()))
      mapping.map(result, value);
    forward.push_back(made);
  }
}

/// A state for the gradient of each state: its seed is the gradient of the
/// state's final value.
void Differentiator::addStateGradients() {
  for (auto state : program.getBody().getOps<rec::StateOp>()) {
    std::string name = gradientName(state.getName());
    auto gradient = rec::StateOp::create(
        builder, state.getLoc(), state.getType(), name, state.getDtype(),
        state.getSharing(), state.getLayout(), state.getHidden(), Value(),
        /*saved=*/false, /*partial=*/true);
    states.gradient[name] = gradient.getResult();
  }
}

void Differentiator::seedOutputs() {
  for (auto output : program.getBody().getOps<rec::OutputOp>()) {
    if (output.getDebug() || output.getDtype() == rec::DTypeKind::I32)
      continue;
    auto seed = rec::InputOp::create(
        builder, output.getLoc(), output.getValue().getType(),
        gradientName(output.getName()), output.getDtype(), output.getSharing(),
        output.getLayout(), ArrayAttr(), /*partial=*/true);
    adjoints.add(mapping.lookup(output.getValue()), seed.getResult());
  }
}

LogicalResult Differentiator::goBack() {
  for (Operation *op : llvm::reverse(forward)) {
    if (auto stage = dyn_cast<rec::StageOp>(op)) {
      addStageAdjoint(stage, states, adjoints);
    } else if (auto stage = dyn_cast<rec::SequentialOp>(op)) {
      if (failed(addSequentialAdjoint(stage, adjoints)))
        return failure();
    } else if (!adjoints.propagate(op)) {
      return op->emitError("the gradient of this is not supported yet");
    }
  }
  return success();
}

void Differentiator::emitGradients() {
  for (Operation *op : forward) {
    if (auto input = dyn_cast<rec::InputOp>(op)) {
      if (input.getDtype() != rec::DTypeKind::I32)
        rec::OutputOp::create(builder, op->getLoc(),
                              gradientName(input.getName()), input.getDtype(),
                              input.getSharing(), input.getLayout(),
                              /*debug=*/false, gradientOf(input.getResult()),
                              /*partial=*/true);
    } else if (auto param = dyn_cast<rec::ParamOp>(op)) {
      if (param.getDtype() != rec::DTypeKind::I32)
        rec::TotalOp::create(builder, op->getLoc(),
                             gradientName(param.getName()), param.getDtype(),
                             param.getSharing(), param.getLayout(),
                             gradientOf(param.getResult()));
    }
  }
}

LogicalResult Differentiator::run() {
  copyForward();
  addStateGradients();
  seedOutputs();
  if (failed(goBack()))
    return failure();
  emitGradients();
  return success();
}

/// The operations that make the states' declared initial values, in order.
SmallVector<Operation *> beginningOf(rec::ProgramOp program) {
  DenseSet<Operation *> needed;
  Block &block = program.getBody().front();
  for (Operation &op : llvm::reverse(block)) {
    if (auto state = dyn_cast<rec::StateOp>(op)) {
      if (state.getInitial())
        needed.insert(state.getInitial().getDefiningOp());
    } else if (needed.contains(&op)) {
      for (Value operand : op.getOperands())
        needed.insert(operand.getDefiningOp());
    }
  }
  SmallVector<Operation *> result;
  for (Operation &op : block)
    if (needed.contains(&op))
      result.push_back(&op);
  return result;
}

bool beginsWithParams(rec::ProgramOp program) {
  return llvm::any_of(beginningOf(program),
                      [](Operation *op) { return isa<rec::ParamOp>(op); });
}

/// What declared initial values pass on to params, as a program whose tokens
/// are the sequences: from the gradient that each sequence's state begins with.
class BeginningDifferentiator {
public:
  BeginningDifferentiator(rec::ProgramOp program, rec::ProgramOp target)
      : program(program), builder(target.getContext()),
        values(builder, rec::AxisOrder::around(target)), adjoints(values) {
    builder.setInsertionPointToEnd(&target.getBody().front());
  }

  void run();

private:
  rec::ProgramOp program;
  OpBuilder builder;
  rec::ValueBuilder values;
  Adjoints adjoints;
};

void BeginningDifferentiator::run() {
  IRMapping mapping;
  SmallVector<Operation *> forward;
  for (Operation *op : beginningOf(program))
    forward.push_back(builder.clone(*op, mapping));
  for (auto state : program.getBody().getOps<rec::StateOp>()) {
    if (!state.getInitial() || state.getHidden())
      continue;
    auto seed = rec::InputOp::create(
        builder, state.getLoc(), state.getType(),
        gradientName(state.getName()) + "0", rec::DTypeKind::F32,
        state.getSharing(), state.getLayout(), ArrayAttr(), /*partial=*/true);
    adjoints.add(mapping.lookup(state.getInitial()), seed.getResult());
  }
  for (Operation *op : llvm::reverse(forward))
    adjoints.propagate(op);
  for (Operation *op : forward)
    if (auto param = dyn_cast<rec::ParamOp>(op))
      if (Value gradient = adjoints.of(param.getResult()))
        rec::TotalOp::create(builder, op->getLoc(),
                             gradientName(param.getName()), param.getDtype(),
                             param.getSharing(), param.getLayout(), gradient);
}

/// The delays of a program and of its backward program know each other by name.
void nameDelays(rec::ProgramOp program) {
  int64_t number = 0;
  program.walk([&](rec::DelayOp delay) {
    delay.setSaved("tail." + std::to_string(number++));
  });
}

/// A gradient's name must not be a declared one.
LogicalResult checkNames(rec::ProgramOp program) {
  llvm::StringSet<> declared;
  auto nameOf = [](Operation &op) {
    return op.getAttrOfType<StringAttr>("name");
  };
  Block &block = program.getBody().front();
  for (Operation &op : block)
    if (isa<rec::InputOp, rec::ParamOp, rec::StateOp>(op))
      declared.insert(nameOf(op));
  for (Operation &op : block)
    if (isa<rec::InputOp, rec::ParamOp, rec::StateOp, rec::OutputOp>(op) &&
        declared.contains(gradientName(nameOf(op))))
      return op.emitError("the gradient of `" + nameOf(op).getValue() +
                          "` would be called `" + gradientName(nameOf(op)) +
                          "`, which is declared");
  return success();
}

void eraseDead(rec::ProgramOp program) {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(program.getBody().front())))
    if (isOpTriviallyDead(&op) || (isa<rec::StageOp, rec::SequentialOp>(op) &&
                                   op.use_empty() && !op.hasAttr("reverse")))
      op.erase();
}

/// An empty program at the module's end, with the axes of `program`.
rec::ProgramOp emptyProgram(rec::ProgramOp program, StringRef suffix,
                            StringRef kind) {
  OpBuilder builder(program.getContext());
  builder.setInsertionPointToEnd(program->getBlock());
  auto made = rec::ProgramOp::create(builder, program.getLoc(),
                                     (program.getSymName() + suffix).str(),
                                     program.getAxes(), program.getSizes());
  made->setDiscardableAttrs(program->getDiscardableAttrDictionary());
  made->setAttr(kind, builder.getUnitAttr());
  made.getBody().emplaceBlock();
  return made;
}

struct Differentiate : impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    auto programs = llvm::to_vector(getOperation().getOps<rec::ProgramOp>());
    for (rec::ProgramOp &program : programs) {
      if (failed(checkNames(program)))
        return signalPassFailure();
      nameDelays(program);
      rec::ProgramOp target = emptyProgram(program, ".backward", "backward");
      target->moveAfter(program);
      if (failed(Differentiator(program, target).run()))
        return signalPassFailure();
      eraseDead(target);
      if (&program == &programs.back()) // the one that has all states
        differentiateBeginning(program);
      program->setAttr("saves", UnitAttr::get(&getContext()));
    }
  }

  void differentiateBeginning(rec::ProgramOp program) {
    if (!beginsWithParams(program))
      return;
    rec::ProgramOp target = emptyProgram(program, ".beginning", "beginning");
    BeginningDifferentiator(program, target).run();
    eraseDead(target);
  }
};

} // namespace
} // namespace trowel
