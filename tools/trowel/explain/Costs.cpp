// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Costs.h"

#include "dialect/Rec/ValueBuilder.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;

namespace trowel::explaining {

namespace {

class Counter {
public:
  explicit Counter(int64_t tokens) : tokens(double(tokens)) {}

  /// Numbers in a value; the tokens of a chunk count whatever the type says.
  double count(Value value) const {
    double result = 1;
    for (StringAttr axis : rec::axesOf(value))
      result *= axisSize(value, axis);
    return result;
  }
  double axisSize(Value value, StringAttr axis) const {
    StringRef name = axis.getValue();
    return name == "t" || name == "t.s" ? tokens
                                        : double(rec::axisSize(value, axis));
  }
  double sizeOf(Value value, StringRef name) const {
    for (StringAttr axis : rec::axesOf(value))
      if (axis.getValue() == name)
        return axisSize(value, axis);
    return 1;
  }
  /// Without the tokens.
  double perToken(Value value) const {
    return count(value) / (rec::hasAxis(value, "t") ? tokens : 1);
  }

  double contraction(rec::ContractOp op) const {
    double result = count(op.getResult());
    for (StringAttr axis : rec::stringsOf(op.getAxes()))
      result *= axisSize(op.getLhs(), axis);
    return 2 * result;
  }
  double elementwise(Operation *op) const {
    if (auto contract = dyn_cast<rec::ContractOp>(op))
      return contraction(contract);
    if (auto reduce = dyn_cast<rec::ReduceOp>(op))
      return count(reduce.getOperand());
    if (auto map = dyn_cast<rec::MapOp>(op))
      return map.getKind() == rec::MapKind::ToReal ? 0 : count(map.getResult());
    if (isa<rec::CastOp, rec::ReduceHeadsOp>(op))
      return count(op->getResult(0));
    return 0;
  }

  const double tokens;
};

/// Both operands have axes that the other lacks: not only dots row by row.
bool isMatrixProduct(rec::ContractOp op) {
  auto hasOwn = [](Value a, Value b) {
    return llvm::any_of(rec::axesOf(a), [&](StringAttr axis) {
      return !rec::hasAxis(b, axis) && rec::axisSize(a, axis) != 1;
    });
  };
  return hasOwn(op.getLhs(), op.getRhs()) && hasOwn(op.getRhs(), op.getLhs());
}

class ChunkCounter : Counter {
public:
  explicit ChunkCounter(chunk::ProgramOp program)
      : Counter(program.getTokens()), program(program) {}

  Work run() {
    for (Operation &op : program.getBody().front())
      visit(&op);
    for (double *part : {&work.products, &work.solves, &work.decays,
                         &work.elementwise, &work.sequential})
      *part /= tokens;
    return work;
  }

private:
  void visit(Operation *op) {
    if (auto contract = dyn_cast<rec::ContractOp>(op);
        contract && isMatrixProduct(contract))
      work.products += contraction(contract);
    else if (auto gram = dyn_cast<chunk::GramOp>(op))
      visitGram(gram);
    else if (auto apply = dyn_cast<chunk::ApplyOp>(op))
      visitApply(apply);
    else if (auto solve = dyn_cast<chunk::SolveOp>(op))
      visitSolve(solve);
    else if (auto inverse = dyn_cast<chunk::InverseOp>(op))
      work.solves += 2 * tokens * sizeOf(inverse.getResult(), "t.r") *
                     count(inverse.getResult());
    else if (isa<chunk::PullOp, chunk::PushOp, chunk::TotalOp>(op))
      visitCarried(op);
    else if (auto sequential = dyn_cast<chunk::SequentialOp>(op))
      for (Operation &inner : sequential.getBody().front())
        work.sequential += tokens * elementwise(&inner);
    else
      work.elementwise += elementwise(op);
  }

  /// Rows and columns are scaled at each of log2(tokens) levels.
  double levels(ValueRange factors, ValueRange scaled) const {
    bool channels = llvm::any_of(factors, [](Value factor) {
      return llvm::any_of(rec::axesOf(factor), [](StringAttr axis) {
        return axis.getValue() != "t";
      });
    });
    double sum = 0;
    if (channels)
      for (Value value : scaled)
        sum += tokens * perToken(value);
    return sum * std::log2(std::max(2.0, tokens));
  }

  void visitGram(chunk::GramOp gram) {
    // Each row meets each key through every state they share.
    double products = 0;
    ArrayRef<int64_t> rows = gram.getRowIndex(), keys = gram.getKeyIndex();
    for (auto [i, row] : llvm::enumerate(gram.getRows()))
      for (auto [j, key] : llvm::enumerate(gram.getKeys()))
        if (rows[2 * i + 1] == keys[2 * j + 1])
          products +=
              2 * tokens * tokens * std::max(perToken(row), perToken(key));
    work.products += products;
    work.decays += levels(gram.getPhi(), gram.getRows()) +
                   levels(gram.getPhi(), gram.getKeys());
    if (!gram.getPhi().empty())
      work.decays += count(gram.getResult());
  }

  void visitApply(chunk::ApplyOp apply) {
    double rows = sizeOf(apply.getMatrix(), "t.r");
    for (Value key : apply.getKeys())
      work.products += 2 * tokens * tokens * rows * perToken(key);
    work.decays += levels(apply.getPhi(), apply.getKeys());
  }

  void visitSolve(chunk::SolveOp solve) {
    double rows = sizeOf(solve.getRhs(), "t.r") * tokens;
    work.solves += 2 * rows * count(solve.getRhs());
    if (solve.getDecay())
      work.decays += levels(solve.getDecay(), solve.getRhs());
  }

  /// One product for each factor that a row or key meets, and its scaling.
  void visitCarried(Operation *op) {
    for (Value result : op->getResults())
      work.decays +=
          (isa<chunk::TotalOp>(op) ? tokens : 2 * tokens) * perToken(result);
  }

  chunk::ProgramOp program;
  Work work;
};

class TokenCounter : Counter {
public:
  TokenCounter() : Counter(1) {}

  double run(rec::ProgramOp program) {
    double sum = 0;
    for (Operation &op : program.getBody().front()) {
      if (!variesInTime(&op))
        continue;
      if (auto stage = dyn_cast<rec::StageOp>(op))
        sum += visit(stage);
      else if (auto sequential = dyn_cast<rec::SequentialOp>(op))
        for (Operation &inner : sequential.getBody().front())
          sum += elementwise(&inner);
      else
        sum += elementwise(&op);
    }
    return sum;
  }

private:
  /// Made from constants and params alone: computed once, not for every token.
  bool variesInTime(Operation *op) {
    bool varies = isa<rec::InputOp, rec::PositionOp, rec::StateOp, rec::StageOp,
                      rec::SequentialOp>(op) ||
                  llvm::any_of(op->getOperands(), [&](Value operand) {
                    return varying.contains(operand.getDefiningOp());
                  });
    if (varies)
      varying.insert(op);
    return varies;
  }

  double stateSize(rec::StageOp stage, int64_t index) const {
    StringAttr name = rec::stringsOf(stage.getStates())[index];
    for (auto state : stage->getBlock()->getOps<rec::StateOp>())
      if (state.getNameAttr() == name)
        return count(state.getResult());
    return 0;
  }

  double visit(rec::StageOp stage) const {
    double sum = 0;
    for (Operation &op : stage.getBody().front()) {
      if (auto row = dyn_cast<rec::RowOp>(op)) {
        for (int64_t state : row.getStates())
          sum += 2 * stateSize(stage, state);
        sum += 2 * double(row.getRows().size()) * count(row.getResult());
      } else if (auto across = dyn_cast<rec::AcrossOp>(op)) {
        for (int64_t state : across.getStates())
          sum += 2 * stateSize(stage, state);
        sum += 2 * double(across.getRows().size()) * count(across.getResult());
      } else if (auto write = dyn_cast<rec::WriteOp>(op)) {
        sum += 2 * stateSize(stage, write.getState());
      } else if (auto transition = dyn_cast<rec::TransitionOp>(op)) {
        if (transition.getTo() != transition.getFrom())
          sum += 2 * stateSize(stage, transition.getTo());
        else if (!rec::isConstant(transition.getValue(), 1))
          sum += stateSize(stage, transition.getTo());
      } else if (isa<rec::ValueDecayOp>(op)) {
        for (unsigned i = 0; i < stage.getStates().size(); ++i)
          sum += stateSize(stage, i);
      }
    }
    return sum;
  }

  llvm::DenseSet<Operation *> varying;
};

} // namespace

Work workOfChunks(chunk::ProgramOp program) {
  return ChunkCounter(program).run();
}

double workOfTokens(rec::ProgramOp program) {
  return TokenCounter().run(program);
}

} // namespace trowel::explaining
