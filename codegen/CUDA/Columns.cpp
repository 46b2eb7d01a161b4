// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CUDA/Columns.h"

#include "codegen/CPU/Liveness.h"
#include "codegen/CUDA/Fragment.h"
#include "dialect/Rec/Axes.h"
#include "dialect/Rec/ValueBuilder.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace trowel::cuda {
namespace {

constexpr llvm::StringLiteral attribute = "columns";

/// So many registers of a thread may hold states, and any other value: what is
/// needed beside them has to have room.
constexpr int64_t mostStateRegisters = 128, mostValueRegisters = 16;

class Search {
public:
  Search(chunk::ProgramOp program, StringAttr axis)
      : program(program), block(program.getBody().front()), axis(axis) {}

  /// The operations that depend on states with the axis; none if their columns
  /// are not apart, or need too much room.
  llvm::SetVector<Operation *> run();

private:
  void addStates();
  void addProducts();
  bool mayFollow(Operation *op) const;
  bool mayContract(rec::ContractOp op) const;
  bool hasAllAxes(Operation *op) const;
  bool isFound(Value value) const {
    return found.contains(value.getDefiningOp());
  }
  bool hasAxis(Value value) const { return rec::hasAxis(value, axis); }

  chunk::ProgramOp program;
  Block &block;
  StringAttr axis;
  llvm::SetVector<Operation *> found;
  llvm::SetVector<Attribute> states;
};

void Search::addStates() {
  for (auto state : block.getOps<rec::StateOp>())
    if (hasAxis(state.getResult()) && !state.getHidden() && !state.getSaved() &&
        state.getType().getElementType().isF32()) {
      found.insert(state);
      states.insert(state.getNameAttr());
    }
}

/// An elementwise operation whose found operands have all its axes.
bool Search::hasAllAxes(Operation *op) const {
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return !isFound(operand) ||
           Fragment::of(operand.getType(), axis).axes ==
               Fragment::of(op->getResult(0).getType(), axis).axes;
  });
}

bool Search::mayContract(rec::ContractOp op) const {
  Value columns = op.getLhs(), matrix = op.getRhs();
  if (!hasAxis(columns))
    std::swap(columns, matrix);
  auto isReal = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType().isF32();
  };
  if (isFound(matrix) || hasAxis(matrix) || !isReal(columns) || !isReal(matrix))
    return false;
  SmallVector<StringAttr> depth = rec::stringsOf(op.getAxes());
  Fragment from = Fragment::of(columns.getType(), axis);
  Fragment to = Fragment::of(op.getType(), axis);
  // Tiles of eight are along an axis that is summed over, and in the result
  // along one of the matrix.
  if (!from.last() || !to.last() || !llvm::is_contained(depth, from.last()) ||
      !rec::hasAxis(matrix, to.last()))
    return false;
  // Every axis that both have is summed over, and no other one is.
  for (StringAttr name : depth)
    if (!rec::hasAxis(columns, name) || !rec::hasAxis(matrix, name))
      return false;
  for (StringAttr name : rec::axesOf(matrix))
    if (rec::hasAxis(columns, name) && !llvm::is_contained(depth, name))
      return false;
  return true;
}

bool Search::mayFollow(Operation *op) const {
  auto rows = StringAttr::get(op->getContext(), "t.r");
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<rec::MapOp, rec::CastOp>(
          [&](Operation *x) { return hasAllAxes(x); })
      .Case<rec::ContractOp>([&](auto x) { return mayContract(x); })
      .Case<rec::UpdateOp>(
          [&](auto x) { return states.contains(x.getNameAttr()); })
      .Case<rec::OutputOp>([&](auto x) {
        return hasAxis(x.getValue()) && !x->hasAttr("summed") &&
               !x->hasAttr("partial");
      })
      .Case<rec::StopOp>([](auto) { return true; })
      .Case<rec::PickOp, rec::StackOp>(
          [&](auto x) { return x.getAxisAttr() != axis; })
      .Case<rec::RenameOp>([&](auto x) {
        return x.getFromAttr() != axis && x.getToAttr() != axis;
      })
      .Case<chunk::SolveOp>([&](auto x) {
        // Several rows a token would take more registers than there are.
        return !x.getDecay() && rec::axisSize(x.getResult(), rows) == 1 &&
               !isFound(x.getMatrix()) && !hasAxis(x.getMatrix()) &&
               isFound(x.getRhs());
      })
      .Default(false);
}

/// Products of what follows from no state, if only what does reads them.
void Search::addProducts() {
  for (Operation &op : llvm::reverse(block)) {
    auto isProduct = [&](Operation *x) {
      auto product = dyn_cast_or_null<rec::ContractOp>(x);
      return product && hasAxis(product.getResult()) && mayContract(product);
    };
    bool part = isa<rec::PickOp, rec::StopOp>(op) &&
                isProduct(op.getOperand(0).getDefiningOp());
    if (found.contains(&op) || !(part || isProduct(&op)) ||
        (part && !mayFollow(&op)))
      continue;
    if (!op.use_empty() && llvm::all_of(op.getUsers(), [&](Operation *user) {
          return found.contains(user);
        }))
      found.insert(&op);
  }
}

static bool hasTokens(Value value) {
  return rec::hasAxis(value, "t") || rec::hasAxis(value, "t.s");
}

llvm::SetVector<Operation *> Search::run() {
  addStates();
  if (found.empty())
    return {};
  for (Operation &op : block) {
    bool follows = llvm::any_of(
        op.getOperands(), [&](Value operand) { return isFound(operand); });
    op.walk([&](Operation *within) { // what stages read from outside
      for (Value operand : within->getOperands())
        follows |= isFound(operand);
    });
    auto update = dyn_cast<rec::UpdateOp>(op);
    follows |= update && states.contains(update.getNameAttr());
    if (!follows)
      continue;
    if (!mayFollow(&op))
      return {};
    found.insert(&op);
  }
  addProducts();
  int64_t registers = 0;
  for (Operation *op : found) {
    for (Value result : op->getResults())
      if (!hasAxis(result))
        return {};
    if (auto product = dyn_cast<rec::ContractOp>(op))
      if (hasTokens(product.getResult()) &&
          Fragment::of(product.getType(), axis).elementCount() >
              mostValueRegisters)
        return {};
    if (auto state = dyn_cast<rec::StateOp>(op))
      registers += Fragment::of(state.getType(), axis).elementCount();
  }
  return registers <= mostStateRegisters ? found
                                         : llvm::SetVector<Operation *>();
}

/// X + M U = U as U = (I - M)^-1 X.
Operation *multiplyByInverse(chunk::SolveOp solve) {
  OpBuilder builder(solve);
  rec::ValueBuilder values(builder, rec::AxisOrder::around(solve));
  values.setLocation(solve.getLoc());
  auto name = [&](StringRef axis) {
    return StringAttr::get(solve.getContext(), axis);
  };
  Value inverse = chunk::InverseOp::create(
      builder, solve.getLoc(), solve.getMatrix().getType(), solve.getMatrix());
  Value rows = values.rename(solve.getRhs(), name("t"), name("t.s"));
  rows = values.rename(rows, name("t.r"), name("t.w"));
  Value product = values.contract(inverse, rows, {name("t.s"), name("t.w")});
  solve.getResult().replaceAllUsesWith(product);
  return product.getDefiningOp();
}

SmallVector<Operation *> inOrder(const llvm::SetVector<Operation *> &found) {
  SmallVector<Operation *> order(found.begin(), found.end());
  llvm::sort(order,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return order;
}

/// What outputs need comes ahead of what only the next chunk needs, so that
/// fewer values are alive at a time.
SmallVector<Operation *> outputsFirst(ArrayRef<Operation *> operations) {
  llvm::DenseSet<Operation *> needed;
  for (Operation *op : llvm::reverse(operations))
    if (isa<rec::OutputOp>(op) || needed.contains(op))
      for (Value operand : op->getOperands())
        needed.insert(operand.getDefiningOp());
  SmallVector<Operation *> order;
  for (bool first : {true, false})
    for (Operation *op : operations)
      if ((isa<rec::OutputOp>(op) || needed.contains(op)) == first)
        order.push_back(op);
  return order;
}

} // namespace

StringAttr columnAxisOf(chunk::ProgramOp program) {
  return program->getAttrOfType<StringAttr>(attribute);
}

void markColumns(chunk::ProgramOp program) {
  // Warps take sixteen columns and eight tokens at least.
  if (program.getTokens() < 8 || program->hasAttr("backward") ||
      program->hasAttr("saves"))
    return;
  llvm::SetVector<Operation *> found;
  StringAttr axis;
  for (StringAttr candidate : rec::stringsOf(program.getAxes()))
    if (found.empty()) {
      axis = candidate;
      found = Search(program, candidate).run();
    }
  if (found.empty())
    return;
  program->setAttr(attribute, axis);
  SmallVector<Operation *> order;
  for (Operation *op : inOrder(found)) {
    auto solve = dyn_cast<chunk::SolveOp>(op);
    if (!solve) {
      order.push_back(op);
      continue;
    }
    Operation *product = multiplyByInverse(solve);
    for (Value operand : product->getOperands()) {
      SmallVector<Operation *> renames;
      for (Operation *rename = operand.getDefiningOp();
           isa<rec::RenameOp>(rename) && !found.contains(rename);
           rename = rename->getOperand(0).getDefiningOp())
        renames.push_back(rename);
      order.append(renames.rbegin(), renames.rend());
    }
    order.push_back(product);
  }
  for (Operation *op : found)
    if (isa<chunk::SolveOp>(op))
      op->erase();
  Block &block = program.getBody().front();
  for (Operation *op : outputsFirst(order)) {
    op->setAttr(cpu::elsewhere, UnitAttr::get(program.getContext()));
    if (!isa<rec::StateOp>(op))
      op->moveBefore(&block, block.end());
  }
}

} // namespace trowel::cuda
