// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `chunk` dialect's own operations, by their recurrences: what is carried
// goes from token to token, multiplied by one transition after the other.
#include "dialect/Reference/Carrier.h"
#include "dialect/Reference/Machine.h"

using namespace mlir;

namespace trowel::interpreter {

bool Machine::executeChunk(Operation &op) {
  if (auto x = dyn_cast<chunk::PullOp>(op))
    pull(x);
  else if (auto x = dyn_cast<chunk::PushOp>(op))
    push(x);
  else if (auto x = dyn_cast<chunk::TotalOp>(op))
    total(x);
  else if (auto x = dyn_cast<chunk::GramOp>(op))
    gram(x);
  else if (auto x = dyn_cast<chunk::SolveOp>(op))
    solve(x);
  else if (auto x = dyn_cast<chunk::InverseOp>(op))
    inverse(x);
  else if (auto x = dyn_cast<chunk::ApplyOp>(op))
    apply(x);
  else if (auto x = dyn_cast<chunk::SequentialOp>(op))
    chunkSequential(x);
  else if (auto x = dyn_cast<chunk::TokenOp>(op))
    token(x);
  else if (auto x = dyn_cast<chunk::ReverseOp>(op))
    reverse(x);
  else if (auto x = dyn_cast<rec::TransitionGradientOp>(op))
    transitionGradient(x);
  else if (auto x = dyn_cast<chunk::TransitionGradientOp>(op))
    transitionGradient(x);
  else
    return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Carrying
//===----------------------------------------------------------------------===//

StateAxes Machine::stateAxes(ValueRange phi, ArrayRef<int64_t> blocks,
                             ArrayRef<std::pair<int64_t, Value>> tiles) const {
  MLIRContext *context = tokenAxis.getContext();
  SmallVector<StringAttr> own;
  for (StringRef name : {"t", "t.r", "t.s", "t.w"})
    own.push_back(StringAttr::get(context, name));
  StateAxes axes(order, own);
  for (auto [state, tile] : tiles)
    axes.add(state, tile);
  axes.close(phi, blocks);
  return axes;
}

/// A tile's rows on a state's key axes.
Numbers Machine::rowsOf(Value tile, int64_t head, const StateAxes &axes,
                        int64_t state) const {
  return spread(tile, head, axes.view(state, {{tokenAxis, rows, 0}}));
}

Carrier Machine::carrier(const StateAxes &axes, ValueRange phi,
                         ArrayRef<int64_t> blocks, int64_t head) const {
  Carrier result(axes);
  for (auto [i, factor] : llvm::enumerate(phi))
    result.addBlock(blocks[2 * i], blocks[2 * i + 1],
                    rowsOf(factor, head, axes, blocks[2 * i]));
  return result;
}

/// Adds row `token` of a dense block to `to`.
static void addRow(Numbers &to, const Numbers &rows, int64_t token,
                   int64_t count) {
  to.resize(count);
  for (int64_t i = 0; i < count; ++i)
    to[i] += rows[token * count + i];
}

/// Pairs each tile with its state.
static SmallVector<std::pair<int64_t, Value>>
tilesByState(ValueRange tiles, ArrayRef<int64_t> index, unsigned stride) {
  SmallVector<std::pair<int64_t, Value>> result;
  for (auto [i, tile] : llvm::enumerate(tiles))
    result.push_back({index[stride * i + stride - 1], tile});
  return result;
}

/// What pull and push share: each token's rows or keys are carried on their
/// own.
void Machine::carryEach(Operation *op, ValueRange phi, ArrayRef<int64_t> blocks,
                        ValueRange tiles, ArrayRef<int64_t> tileStates,
                        ArrayRef<int64_t> resultStates, bool isForwards) {
  SmallVector<std::pair<int64_t, Value>> given =
      tilesByState(tiles, tileStates, 1);
  llvm::append_range(given, tilesByState(op->getResults(), resultStates, 1));
  StateAxes axes = stateAxes(phi, blocks, given);
  for (Value result : op->getResults())
    define(result);
  for (int64_t head = 0; head < batch.heads; ++head) {
    Carrier transition = carrier(axes, phi, blocks, head);
    std::vector<Numbers> starts, ends;
    for (auto [tile, state] : llvm::zip(tiles, tileStates))
      starts.push_back(rowsOf(tile, head, axes, state));
    for (int64_t state : resultStates)
      ends.emplace_back(rows * axes.elements(state));
    for (int64_t token = 0; token < rows; ++token) {
      PerState x(axes.size());
      for (auto [start, state] : llvm::zip(starts, tileStates))
        addRow(x[state], start, token, axes.elements(state));
      for (int64_t t = token + 1; isForwards && t < rows; ++t)
        transition.forwards(t, x);
      for (int64_t t = token - 1; !isForwards && t >= 0; --t)
        transition.backwards(t, x);
      for (auto [end, state] : llvm::zip(ends, resultStates))
        llvm::copy(x[state], end.begin() + token * axes.elements(state));
    }
    for (auto [result, end, state] :
         llvm::zip(op->getResults(), ends, resultStates))
      store(result, head, end, axes.view(state, {{tokenAxis, rows, 0}}));
  }
}

void Machine::pull(chunk::PullOp op) {
  carryEach(op, op.getPhi(), op.getPhiBlocks(), op.getRow(), op.getRowStates(),
            op.getResultStates(), /*isForwards=*/false);
}

void Machine::push(chunk::PushOp op) {
  carryEach(op, op.getPhi(), op.getPhiBlocks(), op.getKey(), op.getKeyStates(),
            op.getResultStates(), /*isForwards=*/true);
}

void Machine::total(chunk::TotalOp op) {
  ArrayRef<int64_t> pairs = op.getResultBlocks();
  SmallVector<std::pair<int64_t, Value>> given;
  for (auto [i, result] : llvm::enumerate(op.getResults()))
    given.push_back({pairs[2 * i], result});
  StateAxes axes = stateAxes(op.getPhi(), op.getPhiBlocks(), given);
  for (int64_t state : pairs)
    axes.add(state);
  for (Value result : op.getResults())
    define(result);
  for (int64_t head = 0; head < batch.heads; ++head) {
    Carrier transition = carrier(axes, op.getPhi(), op.getPhiBlocks(), head);
    for (auto [i, result] : llvm::enumerate(op.getResults())) {
      int64_t to = pairs[2 * i], from = pairs[2 * i + 1];
      PerState x(axes.size());
      x[from].assign(axes.elements(from), 1);
      for (int64_t t = 0; t < rows; ++t)
        transition.forwards(t, x);
      x[to].resize(axes.elements(to));
      store(result, head, x[to], axes.view(to));
    }
  }
}

//===----------------------------------------------------------------------===//
// Grams and what they are applied to
//===----------------------------------------------------------------------===//

/// Carries each write's key from its token to every later one: calls
/// `visit(t, s, w, x)` for s < t with x as token t begins.
void Machine::forEachCarried(
    const Carrier &transition, const StateAxes &axes, ValueRange keys,
    ArrayRef<int64_t> keyIndex, int64_t head,
    llvm::function_ref<void(int64_t, int64_t, int64_t, const PerState &)>
        visit) {
  std::vector<Numbers> tiles;
  int64_t writes = 0;
  for (auto [i, key] : llvm::enumerate(keys)) {
    tiles.push_back(rowsOf(key, head, axes, keyIndex[2 * i + 1]));
    writes = std::max(writes, keyIndex[2 * i] + 1);
  }
  for (int64_t w = 0; w < writes; ++w)
    for (int64_t s = 0; s < rows; ++s) {
      PerState x(axes.size());
      for (size_t i = 0; i < tiles.size(); ++i)
        if (keyIndex[2 * i] == w)
          addRow(x[keyIndex[2 * i + 1]], tiles[i], s,
                 axes.elements(keyIndex[2 * i + 1]));
      for (int64_t t = s + 1; t < rows; ++t) {
        visit(t, s, w, x);
        transition.forwards(t, x);
      }
    }
}

/// Strides of a tile on t, t.r, t.s, t.w.
Machine::Square Machine::squareOf(Value tile) const {
  Square square;
  View view = View::dense(tile.getType());
  auto stride = [&](StringRef name) {
    const View::Axis *axis =
        view.find(StringAttr::get(tile.getContext(), name));
    return axis ? axis->stride : 0;
  };
  square.t = stride("t");
  square.r = stride("t.r");
  square.s = stride("t.s");
  square.w = stride("t.w");
  return square;
}

void Machine::gram(chunk::GramOp op) {
  ArrayRef<int64_t> rowIndex = op.getRowIndex();
  SmallVector<std::pair<int64_t, Value>> given =
      tilesByState(op.getRows(), rowIndex, 2);
  llvm::append_range(given, tilesByState(op.getKeys(), op.getKeyIndex(), 2));
  StateAxes axes = stateAxes(op.getPhi(), op.getPhiBlocks(), given);
  Square square = squareOf(op.getResult());
  define(op.getResult());
  const Nest &cleared = nest(op, 0, {View::dense(op.getType())});
  for (int64_t head = 0; head < batch.heads; ++head) {
    double *g = at(op.getResult(), head);
    cleared.forEach([&](const Nest::Offsets &at) { g[at[0]] = 0; });
    std::vector<Numbers> tiles;
    for (auto [i, tile] : llvm::enumerate(op.getRows()))
      tiles.push_back(rowsOf(tile, head, axes, rowIndex[2 * i + 1]));
    auto visit = [&](int64_t t, int64_t s, int64_t w, const PerState &x) {
      for (size_t i = 0; i < tiles.size(); ++i) {
        const Numbers &key = x[rowIndex[2 * i + 1]];
        const double *b = tiles[i].data() + t * key.size();
        double sum = 0;
        for (size_t k = 0; k < key.size(); ++k)
          sum += b[k] * key[k];
        g[square.at(t, rowIndex[2 * i], s, w)] += sum;
      }
    };
    forEachCarried(carrier(axes, op.getPhi(), op.getPhiBlocks(), head), axes,
                   op.getKeys(), op.getKeyIndex(), head, visit);
    for (auto [i, tile] : llvm::enumerate(op.getWithin())) {
      Numbers coupling = spread(tile, head, View::dense({tokenAxis}, {rows}));
      for (int64_t t = 0; t < rows; ++t)
        g[square.at(t, op.getWithinIndex()[2 * i], t,
                    op.getWithinIndex()[2 * i + 1])] += coupling[t];
    }
  }
}

void Machine::apply(chunk::ApplyOp op) {
  ArrayRef<int64_t> states = op.getResultStates();
  SmallVector<std::pair<int64_t, Value>> given =
      tilesByState(op.getKeys(), op.getKeyIndex(), 2);
  llvm::append_range(given, tilesByState(op.getResults(), states, 1));
  StateAxes axes = stateAxes(op.getPhi(), op.getPhiBlocks(), given);
  Square square = squareOf(op.getMatrix());
  StringAttr rowAxis = StringAttr::get(op.getContext(), "t.r");
  int64_t rowCount = rec::axisSize(op.getMatrix(), rowAxis);
  for (Value result : op.getResults())
    define(result);
  for (int64_t head = 0; head < batch.heads; ++head) {
    const double *g = at(op.getMatrix(), head);
    std::vector<Numbers> sums;
    for (int64_t state : states)
      sums.emplace_back(rows * rowCount * axes.elements(state));
    auto visit = [&](int64_t t, int64_t s, int64_t w, const PerState &x) {
      for (auto [state, sum] : llvm::zip(states, sums))
        for (int64_t r = 0; r < rowCount; ++r) {
          double factor = g[square.at(t, r, s, w)];
          double *y = sum.data() + (t * rowCount + r) * axes.elements(state);
          for (size_t k = 0; k < x[state].size(); ++k)
            y[k] += factor * x[state][k];
        }
    };
    forEachCarried(carrier(axes, op.getPhi(), op.getPhiBlocks(), head), axes,
                   op.getKeys(), op.getKeyIndex(), head, visit);
    for (auto [result, state, sum] : llvm::zip(op.getResults(), states, sums))
      store(result, head, sum,
            axes.view(state, {{tokenAxis, rows, 0}, {rowAxis, rowCount, 0}}));
  }
}

//===----------------------------------------------------------------------===//
// Solving, loops
//===----------------------------------------------------------------------===//

/// The right side's axes are t, t.r and value axes; values lie densely.
void Machine::solve(chunk::SolveOp op) {
  StringAttr rowAxis = StringAttr::get(op.getContext(), "t.r");
  int64_t rowCount = rec::axisSize(op.getRhs(), rowAxis);
  StateAxes axes = stateAxes({}, {}, {{0, op.getRhs()}});
  int64_t width = axes.elements(0);
  View view = axes.view(0, {{tokenAxis, rows, 0}, {rowAxis, rowCount, 0}});
  Square square = squareOf(op.getMatrix());
  define(op.getResult());
  for (int64_t head = 0; head < batch.heads; ++head) {
    const double *m = at(op.getMatrix(), head);
    Numbers u = spread(op.getRhs(), head, view);
    Numbers decay(rows * width, 1);
    if (op.getDecay())
      decay = rowsOf(op.getDecay(), head, axes, 0);
    auto add = [&](int64_t t, int64_t r, int64_t s, const double *factor) {
      int64_t end = s == t ? r : rowCount;
      for (int64_t w = 0; w < end; ++w)
        for (int64_t v = 0; v < width; ++v)
          u[(t * rowCount + r) * width + v] +=
              m[square.at(t, r, s, w)] * factor[v] *
              u[(s * rowCount + w) * width + v];
    };
    const Numbers ones(width, 1);
    Numbers between(width), withOwn(width, 1);
    for (int64_t t = 0; t < rows; ++t) {
      between.assign(width, 1);
      if (op.getInclusive() == "row")
        between.assign(&decay[t * width], &decay[t * width] + width);
      for (int64_t s = t - 1; s >= 0; --s) {
        for (int64_t v = 0; v < width; ++v)
          withOwn[v] = between[v] * decay[s * width + v];
        const Numbers &factor =
            op.getInclusive() == "column" ? withOwn : between;
        for (int64_t r = 0; r < rowCount; ++r)
          add(t, r, s, factor.data());
        std::swap(between, withOwn);
      }
      for (int64_t r = 0; r < rowCount; ++r)
        add(t, r, t, ones.data());
    }
    store(op.getResult(), head, u, view);
  }
}

void Machine::inverse(chunk::InverseOp op) {
  StringAttr rowAxis = StringAttr::get(op.getContext(), "t.r");
  int64_t count = rec::axisSize(op.getResult(), rowAxis);
  Square from = squareOf(op.getMatrix()), to = squareOf(op.getResult());
  define(op.getResult());
  auto at = [&](const Square &square, int64_t i, int64_t j) {
    return square.at(i / count, i % count, j / count, j % count);
  };
  for (int64_t head = 0; head < batch.heads; ++head) {
    const double *m = this->at(op.getMatrix(), head);
    double *x = this->at(op.getResult(), head);
    for (int64_t i = 0; i < rows * count; ++i)
      for (int64_t j = 0; j < rows * count; ++j) {
        double sum = i == j;
        for (int64_t k = j; k < i; ++k)
          sum += m[at(from, i, k)] * x[at(to, k, j)];
        x[at(to, i, j)] = sum;
      }
  }
}

void Machine::chunkSequential(chunk::SequentialOp op) {
  Block &block = op.getBody().front();
  Operation *yield = block.getTerminator();
  size_t count = op.getStates().size();
  for (auto [argument, state] : llvm::zip(block.getArguments(), op.getStates()))
    values[argument] = Numbers(values.at(state));
  for (Value result : op.getResults())
    define(result);
  for (int64_t step = 0; step < rows; ++step) {
    tokenRow = op.getReverse() ? rows - 1 - step : step;
    for (Operation &inner : block.without_terminator())
      execute(inner);
    std::vector<Numbers> next;
    for (Value value : yield->getOperands())
      next.push_back(values.at(value));
    for (size_t i = 0; i < count; ++i)
      values[block.getArgument(i)] = next[i];
    for (size_t i = count; i < next.size(); ++i) {
      int64_t width = elements(yield->getOperand(i).getType());
      for (int64_t head = 0; head < batch.heads; ++head)
        std::copy_n(next[i].begin() + head * width, width,
                    at(op.getResult(i), head) + tokenRow * width);
    }
  }
  for (size_t i = 0; i < count; ++i)
    values[op.getResult(i)] = Numbers(values.at(block.getArgument(i)));
}

void Machine::token(chunk::TokenOp op) {
  define(op.getResult());
  int64_t width = elements(op.getType());
  for (int64_t head = 0; head < batch.heads; ++head)
    std::copy_n(at(op.getTile(), head) + tokenRow * width, width,
                at(op.getResult(), head));
}

} // namespace trowel::interpreter
