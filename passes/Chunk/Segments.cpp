// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the columns of the states become is a linear map of them if all that is
// added to them or scales them does not come from the states. An operation that
// is not known to keep linear values linear does not.
#include "passes/Chunk/Segments.h"

#include "dialect/Rec/Axes.h"
#include "passes/Chunk/Slices.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace trowel {
namespace {

/// What values of a program are.
class Columns {
public:
  enum class Kind {
    Free,   // without the axis and not from the states
    Added,  // with the axis, not from the states
    Linear, // in the states, plus what is added
    Unknown
  };

  Columns(chunk::ProgramOp program, StringAttr axis) : axis(axis) {
    for (Operation &op : program.getBody().front()) {
      bool linear = isLinear(&op);
      for (Value result : op.getResults())
        kinds[result] = linear ? Kind::Linear : kindBeside(&op, result);
    }
  }

  Kind kindOf(Value value) const {
    auto known = kinds.find(value);
    return known == kinds.end() ? Kind::Unknown : known->second;
  }
  bool isFree(Value value) const { return kindOf(value) == Kind::Free; }
  bool isLinear(Value value) const { return kindOf(value) == Kind::Linear; }
  bool isAdded(Value value) const {
    return kindOf(value) == Kind::Added &&
           isa<FloatType>(getElementTypeOrSelf(value.getType()));
  }

private:
  /// Of an operation that is not linear.
  Kind kindBeside(Operation *op, Value result) const {
    bool fromStates = isa<rec::StateOp>(op) || op->getNumRegions() > 0;
    for (Value operand : op->getOperands())
      fromStates |= !isFree(operand) && kindOf(operand) != Kind::Added;
    if (fromStates)
      return Kind::Unknown;
    return rec::hasAxis(result, axis) ? Kind::Added : Kind::Free;
  }

  /// Some are linear, the rest is added.
  bool areTerms(ValueRange values) const {
    return llvm::any_of(values, [&](Value x) { return isLinear(x); }) &&
           llvm::all_of(values,
                        [&](Value x) { return isLinear(x) || isAdded(x); });
  }

  bool isScaled(Value a, Value b) const {
    return (isLinear(a) && isFree(b)) || (isFree(a) && isLinear(b));
  }

  bool isLinearMap(rec::MapOp op) const {
    ValueRange operands = op->getOperands();
    switch (op.getKind()) {
    case rec::MapKind::Neg:
    case rec::MapKind::Add:
    case rec::MapKind::Sub:
      return areTerms(operands);
    case rec::MapKind::Mul:
      return isScaled(operands[0], operands[1]);
    case rec::MapKind::Div:
      return isLinear(operands[0]) && isFree(operands[1]);
    case rec::MapKind::Where:
      return isFree(operands[0]) && areTerms(operands.drop_front());
    default:
      return false;
    }
  }

  bool isLinear(Operation *op) const {
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case<rec::StateOp>(
            [&](auto x) { return rec::hasAxis(x.getResult(), axis); })
        .Case<rec::MapOp>([&](auto x) { return isLinearMap(x); })
        .Case<rec::ContractOp>(
            [&](auto x) { return isScaled(x.getLhs(), x.getRhs()); })
        .Case<rec::ReduceOp>([&](auto x) {
          return x.getKind() != rec::ReduceKind::Max &&
                 isLinear(x.getOperand());
        })
        .Case<rec::RenameOp, rec::PickOp, rec::RepeatOp, rec::StopOp>(
            [&](auto x) { return isLinear(x.getOperand()); })
        .Case<rec::StackOp>([&](auto x) { return areTerms(x.getValues()); })
        .Case<chunk::SolveOp>([&](auto x) {
          return isFree(x.getMatrix()) && isLinear(x.getRhs()) &&
                 (!x.getDecay() || isFree(x.getDecay()));
        })
        .Case<chunk::ApplyOp>([&](auto x) {
          return isFree(x.getMatrix()) && areTerms(x.getKeys()) &&
                 llvm::all_of(x.getPhi(), [&](Value v) { return isFree(v); });
        })
        .Default(false);
  }

  StringAttr axis;
  llvm::DenseMap<Value, Kind> kinds;
};

/// How many elements one column of a state has.
int64_t columnElements(rec::StateOp state, StringAttr axis) {
  auto type = cast<RankedTensorType>(state.getType());
  return type.getNumElements() / rec::axisSize(state.getResult(), axis);
}

/// Leaves what is linear in the states: adds nothing to it.
void addNothing(chunk::ProgramOp program, StringAttr axis) {
  Columns columns(program, axis);
  OpBuilder builder(program.getContext());
  for (Operation &op : program.getBody().front()) {
    bool takes = isa<rec::UpdateOp>(op) ||
                 llvm::any_of(op.getResults(), [&](Value result) {
                   return columns.isLinear(result);
                 });
    for (OpOperand &operand : op.getOpOperands()) {
      if (!takes || !columns.isAdded(operand.get()) || isa<rec::StateOp>(op))
        continue;
      auto type = cast<RankedTensorType>(operand.get().getType());
      builder.setInsertionPoint(&op);
      operand.set(rec::ConstantOp::create(
          builder, op.getLoc(), type,
          DenseElementsAttr::get(type, builder.getF32FloatAttr(0))));
    }
  }
}

/// The outputs, and what only they and added values needed.
void eraseRest(chunk::ProgramOp program, StringAttr axis) {
  Block &block = program.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    bool isColumn = isa<rec::InputOp, rec::ParamOp>(op) &&
                    rec::hasAxis(op.getResult(0), axis) && op.use_empty();
    if (auto state = dyn_cast<rec::StateOp>(op))
      state.getInitialMutable().clear(); // the caller gives it
    if (isa<rec::OutputOp>(op) || isColumn || isOpTriviallyDead(&op))
      op.erase();
  }
}

} // namespace

bool hasLinearColumns(chunk::ProgramOp program, StringAttr axis) {
  Block &block = program.getBody().front();
  auto states = block.getOps<rec::StateOp>();
  auto isColumn = [&](rec::StateOp state) {
    return !state.getHidden() && !state.getSaved() &&
           rec::hasAxis(state.getResult(), axis) &&
           state.getSharing() == rec::SharingKind::Head;
  };
  if (states.empty() || !llvm::all_of(states, isColumn) ||
      !block.getOps<rec::DelayOp>().empty())
    return false;
  Columns columns(program, axis);
  return llvm::all_of(block.getOps<rec::UpdateOp>(), [&](rec::UpdateOp op) {
    return columns.isLinear(op.getValue()) || columns.isAdded(op.getValue());
  });
}

chunk::ProgramOp addColumnMap(chunk::ProgramOp program, chunk::ProgramOp last,
                              StringAttr axis) {
  int64_t elements = 0;
  for (auto state : program.getBody().front().getOps<rec::StateOp>())
    elements += columnElements(state, axis);
  chunk::ProgramOp map = sliceOf(program, axis, elements);
  addNothing(map, axis);
  eraseRest(map, axis);
  bool needsColumns = false;
  for (Operation &op : map.getBody().front())
    needsColumns |= isa<rec::InputOp, rec::ParamOp>(op) &&
                    rec::hasAxis(op.getResult(0), axis);
  if (needsColumns || workOf(map) > 2 * workOf(program)) {
    map.erase();
    return {};
  }
  map.setSymName((program.getSymName() + "_map").str());
  map->moveAfter(last);
  return map;
}

} // namespace trowel
