// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/Liveness.h"

#include "dialect/Rec/Axes.h"

using namespace mlir;

namespace trowel::cpu {

bool isViewOperation(Operation *op) {
  return isa<rec::RenameOp, rec::PickOp, rec::StopOp, rec::ConstantOp,
             chunk::TokenOp>(op);
}

Value Liveness::rootOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isViewOperation(op) || isa<rec::ConstantOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

Liveness::Liveness(chunk::ProgramOp program) {
  Block &block = program.getBody().front();
  number(block);
  classify(block);
  visitUses(block);
}

void Liveness::number(Block &block) {
  for (Operation &op : block) {
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        number(inner);
    steps[&op] = next++;
  }
}

static bool isElementwise(Operation *op) {
  return isa<rec::MapOp, rec::CastOp>(op);
}

/// The axes of a type that have more than one position.
static SmallVector<StringAttr> wideAxes(Type type) {
  SmallVector<StringAttr> axes;
  for (auto [axis, size] :
       llvm::zip(rec::axesOf(type), cast<RankedTensorType>(type).getShape()))
    if (size != 1)
      axes.push_back(axis);
  return axes;
}

/// The one user's tree can compute this value where it needs it.
static bool fitsItsUser(Operation *op) {
  if (!isElementwise(op) || !op->getResult(0).hasOneUse())
    return false;
  Operation *user = *op->getResult(0).user_begin();
  if (user->getBlock() != op->getBlock())
    return false;
  if (isa<rec::OutputOp>(user))
    return true;
  return isElementwise(user) && wideAxes(op->getResult(0).getType()) ==
                                    wideAxes(user->getResult(0).getType());
}

void Liveness::classify(Block &block) {
  for (Operation &op : block) {
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        classify(inner);
    if (isa<rec::ParamOp, rec::ConstantOp>(op)) {
      invariant.insert(&op);
      continue;
    }
    bool known = op.getNumOperands() > 0 && op.getNumResults() == 1 &&
                 isMemoryEffectFree(&op) && !isa<rec::DelayOp>(op);
    for (Value operand : op.getOperands())
      known &= operand.getDefiningOp() && isInvariant(operand.getDefiningOp());
    if (known && !rec::hasAxis(op.getResult(0), "t") &&
        op.getBlock() == &block && isa<chunk::ProgramOp>(block.getParentOp()))
      invariant.insert(&op);
  }
  for (Operation &op : block)
    if (fitsItsUser(&op) &&
        isInvariant(&op) == isInvariant(*op.getResult(0).user_begin()))
      inlined.insert(&op);
  absorb(block);
}

static bool isSum(Operation *op) {
  auto map = dyn_cast<rec::MapOp>(op);
  return map && map.getKind() == rec::MapKind::Add &&
         cast<RankedTensorType>(map.getType()).getElementType().isF32();
}

/// The one user of a value, behind parts of it that are all of it.
static Operation *onlyUser(Operation *op) {
  Operation *user = *op->getResult(0).user_begin();
  while (isa<rec::PickOp, rec::StopOp>(user) &&
         user->getResult(0).hasOneUse() &&
         wideAxes(user->getResult(0).getType()) ==
             wideAxes(op->getResult(0).getType()))
    user = *user->getResult(0).user_begin();
  return user;
}

/// Sums with a contraction in them have a place, in which it adds up.
void Liveness::absorb(Block &block) {
  DenseSet<Operation *> sums;
  for (Operation &op : block) {
    if (op.getNumResults() != 1 || !op.getResult(0).hasOneUse())
      continue;
    Operation *user = onlyUser(&op);
    if (isa<rec::ContractOp>(op) && user->getBlock() == &block && isSum(user) &&
        isElsewhere(&op) == isElsewhere(user) &&
        isInvariant(&op) == isInvariant(user) &&
        wideAxes(op.getResult(0).getType()) ==
            wideAxes(user->getResult(0).getType())) {
      absorbed.insert(&op);
      inlined.insert(&op);
      sums.insert(user);
    }
    if (sums.contains(&op) && isInlined(&op)) {
      if (isSum(user) && isElsewhere(&op) == isElsewhere(user))
        sums.insert(user);
      else
        inlined.erase(&op);
    }
  }
}

void Liveness::use(Value value, int64_t step) {
  value = rootOf(value);
  Operation *op = value.getDefiningOp();
  if (op && isInlined(op)) {
    for (Value operand : op->getOperands())
      use(operand, step);
    return;
  }
  int64_t &last = lastUses[value];
  last = std::max(last, step);
}

void Liveness::visitUses(Block &block) {
  for (Operation &op : block) {
    for (Region &region : op.getRegions())
      for (Block &inner : region) {
        visitUses(inner);
        // What the region reads from outside, it reads for every token.
        inner.walk([&](Operation *within) {
          for (Value operand : within->getOperands())
            if (operand.getParentRegion() != &region)
              use(operand, stepOf(&op));
        });
      }
    if (isInlined(&op) || isViewOperation(&op))
      continue;
    bool last = isa<rec::UpdateOp, rec::StateOp>(op);
    for (Value operand : op.getOperands())
      use(operand, last ? forever : stepOf(&op));
  }
}

} // namespace trowel::cpu
