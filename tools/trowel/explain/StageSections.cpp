// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages, and the equations of a token and of a chunk.
#include "tools/trowel/explain/Layout.h"
#include "tools/trowel/explain/Sections.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel::explaining {

std::string listAxes(ArrayRef<StringAttr> axes) {
  std::string text;
  for (StringAttr axis : axes)
    text += (text.empty() ? "" : ", ") + axis.str();
  return text.empty() ? "none" : text;
}

static std::string joined(ArrayAttr names) {
  std::string text;
  for (StringAttr name : rec::stringsOf(names))
    text += (text.empty() ? "" : ", ") + name.str();
  return text;
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// "key axes K, value axes V".
static std::string axesOf(const ChunkStage &stage) {
  return "key axes " + listAxes(stage.keyAxes) + ", value axes " +
         listAxes(stage.valueAxes);
}

std::string describeStages(const Context &context) {
  std::vector<std::vector<std::string>> rows;
  rec::ProgramOp program = context.normal;
  for (Operation &op : program.getBody().front()) {
    std::string number = std::to_string(rows.size() + 1);
    if (auto stage = dyn_cast<rec::StageOp>(op))
      rows.push_back({number, joined(stage.getStates()), "chunk",
                      axesOf(ChunkStage(stage))});
    else if (auto sequential = dyn_cast<rec::SequentialOp>(op))
      rows.push_back({number, joined(sequential.getStates()),
                      sequential.getScan() ? "scan" : "token by token",
                      sequential.getScan() ? "affine, entry by entry"
                                           : "no matrix products, see below"});
  }
  if (rows.empty())
    return "\nStages: none. Every token is computed by itself.\n";
  return "\nStages, in the order in which they run\n" + table(rows, 2);
}

//===----------------------------------------------------------------------===//
// One token
//===----------------------------------------------------------------------===//

static std::string printEquations(const std::vector<Equation> &equations,
                                  size_t width) {
  std::string text;
  for (const Equation &equation : equations) {
    std::string first =
        "  " + equation.left +
        std::string(width - std::min(width, widthOf(equation.left)), ' ') +
        " = ";
    text += wrap(equation.right, first, widthOf(first));
  }
  return text;
}

std::string describeToken(const Context &context) {
  rec::ProgramOp program = context.normal;
  size_t width = 0;
  auto widen = [&](const std::vector<Equation> &equations) {
    for (const Equation &equation : equations)
      width = std::max(width, widthOf(equation.left));
  };
  std::string text, primes;
  for (Operation &op : program.getBody().front())
    if (isa<rec::StageOp, rec::SequentialOp>(op))
      widen(context.equations.of(&op));
  widen(context.equations.outputs());
  for (Operation &op : program.getBody().front())
    if (isa<rec::StageOp, rec::SequentialOp>(op))
      text += printEquations(context.equations.of(&op), width);
  bool hasStates = !text.empty();
  text += printEquations(context.equations.outputs(), width);
  return std::string("\nOne token") +
         (hasStates ? " (a prime marks a state as the token ends)\n" : "\n") +
         text;
}

//===----------------------------------------------------------------------===//
// A chunk
//===----------------------------------------------------------------------===//

namespace {

/// The equations of one stage over a chunk.
class ChunkEquations {
public:
  ChunkEquations(const Context &context, const ChunkStage &stage)
      : context(context), stage(stage) {}

  std::string print();

private:
  using Cells = std::vector<std::string>;
  int64_t sizeOf(ArrayRef<StringAttr> axes) const {
    int64_t size = 1;
    for (StringAttr axis : axes)
      size *= context.axisSize(axis);
    return size;
  }
  static std::string matrix(int64_t rows, int64_t columns) {
    return "[" + std::to_string(rows) + " x " + std::to_string(columns) + "]";
  }
  std::string rowNames(ArrayRef<rec::RowOp> rows) const;
  std::string between() const;
  std::string decayText() const;
  bool anyReads(ArrayRef<rec::RowOp> rows) const {
    return llvm::any_of(rows,
                        [](rec::RowOp r) { return !r.getReads().empty(); });
  }
  void solvedEquations();
  void outputEquations();
  void stateEquation();
  void add(const std::string &equation, const std::string &size,
           const std::string &meaning) {
    cells.push_back({equation, size, meaning});
  }
  int64_t solvedRows() const { return stage.solved.size() * context.tokens(); }
  int64_t freeRows() const { return stage.free.size() * context.tokens(); }
  int64_t keys() const;
  int64_t values() const { return sizeOf(stage.valueAxes); }

  const Context &context;
  const ChunkStage &stage;
  std::vector<Cells> cells;
};

/// Key positions of all the stage's states together.
int64_t ChunkEquations::keys() const {
  int64_t total = 0;
  rec::StageOp op = stage.op;
  for (StringAttr name : rec::stringsOf(op.getStates()))
    for (auto state : op->getBlock()->getOps<rec::StateOp>())
      if (state.getNameAttr() == name) {
        SmallVector<StringAttr> own;
        for (StringAttr axis : rec::axesOf(state.getResult()))
          if (!llvm::is_contained(stage.valueAxes, axis))
            own.push_back(axis);
        total += sizeOf(own);
      }
  return total;
}

std::string ChunkEquations::rowNames(ArrayRef<rec::RowOp> rows) const {
  std::vector<std::string> names;
  for (rec::RowOp row : rows)
    names.push_back(context.equations.nameOf(row));
  return enumerate(names);
}

std::string ChunkEquations::decayText() const {
  switch (stage.decay) {
  case Decay::None:
    return "";
  case Decay::Scalar:
    return "one factor a token";
  case Decay::Channel:
    return "one factor a token and key channel";
  case Decay::Block:
    return std::to_string(stage.states.size()) + " x " +
           std::to_string(stage.states.size()) + " block over " +
           enumerate(stage.states);
  }
  return "";
}

std::string ChunkEquations::between() const {
  std::string decay = decayText();
  std::string text = decay.empty() ? ", nothing decays between"
                                   : ", decayed between (" + decay + ")";
  if (stage.decaysValues)
    text += ", and decayed along " + listAxes(stage.valueAxes);
  return text;
}

void ChunkEquations::solvedEquations() {
  if (stage.solved.empty())
    return;
  std::string names = rowNames(stage.solved);
  std::string rows = std::to_string(solvedRows());
  add("U = X + M U", matrix(solvedRows(), values()),
      names + " of all tokens: one unit lower triangular solve of " + rows +
          " rows, shared by all " + std::to_string(values()) + " columns");
  std::string right = "W";
  if (anyReads(stage.solved))
    right += " + F S";
  if (!stage.free.empty())
    right += " + L Y";
  add("X = " + right, matrix(solvedRows(), values()),
      "what is known of " + names + " before the solve");
  add("M", matrix(solvedRows(), solvedRows()),
      "reads of " + names + " times keys of earlier " + names + between());
}

void ChunkEquations::outputEquations() {
  int64_t outputs = stage.outputs.size() * context.tokens();
  std::string right = anyReads(stage.outputs) ? "Q S" : "";
  auto append = [&](const std::string &term) {
    right += (right.empty() ? "" : " + ") + term;
  };
  if (!stage.solved.empty())
    append("G U");
  if (!stage.free.empty())
    append("H Y");
  if (outputs) {
    add("O = " + right, matrix(outputs, values()),
        "what the stage gives: reads of the states");
    if (!stage.solved.empty())
      add("G", matrix(outputs, solvedRows()),
          "reads of O times keys of " + rowNames(stage.solved) + between());
    if (!stage.free.empty())
      add("H", matrix(outputs, freeRows()),
          "reads of O times keys of Y" + between());
  }
  if (!stage.free.empty())
    add("Y", matrix(freeRows(), values()),
        "written rows known from the tokens: " + rowNames(stage.free));
  if (!stage.free.empty() && !stage.solved.empty())
    add("L", matrix(solvedRows(), freeRows()),
        "reads of " + rowNames(stage.solved) + " times keys of Y" + between());
  if (anyReads(stage.solved))
    add("F", matrix(solvedRows(), keys()),
        "reads of " + rowNames(stage.solved) + " carried to the chunk's start");
  if (anyReads(stage.outputs))
    add("Q", matrix(outputs, keys()),
        "reads of O carried to the chunk's start");
  if (!stage.across.empty())
    add("across",
        matrix(int64_t(stage.across.size()) * context.tokens(), keys()),
        "reads along " + listAxes(stage.valueAxes) +
            ": products with Gram matrices of the value side");
}

void ChunkEquations::stateEquation() {
  std::string right = stage.decay == Decay::None ? "S" : "P S";
  if (!stage.solved.empty())
    right += " + Ku' U";
  if (!stage.free.empty())
    right += " + Ky' Y";
  add("S = " + right, matrix(keys(), values()),
      stage.states.size() > 1 ? "the states " + enumerate(stage.states) +
                                    " stacked, as the chunk ends"
                              : stage.states.front() + " as the chunk ends");
  if (stage.decay != Decay::None)
    add("P", "",
        "the factors of the chunk's tokens multiplied: " + decayText());
  if (!stage.solved.empty())
    add("Ku", matrix(solvedRows(), keys()),
        "keys of " + rowNames(stage.solved) + " carried to the chunk's end");
  if (!stage.free.empty())
    add("Ky", matrix(freeRows(), keys()),
        "keys of Y carried to the chunk's end");
}

std::string ChunkEquations::print() {
  solvedEquations();
  outputEquations();
  stateEquation();
  return table(cells, 2);
}

} // namespace

std::string describeChunk(const Context &context) {
  std::string text;
  unsigned count = 0;
  rec::ProgramOp program = context.normal;
  bool several =
      llvm::range_size(program.getBody().front().getOps<rec::StageOp>()) > 1;
  for (auto op : program.getBody().front().getOps<rec::StageOp>()) {
    ChunkStage stage(op);
    text +=
        "\nA chunk of " + std::to_string(context.tokens()) + " tokens" +
        (several ? ", stage of " + enumerate(stage.states) : "") +
        (count++ ? "\n"
                 : " (the rows of a token in order, S as the chunk begins)\n") +
        ChunkEquations(context, stage).print();
  }
  return text;
}

} // namespace trowel::explaining
