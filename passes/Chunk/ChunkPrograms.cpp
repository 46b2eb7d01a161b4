// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lifts a token program in normal form to chunks: a value of a token becomes a
// tile with axis `t` in front, an operation on values the same operation on
// tiles. Stages become what ChunkStage.cpp derives, or a loop over the tokens.

#include "passes/Chunk/ChunkStage.h"
#include "passes/Chunk/ChunkTransitionGradient.h"
#include "passes/Chunk/DeadOps.h"
#include "passes/Chunk/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace trowel {

#define GEN_PASS_DEF_CHUNKPROGRAMS
#include "passes/Chunk/Passes.h.inc"

namespace {

/// A solve of more rows would cost more than it saves. A program that
/// saves its states does so every 64 tokens.
int64_t chooseTokens(rec::ProgramOp program, int64_t mostRows) {
  if (program->hasAttr("saves") || program->hasAttr("backward"))
    return 64;
  int64_t tokens = mostRows;
  for (auto stage : program.getBody().getOps<rec::StageOp>()) {
    int64_t rows = solvedRowCount(stage);
    while (tokens > 4 && tokens * rows > mostRows)
      tokens /= 2;
  }
  return tokens;
}

class ProgramLifter {
public:
  ProgramLifter(rec::ProgramOp program, chunk::ProgramOp target)
      : program(program), builder(target.getContext()),
        values(builder, rec::AxisOrder::around(target)) {
    builder.setInsertionPointToEnd(&target.getBody().front());
  }

  LogicalResult run();

private:
  Value tileOf(Value value) { return tiles.lookup(value); }
  Type tileType(Type type);
  LogicalResult lift(Operation *op);
  Value liftValue(Operation *op);
  Value liftDelay(rec::DelayOp delay);
  void liftStage(rec::StageOp stage);
  Value reversed(Value tile);
  void liftSequential(rec::SequentialOp sequential);
  void liftTransitionGradient(rec::TransitionGradientOp op);
  SmallVector<Value> statesOf(ArrayAttr names);
  void setStates(ArrayAttr names, ArrayRef<Value> next);

  rec::ProgramOp program;
  OpBuilder builder;
  rec::ValueBuilder values;
  DenseMap<Value, Value> tiles;
  llvm::StringMap<Value> states;
  llvm::StringSet<> saved; // nothing updates them
};

Type ProgramLifter::tileType(Type type) {
  SmallVector<StringAttr> axes{builder.getStringAttr("t")};
  llvm::append_range(axes, rec::axesOf(type));
  return values.type(axes, cast<RankedTensorType>(type).getElementType());
}

LogicalResult ProgramLifter::run() {
  for (Operation &op : program.getBody().front())
    if (failed(lift(&op)))
      return failure();
  return success();
}

LogicalResult ProgramLifter::lift(Operation *op) {
  values.setLocation(op->getLoc());
  if (auto stage = dyn_cast<rec::StageOp>(op)) {
    liftStage(stage);
  } else if (auto sequential = dyn_cast<rec::SequentialOp>(op)) {
    liftSequential(sequential);
  } else if (isa<rec::UpdateOp>(op)) {
    return op->emitError(
        "a state's update is in no stage: run --rec-form-stages");
  } else if (auto output = dyn_cast<rec::OutputOp>(op)) {
    Value tile = perToken(values, tileOf(output.getValue()));
    rec::OutputOp::create(builder, op->getLoc(), output.getName(),
                          output.getDtype(), output.getSharing(),
                          output.getLayout(), output.getDebug(), tile,
                          output.getPartial());
  } else if (auto total = dyn_cast<rec::TotalOp>(op)) {
    rec::TotalOp::create(builder, op->getLoc(), total.getName(),
                         total.getDtype(), total.getSharing(),
                         total.getLayout(),
                         perToken(values, tileOf(total.getValue())));
  } else if (auto gradient = dyn_cast<rec::TransitionGradientOp>(op)) {
    liftTransitionGradient(gradient);
  } else {
    tiles[op->getResult(0)] = liftValue(op);
  }
  return success();
}

/// An operation on values, on tiles.
Value ProgramLifter::liftValue(Operation *op) {
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, tileOf(operand));
  if (auto state = dyn_cast<rec::StateOp>(op)) {
    Value entry = builder.clone(*op, mapping)->getResult(0);
    states[state.getName()] = entry;
    if (state.getSaved())
      saved.insert(state.getName());
    return entry;
  }
  if (isa<rec::ConstantOp, rec::ParamOp>(op))
    return builder.clone(*op, mapping)->getResult(0);
  if (auto delay = dyn_cast<rec::DelayOp>(op))
    return liftDelay(delay);
  if (isa<rec::StackOp>(op)) // all of its values have the same axes
    for (Value operand : op->getOperands())
      mapping.map(operand, perToken(values, mapping.lookup(operand)));
  bool perTokenResult = isa<rec::InputOp, rec::PositionOp>(op) ||
                        llvm::any_of(op->getOperands(), [&](Value operand) {
                          return rec::hasAxis(mapping.lookup(operand), "t");
                        });
  Operation *tile = builder.clone(*op, mapping);
  if (perTokenResult)
    tile->getResult(0).setType(
        cast<RankedTensorType>(tileType(op->getResult(0).getType())));
  return tile->getResult(0);
}

/// Of a param, too: it is zero before the sequence begins. Behind the chunk's
/// end lies what the tokens turned around have before it.
Value ProgramLifter::liftDelay(rec::DelayOp delay) {
  Value tile = perToken(values, tileOf(delay.getOperand()));
  if (delay.getReverse())
    tile = reversed(tile);
  Value result = rec::DelayOp::create(builder, delay.getLoc(), tile.getType(),
                                      tile, delay.getAmount(),
                                      /*reverse=*/false, delay.getSavedAttr());
  return delay.getReverse() ? reversed(result) : result;
}

Value ProgramLifter::reversed(Value tile) {
  if (!rec::hasAxis(tile, "t"))
    return tile;
  return chunk::ReverseOp::create(builder, values.getLocation(), tile.getType(),
                                  tile);
}

SmallVector<Value> ProgramLifter::statesOf(ArrayAttr names) {
  SmallVector<Value> result;
  for (StringAttr name : rec::stringsOf(names))
    result.push_back(states.lookup(name));
  return result;
}

void ProgramLifter::setStates(ArrayAttr names, ArrayRef<Value> next) {
  for (auto [name, value] : llvm::zip(rec::stringsOf(names), next))
    if (!saved.contains(name))
      rec::UpdateOp::create(builder, values.getLocation(), name, value);
}

void ProgramLifter::liftStage(rec::StageOp stage) {
  SmallVector<Value> entry = statesOf(stage.getStates());
  bool reverse = stage.getReverse();
  auto operand = [&](Value value) {
    return reverse ? reversed(tileOf(value)) : tileOf(value);
  };
  SmallVector<Value> results = chunkStage(stage, values, operand, entry);
  for (auto [result, tile] : llvm::zip(stage.getResults(), results))
    tiles[result] = reverse ? reversed(tile) : tile;
  setStates(stage.getStates(), entry);
}

void ProgramLifter::liftSequential(rec::SequentialOp sequential) {
  Block &body = sequential.getBody().front();
  SmallVector<Value> entry = statesOf(sequential.getStates());
  SmallVector<Type> types =
      llvm::map_to_vector(entry, [](Value v) { return v.getType(); });
  for (Type type : sequential.getResultTypes())
    types.push_back(tileType(type));
  auto loop = chunk::SequentialOp::create(builder, sequential.getLoc(), types,
                                          entry, sequential.getScan(),
                                          sequential.getReverse());
  Block &target = loop.getBody().emplaceBlock();
  OpBuilder inner = OpBuilder::atBlockEnd(&target);
  IRMapping mapping;
  for (BlockArgument argument : body.getArguments())
    mapping.map(argument,
                target.addArgument(argument.getType(), argument.getLoc()));
  llvm::SetVector<Value> captured;
  body.walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (operand.getParentBlock() != &body)
        captured.insert(operand);
  });
  for (Value value : captured) {
    Value tile = tileOf(value);
    if (rec::hasAxis(tile, "t"))
      tile =
          chunk::TokenOp::create(inner, value.getLoc(), value.getType(), tile);
    mapping.map(value, tile);
  }
  for (Operation &op : body.without_terminator())
    inner.clone(op, mapping);
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  chunk::YieldOp::create(inner, sequential.getLoc(), yielded);

  unsigned count = entry.size();
  setStates(sequential.getStates(),
            SmallVector<Value>(loop.getResults().take_front(count)));
  for (auto [result, tile] :
       llvm::zip(sequential.getResults(), loop.getResults().drop_front(count)))
    tiles[result] = tile;
}

void ProgramLifter::liftTransitionGradient(rec::TransitionGradientOp op) {
  auto operand = [&](Value value) { return tileOf(value); };
  SmallVector<Value> results = chunkTransitionGradient(op, values, operand);
  for (auto [result, tile] : llvm::zip(op.getResults(), results))
    tiles[result] = tile;
  if (!results.empty())
    return;
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, llvm::is_contained(op.getStarts(), operand) ||
                                 llvm::is_contained(op.getEnds(), operand)
                             ? tileOf(operand)
                             : perToken(values, tileOf(operand)));
  Operation *made = builder.clone(*op, mapping);
  for (auto [result, tile] : llvm::zip(op->getResults(), made->getResults())) {
    tile.setType(cast<RankedTensorType>(tileType(result.getType())));
    tiles[result] = tile;
  }
}

struct ChunkPrograms : impl::ChunkProgramsBase<ChunkPrograms> {
  using ChunkProgramsBase::ChunkProgramsBase;

  void runOnOperation() override {
    for (auto program :
         llvm::make_early_inc_range(getOperation().getOps<rec::ProgramOp>())) {
      OpBuilder builder(program);
      auto target = chunk::ProgramOp::create(
          builder, program.getLoc(), program.getSymName(),
          tokens > 0 ? static_cast<int64_t>(tokens)
                     : chooseTokens(program, rows),
          program.getAxes(), program.getSizes());
      target->setDiscardableAttrs(program->getDiscardableAttrDictionary());
      target.getBody().emplaceBlock();
      if (failed(ProgramLifter(program, target).run()))
        return signalPassFailure();
      eraseDead(target);
      program.erase();
    }
  }
};

} // namespace
} // namespace trowel
