// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the caller's tensors and the program's values.
#include "dialect/Reference/Machine.h"

#include "llvm/Support/ErrorHandling.h"

using namespace mlir;

namespace trowel::interpreter {

int64_t Machine::unitCount(rec::SharingKind sharing) const {
  switch (sharing) {
  case rec::SharingKind::Shared:
    return 1;
  case rec::SharingKind::Grouped:
    return batch.groups;
  case rec::SharingKind::Head:
    return batch.heads;
  }
  llvm_unreachable("no such sharing");
}

int64_t Machine::unitOf(int64_t head, rec::SharingKind sharing) const {
  return head / (batch.heads / unitCount(sharing));
}

bool Machine::speaksForUnit(int64_t head, rec::SharingKind sharing) const {
  return head % (batch.heads / unitCount(sharing)) == 0;
}

const Tensor &Machine::argument(StringRef name) const {
  auto it = arguments.find(name.str());
  if (it == arguments.end())
    llvm::report_fatal_error(Twine("the call has no tensor `") + name + "`",
                             /*gen_crash_diag=*/false);
  return it->second;
}

std::vector<int64_t> Machine::shapeOf(ArrayAttr layout, Type type,
                                      rec::SharingKind sharing,
                                      std::vector<int64_t> leading) const {
  if (sharing != rec::SharingKind::Shared)
    leading.push_back(unitCount(sharing));
  for (StringAttr axis : rec::stringsOf(layout)) {
    int dimension = rec::axisPosition(type, axis);
    leading.push_back(cast<RankedTensorType>(type).getDimSize(dimension));
  }
  return leading;
}

/// One unit's block of a caller's tensor, with the axes in the layout's order.
View Machine::callerView(ArrayAttr layout, Type type) const {
  SmallVector<StringAttr> names = rec::stringsOf(layout);
  SmallVector<int64_t> sizes;
  for (StringAttr axis : names)
    sizes.push_back(
        cast<RankedTensorType>(type).getDimSize(rec::axisPosition(type, axis)));
  return View::dense(names, sizes);
}

/// The chunk's tokens in front of one unit's block.
View Machine::withTokens(View view, rec::SharingKind sharing) const {
  if (capacity > 0)
    view.axes.push_back(
        {tokenAxis, capacity, unitCount(sharing) * view.elements()});
  return view;
}

void Machine::input(rec::InputOp op) {
  const Tensor &tensor = argument(op.getName());
  View unit = callerView(op.getLayout(), op.getType());
  const Nest &loops = nest(
      op, 0, {View::dense(op.getType()), withTokens(unit, op.getSharing())});
  define(op.getResult());
  int64_t units = unitCount(op.getSharing());
  for (int64_t head = 0; rows > 0 && head < batch.heads; ++head) {
    int64_t index = firstRow * units + unitOf(head, op.getSharing());
    const double *from = tensor.data.data() + index * unit.elements();
    double *to = at(op.getResult(), head);
    bool absent = op.getPartial() && !speaksForUnit(head, op.getSharing());
    loops.forEach(
        [&](const Nest::Offsets &at) { to[at[0]] = absent ? 0 : from[at[1]]; });
  }
}

void Machine::param(rec::ParamOp op) {
  const Tensor &tensor = argument(op.getName());
  View unit = callerView(op.getLayout(), op.getType());
  const Nest &loops = nest(op, 0, {View::dense(op.getType()), unit});
  define(op.getResult());
  for (int64_t head = 0; head < batch.heads; ++head) {
    const double *from =
        tensor.data.data() + unitOf(head, op.getSharing()) * unit.elements();
    double *to = at(op.getResult(), head);
    loops.forEach([&](const Nest::Offsets &at) { to[at[0]] = from[at[1]]; });
  }
}

/// What the caller passes, else what the program says, else zero.
void Machine::loadState(rec::StateOp op, Numbers &into) {
  into.assign(batch.heads * elements(op.getType()), 0);
  auto it = arguments.find(op.getName().str());
  if (op.getHidden() || op.getSaved() || it == arguments.end()) {
    if (op.getInitial())
      into = values.at(op.getInitial());
    return;
  }
  View unit = callerView(op.getLayout(), op.getType());
  Nest loops = makeNest({View::dense(op.getType()), unit});
  for (int64_t head = 0; head < batch.heads; ++head) {
    if (op.getPartial() && !speaksForUnit(head, op.getSharing()))
      continue;
    int64_t index =
        sequence * unitCount(op.getSharing()) + unitOf(head, op.getSharing());
    const double *from = it->second.data.data() + index * unit.elements();
    double *to = into.data() + head * unit.elements();
    loops.forEach([&](const Nest::Offsets &at) { to[at[0]] = from[at[1]]; });
  }
}

void Machine::state(rec::StateOp op) {
  auto [it, isNew] = states.try_emplace(op.getName());
  if (isNew)
    loadState(op, it->second);
  std::string saved = "saved." + op.getName().str();
  int64_t count = batch.heads * elements(op.getType());
  if (op.getSaved() && rows > 0) {
    auto from = argument(saved).data.begin() + chunk * count;
    it->second.assign(from, from + count);
  } else if (saves && rows > 0) {
    llvm::copy(it->second, results[saved].data.begin() + chunk * count);
  }
  values[op.getResult()] = it->second;
}

void Machine::storeState(rec::StateOp op) {
  View unit = callerView(op.getLayout(), op.getType());
  Nest loops = makeNest({unit, View::dense(op.getType())});
  Tensor &tensor = results[op.getName().str()];
  const Numbers &numbers = states[op.getName()];
  for (int64_t head = 0; head < batch.heads; ++head) {
    if (!op.getPartial() && !speaksForUnit(head, op.getSharing()))
      continue;
    int64_t index =
        sequence * unitCount(op.getSharing()) + unitOf(head, op.getSharing());
    double *to = tensor.data.data() + index * unit.elements();
    const double *from = numbers.data() + head * unit.elements();
    loops.forEach([&](const Nest::Offsets &at) {
      to[at[0]] = op.getPartial() ? to[at[0]] + from[at[1]] : from[at[1]];
    });
  }
}

void Machine::output(rec::OutputOp op) {
  Type type = op.getValue().getType();
  View unit = callerView(op.getLayout(), type);
  const Nest &loops =
      nest(op, 0, {withTokens(unit, op.getSharing()), View::dense(type)});
  Tensor &tensor = results[op.getName().str()];
  for (int64_t head = 0; rows > 0 && head < batch.heads; ++head) {
    if (!op.getPartial() && !speaksForUnit(head, op.getSharing()))
      continue;
    int64_t index =
        firstRow * unitCount(op.getSharing()) + unitOf(head, op.getSharing());
    double *to = tensor.data.data() + index * unit.elements();
    const double *from = at(op.getValue(), head);
    loops.forEach([&](const Nest::Offsets &at) {
      to[at[0]] = op.getPartial() ? to[at[0]] + from[at[1]] : from[at[1]];
    });
  }
}

/// Sums over the chunk's tokens, too: the tensor stays where it is along `t`.
void Machine::total(rec::TotalOp op) {
  Type type = op.getValue().getType();
  SmallVector<StringAttr> names = rec::stringsOf(op.getLayout());
  SmallVector<int64_t> sizes;
  for (StringAttr axis : names)
    sizes.push_back(order.size(axis));
  View unit = View::dense(names, sizes);
  const Nest &loops = nest(op, 0, {unit, View::dense(type)});
  Tensor &tensor = results[op.getName().str()];
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *to =
        tensor.data.data() + unitOf(head, op.getSharing()) * unit.elements();
    const double *from = at(op.getValue(), head);
    loops.forEach([&](const Nest::Offsets &at) { to[at[0]] += from[at[1]]; });
  }
}

void Machine::positions(rec::PositionOp op) {
  Numbers &numbers = define(op.getResult());
  int64_t count = elements(op.getType());
  for (int64_t head = 0; head < batch.heads; ++head)
    for (int64_t i = 0; i < std::min(rows, count); ++i)
      numbers[head * count + i] = static_cast<double>(position + i);
}

} // namespace trowel::interpreter
