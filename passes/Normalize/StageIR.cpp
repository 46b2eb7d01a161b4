// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a stage that was brought to normal form as a `rec.stage`:
//
//   %o = rec.stage ["S"] values ["V"] : tensor<…> {
//     %u = rec.row reads(%minus_k) [0] … value %v
//     rec.write 0 key %beta_k row %u
//     rec.transition 0 from 0, %decay
//     %0 = rec.row reads(%q_decayed) [0] rows(%u) couplings(%qk) …
//     rec.yield %0
//   }

#include "passes/Normalize/StageForm.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel {

namespace {

class StageEmitter {
public:
  StageEmitter(StageForm &form, rec::ProgramOp program, const StateGraph &graph)
      : form(form), program(program), graph(graph),
        builder(program.getContext()), values(form.valueBuilder()) {}

  void emit();

private:
  void markUsed(unsigned row);
  Value emitRow(const Row &row);
  Value emitScalar(unsigned index, Location location);
  Value emitAcross(const Across &across);
  void replaceScalar(Value value, const LinearForm &form, rec::StageOp stage);
  Type vectorType() { return values.type(form.stageAxes().value); }

  StageForm &form;
  rec::ProgramOp program;
  const StateGraph &graph;
  OpBuilder builder;
  rec::ValueBuilder &values;
  SmallVector<bool> used;
  SmallVector<Value> emitted;
  llvm::DenseMap<unsigned, Value> emittedScalars;
  llvm::MapVector<unsigned, unsigned> scalarResults; // their place in the yield
};

void StageEmitter::markUsed(unsigned row) {
  if (used[row])
    return;
  used[row] = true;
  for (const auto &[other, coupling] : form.rows()[row].couplings)
    markUsed(other);
  for (const auto &[scalar, coefficient] : form.rows()[row].scalars)
    markUsed(form.scalarReads()[scalar].row);
}

Value StageEmitter::emitRow(const Row &row) {
  SmallVector<Value> reads, rows, couplings;
  SmallVector<int64_t> states;
  for (const auto &[state, coefficient] : row.reads) {
    states.push_back(state);
    reads.push_back(coefficient);
  }
  for (const auto &[other, coupling] : row.couplings) {
    rows.push_back(emitted[other]);
    couplings.push_back(coupling);
  }
  SmallVector<Value> scalars, coefficients;
  for (const auto &[scalar, coefficient] : row.scalars) {
    scalars.push_back(emitScalar(scalar, row.location));
    coefficients.push_back(coefficient);
  }
  return rec::RowOp::create(builder, row.location, vectorType(), reads, states,
                            rows, couplings, row.value, row.scale, scalars,
                            coefficients);
}

Value StageEmitter::emitScalar(unsigned index, Location location) {
  Value &scalar = emittedScalars[index];
  if (!scalar) {
    const ScalarRead &read = form.scalarReads()[index];
    scalar = rec::ScalarRowOp::create(builder, location, values.type({}),
                                      emitted[read.row], read.vector);
  }
  return scalar;
}

Value StageEmitter::emitAcross(const Across &across) {
  SmallVector<Value> reads, rows, keys, vectors;
  SmallVector<int64_t> states;
  for (const auto &[state, coefficient] : across.reads) {
    states.push_back(state);
    reads.push_back(coefficient);
  }
  for (const Across::OfRow &part : across.rows) {
    rows.push_back(emitted[part.row]);
    keys.push_back(part.key);
    vectors.push_back(part.vector);
  }
  return rec::AcrossOp::create(
      builder, across.replaced.getLoc(), across.replaced.getType(), reads,
      states, across.vector, rows, keys, vectors, across.value);
}

/// Yields the scalars of the form; what it stands for is computed from them
/// outside of the stage.
void StageEmitter::replaceScalar(Value value, const LinearForm &form,
                                 rec::StageOp stage) {
  Value result = form.constant;
  for (const auto &[scalar, coefficient] : form.scalars) {
    Value yielded = stage.getResult(scalarResults.lookup(scalar));
    Value term = values.mul(coefficient, yielded);
    result = result ? values.add(result, term) : term;
  }
  value.replaceAllUsesWith(result);
}

void StageEmitter::emit() {
  used.resize(form.rows().size());
  emitted.resize(form.rows().size());
  for (const Write &write : form.writes())
    markUsed(write.row);
  for (const auto &[value, row] : form.outputs())
    markUsed(row);
  for (const Across &across : form.acrosses())
    for (const Across::OfRow &part : across.rows)
      markUsed(part.row);
  for (const auto &[value, scalarForm] : form.scalarOutputs())
    for (const auto &[scalar, coefficient] : scalarForm.scalars) {
      markUsed(form.scalarReads()[scalar].row);
      scalarResults.insert({scalar, 0});
    }

  SmallVector<Attribute> names, valueAxes;
  for (unsigned number : form.states())
    names.push_back(graph.state(number).getNameAttr());
  for (StringAttr axis : form.stageAxes().value)
    valueAxes.push_back(axis);
  SmallVector<Type> types(form.outputs().size(), vectorType());
  for (const Across &across : form.acrosses())
    types.push_back(across.replaced.getType());
  for (auto &[scalar, position] : scalarResults) {
    position = types.size();
    types.push_back(values.type({}));
  }

  builder.setInsertionPointToEnd(&program.getBody().front());
  Location location = graph.state(form.states().front()).getLoc();
  auto stage = rec::StageOp::create(builder, location, types,
                                    builder.getArrayAttr(names),
                                    builder.getArrayAttr(valueAxes));
  builder.setInsertionPointToEnd(&stage.getBody().emplaceBlock());
  for (auto [index, row] : llvm::enumerate(form.rows()))
    if (used[index])
      emitted[index] = emitRow(row);
  for (const Write &write : form.writes())
    rec::WriteOp::create(builder, location, write.state, write.key,
                         emitted[write.row], write.scale);
  for (const Transition &transition : form.transitions())
    rec::TransitionOp::create(builder, location, transition.to, transition.from,
                              transition.value);
  if (form.valueDecay())
    rec::ValueDecayOp::create(builder, location, form.valueDecay());
  SmallVector<Value> results;
  for (const auto &[value, row] : form.outputs()) {
    results.push_back(emitted[row]);
    if (StringRef name = rec::nameOf(value); !name.empty())
      emitted[row].getDefiningOp()->setDiscardableAttr(
          "let", builder.getStringAttr(name));
  }
  for (const Across &across : form.acrosses())
    results.push_back(emitAcross(across));
  for (const auto &[scalar, position] : scalarResults)
    results.push_back(emitScalar(scalar, location));
  rec::YieldOp::create(builder, location, results);

  for (const auto &[value, instead] : form.replacements())
    Value(value).replaceAllUsesWith(instead);
  unsigned next = 0;
  for (const auto &[value, row] : form.outputs())
    Value(value).replaceAllUsesWith(stage.getResult(next++));
  for (const Across &across : form.acrosses())
    Value(across.replaced).replaceAllUsesWith(stage.getResult(next++));
  for (const auto &[value, scalarForm] : form.scalarOutputs())
    replaceScalar(value, scalarForm, stage);
}

} // namespace

void emitStage(StageForm &form, rec::ProgramOp program,
               const StateGraph &graph) {
  StageEmitter(form, program, graph).emit();
}

} // namespace trowel
