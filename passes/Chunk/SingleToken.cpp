// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What becomes simple in a chunk of one token: nothing lies between its
// beginning and the token, nor between the token and its end. Reads of one
// state then wait for nothing but coefficients, and are one product.

#include "passes/Chunk/Passes.h"

#include "dialect/Rec/ValueBuilder.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel {

#define GEN_PASS_DEF_SINGLETOKEN
#include "passes/Chunk/Passes.h.inc"

namespace {

/// The tile whose index is `number`, if there is one such.
Value only(ValueRange tiles, ArrayRef<int64_t> numbers, int64_t number) {
  if (llvm::count(numbers, number) != 1)
    return {};
  return tiles[llvm::find(numbers, number) - numbers.begin()];
}

/// Replaces the results by values of the same types; does nothing if one lacks.
void replace(Operation *op, ArrayRef<Value> values) {
  for (auto [result, value] : llvm::zip(op->getResults(), values))
    if (!value || value.getType() != result.getType())
      return;
  op->replaceAllUsesWith(values);
}

class Simplifier {
public:
  explicit Simplifier(chunk::ProgramOp program)
      : program(program), block(program.getBody().front()),
        builder(program.getContext()) {}

  void run() {
    for (Operation &op : block) {
      if (auto pull = dyn_cast<chunk::PullOp>(op))
        carryNowhere(op, pull.getRow(), pull.getRowStates(),
                     pull.getResultStates());
      else if (auto push = dyn_cast<chunk::PushOp>(op))
        carryNowhere(op, push.getKey(), push.getKeyStates(),
                     push.getResultStates());
      else if (auto total = dyn_cast<chunk::TotalOp>(op))
        takeTransition(total);
      else if (auto solve = dyn_cast<chunk::SolveOp>(op))
        dropEmptySystem(solve);
    }
    for (Operation &op : llvm::make_early_inc_range(block))
      if (auto contract = dyn_cast<rec::ContractOp>(op))
        multiply(contract);
    joinReads();
  }

private:
  rec::ValueBuilder before(Operation *op) {
    builder.setInsertionPoint(op);
    rec::ValueBuilder values(builder, rec::AxisOrder::around(program));
    values.setLocation(op->getLoc());
    return values;
  }

  static void carryNowhere(Operation &op, ValueRange tiles,
                           ArrayRef<int64_t> states,
                           ArrayRef<int64_t> results) {
    replace(&op, llvm::map_to_vector(results, [&](int64_t state) {
      return only(tiles, states, state);
    }));
  }

  /// The product of one transition is that transition.
  void takeTransition(chunk::TotalOp total) {
    ArrayRef<int64_t> blocks = total.getPhiBlocks(),
                      results = total.getResultBlocks();
    SmallVector<Value> values;
    for (size_t i = 0; i < results.size(); i += 2) {
      Value found;
      for (size_t j = 0; j < blocks.size(); j += 2)
        if (blocks.slice(j, 2) == results.slice(i, 2))
          found = total.getPhi()[j / 2];
      if (found && rec::hasAxis(found, "t"))
        found = before(total).pick(found, builder.getStringAttr("t"), 0);
      values.push_back(found);
    }
    replace(total, values);
  }

  /// Without products within the token, no row depends on another one.
  void dropEmptySystem(chunk::SolveOp solve) {
    auto gram = solve.getOperand(0).getDefiningOp<chunk::GramOp>();
    if (gram && gram.getWithin().empty())
      replace(solve, {solve.getOperand(1)});
  }

  /// A sum over a single position is a product.
  void multiply(rec::ContractOp contract) {
    SmallVector<StringAttr> axes = rec::stringsOf(contract.getAxes());
    auto hasLength = [&](Value value, StringAttr axis) {
      auto type = cast<RankedTensorType>(value.getType());
      auto names = rec::axesOf(value);
      return type.getDimSize(llvm::find(names, axis) - names.begin()) != 1;
    };
    for (Value operand : contract->getOperands()) {
      auto type = cast<RankedTensorType>(operand.getType());
      if (!type.getElementType().isF32() ||
          llvm::any_of(
              axes, [&](StringAttr axis) { return hasLength(operand, axis); }))
        return;
    }
    rec::ValueBuilder values = before(contract);
    SmallVector<Value> operands(contract->getOperands());
    for (Value &operand : operands)
      for (StringAttr axis : axes)
        operand = values.pick(operand, axis, 0);
    replace(contract, {values.mul(operands[0], operands[1])});
  }

  /// Products with one state over the same axes, of rows that are all known
  /// before the first result is used: the state is read once.
  void joinReads() {
    llvm::MapVector<std::pair<Value, Attribute>, SmallVector<rec::ContractOp>>
        groups;
    for (auto contract : block.getOps<rec::ContractOp>())
      if (contract.getRhs().getDefiningOp<rec::StateOp>() &&
          rec::axesOf(contract.getLhs()).size() ==
              contract.getAxes().size() + 1 &&
          rec::hasAxis(contract.getLhs(), "t") && !contract->use_empty())
        groups[{contract.getRhs(), contract.getAxes()}].push_back(contract);
    for (auto &[key, reads] : groups)
      join(reads);
  }

  void join(ArrayRef<rec::ContractOp> reads) {
    rec::ContractOp first = reads.front();
    Operation *last = first.getRhs().getDefiningOp(); // of what is read
    SmallVector<Value> rows;
    for (rec::ContractOp read : reads) {
      rows.push_back(read.getLhs());
      Operation *row = read.getLhs().getDefiningOp();
      if (last->isBeforeInBlock(row))
        last = row;
    }
    auto isLate = [&](Operation *user) {
      return last->isBeforeInBlock(block.findAncestorOpInBlock(*user));
    };
    if (reads.size() < 2 || !llvm::all_of(reads, [&](rec::ContractOp read) {
          return llvm::all_of(read->getUsers(), isLate);
        }))
      return;
    rec::ValueBuilder values = before(last->getNextNode());
    StringAttr axis = builder.getStringAttr("t.r");
    Value all = values.contract(values.stack(rows, axis), first.getRhs(),
                                rec::stringsOf(first.getAxes()));
    for (auto [i, read] : llvm::enumerate(reads))
      replace(read, {values.pick(all, axis, static_cast<int64_t>(i))});
  }

  chunk::ProgramOp program;
  Block &block;
  OpBuilder builder;
};

struct SingleToken : impl::SingleTokenBase<SingleToken> {
  void runOnOperation() override {
    if (getOperation().getTokens() == 1)
      Simplifier(getOperation()).run();
  }
};

} // namespace
} // namespace trowel
