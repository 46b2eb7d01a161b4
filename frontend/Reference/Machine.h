// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a plan, with a number type as parameter: `double`, or `Magnitude`, which
// carries a magnitude beside the value.
#ifndef TROWEL_FRONTEND_REFERENCE_MACHINE_H
#define TROWEL_FRONTEND_REFERENCE_MACHINE_H

#include "dialect/Reference/Tensor.h"
#include "frontend/Reference/Arithmetic.h"
#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Plan.h"

#include <cassert>
#include <cmath>

namespace trowel::reference {

//===--- Numbers ----------------------------------------------------------===//

struct Magnitude {
  double value = 0;
  double magnitude = 0;
};

inline double valueOf(double x) { return x; }
inline double valueOf(Magnitude x) { return x.value; }

inline double resultOf(double x) { return x; }
inline double resultOf(Magnitude x) { return x.magnitude; }

template <class Number> Number make(double x) { return x; }
template <> inline Magnitude make<Magnitude>(double x) {
  return {x, std::fabs(x)};
}

inline double apply(UnaryFunction function, MapOp, double x) {
  return function(x);
}
inline double apply(BinaryFunction function, MapOp, double x, double y) {
  return function(x, y);
}

inline Magnitude apply(UnaryFunction function, MapOp op, Magnitude x) {
  double value = function(x.value);
  bool keeps = op == MapOp::Neg || op == MapOp::Abs;
  return {value, keeps ? x.magnitude : std::fabs(value)};
}

inline Magnitude apply(BinaryFunction function, MapOp op, Magnitude x,
                       Magnitude y) {
  double value = function(x.value, y.value);
  switch (op) {
  case MapOp::Add:
  case MapOp::Sub:
    return {value, x.magnitude + y.magnitude};
  case MapOp::Mul:
    return {value, x.magnitude * y.magnitude};
  case MapOp::Div:
    return {value, x.magnitude / std::fabs(y.value)};
  case MapOp::Max:
  case MapOp::Min:
    return {value, value == x.value ? x.magnitude : y.magnitude};
  default:
    return {value, std::fabs(value)};
  }
}

inline double rounded(DType dtype, double x) { return castTo(dtype, x); }
inline Magnitude rounded(DType dtype, Magnitude x) {
  return {castTo(dtype, x.value), x.magnitude};
}

//===--- The machine ------------------------------------------------------===//

template <class Number> class Machine {
public:
  Machine(const Program &program, const Batch &batch,
          const TensorMap &arguments)
      : program(program), batch(batch), arguments(arguments),
        plan(makePlan(program)) {}

  virtual ~Machine() = default;

  TensorMap run();

protected:
  /// What a machine that looks back records of a run.
  virtual void beginsToken() {}
  virtual void executed(const Instruction &) {}
  virtual void stored(const Step &) {}
  virtual void endsSequence(int64_t /*sequence*/) {}

  /// Offsets into a nest's tensors.
  using At = std::array<int64_t, Nest::tensors>;

  const Program &program;
  const Batch &batch;
  const TensorMap &arguments;
  const Plan plan;
  std::vector<std::vector<Number>> slots, memories;
  TensorMap results;
  // The token being run.
  int64_t batchIndex = 0; // which of B
  int64_t row = 0;        // which of T
  int64_t position = 0;   // `t`

  void allocate();
  void load(const Declaration &declaration, const Copy &copy, int64_t outer);
  void startSequence(int64_t sequence);
  void runSequence(int64_t sequence, int64_t begin, int64_t end);
  void runToken();
  void runStep(const Step &step);

  void execute(const Instruction &instruction);
  void executeMap(const Instruction &instruction);
  void executeContract(const Instruction &instruction);
  void executeReduce(const Instruction &instruction);
  void executeReduceHeads(const Instruction &instruction);
  void executeDelay(const Instruction &instruction);
  void executePrefixSum(const Instruction &instruction);
  void store(const Step &step);
  void storeSlot(int target, const Step &step);
  void storeTensor(const Declaration &declaration, const Step &step);

  int64_t units(int slot) const {
    return unitCount(plan.slots[slot].sharing, batch);
  }
  /// The part of `slot` that serves unit `unit` of a value shared as `from`.
  Number *part(int slot, int64_t unit, Sharing from) {
    const Slot &described = plan.slots[slot];
    int64_t own = unitOf(unit, from, described.sharing, batch);
    return slots[slot].data() + own * described.elements;
  }
  template <class Body> void forEach(const Instruction &instruction, Body body);
  void fill(int slot, double value) {
    std::fill(slots[slot].begin(), slots[slot].end(), make<Number>(value));
  }
};

template <class Number> void Machine<Number>::allocate() {
  for (size_t i = 0; i < plan.slots.size(); ++i)
    slots.emplace_back(units(static_cast<int>(i)) * plan.slots[i].elements);
  for (const Memory &memory : plan.memories)
    memories.emplace_back(slots[memory.slot].size() * memory.tokens);
  auto add = [&](const Declaration &declaration, Boundary boundary) {
    results.emplace(declaration.name, Tensor(boundaryShape(program, declaration,
                                                           boundary, batch)));
  };
  for (const Declaration &output : program.outputs)
    add(output, Boundary::Output);
  for (const Declaration &state : program.states)
    add(state, Boundary::State);
  for (const Declaration &debug : plan.debugs)
    add(debug, Boundary::Output);
}

/// Fills a slot from the call's tensor; `outer` counts what precedes the units:
/// rows of B x T, or sequences.
template <class Number>
void Machine<Number>::load(const Declaration &declaration, const Copy &copy,
                           int64_t outer) {
  const Tensor &tensor = arguments.at(declaration.name);
  const double *source = tensor.data.data() +
                         outer * static_cast<int64_t>(slots[copy.slot].size());
  for (int64_t unit = 0; unit < units(copy.slot); ++unit) {
    int64_t base = unit * plan.slots[copy.slot].elements;
    Number *slot = slots[copy.slot].data();
    copy.nest.forEach([&](const At &at) {
      slot[base + at[0]] = make<Number>(source[base + at[1]]);
    });
  }
}

template <class Number> TensorMap Machine<Number>::run() {
  allocate();
  for (size_t i = 0; i < program.params.size(); ++i)
    load(program.params[i], plan.params[i], 0);
  for (int64_t sequence = 0; sequence < batch.sequences(); ++sequence) {
    if (batch.cuSeqlens.empty()) {
      batchIndex = sequence;
      runSequence(sequence, 0, batch.tokens);
    } else {
      runSequence(sequence, batch.cuSeqlens[sequence],
                  batch.cuSeqlens[sequence + 1]);
    }
  }
  return std::move(results);
}

template <class Number> void Machine<Number>::startSequence(int64_t sequence) {
  for (std::vector<Number> &memory : memories)
    std::fill(memory.begin(), memory.end(), make<Number>(0));
  for (const Copy &state : plan.initialStates)
    fill(state.slot, 0);
  for (const Step &initial : plan.initials)
    runStep(initial);
  for (size_t i = 0; i < program.states.size(); ++i)
    if (arguments.count(program.states[i].name))
      load(program.states[i], plan.initialStates[i], sequence);
}

template <class Number>
void Machine<Number>::runSequence(int64_t sequence, int64_t begin,
                                  int64_t end) {
  startSequence(sequence);
  for (row = begin; row < end; ++row) {
    position = row - begin;
    runToken();
  }
  endsSequence(sequence);
  for (size_t i = 0; i < program.states.size(); ++i) {
    const Copy &copy = plan.finalStates[i];
    const std::vector<Number> &slot = slots[copy.slot];
    double *tensor = results.at(program.states[i].name).data.data() +
                     sequence * static_cast<int64_t>(slot.size());
    for (int64_t unit = 0; unit < units(copy.slot); ++unit) {
      int64_t base = unit * plan.slots[copy.slot].elements;
      copy.nest.forEach([&](const At &at) {
        tensor[base + at[0]] = resultOf(slot[base + at[1]]);
      });
    }
  }
}

template <class Number> void Machine<Number>::runToken() {
  for (const Copy &state : plan.initialStates)
    for (Number &x : slots[state.slot])
      x = make<Number>(valueOf(x));
  for (size_t i = 0; i < program.inputs.size(); ++i)
    load(program.inputs[i], plan.inputs[i], batchIndex * batch.tokens + row);
  beginsToken();
  for (const Step &step : plan.body)
    runStep(step);
}

template <class Number> void Machine<Number>::runStep(const Step &step) {
  for (const Instruction &instruction : step.instructions) {
    execute(instruction);
    executed(instruction);
  }
  store(step);
  stored(step);
}

//===--- Instructions -----------------------------------------------------===//

/// Calls `body(result, a, b, c)` with the places of every point of the nest,
/// for every unit of the result. Operands that are not there are null.
template <class Number>
template <class Body>
void Machine<Number>::forEach(const Instruction &instruction, Body body) {
  Sharing sharing = plan.slots[instruction.result].sharing;
  for (int64_t unit = 0; unit < units(instruction.result); ++unit) {
    Number *result = part(instruction.result, unit, sharing);
    std::array<const Number *, 3> operand{};
    for (size_t i = 0; i < instruction.operands.size(); ++i)
      operand[i] = part(instruction.operands[i], unit, sharing);
    instruction.nest.forEach([&](const At &at) {
      body(result + at[0], operand[0] + at[1], operand[1] + at[2],
           operand[2] + at[3]);
    });
  }
}

template <class Number>
void Machine<Number>::execute(const Instruction &instruction) {
  using Place = Number *;
  using Source = const Number *;
  const Expr &expr = *instruction.expr;
  switch (expr.kind) {
  case Expr::Kind::Number:
    return fill(instruction.result, expr.number);
  case Expr::Kind::Position:
    return fill(instruction.result, static_cast<double>(position));
  case Expr::Kind::Map:
    return executeMap(instruction);
  case Expr::Kind::Contract:
    return executeContract(instruction);
  case Expr::Kind::Reduce:
    return executeReduce(instruction);
  case Expr::Kind::ReduceHeads:
    return executeReduceHeads(instruction);
  case Expr::Kind::Rename:
  case Expr::Kind::Pick:
  case Expr::Kind::Repeat:
  case Expr::Kind::Stop:
    return forEach(instruction, [](Place result, Source x, Source, Source) {
      *result = *x;
    });
  case Expr::Kind::Cast:
    return forEach(instruction, [&](Place result, Source x, Source, Source) {
      *result = rounded(expr.dtype, *x);
    });
  case Expr::Kind::Delay:
    return executeDelay(instruction);
  case Expr::Kind::PrefixSum:
    return executePrefixSum(instruction);
  case Expr::Kind::Input:
  case Expr::Kind::Param:
  case Expr::Kind::State:
  case Expr::Kind::Let:
    break;
  }
  assert(false && "a name is a slot, not an instruction");
}

template <class Number>
void Machine<Number>::executeMap(const Instruction &instruction) {
  using Place = Number *;
  using Source = const Number *;
  const Expr &expr = *instruction.expr;
  MapOp op = expr.mapOp;
  if (op == MapOp::Where)
    return forEach(instruction, [](Place result, Source c, Source x, Source y) {
      *result = valueOf(*c) != 0 ? *x : *y;
    });
  if (operandCount(op) == 1) {
    UnaryFunction function = unaryFunction(op, expr.scalar);
    return forEach(instruction, [=](Place result, Source x, Source, Source) {
      *result = apply(function, op, *x);
    });
  }
  BinaryFunction function = binaryFunction(op, expr.scalar);
  forEach(instruction, [=](Place result, Source x, Source y, Source) {
    *result = apply(function, op, *x, *y);
  });
}

template <class Number>
void Machine<Number>::executeContract(const Instruction &instruction) {
  const Expr &expr = *instruction.expr;
  BinaryFunction multiply = binaryFunction(MapOp::Mul, expr.scalar);
  BinaryFunction add = binaryFunction(MapOp::Add, expr.scalar);
  fill(instruction.result, 0);
  forEach(instruction, [=](Number *result, const Number *x, const Number *y,
                           const Number *) {
    Number product = apply(multiply, MapOp::Mul, *x, *y);
    *result = apply(add, MapOp::Add, *result, product);
  });
}

inline MapOp mapOf(ReduceOp op) {
  return op == ReduceOp::Max ? MapOp::Max : MapOp::Add;
}

template <class Number>
void Machine<Number>::executeReduce(const Instruction &instruction) {
  const Expr &expr = *instruction.expr;
  MapOp op = mapOf(expr.reduceOp);
  BinaryFunction function = binaryFunction(op, expr.scalar);
  fill(instruction.result, reductionStart(expr.reduceOp));
  forEach(instruction,
          [=](Number *result, const Number *x, const Number *, const Number *) {
            *result = apply(function, op, *result, *x);
          });
}

template <class Number>
void Machine<Number>::executeReduceHeads(const Instruction &instruction) {
  const Expr &expr = *instruction.expr;
  MapOp op = mapOf(expr.reduceOp);
  BinaryFunction function = binaryFunction(op, expr.scalar);
  fill(instruction.result, reductionStart(expr.reduceOp));
  for (int64_t head = 0; head < batch.heads; ++head) {
    Number *result = part(instruction.result, head, Sharing::Head);
    const Number *x = part(instruction.operands[0], head, Sharing::Head);
    instruction.nest.forEach([&](const At &at) {
      result[at[0]] = apply(function, op, result[at[0]], x[at[1]]);
    });
  }
  if (expr.reduceOp != ReduceOp::Mean)
    return;
  int64_t visited = batch.heads / units(instruction.result);
  BinaryFunction divide = binaryFunction(MapOp::Div, Expr::Scalar::Real);
  for (Number &x : slots[instruction.result])
    x = apply(divide, MapOp::Div, x, make<Number>(visited));
}

/// The memory holds the last `amount` values; the oldest makes room.
template <class Number>
void Machine<Number>::executeDelay(const Instruction &instruction) {
  std::vector<Number> &memory = memories[instruction.memory];
  std::vector<Number> &result = slots[instruction.result];
  const std::vector<Number> &now = slots[instruction.operands[0]];
  assert(now.size() == result.size() && "a delay changes no shape");
  int64_t oldest =
      position % instruction.expr->amount * static_cast<int64_t>(result.size());
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = memory[oldest + i];
    memory[oldest + i] = now[i];
  }
}

template <class Number>
void Machine<Number>::executePrefixSum(const Instruction &instruction) {
  std::vector<Number> &memory = memories[instruction.memory];
  std::vector<Number> &result = slots[instruction.result];
  const std::vector<Number> &now = slots[instruction.operands[0]];
  assert(now.size() == result.size() && "a prefix sum changes no shape");
  BinaryFunction add = binaryFunction(MapOp::Add, instruction.expr->scalar);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = memory[i] = apply(add, MapOp::Add, memory[i], now[i]);
}

//===--- Stores -----------------------------------------------------------===//

template <class Number> void Machine<Number>::store(const Step &step) {
  switch (step.kind) {
  case Statement::Kind::Let:
  case Statement::Kind::Update:
    return storeSlot(step.target, step);
  case Statement::Kind::Output:
    return storeTensor(program.outputs[step.target], step);
  case Statement::Kind::Debug:
    return storeTensor(plan.debugs[step.target], step);
  }
}

template <class Number>
void Machine<Number>::storeSlot(int target, const Step &step) {
  Sharing sharing = plan.slots[target].sharing;
  for (int64_t unit = 0; unit < units(target); ++unit) {
    Number *destination = part(target, unit, sharing);
    const Number *value = part(step.value, unit, sharing);
    step.store.forEach(
        [&](const At &at) { destination[at[0]] = value[at[1]]; });
  }
}

template <class Number>
void Machine<Number>::storeTensor(const Declaration &declaration,
                                  const Step &step) {
  int64_t units = unitCount(declaration.sharing, batch);
  int64_t elements = 1;
  for (AxisId axis : declaration.shape)
    elements *= program.axes[axis].size;
  double *tensor = results.at(declaration.name).data.data() +
                   (batchIndex * batch.tokens + row) * units * elements;
  for (int64_t unit = 0; unit < units; ++unit) {
    const Number *value = part(step.value, unit, declaration.sharing);
    step.store.forEach([&](const At &at) {
      tensor[unit * elements + at[0]] = resultOf(value[at[1]]);
    });
  }
}

} // namespace trowel::reference

#endif // TROWEL_FRONTEND_REFERENCE_MACHINE_H
