// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The adjoint of a stage that runs token by token: reverse mode within a token,
// from the last token to the first. The states as each token began are kept
// while a chunk lasts.
#include "passes/Gradient/StageAdjoint.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace trowel {

rec::SequentialOp exportStates(rec::SequentialOp stage) {
  Block &body = stage.getBody().front();
  Operation *yield = body.getTerminator();
  SmallVector<Value> yielded(yield->getOperands());
  llvm::append_range(yielded, body.getArguments());
  unsigned states = body.getNumArguments();
  SmallVector<Type> types;
  for (Value value : ArrayRef(yielded).drop_front(states))
    types.push_back(value.getType());
  OpBuilder builder(stage);
  auto result = rec::SequentialOp::create(
      builder, stage.getLoc(), types, stage.getStates(), stage.getScan(),
      stage.getReasonAttr(), stage.getHelpAttr(), stage.getReverse());
  result.getBody().takeBody(stage.getBody());
  yield->setOperands(yielded);
  stage->replaceAllUsesWith(
      result->getResults().take_front(stage->getNumResults()));
  stage->erase();
  return result;
}

/// Values from outside that the block uses.
static llvm::SetVector<Value> captured(Block &body) {
  llvm::SetVector<Value> result;
  for (Operation &op : body)
    for (Value operand : op.getOperands())
      if (operand.getParentBlock() != &body)
        result.insert(operand);
  return result;
}

LogicalResult addSequentialAdjoint(rec::SequentialOp stage,
                                   Adjoints &adjoints) {
  rec::ValueBuilder &outer = adjoints.valueBuilder();
  OpBuilder &builder = outer.getBuilder();
  Block &body = stage.getBody().front();
  unsigned states = body.getNumArguments();
  auto before = stage->getResults().take_back(states);
  SmallVector<Attribute> names;
  for (StringAttr name : rec::stringsOf(stage.getStates()))
    names.push_back(builder.getStringAttr(gradientName(name)));
  llvm::SetVector<Value> from = captured(body);

  auto region = std::make_unique<Region>();
  Block *target = new Block();
  region->push_back(target);
  IRMapping mapping;
  for (auto [argument, value] : llvm::zip(body.getArguments(), before)) {
    target->addArgument(argument.getType(), argument.getLoc());
    mapping.map(argument, value);
  }
  OpBuilder inside(builder.getContext());
  inside.setInsertionPointToEnd(target);
  SmallVector<Operation *> done;
  for (Operation &op : body.without_terminator())
    done.push_back(inside.clone(op, mapping));
  rec::ValueBuilder values(inside, outer.getOrder());
  Adjoints inner(values);
  auto yielded = body.getTerminator()->getOperands();
  for (auto [i, value] : llvm::enumerate(yielded)) {
    if (i >= yielded.size() - states)
      break; // the states that exportStates added
    Value gradient = i < states ? Value(target->getArgument(i))
                                : adjoints.of(stage.getResult(i - states));
    inner.add(mapping.lookupOrDefault(value), gradient);
  }
  for (Operation *op : llvm::reverse(done))
    if (!inner.propagate(op))
      return op->emitError("the gradient of this is not supported yet");
  SmallVector<Value> results;
  for (Value value : before) {
    Value gradient = inner.of(value);
    results.push_back(gradient ? gradient
                               : values.splat(0, rec::axesOf(value)));
  }
  SmallVector<Value> reached;
  for (Value value : from)
    if (Value gradient = inner.of(value)) {
      reached.push_back(value);
      results.push_back(gradient);
    }
  rec::YieldOp::create(inside, stage.getLoc(), results);

  SmallVector<Type> types;
  for (Value value : reached)
    types.push_back(value.getType());
  auto made = rec::SequentialOp::create(
      builder, stage.getLoc(), types, builder.getArrayAttr(names),
      stage.getScan(), stage.getReasonAttr(), stage.getHelpAttr(),
      !stage.getReverse());
  made.getBody().takeBody(*region);
  for (auto [value, gradient] : llvm::zip(reached, made.getResults()))
    adjoints.addMasked(value, gradient);
  return success();
}

} // namespace trowel
