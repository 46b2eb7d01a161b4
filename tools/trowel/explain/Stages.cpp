// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Stages.h"

#include "dialect/Rec/ValueBuilder.h"
#include "tools/trowel/explain/Layout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel::explaining {

//===----------------------------------------------------------------------===//
// ChunkStage
//===----------------------------------------------------------------------===//

static bool readsVectors(rec::RowOp row) {
  return !row.getReads().empty() || !row.getRows().empty();
}

/// Known from the token alone.
static bool isFree(rec::RowOp row) {
  return !readsVectors(row) && row.getScalars().empty();
}

/// Rows that writes need, directly or through other rows; with `scalars` also
/// through reads of every axis.
static llvm::SetVector<Operation *> feedingRows(rec::StageOp stage,
                                                bool scalars) {
  llvm::SetVector<Operation *> feeding;
  for (auto write : stage.getBody().front().getOps<rec::WriteOp>())
    feeding.insert(write.getRow().getDefiningOp());
  for (unsigned i = 0; i < feeding.size(); ++i) {
    auto row = cast<rec::RowOp>(feeding[i]);
    for (Value other : row.getRows())
      feeding.insert(other.getDefiningOp());
    for (Value scalar : row.getScalars())
      if (scalars)
        feeding.insert(cast<rec::ScalarRowOp>(scalar.getDefiningOp())
                           .getRow()
                           .getDefiningOp());
  }
  return feeding;
}

static rec::StateOp stateNamed(Operation *stage, StringAttr name) {
  for (auto state : stage->getBlock()->getOps<rec::StateOp>())
    if (state.getNameAttr() == name)
      return state;
  return {};
}

SmallVector<rec::TransitionOp> ChunkStage::transitions() const {
  rec::StageOp stage = op;
  return llvm::to_vector(stage.getBody().front().getOps<rec::TransitionOp>());
}

static Decay decayOf(ArrayRef<rec::TransitionOp> transitions) {
  Decay decay = Decay::None;
  for (rec::TransitionOp transition : transitions) {
    if (transition.getTo() != transition.getFrom())
      return Decay::Block;
    if (!rec::axesOf(transition.getValue()).empty())
      decay =
          rec::isConstant(transition.getValue(), 1) ? decay : Decay::Channel;
    else if (decay == Decay::None && !rec::isConstant(transition.getValue(), 1))
      decay = Decay::Scalar;
  }
  return decay;
}

ChunkStage::ChunkStage(rec::StageOp op) : op(op) {
  valueAxes = rec::stringsOf(op.getValueAxes());
  for (StringAttr name : rec::stringsOf(op.getStates())) {
    states.push_back(name.str());
    for (StringAttr axis : rec::axesOf(stateNamed(op, name).getResult()))
      if (!llvm::is_contained(valueAxes, axis) &&
          !llvm::is_contained(keyAxes, axis))
        keyAxes.push_back(axis);
  }
  llvm::SetVector<Operation *> feeding = feedingRows(op, /*scalars=*/false);
  Block &block = op.getBody().front();
  for (auto row : block.getOps<rec::RowOp>())
    if (feeding.contains(row))
      (readsVectors(row) ? solved : free).push_back(row);
  llvm::SetVector<Operation *> needed = feedingRows(op, /*scalars=*/true);
  for (auto scalar : block.getOps<rec::ScalarRowOp>())
    if (llvm::any_of(scalar->getUsers(),
                     [&](Operation *user) { return needed.contains(user); }))
      scalars.push_back(scalar);
  llvm::SetVector<Value> yielded(block.getTerminator()->operand_begin(),
                                 block.getTerminator()->operand_end());
  for (Value value : yielded) {
    if (auto row = value.getDefiningOp<rec::RowOp>()) {
      if (!feeding.contains(row))
        outputs.push_back(row);
    } else if (auto read = value.getDefiningOp<rec::AcrossOp>()) {
      across.push_back(read);
    }
  }
  decay = decayOf(transitions());
  decaysValues = !block.getOps<rec::ValueDecayOp>().empty();
}

//===----------------------------------------------------------------------===//
// Reads of the state as the token ends
//===----------------------------------------------------------------------===//

static bool isProduct(Value value, Value a, Value b) {
  if (rec::isConstant(a, 1))
    return value == b;
  auto map = value.getDefiningOp<rec::MapOp>();
  if (!map || map.getKind() != MapKind::Mul)
    return false;
  Value left = map.getOperand(0), right = map.getOperand(1);
  return (left == a && right == b) || (left == b && right == a);
}

/// The other operand if `dot` contracts `key`.
static Value contractedWith(Value dot, Value key) {
  auto contract = dot.getDefiningOp<rec::ContractOp>();
  if (!contract)
    return {};
  if (contract.getLhs() == key)
    return contract.getRhs();
  return contract.getRhs() == key ? contract.getLhs() : Value();
}

/// The value decay of a stage; null: none.
static Value valueDecay(rec::StageOp stage) {
  for (auto decay : stage.getBody().front().getOps<rec::ValueDecayOp>())
    return decay.getValue();
  return {};
}

/// True if the reads are those of `b` from `state` as the token ends.
static bool readsThroughTransition(rec::StageOp stage, unsigned state, Value b,
                                   ArrayRef<int64_t> states,
                                   OperandRange reads) {
  unsigned matched = 0;
  for (auto block : stage.getBody().front().getOps<rec::TransitionOp>()) {
    if (block.getTo() != state)
      continue;
    const int64_t *found = llvm::find(states, int64_t(block.getFrom()));
    if (found == states.end() ||
        !isProduct(reads[found - states.begin()], block.getValue(), b))
      return false;
    ++matched;
  }
  return matched == states.size();
}

/// `b @ S'` where the row is that.
std::optional<Text> TokenEquations::readAtEnd(rec::StageOp stage,
                                              rec::RowOp row) {
  if (row.getScale() != valueDecay(stage) || row.getValue() ||
      !row.getScalars().empty())
    return std::nullopt;
  Block &block = stage.getBody().front();
  for (unsigned state = 0; state < stage.getStates().size(); ++state) {
    Value b;
    unsigned count = 0;
    bool fits = true;
    for (auto write : block.getOps<rec::WriteOp>()) {
      if (write.getState() != state)
        continue;
      ++count;
      auto rows = row.getRows();
      auto found = llvm::find(rows, write.getRow());
      if (found == rows.end() || write.getScale()) {
        fits = false;
        break;
      }
      Value other = contractedWith(row.getCouplings()[found - rows.begin()],
                                   write.getKey());
      fits &= other && (!b || b == other);
      b = other;
    }
    if (!fits || !b || count != row.getRows().size() ||
        !readsThroughTransition(stage, state, b, row.getStates(),
                                row.getReads()))
      continue;
    return contraction(expressions.print(b), stateAtEnd(stage, state));
  }
  return std::nullopt;
}

/// `S' @ p` where the read across is that.
std::optional<Text> TokenEquations::readAtEnd(rec::StageOp stage,
                                              rec::AcrossOp across) {
  Block &block = stage.getBody().front();
  if (across.getValue() || across.getReads().empty() || valueDecay(stage))
    return std::nullopt;
  for (unsigned state = 0; state < stage.getStates().size(); ++state) {
    unsigned count = 0, blocks = 0;
    bool fits = true;
    for (auto write : block.getOps<rec::WriteOp>()) {
      if (write.getState() != state)
        continue;
      auto rows = across.getRows();
      size_t at = llvm::find(rows, write.getRow()) - rows.begin();
      fits &= at < rows.size() && across.getKeys()[at] == write.getKey() &&
              across.getVectors()[at] == across.getVector();
      ++count;
    }
    for (auto transition : block.getOps<rec::TransitionOp>()) {
      if (transition.getTo() != state)
        continue;
      const auto states = across.getStates();
      const int64_t *found = llvm::find(states, int64_t(transition.getFrom()));
      fits &=
          found != states.end() &&
          across.getReads()[found - states.begin()] == transition.getValue();
      ++blocks;
    }
    if (fits && count == across.getRows().size() &&
        blocks == across.getReads().size())
      return contraction(stateAtEnd(stage, state),
                         expressions.print(across.getVector()));
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Equations
//===----------------------------------------------------------------------===//

static StringAttr stateName(rec::StageOp stage, unsigned state) {
  return rec::stringsOf(stage.getStates())[state];
}

Text TokenEquations::stateAtEnd(rec::StageOp stage, unsigned state) {
  return {stateName(stage, state).str() + "'"};
}

static void accumulate(std::optional<Text> &total, const Text &term) {
  total = total ? sum(*total, term) : term;
}

Text TokenEquations::textOf(rec::StageOp stage, rec::RowOp row) {
  bool feeds = feedingRows(stage, /*scalars=*/true).contains(row);
  if (std::optional<Text> read = readAtEnd(stage, row); read && !feeds)
    return *read; // a row that feeds a write comes before the states
  std::optional<Text> total, scaled;
  if (row.getValue())
    total = expressions.print(row.getValue());
  for (auto [state, coefficient] : llvm::zip(row.getStates(), row.getReads())) {
    Text text{stateName(stage, state).str()};
    Text factor = expressions.print(coefficient);
    bool whole = rec::axesOf(coefficient).empty();
    accumulate(row.getScale() ? scaled : total,
               whole ? product(factor, text) : contraction(factor, text));
  }
  if (scaled)
    accumulate(total, product(expressions.print(row.getScale()), *scaled));
  for (auto [other, coupling] : llvm::zip(row.getRows(), row.getCouplings()))
    accumulate(total,
               product(expressions.print(coupling), expressions.print(other)));
  for (auto [scalar, factor] :
       llvm::zip(row.getScalars(), row.getCoefficients()))
    accumulate(total,
               product(expressions.print(factor), expressions.print(scalar)));
  return total ? *total : Text{"0"};
}

Text TokenEquations::textOf(rec::StageOp stage, rec::AcrossOp across) {
  if (std::optional<Text> read = readAtEnd(stage, across))
    return *read;
  std::optional<Text> total;
  if (across.getValue())
    total = expressions.print(across.getValue());
  for (auto [state, factor] : llvm::zip(across.getStates(), across.getReads()))
    accumulate(total,
               product(expressions.print(factor),
                       contraction({stateName(stage, state).str()},
                                   expressions.print(across.getVector()))));
  for (auto [row, key, vector] :
       llvm::zip(across.getRows(), across.getKeys(), across.getVectors()))
    accumulate(total, product(expressions.print(key),
                              contraction(expressions.print(row),
                                          expressions.print(vector))));
  return total ? *total : Text{"0"};
}

/// A row gets a name and an equation, or is written out where it is used.
void TokenEquations::nameRow(rec::StageOp stage, rec::RowOp row) {
  constexpr size_t longestInline = 40;
  Text text = textOf(stage, row);
  bool feeds = feedingRows(stage, /*scalars=*/true).contains(row);
  auto let = row->getAttrOfType<StringAttr>("let");
  unsigned uses = 0;
  for (OpOperand &use : row.getResult().getUses()) {
    if (isa<rec::YieldOp>(use.getOwner()))
      uses +=
          llvm::range_size(stage.getResult(use.getOperandNumber()).getUses());
    else
      ++uses;
  }
  bool isShort = widthOf(text.text) <= longestInline;
  if (isFree(row) ? isShort : !feeds && !let && uses <= 1) {
    expressions.setText(row, text);
    return;
  }
  std::string name = expressions.freshName(let           ? let.str()
                                           : isFree(row) ? "w"
                                           : feeds       ? "u"
                                                         : "r");
  // What outputs read comes after the states that it may read.
  auto &list = feeds || isFree(row) ? stages[stage] : reads;
  list.push_back({name, text.whole()});
  expressions.setName(row, name);
}

void TokenEquations::nameScalar(rec::StageOp stage, rec::ScalarRowOp scalar) {
  Text text =
      rec::isConstant(scalar.getVector(), 1)
          ? expressions.reduction("sum", stage.getValueAxes(), scalar.getRow())
          : contraction(expressions.print(scalar.getRow()),
                        expressions.print(scalar.getVector()));
  if (scalar.getResult().hasOneUse()) {
    expressions.setText(scalar, text);
    return;
  }
  std::string name = expressions.freshName("s");
  stages[stage].push_back({name, text.whole()});
  expressions.setName(scalar, name);
}

void TokenEquations::describe(rec::StageOp stage) {
  Block &block = stage.getBody().front();
  for (Operation &op : block) {
    if (auto row = dyn_cast<rec::RowOp>(op))
      nameRow(stage, row);
    else if (auto scalar = dyn_cast<rec::ScalarRowOp>(op))
      nameScalar(stage, scalar);
  }
  Value decay = valueDecay(stage);
  for (unsigned state = 0; state < stage.getStates().size(); ++state) {
    std::optional<Text> total;
    for (auto transition : block.getOps<rec::TransitionOp>())
      if (transition.getTo() == state)
        accumulate(total,
                   product(expressions.print(transition.getValue()),
                           {stateName(stage, transition.getFrom()).str()}));
    if (total && decay)
      total = product(expressions.print(decay), *total);
    for (auto write : block.getOps<rec::WriteOp>()) {
      if (write.getState() != state)
        continue;
      Text term = product(expressions.print(write.getKey()),
                          expressions.print(write.getRow()));
      if (write.getScale())
        term = product(expressions.print(write.getScale()), term);
      accumulate(total, term);
    }
    stages[stage].push_back(
        {stateName(stage, state).str() + "'", total ? total->whole() : "0"});
  }
  llvm::append_range(stages[stage], reads);
  reads.clear();
  for (auto [result, value] :
       llvm::zip(stage.getResults(), block.getTerminator()->getOperands())) {
    if (auto across = value.getDefiningOp<rec::AcrossOp>())
      expressions.setText(result, textOf(stage, across));
    else
      expressions.setText(result, expressions.print(value));
  }
}

/// `prefix_sum(x)` if the value is x added to a hidden state.
std::optional<Text> TokenEquations::runningSum(Value value, Block &block) {
  auto map = value.getDefiningOp<rec::MapOp>();
  if (!map || map.getKind() != MapKind::Add)
    return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(map.getOperand(0));
  if (!argument || argument.getOwner() != &block)
    return std::nullopt;
  Operation *stage = block.getParentOp();
  auto name =
      cast<rec::SequentialOp>(stage).getStates()[argument.getArgNumber()];
  rec::StateOp state = stateNamed(stage, cast<StringAttr>(name));
  if (!state.getHidden())
    return std::nullopt;
  return Text{"prefix_sum(" + expressions.whole(map.getOperand(1)) + ")"};
}

/// A long expression that is used more than once gets a name.
void TokenEquations::nameShared(rec::SequentialOp op, Value value) {
  constexpr size_t longest = 60;
  if (value.use_empty() || value.hasOneUse() ||
      widthOf(expressions.whole(value)) <= longest)
    return;
  std::string name = expressions.freshName("e");
  stages[op].push_back({name, expressions.whole(value)});
  expressions.setText(value, {name});
}

void TokenEquations::describe(rec::SequentialOp op) {
  Block &block = op.getBody().front();
  SmallVector<StringAttr> names = rec::stringsOf(op.getStates());
  for (auto [argument, name] : llvm::zip(block.getArguments(), names))
    expressions.setText(argument, {name.str()});
  OperandRange yielded = block.getTerminator()->getOperands();
  auto endOf = [&](Value value) -> std::string {
    for (auto [i, name] : llvm::enumerate(names))
      if (yielded[i] == value)
        return name.str() + "'";
    return "";
  };
  for (Operation &inner : block.without_terminator()) {
    Value value = inner.getResult(0);
    std::string end = endOf(value);
    StringRef let = rec::nameOf(value);
    if (end.empty() && let.empty()) {
      nameShared(op, value);
      continue;
    }
    if (std::optional<Text> total = runningSum(value, block)) {
      std::string name = let.empty() ? end : expressions.freshName(let.str());
      stages[op].push_back({name, total->whole()});
      expressions.setText(value, {name});
      continue;
    }
    std::string name = end.empty() ? expressions.freshName(let.str()) : end;
    stages[op].push_back({name, expressions.whole(value)});
    expressions.setText(value, {name});
  }
  for (auto [i, name] : llvm::enumerate(names)) // not made in the region
    if (yielded[i].getParentBlock() != &block ||
        isa<BlockArgument>(yielded[i]) || endOf(yielded[i]) != name.str() + "'")
      stages[op].push_back({name.str() + "'", expressions.whole(yielded[i])});
  for (auto [result, value] :
       llvm::zip(op.getResults(), yielded.drop_front(names.size())))
    expressions.setText(result, expressions.print(value));
}

TokenEquations::TokenEquations(rec::ProgramOp program, Expressions &expressions)
    : expressions(expressions) {
  for (Operation &op : program.getBody().front()) {
    if (auto stage = dyn_cast<rec::StageOp>(op))
      describe(stage);
    else if (auto sequential = dyn_cast<rec::SequentialOp>(op))
      describe(sequential);
    else if (auto output = dyn_cast<rec::OutputOp>(op))
      outputList.push_back(
          {output.getName().str(), expressions.whole(output.getValue())});
  }
}

} // namespace trowel::explaining
