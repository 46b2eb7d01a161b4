// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Plan.h"

#include <algorithm>
#include <cassert>
#include <map>

namespace trowel::reference {

bool Nest::advance(std::array<int64_t, tensors> &at,
                   std::vector<int64_t> &index) const {
  for (size_t loop = sizes.size() - 1; loop-- > 0;) {
    bool wraps = ++index[loop] == sizes[loop];
    int64_t steps = wraps ? 1 - sizes[loop] : 1;
    for (int tensor = 0; tensor < tensors; ++tensor)
      at[tensor] += steps * strides[loop][tensor];
    if (!wraps)
      return true;
    index[loop] = 0;
  }
  return false;
}

namespace {

/// How a tensor is walked: the stride of each of its axes, and the first
/// element.
struct View {
  std::map<AxisId, int64_t> strides;
  int64_t start = 0;
};

class Planner {
public:
  explicit Planner(const Program &program) : program(program) {}

  Plan run();

private:
  const Program &program;
  Plan plan;
  std::vector<int> inputSlots, paramSlots, stateSlots, letSlots;
  // Within one statement a node has one value; across statements a state that
  // it reads may have changed.
  std::map<const Expr *, int> done;
  std::vector<Instruction> *instructions = nullptr;

  View contiguous(const std::vector<AxisId> &axes) const;
  Nest nest(std::vector<AxisId> loops, const std::vector<View> &views) const;
  int addSlot(Sharing sharing, std::vector<AxisId> axes);
  std::vector<int> declare(const std::vector<Declaration> &declarations);
  std::vector<Copy> copies(const std::vector<Declaration> &declarations,
                           const std::vector<int> &slots, bool intoSlot) const;

  int visit(const Expr &expr);
  int instruction(const Expr &expr);
  View operandView(const Expr &expr, int slot) const;
  Step step(const Statement &statement);
  Nest repeatNest(const Expr &expr, View result, View operand) const;
  Nest storeNest(const Statement &statement, int value);
};

View Planner::contiguous(const std::vector<AxisId> &axes) const {
  View view;
  int64_t stride = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    view.strides[*axis] = stride;
    stride *= program.axes[*axis].size;
  }
  return view;
}

Nest Planner::nest(std::vector<AxisId> loops,
                   const std::vector<View> &views) const {
  assert(views.size() <= Nest::tensors);
  std::sort(loops.begin(), loops.end());
  loops.erase(std::unique(loops.begin(), loops.end()), loops.end());
  Nest nest;
  for (AxisId axis : loops) {
    nest.sizes.push_back(program.axes[axis].size);
    nest.strides.emplace_back();
    for (size_t i = 0; i < views.size(); ++i) {
      auto it = views[i].strides.find(axis);
      nest.strides.back()[i] = it == views[i].strides.end() ? 0 : it->second;
    }
  }
  if (loops.empty()) {
    nest.sizes.push_back(1);
    nest.strides.emplace_back();
  }
  for (size_t i = 0; i < views.size(); ++i)
    nest.starts[i] = views[i].start;
  return nest;
}

int Planner::addSlot(Sharing sharing, std::vector<AxisId> axes) {
  Slot slot{sharing, std::move(axes), 1};
  std::sort(slot.axes.begin(), slot.axes.end());
  for (AxisId axis : slot.axes)
    slot.elements *= program.axes[axis].size;
  plan.slots.push_back(std::move(slot));
  return static_cast<int>(plan.slots.size()) - 1;
}

std::vector<int>
Planner::declare(const std::vector<Declaration> &declarations) {
  std::vector<int> slots;
  for (const Declaration &declaration : declarations)
    slots.push_back(addSlot(declaration.sharing, declaration.shape));
  return slots;
}

std::vector<Copy> Planner::copies(const std::vector<Declaration> &declarations,
                                  const std::vector<int> &slots,
                                  bool intoSlot) const {
  std::vector<Copy> result;
  for (size_t i = 0; i < declarations.size(); ++i) {
    View inSlot = contiguous(plan.slots[slots[i]].axes);
    View atBoundary = contiguous(declarations[i].shape);
    std::vector<View> views = {inSlot, atBoundary};
    if (!intoSlot)
      std::swap(views[0], views[1]);
    result.push_back({slots[i], nest(declarations[i].shape, views)});
  }
  return result;
}

/// How `expr` walks an operand. Renaming and picking are nothing else than
/// another walk.
View Planner::operandView(const Expr &expr, int slot) const {
  View view = contiguous(plan.slots[slot].axes);
  if (expr.kind != Expr::Kind::Rename && expr.kind != Expr::Kind::Pick)
    return view;
  int64_t stride = view.strides.at(expr.from);
  view.strides.erase(expr.from);
  if (expr.kind == Expr::Kind::Rename)
    view.strides[expr.to] = stride;
  else
    view.start = expr.index * stride;
  return view;
}

int Planner::visit(const Expr &expr) {
  switch (expr.kind) {
  case Expr::Kind::Input:
    return inputSlots[expr.index];
  case Expr::Kind::Param:
    return paramSlots[expr.index];
  case Expr::Kind::State:
    return stateSlots[expr.index];
  case Expr::Kind::Let:
    assert(letSlots[expr.index] >= 0 && "a let is used below its declaration");
    return letSlots[expr.index];
  default:
    break;
  }
  auto it = done.find(&expr);
  if (it != done.end())
    return it->second;
  return done[&expr] = instruction(expr);
}

int Planner::instruction(const Expr &expr) {
  Instruction made;
  made.expr = &expr;
  for (const ExprPtr &operand : expr.operands)
    made.operands.push_back(visit(*operand));
  made.result = addSlot(expr.sharing, expr.axes);

  std::vector<AxisId> loops = expr.axes;
  std::vector<View> views = {contiguous(plan.slots[made.result].axes)};
  for (int operand : made.operands) {
    views.push_back(operandView(expr, operand));
    for (auto [axis, stride] : views.back().strides)
      loops.push_back(axis);
  }
  if (expr.kind == Expr::Kind::Repeat)
    made.nest = repeatNest(expr, views[0], views[1]);
  else
    made.nest = nest(std::move(loops), views);

  if (expr.kind == Expr::Kind::Delay || expr.kind == Expr::Kind::PrefixSum) {
    made.memory = static_cast<int>(plan.memories.size());
    bool isDelay = expr.kind == Expr::Kind::Delay;
    plan.memories.push_back({made.result, isDelay ? expr.amount : 1});
  }
  int result = made.result;
  instructions->push_back(std::move(made));
  return result;
}

/// Position i of `to` reads position i / n of `from`: a loop over `from` that
/// steps by n in the result, and one over the n repetitions.
Nest Planner::repeatNest(const Expr &expr, View result, View operand) const {
  int64_t repetitions =
      program.axes[expr.to].size / program.axes[expr.from].size;
  int64_t stride = result.strides.at(expr.to);
  result.strides.erase(expr.to);
  result.strides[expr.from] = stride * repetitions;
  std::vector<AxisId> loops;
  for (auto [axis, unused] : operand.strides)
    loops.push_back(axis);
  Nest made = nest(std::move(loops), {std::move(result), std::move(operand)});
  made.sizes.push_back(repetitions);
  made.strides.push_back({stride, 0});
  return made;
}

Nest Planner::storeNest(const Statement &statement, int value) {
  const Slot &from = plan.slots[value];
  View source = contiguous(from.axes);
  switch (statement.kind) {
  case Statement::Kind::Update: {
    const std::vector<AxisId> &axes =
        plan.slots[stateSlots[statement.target]].axes;
    return nest(axes, {contiguous(axes), source});
  }
  case Statement::Kind::Output: {
    const Declaration &output = program.outputs[statement.target];
    return nest(output.shape, {contiguous(output.shape), source});
  }
  case Statement::Kind::Let:
    letSlots[statement.target] = addSlot(from.sharing, from.axes);
    break;
  case Statement::Kind::Debug:
    plan.debugs[statement.target].shape = from.axes;
    plan.debugs[statement.target].sharing = from.sharing;
    break;
  }
  return nest(plan.slots[value].axes, {source, source});
}

Step Planner::step(const Statement &statement) {
  Step made;
  made.kind = statement.kind;
  done.clear();
  instructions = &made.instructions;
  made.value = visit(*statement.value);
  made.store = storeNest(statement, made.value);
  made.target = statement.target;
  if (statement.kind == Statement::Kind::Let)
    made.target = letSlots[statement.target];
  else if (statement.kind == Statement::Kind::Update)
    made.target = stateSlots[statement.target];
  return made;
}

Plan Planner::run() {
  inputSlots = declare(program.inputs);
  paramSlots = declare(program.params);
  stateSlots = declare(program.states);
  letSlots.assign(program.lets.size(), -1);
  plan.debugs.resize(program.debugs.size());
  for (size_t i = 0; i < plan.debugs.size(); ++i)
    plan.debugs[i].name = "debug." + std::to_string(i);

  plan.inputs = copies(program.inputs, inputSlots, true);
  plan.params = copies(program.params, paramSlots, true);
  plan.initialStates = copies(program.states, stateSlots, true);
  plan.finalStates = copies(program.states, stateSlots, false);
  for (size_t i = 0; i < program.states.size(); ++i)
    if (program.states[i].initial)
      plan.initials.push_back(
          step({Statement::Kind::Update, static_cast<int>(i),
                program.states[i].initial, program.states[i].location}));
  for (const Statement &statement : program.body)
    plan.body.push_back(step(statement));
  return std::move(plan);
}

} // namespace

Plan makePlan(const Program &program) { return Planner(program).run(); }

} // namespace trowel::reference
