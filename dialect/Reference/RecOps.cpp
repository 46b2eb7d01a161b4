// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations on values, which are the same on tiles: `t` is one more axis.
#include "dialect/Reference/Machine.h"
#include "dialect/Reference/MapFunctions.h"

#include <cmath>

using namespace mlir;

namespace trowel::interpreter {

static bool isInteger(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType().isInteger(32);
}

void Machine::executeValue(Operation &op) {
  if (auto x = dyn_cast<rec::MapOp>(op))
    map(x);
  else if (auto x = dyn_cast<rec::ContractOp>(op))
    contract(x);
  else if (auto x = dyn_cast<rec::ReduceOp>(op))
    reduce(x);
  else if (auto x = dyn_cast<rec::ReduceHeadsOp>(op))
    reduceHeads(x);
  else if (auto x = dyn_cast<rec::ConstantOp>(op))
    constant(x);
  else if (auto x = dyn_cast<rec::RenameOp>(op))
    rename(x);
  else if (auto x = dyn_cast<rec::PickOp>(op))
    pick(x);
  else if (auto x = dyn_cast<rec::StackOp>(op))
    stack(x);
  else if (auto x = dyn_cast<rec::RepeatOp>(op))
    repeat(x);
  else if (auto x = dyn_cast<rec::CastOp>(op))
    round(x);
  else if (auto x = dyn_cast<rec::DelayOp>(op))
    delay(x);
  else if (auto x = dyn_cast<rec::StopOp>(op))
    values[x.getResult()] = Numbers(values.at(x.getOperand()));
  else if (auto x = dyn_cast<rec::StageOp>(op))
    stage(x);
  else if (auto x = dyn_cast<rec::SequentialOp>(op))
    sequential(x);
  else
    fail(&op, "it has no meaning here");
}

void Machine::constant(rec::ConstantOp op) {
  auto elements = cast<DenseElementsAttr>(op.getValue());
  Numbers one;
  if (isa<FloatType>(elements.getElementType()))
    for (APFloat x : elements.getValues<APFloat>())
      one.push_back(x.convertToDouble());
  else
    for (APInt x : elements.getValues<APInt>())
      one.push_back(static_cast<double>(
          x.getBitWidth() == 1 ? static_cast<int64_t>(x.getZExtValue())
                               : x.getSExtValue()));
  Numbers &numbers = values[op.getResult()];
  numbers.clear();
  for (int64_t head = 0; head < batch.heads; ++head)
    numbers.insert(numbers.end(), one.begin(), one.end());
}

void Machine::map(rec::MapOp op) {
  define(op.getResult());
  MapFunction function = mapFunction(op.getKind(), isInteger(op.getResult()));
  SmallVector<View, 4> views{View::dense(op.getType())};
  for (Value operand : op.getOperands())
    views.push_back(View::dense(operand.getType()));
  const Nest &loops = nest(op, 0, views);
  unsigned count = op.getNumOperands();
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *to = at(op.getResult(), head);
    const double *a = at(op.getOperand(0), head);
    const double *b = count > 1 ? at(op.getOperand(1), head) : a;
    const double *c = count > 2 ? at(op.getOperand(2), head) : a;
    loops.forEach([&](const Nest::Offsets &at) {
      to[at[0]] = function(a[at[1]], b[at[2]], c[at[3]]);
    });
  }
}

/// Rows that are absent take no part in a sum over the tokens.
void Machine::contract(rec::ContractOp op) {
  define(op.getResult());
  View result = View::dense(op.getType());
  const Nest &cleared = nest(op, 0, {result});
  const Nest &loops = nest(op, 1,
                           {result, View::dense(op.getLhs().getType()),
                            View::dense(op.getRhs().getType())});
  bool integer = isInteger(op.getResult());
  MapFunction add = mapFunction(rec::MapKind::Add, true);
  MapFunction multiply = mapFunction(rec::MapKind::Mul, true);
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *to = at(op.getResult(), head);
    const double *a = at(op.getLhs(), head), *b = at(op.getRhs(), head);
    cleared.forEach([&](const Nest::Offsets &at) { to[at[0]] = 0; });
    loops.forEach([&](const Nest::Offsets &at) {
      double &sum = to[at[0]];
      sum = integer ? add(sum, multiply(a[at[1]], b[at[2]], 0), 0)
                    : sum + a[at[1]] * b[at[2]];
    });
  }
}

void Machine::reduce(rec::ReduceOp op) {
  define(op.getResult());
  View result = View::dense(op.getType());
  const Nest &cleared = nest(op, 0, {result});
  const Nest &loops =
      nest(op, 1, {result, View::dense(op.getOperand().getType())});
  bool isMax = op.getKind() == rec::ReduceKind::Max;
  MapFunction combine = mapFunction(
      isMax ? rec::MapKind::Max : rec::MapKind::Add, isInteger(op.getResult()));
  double divisor = 1;
  if (op.getKind() == rec::ReduceKind::Mean)
    for (StringAttr axis : rec::stringsOf(op.getAxes()))
      divisor *= static_cast<double>(
          extent(axis, rec::axisSize(op.getOperand(), axis)));
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *to = at(op.getResult(), head);
    const double *from = at(op.getOperand(), head);
    cleared.forEach(
        [&](const Nest::Offsets &at) { to[at[0]] = isMax ? -HUGE_VAL : 0; });
    loops.forEach([&](const Nest::Offsets &at) {
      to[at[0]] = combine(to[at[0]], from[at[1]], 0);
    });
    if (divisor != 1)
      cleared.forEach([&](const Nest::Offsets &at) { to[at[0]] /= divisor; });
  }
}

/// Every head counts, also where several have the same value.
void Machine::reduceHeads(rec::ReduceHeadsOp op) {
  define(op.getResult());
  bool isMax = op.getKind() == rec::ReduceKind::Max;
  MapFunction combine = mapFunction(
      isMax ? rec::MapKind::Max : rec::MapKind::Add, isInteger(op.getResult()));
  int64_t count = elements(op.getType());
  int64_t members = batch.heads / unitCount(op.getTo());
  for (int64_t head = 0; head < batch.heads; ++head) {
    int64_t first = head / members * members;
    double *to = at(op.getResult(), head);
    for (int64_t i = 0; i < count; ++i) {
      double result = isMax ? -HUGE_VAL : 0;
      for (int64_t other = first; other < first + members; ++other)
        result = combine(result, at(op.getOperand(), other)[i], 0);
      to[i] = op.getKind() == rec::ReduceKind::Mean
                  ? result / static_cast<double>(members)
                  : result;
    }
  }
}

/// The operand's elements, walked another way.
void Machine::copy(Operation *op, View to, View from) {
  Value result = op->getResult(0), operand = op->getOperand(0);
  define(result);
  const Nest &loops = nest(op, 0, {to, from});
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *target = at(result, head);
    const double *source = at(operand, head);
    loops.forEach(
        [&](const Nest::Offsets &at) { target[at[0]] = source[at[1]]; });
  }
}

void Machine::rename(rec::RenameOp op) {
  View from = View::dense(op.getOperand().getType());
  from.find(op.getFromAttr())->name = op.getToAttr();
  copy(op, View::dense(op.getType()), from);
}

void Machine::pick(rec::PickOp op) {
  View from = View::dense(op.getOperand().getType());
  View::Axis *axis = from.find(op.getAxisAttr());
  from.start = static_cast<int64_t>(op.getIndex()) * axis->stride;
  from.axes.erase(axis);
  copy(op, View::dense(op.getType()), from);
}

void Machine::stack(rec::StackOp op) {
  define(op.getResult());
  View whole = View::dense(op.getType());
  View::Axis *axis = whole.find(op.getAxisAttr());
  int64_t stride = axis->stride;
  whole.axes.erase(axis);
  for (auto [i, value] : llvm::enumerate(op.getValues())) {
    View part = whole;
    part.start = static_cast<int64_t>(i) * stride;
    const Nest &loops = nest(op, static_cast<unsigned>(i),
                             {part, View::dense(value.getType())});
    for (int64_t head = 0; head < batch.heads; ++head) {
      double *to = at(op.getResult(), head);
      const double *from = at(value, head);
      loops.forEach([&](const Nest::Offsets &at) { to[at[0]] = from[at[1]]; });
    }
  }
}

/// The result's axis falls into two: the operand's, and the repetitions.
void Machine::repeat(rec::RepeatOp op) {
  View from = View::dense(op.getOperand().getType());
  View to = View::dense(op.getType());
  View::Axis *coarse = from.find(op.getFromAttr());
  coarse->name = op.getToAttr();
  View::Axis *fine = to.find(op.getToAttr());
  int64_t repetitions = fine->size / coarse->size, stride = fine->stride;
  fine->size = coarse->size;
  fine->stride = stride * repetitions;
  to.axes.push_back(
      {StringAttr::get(op.getContext(), "repetition"), repetitions, stride});
  copy(op, to, from);
}

void Machine::round(rec::CastOp op) {
  Numbers &numbers = values[op.getResult()];
  const Numbers &operand = values.at(op.getOperand());
  numbers.clear();
  for (double x : operand)
    numbers.push_back(castTo(op.getDtype(), x));
}

/// What a delay remembers as a chunk begins: kept, or what was kept.
void Machine::exchangeSaved(rec::DelayOp op, Numbers &memory) {
  if (!op.getSaved() || rows == 0)
    return;
  std::string name = "saved." + op.getSaved()->str();
  int64_t count = static_cast<int64_t>(memory.size());
  if (backward) {
    auto from = argument(name).data.begin() + chunk * count;
    memory.assign(from, from + count);
  } else if (saves) {
    Tensor &tensor = results[name];
    if (tensor.data.empty())
      tensor = Tensor({chunkCount(), count});
    llvm::copy(memory, tensor.data.begin() + chunk * count);
  }
}

/// Keeps the operand's last rows, the oldest first; before a sequence they are
/// zero.
void Machine::delay(rec::DelayOp op) {
  define(op.getResult());
  bool isTile = rec::hasAxis(op.getResult(), tokenAxis);
  if (capacity > 0 && !isTile)
    fail(op, "a delay within a chunk is of a tile");
  int64_t amount = static_cast<int64_t>(op.getAmount());
  int64_t total = elements(op.getType());
  int64_t width = isTile ? total / capacity : total;
  Numbers &memory = delayed[op];
  if (memory.empty())
    memory.assign(batch.heads * amount * width, 0);
  exchangeSaved(op, memory);
  for (int64_t head = 0; head < batch.heads; ++head) {
    auto kept = memory.begin() + head * amount * width;
    Numbers all(kept, kept + amount * width);
    const double *now = at(op.getOperand(), head);
    all.insert(all.end(), now, now + rows * width);
    std::copy(all.begin(), all.begin() + rows * width,
              at(op.getResult(), head));
    std::copy(all.end() - amount * width, all.end(), kept);
  }
}

} // namespace trowel::interpreter
