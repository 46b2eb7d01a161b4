// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the numbers are kept in range, and where they are rounded.
#include "dialect/Rec/ValueBuilder.h"
#include "dialect/Rec/Ranges.h"
#include "tools/trowel/explain/Coefficients.h"
#include "tools/trowel/explain/Corrections.h"
#include "tools/trowel/explain/Layout.h"
#include "tools/trowel/explain/Sections.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

#include <cmath>

using namespace mlir;

namespace trowel::explaining {

namespace {

/// Where a factor lies, and what it may do to a state over a sequence.
std::string describeFactor(const rec::Range &range, int64_t tokens) {
  double largest = std::max(std::abs(range.low), std::abs(range.high));
  std::string low = realNumber(range.low), high = realNumber(range.high);
  if (std::isinf(largest)) {
    std::string known =
        std::isinf(range.low) && std::isinf(range.high) ? "has no"
        : std::isinf(range.low) ? "is at most " + high + " and has no lower"
                                : "is at least " + low + " and has no upper";
    return known +
           " bound that is known. Warning: the state may grow; declare a "
           "range or use a bounded function";
  }
  std::string where =
      low == high ? "is " + low : "lies in [" + low + ", " + high + "]";
  if (largest <= 1 + 1e-6)
    return where + ": never grows";
  double steps = std::floor(88.7 / std::log(largest));
  return where + ". Warning: may grow, " +
         shortNumber(std::pow(largest, double(tokens))) +
         "-fold over a chunk; f32 overflows after " + shortNumber(steps) +
         " tokens at most";
}

class Numerics {
public:
  explicit Numerics(const Context &context) : context(context) {}
  std::string print();

private:
  void factor(const std::string &owner, Value value);
  void factor(const std::string &owner, const std::string &text,
              const rec::Range &range);
  void scanFactors(rec::SequentialOp scan);
  void decays();
  void corrections(const ChunkStage &stage);
  void roundings();
  void item(const std::string &text) { result += wrap(text, "  - ", 4); }

  const Context &context;
  std::string result;
  llvm::StringSet<> seen;
};

void Numerics::factor(const std::string &owner, Value value) {
  if (rec::isConstant(value, 1) || rec::isConstant(value, 0))
    return;
  factor(owner, context.expressions.whole(value), rec::rangeOfValue(value));
}

void Numerics::factor(const std::string &owner, const std::string &text,
                      const rec::Range &range) {
  if (!seen.insert(owner + text).second)
    return;
  item("factor of " + owner + ": `" + text + "` " +
       describeFactor(range, context.tokens()));
}

/// Along the key the state is multiplied by 1 - strength * |key|^2.
void Numerics::corrections(const ChunkStage &stage) {
  for (const Correction &correction :
       correctionsOf(stage, context.expressions)) {
    std::string length = "|" + correction.key + "|^2";
    std::string product = correction.strength == "1"
                              ? length
                              : correction.strength + " * " + length;
    std::string text = "1 - " + product;
    if (correction.strength.front() == '-')
      text = "1 + " + product.substr(1);
    std::string owner = correction.state + " along " + correction.key;
    if (correction.isNormalized)
      factor(owner, text,
             {1 - std::max(0.0, correction.range.high),
              1 - std::min(0.0, correction.range.low)});
    else if (seen.insert(owner + text).second)
      item("factor of " + owner + ": `" + text +
           "`. Warning: the state grows where " + product +
           " lies outside of [0, 2]; normalize(" + correction.key +
           ") would bound it");
  }
}

void Numerics::decays() {
  rec::ProgramOp program = context.normal;
  bool any = false;
  for (auto op : program.getBody().front().getOps<rec::StageOp>()) {
    ChunkStage stage(op);
    any |= stage.decay != Decay::None || stage.decaysValues;
  }
  if (any)
    item("decays are applied as products of the factors between two tokens: no "
         "logarithm is summed and nothing is divided, so factors of 0 and "
         "strong "
         "decays lose no digits, and a token's result depends on no later one");
  for (auto op : program.getBody().front().getOps<rec::SequentialOp>())
    if (op.getScan())
      scanFactors(op);
  for (auto op : program.getBody().front().getOps<rec::StageOp>()) {
    ChunkStage stage(op);
    for (rec::TransitionOp transition : stage.transitions()) {
      const std::string &to = stage.states[transition.getTo()];
      const std::string &from = stage.states[transition.getFrom()];
      if (to == from)
        factor(to, transition.getValue());
      else if (rec::Range range = rec::rangeOfValue(transition.getValue());
               std::isinf(range.low) || std::isinf(range.high))
        factor(from + " in " + to, transition.getValue());
    }
    corrections(stage);
    for (auto decay : op.getBody().front().getOps<rec::ValueDecayOp>())
      factor(enumerate(stage.states) + " along " + listAxes(stage.valueAxes),
             decay.getValue());
  }
}

/// Each state's own factor in an elementwise affine update.
void Numerics::scanFactors(rec::SequentialOp scan) {
  Block &block = scan.getBody().front();
  SmallVector<StringAttr> names = rec::stringsOf(scan.getStates());
  for (auto [i, name] : llvm::enumerate(names)) {
    Coefficient found =
        coefficientOf(block.getTerminator()->getOperand(i),
                      block.getArgument(i), context.expressions);
    if (found.isKnown && found.text.text != "1" && found.text.text != "0")
      factor(name.str(), found.text.whole(), found.range);
  }
}

std::string narrowNames(const std::vector<Declaration> &list) {
  std::vector<std::string> names;
  for (const Declaration &declaration : list)
    if (declaration.dtype != DType::F32 && declaration.dtype != DType::I32)
      names.push_back(declaration.name);
  return enumerate(names);
}

void Numerics::roundings() {
  item("products and sums are in f32");
  std::string outputs = narrowNames(context.program.outputs);
  if (context.isLast && !outputs.empty())
    item("rounded once, when stored: " + outputs);
  if (std::string names = narrowNames(context.program.states); !names.empty())
    item("rounded between calls, f32 within one: " + names);
  rec::ProgramOp program = context.normal;
  unsigned casts = 0;
  program.walk([&](rec::CastOp) { ++casts; });
  if (casts)
    item("rounded in the program itself: " + std::to_string(casts) +
         (casts == 1 ? " value" : " values") + " a token");
}

std::string Numerics::print() {
  decays();
  roundings();
  return "\nNumerics\n" + result;
}

} // namespace

std::string describeNumerics(const Context &context) {
  return Numerics(context).print();
}

} // namespace trowel::explaining
