// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sequences, chunks and the store of values.
#include "dialect/Reference/Machine.h"

#include "llvm/Support/ErrorHandling.h"

#include <limits>

using namespace mlir;

namespace trowel::interpreter {

static constexpr double absent = std::numeric_limits<double>::quiet_NaN();

Machine::Machine(Operation *program, const Batch &batch,
                 const TensorMap &arguments)
    : body(program->getRegion(0).front()), batch(batch), arguments(arguments),
      order(rec::AxisOrder::around(program)) {
  MLIRContext *context = program->getContext();
  tokenAxis = StringAttr::get(context, "t");
  if (auto chunks = dyn_cast<chunk::ProgramOp>(program)) {
    capacity = static_cast<int64_t>(chunks.getTokens());
    saves = program->hasAttr("saves");
    backward = program->hasAttr("backward");
    bounded = {tokenAxis, StringAttr::get(context, "t.s")};
  }
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

int64_t Machine::chunkCount() const {
  if (batch.cuSeqlens.empty())
    return batch.batch * ((batch.tokens + capacity - 1) / capacity);
  int64_t count = 0;
  for (size_t i = 0; i + 1 < batch.cuSeqlens.size(); ++i)
    count +=
        (batch.cuSeqlens[i + 1] - batch.cuSeqlens[i] + capacity - 1) / capacity;
  return count;
}

void Machine::allocateResults() {
  for (auto op : body.getOps<rec::OutputOp>())
    results[op.getName().str()] =
        Tensor(shapeOf(op.getLayout(), op.getValue().getType(), op.getSharing(),
                       {batch.batch, batch.tokens}),
               op.getPartial() ? 0 : absent);
  for (auto op : body.getOps<rec::TotalOp>()) {
    Type type = rec::AxisOrder(order).type(op.getContext(),
                                           rec::stringsOf(op.getLayout()),
                                           Float32Type::get(op.getContext()));
    results[op.getName().str()] =
        Tensor(shapeOf(op.getLayout(), type, op.getSharing(), {}), 0);
  }
  for (auto op : body.getOps<rec::StateOp>()) {
    if (!op.getHidden() && !op.getSaved())
      results[op.getName().str()] =
          Tensor(shapeOf(op.getLayout(), op.getType(), op.getSharing(),
                         {batch.sequences()}),
                 op.getPartial() ? 0 : absent);
    if (saves)
      results["saved." + op.getName().str()] =
          Tensor({chunkCount(), batch.heads, elements(op.getType())}, absent);
  }
}

TensorMap Machine::run() {
  allocateResults();
  for (sequence = 0; sequence < batch.sequences(); ++sequence) {
    if (batch.cuSeqlens.empty())
      runSequence(sequence * batch.tokens, (sequence + 1) * batch.tokens);
    else
      runSequence(batch.cuSeqlens[sequence], batch.cuSeqlens[sequence + 1]);
  }
  return std::move(results);
}

/// A sequence without tokens still runs one chunk without rows: the states'
/// initial values are values of the program.
void Machine::runSequence(int64_t begin, int64_t end) {
  states.clear();
  delayed.clear();
  position = 0;
  int64_t step = std::max<int64_t>(capacity, 1);
  int64_t chunks = (end - begin + step - 1) / step, before = chunk;
  if (begin == end)
    runChunk(begin, 0);
  for (int64_t i = 0; i < chunks; ++i) {
    int64_t index = backward ? chunks - 1 - i : i;
    chunk = before + index;
    position = index * step;
    runChunk(begin + position, std::min(step, end - begin - position));
  }
  chunk = before + chunks;
  for (auto op : body.getOps<rec::StateOp>())
    if (!op.getHidden() && !op.getSaved())
      storeState(op);
}

/// True if the operation can run without a token: it may make an initial state.
bool Machine::initialises(Operation &op) const {
  return !isa<rec::InputOp, rec::UpdateOp, rec::OutputOp, rec::TotalOp>(op) &&
         op.getNumRegions() == 0 &&
         llvm::all_of(op.getOperands(),
                      [&](Value operand) { return values.count(operand) > 0; });
}

void Machine::runChunk(int64_t first, int64_t count) {
  if (rows != count)
    nests.clear();
  firstRow = first;
  rows = count;
  for (Operation &op : body)
    if (rows > 0 || initialises(op))
      execute(op);
  for (auto &update : updates)
    states[update.getKey()] = std::move(update.getValue());
  updates.clear();
}

void Machine::execute(Operation &op) {
  if (!executeBoundary(op) && !executeChunk(op))
    executeValue(op);
}

bool Machine::executeBoundary(Operation &op) {
  if (auto x = dyn_cast<rec::InputOp>(op))
    input(x);
  else if (auto x = dyn_cast<rec::ParamOp>(op))
    param(x);
  else if (auto x = dyn_cast<rec::StateOp>(op))
    state(x);
  else if (auto x = dyn_cast<rec::OutputOp>(op))
    output(x);
  else if (auto x = dyn_cast<rec::TotalOp>(op))
    total(x);
  else if (auto x = dyn_cast<rec::PositionOp>(op))
    positions(x);
  else if (auto x = dyn_cast<rec::UpdateOp>(op))
    updates[x.getName()] = values.at(x.getValue());
  else
    return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Numbers &Machine::define(Value value) {
  Numbers &numbers = values[value];
  numbers.assign(batch.heads * elements(value.getType()), absent);
  return numbers;
}

const double *Machine::at(Value value, int64_t head) const {
  auto it = values.find(value);
  assert(it != values.end() && "a value is defined before it is used");
  return it->second.data() + head * elements(value.getType());
}

double *Machine::at(Value value, int64_t head) {
  return const_cast<double *>(
      static_cast<const Machine *>(this)->at(value, head));
}

const Nest &Machine::nest(Operation *op, unsigned which, ArrayRef<View> views) {
  auto it = nests.find({op, which});
  if (it == nests.end())
    it = nests.insert({{op, which}, makeNest(views)}).first;
  return it->second;
}

void Machine::accumulate(double *to, Type type, ArrayRef<Value> factors,
                         int64_t head) {
  SmallVector<View, 4> views{View::dense(type)};
  std::array<const double *, 3> data{};
  for (auto [i, factor] : llvm::enumerate(factors)) {
    views.push_back(View::dense(factor.getType()));
    data[i] = at(factor, head);
  }
  size_t count = factors.size();
  makeNest(views).forEach([&](const Nest::Offsets &at) {
    double product = 1;
    for (size_t i = 0; i < count; ++i)
      product *= data[i][at[i + 1]];
    to[at[0]] += product;
  });
}

Numbers Machine::spread(Value value, int64_t head, const View &view) const {
  Numbers numbers(view.elements());
  const double *from = at(value, head);
  makeNest({view, View::dense(value.getType())})
      .forEach([&](const Nest::Offsets &at) { numbers[at[0]] = from[at[1]]; });
  return numbers;
}

void Machine::store(Value value, int64_t head, const Numbers &from,
                    const View &view) {
  double *to = at(value, head);
  makeNest({View::dense(value.getType()), view})
      .forEach([&](const Nest::Offsets &at) { to[at[0]] = from[at[1]]; });
}

void Machine::fail(Operation *op, const Twine &message) const {
  op->emitOpError() << "cannot be interpreted: " << message;
  llvm::report_fatal_error("the interpreter met an operation without meaning",
                           /*gen_crash_diag=*/false);
}

} // namespace trowel::interpreter
