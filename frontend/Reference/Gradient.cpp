// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A machine that records what it does and, at the end of each sequence, goes
// back over the record.
#include "frontend/Reference/Gradient.h"

#include "frontend/Reference/Derivatives.h"
#include "frontend/Reference/Machine.h"
#include "frontend/Reference/Random.h"

#include <cstdio>
#include <cstdlib>

namespace trowel {
namespace {

using namespace trowel::reference;

/// A gradient, and the magnitude of what it was summed from.
struct Adjoint {
  double value = 0, magnitude = 0;

  void add(Adjoint term, double factor) {
    if (term.value == 0 && term.magnitude == 0)
      return; // whatever the factor is
    value += term.value * factor;
    magnitude += term.magnitude * std::fabs(factor);
  }
};

using Adjoints = std::vector<Adjoint>;

class GradientMachine : public Machine<double> {
public:
  GradientMachine(const Program &program, const Batch &batch,
                  const TensorMap &arguments, const TensorMap &seeds)
      : Machine(program, batch, arguments), seeds(seeds) {}

  Gradients differentiate();

private:
  /// One thing done: an instruction with the slots it read and wrote, a step's
  /// store, or the start of a token.
  struct Event {
    const Instruction *instruction = nullptr;
    const Step *step = nullptr;
    int64_t batchIndex, row, position;
    std::array<std::vector<double>, 3> operands;
    std::vector<double> result;
  };

  void beginsToken() override { record(); }
  void executed(const Instruction &instruction) override;
  void stored(const Step &step) override { record().step = &step; }
  void endsSequence(int64_t sequence) override;

  Event &record();
  void takeBack(const Event &event);
  void takeBackMap(const Event &event);
  void takeBackContract(const Event &event);
  void takeBackMax(const Event &event);
  void takeBackCopy(const Event &event);
  void takeBackHeads(const Event &event);
  void takeBackDelay(const Event &event);
  void takeBackSum(const Event &event);
  void takeBackStore(const Event &event);
  void seedOutput(const Event &event);
  void seedState(size_t state, int64_t sequence);
  void unload(const std::string &name, const Declaration &declaration,
              const Copy &copy, int64_t outer);

  /// Calls `body(unit, at)` for all points of an instruction's nest; places
  /// are offsets into the whole slots.
  template <class Body>
  void forPlaces(const Instruction &instruction, Body body);
  int64_t base(int slot, int64_t unit, Sharing from) const {
    return unitOf(unit, from, plan.slots[slot].sharing, batch) *
           plan.slots[slot].elements;
  }

  const TensorMap &seeds;
  std::vector<Event> events;
  std::vector<Adjoints> adjoints, memoryAdjoints;
  Gradients gradients;
};

GradientMachine::Event &GradientMachine::record() {
  events.push_back({nullptr, nullptr, batchIndex, row, position, {}, {}});
  return events.back();
}

void GradientMachine::executed(const Instruction &instruction) {
  Event &event = record();
  event.instruction = &instruction;
  for (size_t i = 0; i < instruction.operands.size(); ++i)
    event.operands[i] = slots[instruction.operands[i]];
  event.result = slots[instruction.result];
}

template <class Body>
void GradientMachine::forPlaces(const Instruction &instruction, Body body) {
  Sharing sharing = plan.slots[instruction.result].sharing;
  for (int64_t unit = 0; unit < units(instruction.result); ++unit) {
    At bases{base(instruction.result, unit, sharing)};
    for (size_t i = 0; i < instruction.operands.size(); ++i)
      bases[i + 1] = base(instruction.operands[i], unit, sharing);
    instruction.nest.forEach([&](const At &at) {
      At place;
      for (size_t i = 0; i < place.size(); ++i)
        place[i] = bases[i] + at[i];
      body(place);
    });
  }
}

//===--- One event --------------------------------------------------------===//

void GradientMachine::takeBackMap(const Event &event) {
  const Instruction &done = *event.instruction;
  if (done.expr->scalar != Expr::Scalar::Real)
    return;
  Adjoints &result = adjoints[done.result];
  forPlaces(done, [&](const At &at) {
    std::array<double, 3> x{};
    for (size_t i = 0; i < done.operands.size(); ++i)
      x[i] = event.operands[i][at[i + 1]];
    auto factors = derivatives(done.expr->mapOp, x, event.result[at[0]]);
    for (size_t i = 0; i < done.operands.size(); ++i)
      if (factors[i] != 0)
        adjoints[done.operands[i]][at[i + 1]].add(result[at[0]], factors[i]);
  });
}

void GradientMachine::takeBackContract(const Event &event) {
  const Instruction &done = *event.instruction;
  forPlaces(done, [&](const At &at) {
    Adjoint term = adjoints[done.result][at[0]];
    for (int i : {0, 1})
      adjoints[done.operands[i]][at[i + 1]].add(
          term, event.operands[1 - i][at[2 - i]]);
  });
}

/// The first of the largest takes all.
void GradientMachine::takeBackMax(const Event &event) {
  const Instruction &done = *event.instruction;
  std::vector<bool> taken(event.result.size(), false);
  forPlaces(done, [&](const At &at) {
    if (taken[at[0]] || event.operands[0][at[1]] != event.result[at[0]])
      return;
    taken[at[0]] = true;
    adjoints[done.operands[0]][at[1]].add(adjoints[done.result][at[0]], 1);
  });
}

void GradientMachine::takeBackCopy(const Event &event) {
  const Instruction &done = *event.instruction;
  forPlaces(done, [&](const At &at) {
    adjoints[done.operands[0]][at[1]].add(adjoints[done.result][at[0]], 1);
  });
}

void GradientMachine::takeBackHeads(const Event &event) {
  const Instruction &done = *event.instruction;
  ReduceOp op = done.expr->reduceOp;
  int64_t visited = batch.heads / units(done.result);
  std::vector<bool> taken(event.result.size(), false);
  for (int64_t head = 0; head < batch.heads; ++head) {
    int64_t to = base(done.result, head, Sharing::Head);
    int64_t from = base(done.operands[0], head, Sharing::Head);
    done.nest.forEach([&](const At &at) {
      size_t result = to + at[0], operand = from + at[1];
      if (op == ReduceOp::Max) {
        if (taken[result] || event.operands[0][operand] != event.result[result])
          return;
        taken[result] = true;
      }
      double factor = op == ReduceOp::Mean ? 1.0 / visited : 1;
      adjoints[done.operands[0]][operand].add(adjoints[done.result][result],
                                              factor);
    });
  }
}

void GradientMachine::takeBackDelay(const Event &event) {
  const Instruction &done = *event.instruction;
  Adjoints &memory = memoryAdjoints[done.memory];
  Adjoints &result = adjoints[done.result];
  Adjoints &now = adjoints[done.operands[0]];
  int64_t place =
      event.position % done.expr->amount * static_cast<int64_t>(result.size());
  for (size_t i = 0; i < result.size(); ++i) {
    now[i].add(memory[place + i], 1);
    memory[place + i] = result[i];
  }
}

void GradientMachine::takeBackSum(const Event &event) {
  const Instruction &done = *event.instruction;
  Adjoints &memory = memoryAdjoints[done.memory];
  Adjoints &result = adjoints[done.result];
  Adjoints &now = adjoints[done.operands[0]];
  for (size_t i = 0; i < result.size(); ++i) {
    memory[i].add(result[i], 1);
    now[i].add(memory[i], 1);
  }
}

void GradientMachine::takeBackStore(const Event &event) {
  const Step &step = *event.step;
  Adjoints &destination = adjoints[step.target];
  Sharing sharing = plan.slots[step.target].sharing;
  for (int64_t unit = 0; unit < units(step.target); ++unit) {
    int64_t to = base(step.target, unit, sharing);
    int64_t from = base(step.value, unit, sharing);
    step.store.forEach([&](const At &at) {
      adjoints[step.value][from + at[1]].add(destination[to + at[0]], 1);
    });
  }
  destination.assign(destination.size(), {});
}

void GradientMachine::seedOutput(const Event &event) {
  const Step &step = *event.step;
  const Declaration &output = program.outputs[step.target];
  auto seed = seeds.find("d" + output.name);
  if (seed == seeds.end())
    return;
  int64_t count = unitCount(output.sharing, batch);
  int64_t elements = 1;
  for (AxisId axis : output.shape)
    elements *= program.axes[axis].size;
  const double *tensor =
      seed->second.data.data() +
      (event.batchIndex * batch.tokens + event.row) * count * elements;
  for (int64_t unit = 0; unit < count; ++unit) {
    int64_t from = base(step.value, unit, output.sharing);
    step.store.forEach([&](const At &at) {
      adjoints[step.value][from + at[1]].add({1, 1},
                                             tensor[unit * elements + at[0]]);
    });
  }
}

void GradientMachine::takeBack(const Event &event) {
  if (event.step) {
    if (event.step->kind == Statement::Kind::Output)
      seedOutput(event);
    else if (event.step->kind != Statement::Kind::Debug)
      takeBackStore(event);
    return;
  }
  if (!event.instruction) { // a token begins
    for (size_t i = 0; i < program.inputs.size(); ++i)
      unload("d" + program.inputs[i].name, program.inputs[i], plan.inputs[i],
             event.batchIndex * batch.tokens + event.row);
    for (const Copy &state : plan.initialStates)
      for (Adjoint &x : adjoints[state.slot])
        x.magnitude = std::fabs(x.value);
    return;
  }
  const Instruction &done = *event.instruction;
  switch (done.expr->kind) {
  case Expr::Kind::Map:
    takeBackMap(event);
    break;
  case Expr::Kind::Contract:
    takeBackContract(event);
    break;
  case Expr::Kind::Reduce:
    done.expr->reduceOp == ReduceOp::Max ? takeBackMax(event)
                                         : takeBackCopy(event);
    break;
  case Expr::Kind::ReduceHeads:
    takeBackHeads(event);
    break;
  case Expr::Kind::Cast:
    if (done.expr->dtype == DType::I32)
      break;
    [[fallthrough]];
  case Expr::Kind::Rename:
  case Expr::Kind::Pick:
  case Expr::Kind::Repeat:
    takeBackCopy(event);
    break;
  case Expr::Kind::Delay:
    takeBackDelay(event);
    break;
  case Expr::Kind::PrefixSum:
    takeBackSum(event);
    break;
  default:
    break; // numbers, positions, stop
  }
  Adjoints &result = adjoints[done.result];
  result.assign(result.size(), {});
}

//===--- Sequences and tensors --------------------------------------------===//

void GradientMachine::seedState(size_t state, int64_t sequence) {
  auto seed = seeds.find("d" + program.states[state].name);
  const Copy &copy = plan.finalStates[state];
  Adjoints &slot = adjoints[copy.slot];
  slot.assign(slot.size(), {});
  if (seed == seeds.end())
    return;
  const double *tensor =
      seed->second.data.data() + sequence * static_cast<int64_t>(slot.size());
  for (int64_t unit = 0; unit < units(copy.slot); ++unit) {
    int64_t start = unit * plan.slots[copy.slot].elements;
    copy.nest.forEach([&](const At &at) {
      double x = tensor[start + at[0]];
      slot[start + at[1]] = {x, std::fabs(x)};
    });
  }
}

/// Adds a slot's adjoint to the call's gradient and forgets it.
void GradientMachine::unload(const std::string &name,
                             const Declaration &declaration, const Copy &copy,
                             int64_t outer) {
  Adjoints &slot = adjoints[copy.slot];
  if (declaration.dtype != DType::I32) {
    int64_t start = outer * static_cast<int64_t>(slot.size());
    double *value = gradients.values.at(name).data.data() + start;
    double *magnitude = gradients.magnitudes.at(name).data.data() + start;
    for (int64_t unit = 0; unit < units(copy.slot); ++unit) {
      int64_t first = unit * plan.slots[copy.slot].elements;
      copy.nest.forEach([&](const At &at) {
        value[first + at[1]] += slot[first + at[0]].value;
        magnitude[first + at[1]] += slot[first + at[0]].magnitude;
      });
    }
  }
  slot.assign(slot.size(), {});
}

void GradientMachine::endsSequence(int64_t sequence) {
  for (size_t i = 0; i < program.states.size(); ++i)
    seedState(i, sequence);
  for (size_t i = 0; i < memories.size(); ++i)
    memoryAdjoints[i].assign(memories[i].size(), {});
  // What a state starts from was recorded ahead of the first token.
  size_t start = 0;
  while (start < events.size() &&
         (events[start].instruction || events[start].step))
    ++start;
  for (size_t i = events.size(); i-- > start;)
    takeBack(events[i]);
  for (size_t i = 0; i < program.states.size(); ++i) {
    const Copy &copy = plan.initialStates[i];
    Adjoints kept = adjoints[copy.slot];
    unload("d" + program.states[i].name + "0", program.states[i], copy,
           sequence);
    if (!arguments.count(program.states[i].name))
      adjoints[copy.slot] = std::move(kept);
  }
  for (size_t i = start; i-- > 0;)
    takeBack(events[i]);
  events.clear();
}

Gradients GradientMachine::differentiate() {
  for (const Slot &slot : plan.slots)
    adjoints.emplace_back(unitCount(slot.sharing, batch) * slot.elements);
  memoryAdjoints.resize(plan.memories.size());
  auto add = [&](const std::string &name, const Declaration &declaration,
                 Boundary boundary) {
    if (declaration.dtype == DType::I32)
      return;
    Tensor zero(boundaryShape(program, declaration, boundary, batch));
    gradients.values[name] = gradients.magnitudes[name] = zero;
  };
  for (const Declaration &input : program.inputs)
    add("d" + input.name, input, Boundary::Input);
  for (const Declaration &param : program.params)
    add("d" + param.name, param, Boundary::Param);
  for (const Declaration &state : program.states)
    add("d" + state.name + "0", state, Boundary::State);
  run();
  for (size_t i = 0; i < program.params.size(); ++i)
    unload("d" + program.params[i].name, program.params[i], plan.params[i], 0);
  return std::move(gradients);
}

} // namespace

Gradients differentiate(const Program &program, const Batch &batch,
                        const TensorMap &arguments, const TensorMap &seeds) {
  std::string message = validate(program, batch, arguments);
  if (!message.empty()) {
    std::fprintf(stderr, "differentiate(%s): %s\n", program.name.c_str(),
                 message.c_str());
    std::abort();
  }
  return GradientMachine(program, batch, arguments, seeds).differentiate();
}

TensorMap generateSeeds(const Program &program, const Batch &batch,
                        uint64_t seed) {
  TensorMap seeds;
  auto add = [&](const Declaration &declaration, Boundary boundary) {
    Tensor tensor(boundaryShape(program, declaration, boundary, batch));
    reference::Random random(seed, declaration.name);
    for (double &x : tensor.data)
      x = random.normal();
    seeds["d" + declaration.name] = std::move(tensor);
  };
  for (const Declaration &output : program.outputs)
    add(output, Boundary::Output);
  for (const Declaration &state : program.states)
    add(state, Boundary::State);
  return seeds;
}

} // namespace trowel
