// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Normalize/Obstacles.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel {

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

std::string listQuoted(ArrayRef<StringRef> names) {
  std::string text;
  for (auto [i, name] : llvm::enumerate(names)) {
    if (i)
      text += i + 1 == names.size() ? " and " : ", ";
    text += "`" + name.str() + "`";
  }
  return text;
}

std::string describe(Value value, StringRef otherwise) {
  StringRef name = rec::nameOf(value);
  return name.empty() ? otherwise.str() : "`" + name.str() + "`";
}

Location placeOf(Value factor, Location use) {
  Operation *op = factor.getDefiningOp();
  bool isDeclared =
      isa_and_nonnull<rec::InputOp, rec::ParamOp, rec::StateOp>(op);
  return !op || isDeclared || isa<UnknownLoc>(op->getLoc()) ? use
                                                            : op->getLoc();
}

static std::string listAxes(ArrayRef<StringAttr> axes) {
  std::string text;
  for (auto [i, axis] : llvm::enumerate(axes))
    text += (i ? ", " : "") + axis.getValue().str();
  return text;
}

static std::string stateNames(const StateGraph &graph,
                              const llvm::BitVector &states) {
  SmallVector<StringRef> names;
  for (unsigned i : states.set_bits())
    names.push_back(rec::nameOf(graph.state(i).getResult()));
  return listQuoted(names);
}

//===----------------------------------------------------------------------===//
// Affine, yet no matrix product
//===----------------------------------------------------------------------===//

/// "K" and "V" of a value's key and value axes.
static std::pair<std::string, std::string> split(Value value,
                                                 const StageAxes &axes) {
  SmallVector<StringAttr> keys, values;
  for (StringAttr axis : rec::axesOf(value))
    (axes.isValue(axis) ? values : keys).push_back(axis);
  return {listAxes(keys), listAxes(values)};
}

/// The factor would be a product if more were known of its parts.
static Obstacle unboundedParts(Value factor, ArrayRef<UnknownRange> unknown,
                               const StageAxes &axes, Location use) {
  auto [onKeys, onValues] = split(factor, axes);
  SmallVector<std::string> parts;
  for (const UnknownRange &part : unknown) {
    std::string rest = listAxes(rec::axesOf(part.part));
    std::string text =
        describe(part.part,
                 rest.empty() ? "its scalar part" : "its part over " + rest) +
        " " + part.needed.str();
    if (!llvm::is_contained(parts, text))
      parts.push_back(text);
  }
  return {placeOf(factor, use),
          describe(factor, "this factor") + " over [" +
              listAxes(rec::axesOf(factor)) +
              "] is a product of a function of " + onKeys +
              " and a function of " + onValues + " only with " +
              llvm::join(parts, " and ") +
              ": else one of the two may overflow, or be a NaN, where their "
              "product does not",
          "declare ranges from which this follows, as in `in x : f32[" +
              listAxes(rec::axesOf(unknown.front().part)) + "] " +
              unknown.front().needed.str() +
              "`, or write the factor as a product, as in `exp(a) * "
              "exp(b)` for `exp(a + b)`"};
}

Obstacle inseparableFactor(Value factor, ArrayRef<UnknownRange> unknown,
                           const StageAxes &axes, Location use) {
  if (!unknown.empty())
    return unboundedParts(factor, unknown, axes, use);
  auto [onKeys, onValues] = split(factor, axes);
  return {placeOf(factor, use),
          describe(factor, "this factor") + " over [" +
              listAxes(rec::axesOf(factor)) +
              "] is no product of a function of " + onKeys +
              " and a function of " + onValues,
          "matrix products need every factor of the state over " + onKeys +
              " alone, over " + onValues +
              " alone, or as a product of two such factors"};
}

Obstacle factorOnRead(Value factor, const StageAxes &axes, Location use) {
  std::string name = describe(factor, "a factor");
  return {
      placeOf(factor, use),
      name + " over the value axis " + split(factor, axes).second +
          " stands between a read of the state and the write that it feeds: "
          "each column of the state would need a solve of its own",
      "make it a scalar or a function of key axes, or put it on the value "
      "alone: `b * v - k @ S` in place of `b * (v - k @ S)`"};
}

Obstacle decayOnRead(Value decay, Location read) {
  return {read,
          describe(decay, "a decay") +
              " over a value axis falls between this read of the state and the "
              "write that it feeds",
          "read the state after it has decayed (`S *= a` first, then `S += k * "
          "(v - k @ S)`), or let the decay depend on key axes only"};
}

Obstacle mixedChannels(Operation *rename) {
  return {rename->getLoc(),
          "the state, or a read of it, under another axis name mixes channels "
          "that matrix products over chunks keep apart: each token would "
          "multiply the state by a full matrix",
          "scale the state elementwise, or change it by outer products: "
          "`S += k * (v - k @ S)`"};
}

std::optional<Obstacle> infiniteStart(rec::StateOp state) {
  if (!state.getInitial())
    return std::nullopt;
  SmallVector<Value> work{state.getInitial()};
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op)
      continue;
    if (rec::isConstant(op->getResult(0), HUGE_VAL) ||
        rec::isConstant(op->getResult(0), -HUGE_VAL))
      return Obstacle{state.getLoc(),
                      "the state starts at an infinity: products with a factor "
                      "of zero would make it a NaN",
                      "start it at a finite number"};
    llvm::append_range(work, op->getOperands());
  }
  return std::nullopt;
}

Obstacle readsDiffer(Operation *read, ArrayRef<StringAttr> over,
                     ArrayRef<StringAttr> others) {
  SmallVector<StringAttr> rest;
  for (StringAttr axis : others)
    if (!llvm::is_contained(over, axis))
      rest.push_back(axis);
  return {read->getLoc(),
          "this read sums over " + listAxes(over) + ", another over " +
              listAxes(rest) + ", and both feed writes",
          "let the reads that feed writes sum over the same axes; reads for "
          "outputs may differ"};
}

Obstacle readLeavesKey(Operation *read, StringAttr key) {
  return {read->getLoc(),
          "this read leaves `" + key.str() +
              "` open, an axis that the reads that feed writes sum over",
          "sum over `" + key.str() + "` here, too"};
}

Obstacle tooManyRows(Operation *read, ArrayRef<StringAttr> open,
                     const rec::AxisOrder &order) {
  std::string along = listAxes(open);
  return {read->getLoc(),
          "this read of the state gives a row for each position along " +
              along + ", " + std::to_string(countPlaces(open, order)) +
              " at a token: matrix products over chunks take at most " +
              std::to_string(mostRows),
          "make " + along + " smaller, or sum over it: `w @ (q @ S)`"};
}

/// The axes of a sum within a term that adds up more outer products than a
/// token may have.
static SmallVector<StringAttr> longSum(Value term, const StageAxes &axes,
                                       const rec::AxisOrder &order) {
  Operation *op = term.getDefiningOp();
  if (!op || axes.onlyKey(term) || axes.onlyValue(term))
    return {};
  SmallVector<StringAttr> over;
  if (auto product = dyn_cast<rec::ContractOp>(op))
    over = rec::stringsOf(product.getAxes());
  else if (auto sum = dyn_cast<rec::ReduceOp>(op))
    over = rec::stringsOf(sum.getAxes());
  if (countPlaces(over, order) > mostRows)
    return over;
  for (Value operand : op->getOperands())
    if (auto found = longSum(operand, axes, order); !found.empty())
      return found;
  return {};
}

Obstacle fullRankTerm(Value term, ArrayRef<UnknownRange> unknown,
                      const StageAxes &axes, const rec::AxisOrder &order,
                      Location use) {
  if (!unknown.empty())
    return unboundedParts(term, unknown, axes, use);
  auto [keys, values] = split(term, axes);
  if (auto over = longSum(term, axes, order); !over.empty()) {
    std::string along = listAxes(over);
    return {placeOf(term, use),
            describe(term, "this term") + " adds up outer products along " +
                along + ", " + std::to_string(countPlaces(over, order)) +
                " at a token: matrix products over chunks take at most " +
                std::to_string(mostRows),
            "make " + along + " smaller"};
  }
  return {placeOf(term, use),
          describe(term, "this term") + " over [" +
              listAxes(rec::axesOf(term)) +
              "] is added to the state and is no product of a function of " +
              keys + " and a function of " + values,
          "add outer products, as in `f(k) * g(v)`, or sums of a few"};
}

Obstacle decaysDiffer(StringRef state, Value factor, const StageAxes &axes,
                      Location use) {
  return {use,
          "what enters `" + state.str() + "` here has the factor " +
              describe(factor, "of a token") + " over " +
              split(factor, axes).second +
              ", and the states of the stage do not share it",
          "give every state of the stage the same factor over value axes, or "
          "let this one depend on key axes only"};
}

Obstacle sumOfFactors(StringRef state, Location update) {
  return {update,
          "`" + state.str() +
              "` enters with several factors whose sum is no product of a "
              "function of key axes and a function of value axes",
          "write one factor for the state, over key axes or over value axes"};
}

Obstacle usedWhole(rec::StateOp state) {
  std::string name = state.getName().str();
  return {state.getLoc(),
          "`" + name +
              "` is used here as it is, not only contracted: it would "
              "have to exist for every token",
          "read it along an axis, as in `q @ " + name + "`"};
}

Obstacle elementwise(const StateGraph &graph, const llvm::BitVector &stage) {
  unsigned first = stage.find_first();
  return {graph.update(first).getLoc(),
          "the update of " + stateNames(graph, stage) +
              " works entry by entry: no axis is summed, so there is no matrix "
              "product to gain",
          "a scan reads every input once and keeps the state in registers: "
          "nothing to change"};
}

//===----------------------------------------------------------------------===//
// Not affine
//===----------------------------------------------------------------------===//

namespace {

enum class Nonlinear { No, Function, Product, Divisor, Condition, Rounding };

class NonlinearFinder {
public:
  NonlinearFinder(const StateGraph &graph, const llvm::BitVector &stage)
      : graph(graph), stage(stage), slice(graph.updateSlice(stage)) {}

  std::optional<Obstacle> find();

private:
  bool depends(Value value) const { return graph.dependsOn(value, stage); }
  Nonlinear classOf(Operation *op) const;
  Operation *widen(Operation *op) const;
  std::optional<Obstacle> scaledState(Operation *factor) const;
  std::string readStates(Value value) const;
  std::string cheapness() const;

  const StateGraph &graph;
  const llvm::BitVector &stage;
  SmallVector<Operation *> slice;
};

Nonlinear NonlinearFinder::classOf(Operation *op) const {
  unsigned count =
      llvm::count_if(op->getOperands(), [&](Value v) { return depends(v); });
  if (count == 0)
    return Nonlinear::No;
  if (isa<rec::ContractOp>(op))
    return count == 2 ? Nonlinear::Product : Nonlinear::No;
  if (auto reduce = dyn_cast<rec::ReduceOp>(op))
    return reduce.getKind() == rec::ReduceKind::Max ? Nonlinear::Function
                                                    : Nonlinear::No;
  if (isa<rec::CastOp>(op))
    return Nonlinear::Rounding;
  auto map = dyn_cast<rec::MapOp>(op);
  if (!map)
    return Nonlinear::No;
  switch (map.getKind()) {
  case MapKind::Neg:
  case MapKind::Add:
  case MapKind::Sub:
  case MapKind::ToReal:
    return Nonlinear::No;
  case MapKind::Mul:
    return count == 2 ? Nonlinear::Product : Nonlinear::No;
  case MapKind::Div:
    return depends(op->getOperand(1)) ? Nonlinear::Divisor : Nonlinear::No;
  case MapKind::Where:
    return depends(op->getOperand(0)) ? Nonlinear::Condition : Nonlinear::No;
  default:
    return Nonlinear::Function;
  }
}

static bool isCondition(Operation *op) {
  return cast<RankedTensorType>(op->getResult(0).getType())
      .getElementType()
      .isInteger(1);
}

/// True if the place of `outer` covers that of `inner`, on one line.
static bool covers(Location outer, Location inner) {
  auto a = dyn_cast<FileLineColRange>(outer),
       b = dyn_cast<FileLineColRange>(inner);
  return a && b && a.getStartLine() == b.getStartLine() &&
         a.getStartColumn() <= b.getStartColumn() &&
         a.getEndColumn() >= b.getEndColumn();
}

/// The largest expression of one operand around `op`: for the square within
/// `exp(-norm[V](e))` all of it.
Operation *NonlinearFinder::widen(Operation *op) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation *outer : slice) {
      if (!op->isBeforeInBlock(outer) ||
          !covers(outer->getLoc(), op->getLoc()) ||
          !depends(outer->getResult(0)))
        continue;
      bool sameCall = outer->getLoc() == op->getLoc();
      bool ofOne = isa<rec::MapOp>(outer) && outer->getNumOperands() == 1 &&
                   covers(outer->getLoc(), op->getLoc());
      if (!sameCall && !ofOne)
        continue;
      op = outer;
      changed = true;
    }
  }
  return op;
}

std::string NonlinearFinder::readStates(Value value) const {
  llvm::BitVector read = graph.dependences(value);
  read &= stage;
  return stateNames(graph, read);
}

/// What to add when the stage is cheap as it stands: no matrix is read.
std::string NonlinearFinder::cheapness() const {
  for (unsigned i : stage.set_bits())
    if (rec::axesOf(graph.state(i).getResult()).size() > 1)
      return "";
  bool sums = llvm::any_of(slice, [&](Operation *op) {
    return isa<rec::ContractOp>(op) && depends(op->getResult(0));
  });
  return sums ? ""
              : ". As it is it costs little, and what uses it keeps its form";
}

/// The factor multiplies a state of the stage whole.
std::optional<Obstacle> NonlinearFinder::scaledState(Operation *factor) const {
  Value value = factor->getResult(0);
  for (Operation *user : value.getUsers()) {
    auto product = dyn_cast<rec::MapOp>(user);
    if (!product || product.getKind() != MapKind::Mul)
      continue;
    Value other = product.getOperand(product.getOperand(0) == value ? 1 : 0);
    auto state = other.getDefiningOp<rec::StateOp>();
    if (!state || other == value)
      continue;
    return Obstacle{
        factor->getLoc(),
        "this factor of `" + state.getName().str() + "` reads " +
            readStates(value) + ": the update is not affine in the state",
        "let the factor depend on the token alone, or on another state that is "
        "updated ahead of it" +
            cheapness()};
  }
  return std::nullopt;
}

std::optional<Obstacle> NonlinearFinder::find() {
  auto *first = llvm::find_if(
      slice, [&](Operation *op) { return classOf(op) != Nonlinear::No; });
  if (first == slice.end())
    return std::nullopt;
  Operation *op = widen(*first);
  if (auto scaled = scaledState(op))
    return scaled;
  std::string read = readStates(op->getResult(0));
  auto what = [&]() -> std::string {
    if (isCondition(op))
      return "chooses by a condition that reads " + read;
    switch (op == *first ? classOf(op) : Nonlinear::Function) {
    case Nonlinear::Product:
      return "multiplies two values that read " + read;
    case Nonlinear::Divisor:
      return "divides by a value that reads " + read;
    case Nonlinear::Condition:
      return "chooses by a condition that reads " + read;
    case Nonlinear::Rounding:
      return "rounds a value that reads " + read;
    default:
      return "passes " + read + " through a nonlinear function";
    }
  };
  return Obstacle{op->getLoc(),
                  "the update of " + stateNames(graph, stage) + " " + what() +
                      ": it is not affine in the state",
                  "let this depend on the token alone (inputs, params, states "
                  "updated ahead); outputs may be any function of the state" +
                      cheapness()};
}

} // namespace

std::optional<Obstacle> findNonlinear(const StateGraph &graph,
                                      const llvm::BitVector &stage) {
  return NonlinearFinder(graph, stage).find();
}

} // namespace trowel
