// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Expressions.h"

#include "dialect/Rec/ValueBuilder.h"
#include "tools/trowel/explain/Layout.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <utility>

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel::explaining {

//===----------------------------------------------------------------------===//
// Texts
//===----------------------------------------------------------------------===//

std::string Text::at(Binding least) const {
  std::string inner = text;
  Binding own = binding;
  if (negative) {
    if (binding <= Binding::Sum)
      inner = "(" + inner + ")";
    inner = "-" + inner;
    own = binding == Binding::Sum || binding == Binding::Condition
              ? Binding::Unary
              : std::min(binding, Binding::Unary);
  }
  return own < least ? "(" + inner + ")" : inner;
}

Text product(const Text &a, const Text &b) {
  bool negative = a.negative != b.negative;
  Text left = a, right = b;
  left.negative = right.negative = false;
  if (left.text == "1")
    return {right.text, right.binding, negative};
  if (right.text == "1")
    return {left.text, left.binding, negative};
  return {left.at(Binding::Product) + " * " + right.at(Binding::Unary),
          Binding::Product, negative};
}

Text sum(const Text &a, const Text &b) {
  if (a.negative && !b.negative)
    return sum(b, a);
  Text right = b;
  right.negative = false;
  std::string tail = right.at(b.negative ? Binding::Contraction : Binding::Sum);
  if (!a.negative)
    return {a.at(Binding::Sum) + (b.negative ? " - " : " + ") + tail,
            Binding::Sum, false};
  Text left = a; // both negative: -(a + b)
  left.negative = false;
  return {left.at(Binding::Sum) + " + " + right.at(Binding::Sum), Binding::Sum,
          true};
}

Text contraction(const Text &a, const Text &b) {
  Text left = a, right = b;
  left.negative = right.negative = false;
  return {left.at(Binding::Unary) + " @ " + right.at(Binding::Unary),
          Binding::Contraction, a.negative != b.negative};
}

Text quotient(const Text &a, const Text &b) {
  Text left = a, right = b;
  left.negative = right.negative = false;
  return {left.at(Binding::Product) + " / " + right.at(Binding::Unary),
          Binding::Product, a.negative != b.negative};
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Expressions::Expressions(rec::ProgramOp program,
                         std::vector<std::pair<std::string, int64_t>> sizes)
    : sizes(std::move(sizes)) {
  for (StringAttr axis : rec::stringsOf(program.getAxes()))
    taken.insert(axis.str());
  for (Operation &op : program.getBody().front()) {
    if (op.getNumResults() != 1 || op.getNumRegions())
      continue;
    StringRef name = rec::nameOf(op.getResult(0));
    if (!name.empty())
      setName(op.getResult(0), freshName(name.str()));
  }
}

std::string Expressions::freshName(const std::string &base) {
  std::string name = base;
  for (int i = 2; !taken.insert(name).second; ++i)
    name = base + (std::isdigit(base.back()) ? "_" : "") + std::to_string(i);
  return name;
}

void Expressions::setName(Value value, const std::string &name) {
  taken.insert(name);
  known[value] = Text{name, Binding::Postfix, false};
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Text Expressions::print(Value value) {
  Picks here;
  for (const auto &[axis, index] : picks)
    if (rec::hasAxis(value, axis))
      here.push_back({axis, index});
  auto it = known.find(value);
  if (it != known.end())
    return picked(it->second, here);
  auto cached = cache.find(value.getAsOpaquePointer());
  if (here.empty() && cached != cache.end())
    return cached->second;
  Operation *op = value.getDefiningOp();
  if (!op)
    return {"…", Binding::Postfix, false};
  Picks outer = std::exchange(picks, here);
  Text text = printOperation(op);
  picks = std::move(outer);
  // Shared parts are written out each time: their number can explode.
  constexpr size_t longest = 2000;
  if (text.text.size() > longest)
    text = {"…", Binding::Postfix, false};
  if (here.empty())
    cache[value.getAsOpaquePointer()] = text;
  return text;
}

/// Brackets follow names only: what is picked of an expression is picked of the
/// names in it.
Text Expressions::printOperation(Operation *op) {
  if (auto map = dyn_cast<rec::MapOp>(op))
    return printMap(map);
  if (auto contract = dyn_cast<rec::ContractOp>(op))
    return contraction(print(contract.getLhs()), print(contract.getRhs()));
  if (auto reduce = dyn_cast<rec::ReduceOp>(op))
    return printReduce(reduce);
  if (auto pick = dyn_cast<rec::PickOp>(op))
    return printPick(pick);
  Picks here = std::exchange(picks, {});
  if (auto constant = dyn_cast<rec::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    bool isNumber = elements && elements.isSplat(); // the same everywhere
    return picked(printConstant(constant), isNumber ? Picks() : here);
  }
  if (auto rename = dyn_cast<rec::RenameOp>(op))
    return picked(printRename(rename), here);
  return picked(printOther(op), here);
}

/// `(J == 2)`: one there, else zero.
static std::optional<Text> oneHot(rec::ConstantOp op,
                                  DenseElementsAttr elements) {
  ArrayRef<StringAttr> axes = rec::axesOf(op.getResult());
  if (axes.size() != 1 || !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  std::optional<size_t> place;
  for (auto [i, number] : llvm::enumerate(elements.getValues<APFloat>()))
    if (number.isExactlyValue(1) && !place)
      place = i;
    else if (!number.isZero())
      return std::nullopt;
  if (!place)
    return std::nullopt;
  return Text{"(" + axes[0].str() + " == " + std::to_string(*place) + ")"};
}

Text Expressions::printConstant(rec::ConstantOp op) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (elements && !elements.isSplat())
    if (std::optional<Text> text = oneHot(op, elements))
      return *text;
  if (!elements || !elements.isSplat())
    return {"…"};
  double number;
  if (isa<FloatType>(elements.getElementType()))
    number = elements.getSplatValue<APFloat>().convertToDouble();
  else
    number = double(elements.getSplatValue<APInt>().getSExtValue());
  bool negative = std::signbit(number);
  number = std::abs(number);
  for (const auto &[name, size] : sizes) // small ones give numbers like 0.5
    if (size >= 16 && number == std::pow(double(size), -0.5))
      return {name + "^-0.5", Binding::Power, negative};
  return {realNumber(number), Binding::Postfix, negative};
}

Text Expressions::call(const std::string &name, ArrayRef<Value> operands) {
  std::string arguments;
  for (Value operand : operands)
    arguments += (arguments.empty() ? "" : ", ") + whole(operand);
  return {name + "(" + arguments + ")"};
}

static std::string infix(MapKind kind) {
  switch (kind) {
  case MapKind::Mod:
    return " % ";
  case MapKind::Lt:
    return " < ";
  case MapKind::Le:
    return " <= ";
  case MapKind::Gt:
    return " > ";
  case MapKind::Ge:
    return " >= ";
  case MapKind::Eq:
    return " == ";
  case MapKind::Ne:
    return " != ";
  case MapKind::And:
    return " and ";
  case MapKind::Or:
    return " or ";
  default:
    return "";
  }
}

Text Expressions::printMap(rec::MapOp op) {
  if (std::optional<Text> idiom = printIdiom(op))
    return *idiom;
  auto operand = [&](int i) { return print(op.getOperand(i)); };
  switch (op.getKind()) {
  case MapKind::Neg: {
    Text text = operand(0);
    text.negative = !text.negative;
    return text;
  }
  case MapKind::Add:
    return sum(operand(0), operand(1));
  case MapKind::Sub: {
    Text right = operand(1);
    right.negative = !right.negative;
    return sum(operand(0), right);
  }
  case MapKind::Mul:
    return product(operand(0), operand(1));
  case MapKind::Div:
    return quotient(operand(0), operand(1));
  case MapKind::Pow:
    return {operand(0).at(Binding::Postfix) + "^" +
                operand(1).at(Binding::Unary),
            Binding::Power, false};
  case MapKind::Not:
    return {"not " + operand(0).at(Binding::Sum), Binding::Condition, false};
  case MapKind::ToReal:
    return operand(0);
  default:
    break;
  }
  std::string sign = infix(op.getKind());
  if (sign.empty())
    return call(rec::stringifyMapKind(op.getKind()).str(),
                SmallVector<Value>(op.getOperands()));
  if (op.getKind() == MapKind::Mod)
    return {operand(0).at(Binding::Product) + sign +
                operand(1).at(Binding::Unary),
            Binding::Product, false};
  return {operand(0).at(Binding::Sum) + sign + operand(1).at(Binding::Sum),
          Binding::Condition, false};
}

Text Expressions::reduction(const std::string &name, ArrayAttr axes,
                            Value operand) {
  std::string list;
  if (rec::axesOf(operand).size() != 1)
    for (StringAttr axis : rec::stringsOf(axes))
      list += (list.empty() ? "" : ", ") + axis.str();
  return {name + (list.empty() ? "" : "[" + list + "]") + "(" + whole(operand) +
          ")"};
}

Text Expressions::printReduce(rec::ReduceOp op) {
  return reduction(rec::stringifyReduceKind(op.getKind()).str(), op.getAxes(),
                   op.getOperand());
}

Text Expressions::printRename(rec::RenameOp op) {
  return {print(op.getOperand()).at(Binding::Postfix) + "[" +
          op.getFrom().str() + "->" + op.getTo().str() + "]"};
}

Text Expressions::printPick(rec::PickOp op) {
  picks.push_back({op.getAxisAttr(), op.getIndex()});
  Text text = print(op.getOperand());
  picks.pop_back();
  return text;
}

Text Expressions::picked(Text text, const Picks &at) {
  bool negative = !at.empty() && std::exchange(text.negative, false);
  for (const auto &[axis, index] : at) {
    bool isPlainNumber = axis.getValue().contains('.');
    text = {text.at(Binding::Postfix) + "[" +
                (isPlainNumber ? "" : axis.str() + "=") +
                std::to_string(index) + "]",
            Binding::Postfix, false};
  }
  text.negative |= negative;
  return text;
}

/// The parts along an axis; of many the first and the last.
Text Expressions::printStack(rec::StackOp op) {
  constexpr unsigned most = 4;
  SmallVector<Value> parts(op.getValues());
  std::string name = "stack[" + op.getAxis().str() + "]";
  if (parts.size() <= most)
    return call(name, parts);
  return {name + "(" + whole(parts.front()) + ", …, " + whole(parts.back()) +
          ")"};
}

Text Expressions::printOther(Operation *op) {
  if (isa<rec::PositionOp>(op))
    return {"t"};
  if (auto cast = dyn_cast<rec::CastOp>(op))
    return call(rec::stringifyDTypeKind(cast.getDtype()).str(),
                cast.getOperand());
  if (auto delay = dyn_cast<rec::DelayOp>(op))
    return {print(delay.getOperand()).at(Binding::Postfix) + "[t - " +
            std::to_string(delay.getAmount()) + "]"};
  if (auto stop = dyn_cast<rec::StopOp>(op))
    return call("stop", stop.getOperand());
  if (auto repeat = dyn_cast<rec::RepeatOp>(op))
    return print(repeat.getOperand());
  if (auto stack = dyn_cast<rec::StackOp>(op))
    return printStack(stack);
  if (auto heads = dyn_cast<rec::ReduceHeadsOp>(op)) {
    bool all = heads.getTo() == rec::SharingKind::Shared;
    return {rec::stringifyReduceKind(heads.getKind()).str() +
            (all ? "[heads](" : "[group](") + whole(heads.getOperand()) + ")"};
  }
  return {"…"};
}

//===----------------------------------------------------------------------===//
// Idioms
//===----------------------------------------------------------------------===//

static rec::MapOp mapOf(Value value, MapKind kind) {
  auto op = value.getDefiningOp<rec::MapOp>();
  return op && op.getKind() == kind ? op : rec::MapOp();
}

static rec::ReduceOp reduceOf(Value value, rec::ReduceKind kind) {
  auto op = value.getDefiningOp<rec::ReduceOp>();
  return op && op.getKind() == kind ? op : rec::ReduceOp();
}

/// The `x` of sum(x * x).
static Value squared(rec::ReduceOp total) {
  rec::MapOp square = total ? mapOf(total.getOperand(), MapKind::Mul) : nullptr;
  bool isSquare = square && square.getOperand(0) == square.getOperand(1);
  return isSquare ? square.getOperand(0) : Value();
}

namespace {
/// x / sqrt(sum(x^2) + eps), the sum maybe divided: normalize, rmsnorm.
struct Length {
  rec::ReduceOp sum;
  Value epsilon;
  bool isMean;
};
} // namespace

static std::optional<Length> lengthOf(rec::MapOp op) {
  rec::MapOp root = mapOf(op.getOperand(1), MapKind::Sqrt);
  rec::MapOp safe = root ? mapOf(root.getOperand(0), MapKind::Add) : nullptr;
  if (!safe || !safe.getOperand(1).getDefiningOp<rec::ConstantOp>())
    return std::nullopt;
  Value total = safe.getOperand(0);
  rec::MapOp mean = mapOf(total, MapKind::Div);
  auto square =
      reduceOf(mean ? mean.getOperand(0) : total, rec::ReduceKind::Sum);
  if (squared(square) != op.getOperand(0))
    return std::nullopt;
  return Length{square, safe.getOperand(1), bool(mean)};
}

bool isNormalized(Value value) {
  auto pick = value.getDefiningOp<rec::PickOp>();
  rec::MapOp op = mapOf(pick ? pick.getOperand() : value, MapKind::Div);
  std::optional<Length> length = op ? lengthOf(op) : std::nullopt;
  return length && !length->isMean &&
         !(pick &&
           llvm::is_contained(length->sum.getAxes(), pick.getAxisAttr()));
}

std::optional<Text> Expressions::printLength(rec::MapOp op) {
  std::optional<Length> length = lengthOf(op);
  if (!length)
    return std::nullopt;
  Text text = reduction(length->isMean ? "rmsnorm" : "normalize",
                        length->sum.getAxes(), op.getOperand(0));
  if (!rec::isConstant(length->epsilon, 1e-6))
    text.text.insert(text.text.size() - 1, ", eps = " + whole(length->epsilon));
  return text;
}

/// exp(x - max(x)) / sum(exp(x - max(x))).
static std::pair<Value, ArrayAttr> softmaxOf(rec::MapOp op) {
  auto total = reduceOf(op.getOperand(1), rec::ReduceKind::Sum);
  rec::MapOp weight = mapOf(op.getOperand(0), MapKind::Exp);
  if (!total || !weight || total.getOperand() != op.getOperand(0))
    return {};
  rec::MapOp shifted = mapOf(weight.getOperand(0), MapKind::Sub);
  auto stop = shifted ? shifted.getOperand(1).getDefiningOp<rec::StopOp>()
                      : rec::StopOp();
  auto top = stop ? reduceOf(stop.getOperand(), rec::ReduceKind::Max)
                  : rec::ReduceOp();
  if (!top || top.getOperand() != shifted.getOperand(0))
    return {};
  return {shifted.getOperand(0), total.getAxes()};
}

std::optional<Text> Expressions::printIdiom(rec::MapOp op) {
  auto operand = [&](int i) { return op.getOperand(i); };
  switch (op.getKind()) {
  case MapKind::Mul:
    if (operand(0) == operand(1))
      return Text{print(operand(0)).at(Binding::Postfix) + "^2",
                  Binding::Power};
    if (rec::MapOp gate = mapOf(operand(1), MapKind::Sigmoid))
      if (gate.getOperand(0) == operand(0) && !isNamed(gate))
        return call("silu", operand(0));
    return std::nullopt;
  case MapKind::Div: {
    if (auto [x, axes] = softmaxOf(op); x)
      return reduction("softmax", axes, x);
    return printLength(op);
  }
  case MapKind::Neg:
    if (rec::MapOp soft = mapOf(operand(0), MapKind::Softplus))
      if (rec::MapOp inner = mapOf(soft.getOperand(0), MapKind::Neg))
        return call("logsigmoid", inner.getOperand(0));
    return std::nullopt;
  case MapKind::Max:
    if (rec::isConstant(operand(0), 0))
      return call("relu", operand(1));
    return std::nullopt;
  case MapKind::Where: {
    rec::MapOp isZero = mapOf(operand(0), MapKind::Eq);
    auto total = isZero ? reduceOf(isZero.getOperand(0), rec::ReduceKind::Sum)
                        : rec::ReduceOp();
    if (Value x = squared(total); x && mapOf(operand(2), MapKind::Sqrt))
      return reduction("norm", total.getAxes(), x);
    return std::nullopt;
  }
  default:
    return std::nullopt;
  }
}

} // namespace trowel::explaining
