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
  std::string text =
      "\nStages, in the order in which they run\n" + table(rows, 2);
  std::vector<std::string> hidden;
  for (auto state : program.getBody().front().getOps<rec::StateOp>())
    if (state.getHidden())
      hidden.push_back(state.getName().str());
  if (!hidden.empty())
    text += wrap(enumerate(hidden) +
                     ": kept from token to token for a delay or a running sum.",
                 "  ", 2);
  return text;
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
  std::string decayText() const;
  std::string gramText(const std::string &rows, const std::string &keys) const;
  bool anyReads(ArrayRef<rec::RowOp> rows) const {
    return llvm::any_of(rows,
                        [](rec::RowOp r) { return !r.getReads().empty(); });
  }
  void scalarEquations();
  void solvedEquations();
  void freeEquations();
  void outputEquations();
  void acrossEquations();
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
  std::string size = std::to_string(stage.states.size());
  switch (stage.decay) {
  case Decay::None:
    return "no decay";
  case Decay::Scalar:
    return "one factor a token";
  case Decay::Channel:
    return "a factor for each key channel";
  case Decay::Block:
    return size + " x " + size + " blocks of factors over " +
           enumerate(stage.states);
  }
  return "";
}

/// "reads of u on earlier keys of u, one factor a token between".
std::string ChunkEquations::gramText(const std::string &rows,
                                     const std::string &keys) const {
  std::string text = "reads of " + rows + " on keys of " + keys + ", " +
                     decayText() + " between";
  if (stage.decaysValues)
    text += "; factors along " + listAxes(stage.valueAxes) + " act on the rows";
  return text;
}

void ChunkEquations::scalarEquations() {
  if (stage.scalars.empty())
    return;
  int64_t rows = int64_t(stage.scalars.size()) * context.tokens();
  add("y = z + N y", matrix(rows, 1),
      "reads that contract every axis: one triangular solve of one column");
  add("z", matrix(rows, 1), "the same reads, with y = 0 in all below");
  std::string values = "Gram of the value side, entry by entry";
  if (stage.solved.empty()) {
    add("N", matrix(rows, rows), "Gram of the key side times " + values);
    return;
  }
  add("N", matrix(rows, rows),
      "what reaches reads of y from rows that y scales, through T, times " +
          values);
  add("T = (I - M)^-1", matrix(solvedRows(), solvedRows()),
      "through any number of " + rowNames(stage.solved) + " between");
}

void ChunkEquations::solvedEquations() {
  if (stage.solved.empty())
    return;
  std::string names = rowNames(stage.solved);
  add("U = X + M U", matrix(solvedRows(), values()),
      names + ": one triangular solve of " + std::to_string(solvedRows()) +
          " rows for all " + std::to_string(values()) + " columns");
  std::string right = "W";
  if (anyReads(stage.solved))
    right += " + F S";
  if (!stage.free.empty())
    right += " + L Y";
  bool scaled = llvm::any_of(
      stage.solved, [](rec::RowOp row) { return !row.getScalars().empty(); });
  if (scaled)
    right += " + C y";
  add("X = " + right, matrix(solvedRows(), values()),
      "known before the solve; W is what the tokens bring");
  if (scaled)
    add("C", "", "what y scales in " + names);
  add("M", matrix(solvedRows(), solvedRows()),
      gramText(names, "earlier " + names));
  if (anyReads(stage.solved))
    add("F", matrix(solvedRows(), keys()),
        "reads of " + names + ", carried back to the chunk's start");
}

void ChunkEquations::freeEquations() {
  if (stage.free.empty())
    return;
  add("Y", matrix(freeRows(), values()),
      (stage.scalars.empty() ? "known from the tokens alone: "
                             : "known from the tokens and y: ") +
          rowNames(stage.free));
  if (!stage.solved.empty())
    add("L", matrix(solvedRows(), freeRows()),
        gramText(rowNames(stage.solved), "Y"));
}

void ChunkEquations::outputEquations() {
  int64_t outputs = int64_t(stage.outputs.size()) * context.tokens();
  std::string right = anyReads(stage.outputs) ? "Q S" : "";
  auto append = [&](const std::string &term) {
    right += (right.empty() ? "" : " + ") + term;
  };
  if (!stage.solved.empty())
    append("G U");
  if (!stage.free.empty())
    append("H Y");
  if (!outputs)
    return;
  add("O = " + right, matrix(outputs, values()), "what the stage gives");
  if (anyReads(stage.outputs))
    add("Q", matrix(outputs, keys()),
        "reads of O, carried back to the chunk's start");
  if (!stage.solved.empty())
    add("G", matrix(outputs, solvedRows()),
        gramText("O", rowNames(stage.solved)));
  if (!stage.free.empty())
    add("H", matrix(outputs, freeRows()), gramText("O", "Y"));
}

/// Reads along the value axes.
void ChunkEquations::acrossEquations() {
  if (stage.across.empty())
    return;
  int64_t rows = int64_t(stage.across.size()) * context.tokens();
  std::string right = "p S^T";
  if (!stage.solved.empty())
    right += " + E Ku";
  if (!stage.free.empty())
    right += " + J Ky";
  add("A = " + right, matrix(rows, keys()),
      "what the stage gives along " + listAxes(stage.valueAxes) +
          ", the keys decayed on their way (" + decayText() + ")");
  std::string gram = "reading vectors p times ";
  if (!stage.solved.empty())
    add("E", matrix(rows, solvedRows()), gram + rowNames(stage.solved));
  if (!stage.free.empty())
    add("J", matrix(rows, freeRows()), gram + "Y");
}

void ChunkEquations::stateEquation() {
  std::string right = stage.decay == Decay::None ? "S" : "P S";
  if (!stage.solved.empty())
    right += " + Ku^T U";
  if (!stage.free.empty())
    right += " + Ky^T Y";
  add("S' = " + right, matrix(keys(), values()),
      stage.states.size() > 1
          ? "as the chunk ends: " + enumerate(stage.states) + " stacked"
          : "as the chunk ends");
  if (stage.decay != Decay::None)
    add("P", "", "the chunk's factors multiplied: " + decayText());
  if (!stage.solved.empty())
    add("Ku", matrix(solvedRows(), keys()),
        "keys of " + rowNames(stage.solved) +
            ", carried on to the chunk's end");
  if (!stage.free.empty())
    add("Ky", matrix(freeRows(), keys()),
        "keys of Y, carried on to the chunk's end");
}

std::string ChunkEquations::print() {
  scalarEquations();
  solvedEquations();
  freeEquations();
  outputEquations();
  acrossEquations();
  stateEquation();
  return table(cells, 2);
}

} // namespace

std::string describeChunk(const Context &context) {
  std::string text;
  rec::ProgramOp program = context.normal;
  auto stages =
      llvm::to_vector(program.getBody().front().getOps<rec::StageOp>());
  // Stages with the same equations are described once.
  std::vector<std::pair<std::string, std::vector<std::string>>> tables;
  for (rec::StageOp op : stages) {
    ChunkStage stage(op);
    std::string own = ChunkEquations(context, stage).print();
    auto known = llvm::find_if(tables, [&](auto &t) { return t.first == own; });
    if (known == tables.end())
      tables.push_back({own, {enumerate(stage.states)}});
    else
      known->second.push_back(enumerate(stage.states));
  }
  for (const auto &[equations, names] : tables)
    text +=
        "\nA chunk of " + std::to_string(context.tokens()) + " tokens" +
        (tables.size() > 1 || names.size() > 1 ? ": " + enumerate(names) : "") +
        (names.size() > 1 ? ", each" : "") +
        " (a row for each token; S: the states as the chunk begins)\n" +
        equations;
  return text;
}

} // namespace trowel::explaining
