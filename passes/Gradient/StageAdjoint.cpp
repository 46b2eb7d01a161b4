// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stage in normal form has an adjoint in normal form: what was read is
// written, what was written is read, the transition is transposed, and the
// tokens come from the last to the first. With dS behind the token, rows from
// the last to the first,
//
//   dx_r    = dout_r + sum_w scale_w * (kappa_w @ dS) + sum_q c_qr * dx_q +
//   sum_i p_i * dy_i dy_i    = sum_r sum_V d_ri * dx_r dS_j    = gv * (sum_i
//   Phi_ij * dS_i) + sum_r B_rj * (pv_r * dx_r)
//
// and the gradients of the coefficients are reads across the value axes of one
// of the two recurrences, with what the other made of its rows:
//
//   dkappa_w = sum_V dS * scale_w * x_w        dB_r = sum_V S * pv_r * dx_r
//   dc_rq    = sum_V dx_r * x_q                dw_r = dx_r
//
// Transitions: see rec.transition_gradient. Reference: design by reverse mode
// over the token program; implicit differentiation of the rows' triangular
// system needs no derivative of an inverse.

#include "passes/Gradient/StageAdjoint.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::axesOf;

namespace trowel {

rec::StageOp exportRows(rec::StageOp stage) {
  Operation *yield = stage.getBody().front().getTerminator();
  SmallVector<Value> yielded(yield->getOperands());
  for (auto row : stage.getBody().front().getOps<rec::RowOp>())
    yielded.push_back(row.getResult());
  OpBuilder builder(stage);
  auto result = rec::StageOp::create(
      builder, stage.getLoc(), TypeRange(ValueRange(yielded)),
      stage.getStates(), stage.getValueAxes(), stage.getReverse());
  result.getBody().takeBody(stage.getBody());
  yield->setOperands(yielded);
  stage->replaceAllUsesWith(
      result->getResults().take_front(stage->getNumResults()));
  stage->erase();
  return result;
}

namespace {

/// Reads of states: pairs of a state and a coefficient on its key axes.
using Reads = SmallVector<std::pair<unsigned, Value>>;

/// One use of a scalar: the row that it scales, and with what.
struct ScalarUse {
  rec::ScalarRowOp read;
  struct RowAdjoint *user;
  Value coefficient;
};

/// A row of the stage, and what becomes known of its gradient.
struct RowAdjoint {
  rec::RowOp row;
  Value x;     // its values
  Value known; // the part of its gradient that needs no dS; null: zero
  /// Whether the gradient needs dS: the row is written, or one that is uses it.
  bool deep = false;
  SmallVector<std::pair<RowAdjoint *, Value>> deepUses; // row, coupling
  /// Gradients of scalars that are read from this row, and their factors.
  SmallVector<std::pair<const ScalarUse *, Value>> scalars;
  Reads keys; // written with
  Value writeScale;
  Value gradient; // all of it
  Value inside;   // the adjoint stage's row

  /// Nothing of the stage's recurrence but scalars: such a row is written with
  /// its scale multiplied in.
  bool isFree() const { return keys.empty() && deepUses.empty(); }
};

/// An output across the value axes, with its gradient: the adjoint writes
/// `keys` times `vector`.
struct AcrossAdjoint {
  rec::AcrossOp op;
  Value gradient;
  Reads keys = {};
  Value vector = {};
};

class StageAdjoint {
public:
  StageAdjoint(rec::StageOp stage, const StatePairs &states, Adjoints &adjoints)
      : stage(stage), body(stage.getBody().front()), states(states),
        adjoints(adjoints), values(adjoints.valueBuilder()),
        builder(values.getBuilder()) {}

  void run();

private:
  SmallVector<StringAttr> valueAxes() {
    return rec::stringsOf(stage.getValueAxes());
  }
  SmallVector<StringAttr> keyAxes(unsigned state);
  Value full(Value value) { return values.spread(value, valueAxes()); }
  Value sum(Value a, Value b) { return !a ? b : !b ? a : values.add(a, b); }
  Value scaled(Value value, Value scale) {
    return scale ? values.mul(value, scale) : value;
  }
  RowAdjoint &adjointOf(Value row) { return *rows[row.getDefiningOp()]; }

  void collect();
  void findDeep();
  void backThrough(AcrossAdjoint &across);
  void backThrough(rec::ScalarRowOp op);
  void backThrough(RowAdjoint &row);
  void buildAdjointStage();
  void foldFreeUses(RowAdjoint &row);
  rec::RowOp addRow(const RowAdjoint &row, Value value, Value scale,
                    ArrayRef<Value> factors);
  void emitTransition(bool transposed);
  void buildForwardReads();
  void addCouplings();
  void addTransitions();
  unsigned result(Value inside);

  rec::StageOp stage;
  Block &body;
  const StatePairs &states;
  Adjoints &adjoints;
  rec::ValueBuilder &values;
  OpBuilder &builder;
  llvm::MapVector<Operation *, std::unique_ptr<RowAdjoint>> rows;
  SmallVector<std::pair<rec::ScalarRowOp, Value>> scalarOutputs;
  DenseMap<Operation *, Value> knownScalars;
  std::vector<std::unique_ptr<ScalarUse>> scalarUses;
  DenseMap<const ScalarUse *, Value> scalarRows; // of the adjoint stage
  SmallVector<AcrossAdjoint, 0> acrosses;        // those with gradients
  SmallVector<Value> yielded;                    // of the stage being built
};

SmallVector<StringAttr> StageAdjoint::keyAxes(unsigned state) {
  StringAttr name = rec::stringsOf(stage.getStates())[state];
  SmallVector<StringAttr> result, common = valueAxes();
  for (StringAttr axis : axesOf(states.forward.lookup(name)))
    if (!llvm::is_contained(common, axis))
      result.push_back(axis);
  return result;
}

//===--- What is known ----------------------------------------------------===//

static void addRead(rec::ValueBuilder &values, Reads &reads, unsigned state,
                    Value coefficient) {
  for (auto &[known, value] : reads)
    if (known == state) {
      value = values.add(value, coefficient);
      return;
    }
  reads.push_back({state, coefficient});
}

void StageAdjoint::collect() {
  for (auto row : body.getOps<rec::RowOp>()) {
    auto made = std::make_unique<RowAdjoint>();
    made->row = row;
    rows[row] = std::move(made);
  }
  for (auto write : body.getOps<rec::WriteOp>()) {
    RowAdjoint &row = adjointOf(write.getRow());
    addRead(values, row.keys, write.getState(), write.getKey());
    row.writeScale = write.getScale();
  }
  for (auto [inside, outside] :
       llvm::zip(body.getTerminator()->getOperands(), stage.getResults())) {
    Value gradient = adjoints.of(outside);
    if (auto across = inside.getDefiningOp<rec::AcrossOp>()) {
      if (gradient)
        acrosses.push_back({across, gradient});
      continue;
    }
    if (auto scalar = inside.getDefiningOp<rec::ScalarRowOp>()) {
      if (gradient)
        scalarOutputs.push_back({scalar, gradient});
      continue;
    }
    RowAdjoint &row = adjointOf(inside);
    row.x = outside;
    row.known = sum(row.known, gradient);
  }
}

void StageAdjoint::findDeep() {
  for (auto &[op, row] : llvm::reverse(rows)) {
    row->deep |= !row->keys.empty();
    if (!row->deep)
      continue;
    for (auto [other, coupling] :
         llvm::zip(row->row.getRows(), row->row.getCouplings())) {
      adjointOf(other).deep = true;
      adjointOf(other).deepUses.push_back({row.get(), coupling});
    }
    for (auto [scalar, coefficient] :
         llvm::zip(row->row.getScalars(), row->row.getCoefficients())) {
      auto read = scalar.getDefiningOp<rec::ScalarRowOp>();
      RowAdjoint &source = adjointOf(read.getRow());
      source.deep = true;
      scalarUses.push_back(
          std::make_unique<ScalarUse>(ScalarUse{read, row.get(), coefficient}));
      source.scalars.push_back(
          {scalarUses.back().get(), full(read.getVector())});
    }
  }
}

/// An output across the value axes writes the gradients of the states it read.
void StageAdjoint::backThrough(AcrossAdjoint &across) {
  rec::AcrossOp op = across.op;
  Value gradient = across.gradient;
  if (op.getVector()) {
    across.vector = full(op.getVector());
    for (auto [state, read] : llvm::zip(op.getStates(), op.getReads()))
      addRead(values, across.keys, state, values.mul(read, gradient));
  }
  for (auto [row, key, vector] :
       llvm::zip(op.getRows(), op.getKeys(), op.getVectors())) {
    RowAdjoint &source = adjointOf(row);
    SmallVector<StringAttr> over(axesOf(gradient));
    Value weight = values.contract(key, gradient, over);
    source.known = sum(source.known, values.mul(vector, weight));
    adjoints.addProduct(vector, source.x, weight);
    adjoints.add(key, values.mul(gradient, values.contract(source.x, vector,
                                                           valueAxes())));
  }
  if (op.getValue())
    adjoints.add(op.getValue(), gradient);
}

void StageAdjoint::backThrough(rec::ScalarRowOp op) {
  if (Value known = knownScalars.lookup(op)) {
    RowAdjoint &source = adjointOf(op.getRow());
    source.known = sum(source.known, values.mul(op.getVector(), known));
  }
}

/// What a row that needs no dS passes on to others.
void StageAdjoint::backThrough(RowAdjoint &row) {
  if (row.deep || !row.known)
    return;
  row.gradient = full(row.known);
  for (auto [other, coupling] :
       llvm::zip(row.row.getRows(), row.row.getCouplings())) {
    RowAdjoint &source = adjointOf(other);
    source.known = sum(source.known, values.mul(coupling, row.gradient));
  }
  for (auto [scalar, coefficient] :
       llvm::zip(row.row.getScalars(), row.row.getCoefficients())) {
    Value &known = knownScalars[scalar.getDefiningOp()];
    known = sum(known, values.contract(coefficient, row.gradient, valueAxes()));
  }
}

//===--- The adjoint stage ------------------------------------------------===//

/// The index of the result that a value of the stage being built becomes.
unsigned StageAdjoint::result(Value inside) {
  yielded.push_back(inside);
  return static_cast<unsigned>(yielded.size() - 1);
}

static rec::RowOp makeRow(OpBuilder &builder, Location location, Type type,
                          const Reads &reads, ValueRange rows,
                          ValueRange couplings, Value value, Value scale,
                          ValueRange scalars = {},
                          ValueRange coefficients = {}) {
  SmallVector<Value> readValues;
  SmallVector<int64_t> readStates;
  for (const auto &[state, coefficient] : reads) {
    readStates.push_back(state);
    readValues.push_back(coefficient);
  }
  return rec::RowOp::create(builder, location, type, readValues, readStates,
                            rows, couplings, value, scale, scalars,
                            coefficients);
}

/// What comes from rows without a part of the recurrence becomes the row's own.
void StageAdjoint::foldFreeUses(RowAdjoint &row) {
  SmallVector<std::pair<RowAdjoint *, Value>> kept;
  for (const auto &[user, coupling] : row.deepUses) {
    if (!user->isFree()) {
      kept.push_back({user, coupling});
      continue;
    }
    if (user->known)
      row.known = sum(row.known, values.mul(coupling, user->known));
    for (const auto &[use, factor] : user->scalars)
      row.scalars.push_back({use, full(values.mul(coupling, factor))});
  }
  row.deepUses = std::move(kept);
}

/// A row of the stage being built, with `factors` for the scalars.
rec::RowOp StageAdjoint::addRow(const RowAdjoint &row, Value value, Value scale,
                                ArrayRef<Value> factors) {
  rec::RowOp op = row.row;
  SmallVector<Value> others, couplings, scalars;
  for (const auto &[user, coupling] : row.deepUses) {
    others.push_back(user->inside);
    couplings.push_back(coupling);
  }
  for (const auto &[use, factor] : row.scalars) {
    Value &scalar = scalarRows[use];
    rec::ScalarRowOp read = use->read;
    if (!scalar)
      scalar = rec::ScalarRowOp::create(builder, op.getLoc(), read.getType(),
                                        use->user->inside, use->coefficient);
    scalars.push_back(scalar);
  }
  return makeRow(builder, op.getLoc(), op.getType(), row.keys, others,
                 couplings, value, scale, scalars, factors);
}

void StageAdjoint::emitTransition(bool transposed) {
  for (auto op : body.getOps<rec::TransitionOp>())
    rec::TransitionOp::create(
        builder, op.getLoc(), transposed ? op.getFrom() : op.getTo(),
        transposed ? op.getTo() : op.getFrom(), op.getValue());
  for (auto op : body.getOps<rec::ValueDecayOp>())
    rec::ValueDecayOp::create(builder, op.getLoc(), op.getValue());
}

static rec::StageOp makeStage(OpBuilder &builder, rec::StageOp like,
                              ArrayAttr names, bool reverse) {
  auto stage = rec::StageOp::create(builder, like.getLoc(), TypeRange(), names,
                                    like.getValueAxes(), reverse);
  stage.getBody().emplaceBlock();
  return stage;
}

/// Ends a stage with its results, whose types were not known before.
static rec::StageOp finishStage(OpBuilder &builder, rec::StageOp stage,
                                ArrayRef<Value> yielded) {
  rec::YieldOp::create(builder, stage.getLoc(), yielded);
  builder.setInsertionPointAfter(stage);
  auto result = rec::StageOp::create(
      builder, stage.getLoc(), TypeRange(ValueRange(yielded)),
      stage.getStates(), stage.getValueAxes(), stage.getReverse());
  result.getBody().takeBody(stage.getBody());
  stage->erase();
  return result;
}

void StageAdjoint::buildAdjointStage() {
  SmallVector<Attribute> names;
  for (StringAttr name : rec::stringsOf(stage.getStates()))
    names.push_back(builder.getStringAttr(gradientName(name)));
  // What is multiplied outside, before the stage is begun.
  SmallVector<std::pair<rec::WriteOp, Value>> read; // what dS is read with
  for (auto write : body.getOps<rec::WriteOp>())
    read.push_back(
        {write, full(scaled(adjointOf(write.getRow()).x, write.getScale()))});
  for (auto &[op, row] : llvm::reverse(rows))
    if (row->deep)
      foldFreeUses(*row);
  struct Written {
    Value value;
    SmallVector<Value> factors, scaledFactors;
  };
  SmallVector<Written> written; // free rows as they are written, in order
  for (auto &[op, row] : rows) {
    Value scale = row->row.getScale();
    if (row->deep && row->known)
      row->known = full(row->known);
    Written &made = written.emplace_back();
    for (const auto &[use, factor] : row->scalars) {
      made.factors.push_back(factor);
      made.scaledFactors.push_back(scaled(factor, scale));
    }
    Value known = row->deep ? row->known : row->gradient;
    if (row->isFree() && known)
      made.value = scaled(known, scale);
  }
  Value one = values.real(1);

  rec::StageOp made = makeStage(builder, stage, builder.getArrayAttr(names),
                                !stage.getReverse());
  builder.setInsertionPointToStart(&made.getBody().front());
  Type vectorType = values.type(valueAxes());
  yielded.clear();
  SmallVector<std::pair<RowAdjoint *, unsigned>> gradients;
  for (auto [entry, parts] : llvm::reverse(llvm::zip(rows, written))) {
    RowAdjoint &row = *entry.second;
    if (!row.deep)
      continue;
    row.inside = addRow(row, row.known, row.writeScale, parts.factors);
    gradients.push_back({&row, result(row.inside)});
  }
  for (auto [entry, known] : llvm::zip(rows, written)) {
    RowAdjoint &row = *entry.second;
    if (row.row.getReads().empty() || !(row.deep || row.gradient))
      continue;
    Value adjoint = row.inside;
    if (row.isFree())
      adjoint = addRow(row, known.value, Value(), known.scaledFactors);
    for (auto [state, key] : llvm::zip(row.row.getStates(), row.row.getReads()))
      rec::WriteOp::create(builder, row.row.getLoc(), state, key, adjoint,
                           row.isFree() ? Value() : row.row.getScale());
  }
  for (const AcrossAdjoint &across : acrosses) {
    if (!across.vector)
      continue;
    Value row = makeRow(builder, stage.getLoc(), vectorType, {}, {}, {},
                        across.vector, Value());
    for (const auto &[state, key] : across.keys)
      rec::WriteOp::create(builder, stage.getLoc(), state, key, row, Value());
  }
  emitTransition(/*transposed=*/true);
  SmallVector<unsigned> keyGradients, unscaled;
  for (auto [write, vector] : read) {
    Type type = values.type(keyAxes(write.getState()));
    Value across = rec::AcrossOp::create(
        builder, write.getLoc(), type, ValueRange{one},
        ArrayRef<int64_t>{static_cast<int64_t>(write.getState())}, vector,
        ValueRange(), ValueRange(), ValueRange(), Value());
    keyGradients.push_back(result(across));
    if (write.getScale())
      unscaled.push_back(result(
          makeRow(builder, write.getLoc(), vectorType,
                  {{static_cast<unsigned>(write.getState()), write.getKey()}},
                  {}, {}, Value(), Value())));
  }
  made = finishStage(builder, made, yielded);

  for (const auto &[row, index] : gradients)
    row->gradient = made.getResult(index);
  const unsigned *next = unscaled.begin();
  for (auto [entry, index] : llvm::zip(read, keyGradients)) {
    rec::WriteOp write = entry.first;
    adjoints.add(write.getKey(), made.getResult(index));
    if (write.getScale())
      adjoints.addProduct(write.getScale(), adjointOf(write.getRow()).x,
                          made.getResult(*next++));
  }
}

//===--- Gradients of coefficients ----------------------------------------===//

/// The forward recurrence once more, its rows now known, read with what the
/// adjoint stage made.
void StageAdjoint::buildForwardReads() {
  struct Wanted {
    Value coefficient; // null: a row for `scale` or a vector
    unsigned state;
    Value vector;
  };
  SmallVector<Wanted> reads;
  for (auto &[op, row] : rows) {
    if (!row->gradient)
      continue;
    Value vector = full(scaled(row->gradient, row->row.getScale()));
    for (auto [state, coefficient] :
         llvm::zip(row->row.getStates(), row->row.getReads()))
      reads.push_back({coefficient, static_cast<unsigned>(state), vector});
  }
  DenseMap<Operation *, Value> written; // with the token's later decay
  for (auto &[op, row] : rows)
    if (!row->keys.empty())
      written[op] = scaled(row->x, row->writeScale);
  Value one = values.real(1);

  rec::StageOp made =
      makeStage(builder, stage, stage.getStates(), stage.getReverse());
  builder.setInsertionPointToStart(&made.getBody().front());
  Type vectorType = values.type(valueAxes());
  yielded.clear();
  DenseMap<Operation *, Value> known;
  for (auto write : body.getOps<rec::WriteOp>()) {
    Operation *source = write.getRow().getDefiningOp();
    Value &row = known[source];
    if (!row)
      row = makeRow(builder, write.getLoc(), vectorType, {}, {}, {},
                    written.lookup(source), Value());
    rec::WriteOp::create(builder, write.getLoc(), write.getState(),
                         write.getKey(), row, Value());
  }
  emitTransition(/*transposed=*/false);
  auto across = [&](unsigned state, Value vector) {
    return rec::AcrossOp::create(
        builder, stage.getLoc(), values.type(keyAxes(state)), ValueRange{one},
        ArrayRef<int64_t>{static_cast<int64_t>(state)}, vector, ValueRange(),
        ValueRange(), ValueRange(), Value());
  };
  for (const Wanted &wanted : reads)
    result(across(wanted.state, wanted.vector));
  SmallVector<std::pair<RowAdjoint *, unsigned>> scales;
  for (auto &[op, row] : rows)
    if (row->gradient && row->row.getScale() && !row->row.getReads().empty()) {
      Reads plain;
      for (auto [state, coefficient] :
           llvm::zip(row->row.getStates(), row->row.getReads()))
        plain.push_back({static_cast<unsigned>(state), coefficient});
      scales.push_back(
          {row.get(), result(makeRow(builder, row->row.getLoc(), vectorType,
                                     plain, {}, {}, Value(), Value()))});
    }
  // Of an output across: a row for its vector, then one read for each state.
  SmallVector<unsigned> acrossResults;
  for (AcrossAdjoint &each : acrosses) {
    acrossResults.push_back(static_cast<unsigned>(yielded.size()));
    if (!each.vector)
      continue;
    result(makeRow(builder, stage.getLoc(), vectorType, each.keys, {}, {},
                   Value(), Value()));
    for (int64_t state : each.op.getStates())
      result(across(static_cast<unsigned>(state), each.vector));
  }
  made = finishStage(builder, made, yielded);

  for (auto [i, wanted] : llvm::enumerate(reads))
    adjoints.add(wanted.coefficient, made.getResult(i));
  for (const auto &[row, index] : scales)
    adjoints.addProduct(row->row.getScale(), row->gradient,
                        made.getResult(index));
  for (auto [each, first] : llvm::zip(acrosses, acrossResults)) {
    if (!each.vector)
      continue;
    adjoints.add(each.op.getVector(), made.getResult(first));
    for (auto [i, coefficient] : llvm::enumerate(each.op.getReads()))
      adjoints.addProduct(coefficient, each.gradient,
                          made.getResult(first + 1 + i));
  }
}

/// Gradients of what stands between a token's rows, and of their own values.
void StageAdjoint::addCouplings() {
  for (auto &[scalar, gradient] : scalarOutputs)
    adjoints.addProduct(scalar.getVector(), adjointOf(scalar.getRow()).x,
                        gradient);
  for (auto &[op, row] : rows) {
    if (!row->gradient)
      continue;
    if (row->row.getValue())
      adjoints.add(row->row.getValue(), row->gradient);
    for (auto [other, coupling] :
         llvm::zip(row->row.getRows(), row->row.getCouplings()))
      adjoints.addProduct(coupling, adjointOf(other).x, row->gradient);
    for (auto [scalar, coefficient] :
         llvm::zip(row->row.getScalars(), row->row.getCoefficients())) {
      auto read = scalar.getDefiningOp<rec::ScalarRowOp>();
      RowAdjoint &source = adjointOf(read.getRow());
      Value y = values.contract(source.x, read.getVector(), valueAxes());
      adjoints.addProduct(coefficient, y, row->gradient);
      Value dy = values.contract(coefficient, row->gradient, valueAxes());
      adjoints.addProduct(read.getVector(), source.x, dy);
    }
  }
}

void StageAdjoint::addTransitions() {
  auto varies = [](Value value) {
    return !value.getDefiningOp<rec::ConstantOp>();
  };
  SmallVector<Value> phi, starts, ends, keys, vectors, reads, readVectors;
  SmallVector<int64_t> blocks, keyIndex, readIndex, wanted;
  SmallVector<Type> types;
  for (auto op : body.getOps<rec::TransitionOp>()) {
    if (varies(op.getValue())) {
      wanted.push_back(static_cast<int64_t>(phi.size()));
      types.push_back(op.getValue().getType());
    }
    phi.push_back(op.getValue());
    blocks.append(
        {static_cast<int64_t>(op.getTo()), static_cast<int64_t>(op.getFrom())});
  }
  Value decay;
  for (auto op : body.getOps<rec::ValueDecayOp>())
    decay = op.getValue();
  if (decay)
    types.push_back(decay.getType());
  if (types.empty())
    return;
  for (StringAttr name : rec::stringsOf(stage.getStates())) {
    starts.push_back(states.forward.lookup(name));
    ends.push_back(states.gradient.lookup(gradientName(name)));
  }
  for (auto write : body.getOps<rec::WriteOp>()) {
    keyIndex.append({static_cast<int64_t>(vectors.size()),
                     static_cast<int64_t>(write.getState())});
    keys.push_back(write.getKey());
    vectors.push_back(
        full(scaled(adjointOf(write.getRow()).x, write.getScale())));
  }
  auto addReads = [&](auto stateNumbers, auto coefficients, Value vector) {
    for (auto [state, coefficient] : llvm::zip(stateNumbers, coefficients)) {
      readIndex.append({static_cast<int64_t>(readVectors.size()),
                        static_cast<int64_t>(state)});
      reads.push_back(coefficient);
    }
    readVectors.push_back(vector);
  };
  for (auto &[op, row] : rows)
    if (row->gradient && !row->row.getReads().empty())
      addReads(row->row.getStates(), row->row.getReads(),
               full(scaled(row->gradient, row->row.getScale())));
  for (const AcrossAdjoint &across : acrosses)
    if (across.vector)
      addReads(llvm::make_first_range(across.keys),
               llvm::make_second_range(across.keys), across.vector);
  auto made = rec::TransitionGradientOp::create(
      builder, stage.getLoc(), types, phi, blocks, decay, starts, ends, keys,
      keyIndex, vectors, reads, readIndex, readVectors, wanted);
  for (auto [i, block] : llvm::enumerate(wanted))
    adjoints.add(phi[block], made.getResult(i));
  if (decay)
    adjoints.add(decay, made.getResults().back());
}

void StageAdjoint::run() {
  values.setLocation(stage.getLoc());
  collect();
  findDeep();
  for (AcrossAdjoint &across : acrosses)
    backThrough(across);
  for (auto &[scalar, gradient] : scalarOutputs)
    knownScalars[scalar] = gradient;
  for (Operation &op : llvm::reverse(body)) {
    if (auto scalar = dyn_cast<rec::ScalarRowOp>(op))
      backThrough(scalar);
    else if (auto row = rows.find(&op); row != rows.end())
      backThrough(*row->second);
  }
  buildAdjointStage();
  buildForwardReads();
  addCouplings();
  addTransitions();
}

} // namespace

void addStageAdjoint(rec::StageOp stage, const StatePairs &states,
                     Adjoints &adjoints) {
  StageAdjoint(stage, states, adjoints).run();
}

} // namespace trowel
