// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradient of a transition, token by token from the states before it and
// their gradients behind it. The states of a few tokens at a time are at hand:
// those before every eighth token are kept on the way forward.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

namespace {

/// What a token adds to a state: a key times a vector.
struct Addition {
  int64_t state;
  View key, vector;
};

/// One of the two recurrences. A factor takes the block's second state to its
/// first.
struct Recurrence {
  Views phi;
  SmallVector<std::pair<int64_t, int64_t>> blocks;
  std::vector<Addition> additions;
};

constexpr int64_t blockTokens = 8;

} // namespace

class TransitionByTokens {
public:
  TransitionByTokens(Emitter &emitter, rec::TransitionGradientOp op);
  void emit();

private:
  void read();
  bool groupStates();
  void advance(const Recurrence &step, const Views &states, Value t);
  void advance(const Recurrence &step, const Views &states,
               ArrayRef<int64_t> group, Value t);
  void addGradients(const Views &before, const Views &behind, Value t);
  Views placesFor(const Views &states, StringAttr axis, int64_t count);
  View row(const View &tile, Value t) {
    return code.at(tile, emitter.token, t);
  }
  void copyAll(const Views &to, const Views &from) {
    for (auto [a, b] : llvm::zip(to, from))
      emitter.copy(a, b);
  }
  Views rowsAt(const Views &tiles, StringAttr axis, Value at) {
    Views result;
    for (const View &tile : tiles)
      result.push_back(code.at(tile, axis, at));
    return result;
  }

  Emitter &emitter;
  Code &code;
  rec::TransitionGradientOp op;
  Views starts, ends, results;
  std::optional<View> decay;
  Recurrence forward, back;
  /// States that have the same axes: transitions lead to no others.
  SmallVector<SmallVector<int64_t>> groups;
};

TransitionByTokens::TransitionByTokens(Emitter &emitter,
                                       rec::TransitionGradientOp op)
    : emitter(emitter), code(emitter.code), op(op) {}

void TransitionByTokens::read() {
  for (Value value : op.getStarts())
    starts.push_back(emitter.viewOf(value));
  for (Value value : op.getEnds())
    ends.push_back(emitter.viewOf(value));
  if (op.getDecay())
    decay = emitter.viewOf(op.getDecay());
  for (auto [i, value] : llvm::enumerate(op.getPhi())) {
    View view = emitter.viewOf(value);
    int64_t to = op.getPhiBlocks()[2 * i], from = op.getPhiBlocks()[2 * i + 1];
    forward.phi.push_back(view);
    forward.blocks.push_back({to, from});
    back.phi.push_back(view);
    back.blocks.push_back({from, to});
  }
  auto add = [&](Recurrence &to, ValueRange keys, ArrayRef<int64_t> index,
                 ValueRange vectors) {
    for (auto [i, key] : llvm::enumerate(keys))
      to.additions.push_back({index[2 * i + 1], emitter.viewOf(key),
                              emitter.viewOf(vectors[index[2 * i]])});
  };
  add(forward, op.getKeys(), op.getKeyIndex(), op.getVectors());
  add(back, op.getReads(), op.getReadIndex(), op.getReadVectors());
}

/// False if a transition leads to a state with other axes.
bool TransitionByTokens::groupStates() {
  auto groupOf = [&](int64_t state) {
    return llvm::find_if(groups, [&](ArrayRef<int64_t> group) {
      return starts[group.front()].axes == starts[state].axes;
    });
  };
  for (size_t i = 0; i < starts.size(); ++i) {
    auto *group = groupOf(static_cast<int64_t>(i));
    if (group == groups.end())
      group = &groups.emplace_back();
    group->push_back(static_cast<int64_t>(i));
  }
  return llvm::all_of(forward.blocks, [&](auto block) {
    return groupOf(block.first) == groupOf(block.second);
  });
}

void TransitionByTokens::advance(const Recurrence &step, const Views &states,
                                 Value t) {
  for (ArrayRef<int64_t> group : groups)
    advance(step, states, group, t);
}

/// One token: every element of the states depends on the same one of each.
void TransitionByTokens::advance(const Recurrence &step, const Views &states,
                                 ArrayRef<int64_t> group, Value t) {
  auto placeOf = [&](int64_t state) {
    return llvm::find(group, state) - group.begin();
  };
  auto isIn = [&](int64_t state) { return llvm::is_contained(group, state); };
  Views own;
  for (int64_t state : group)
    own.push_back(states[state]);
  Views ins = own;
  SmallVector<std::pair<int64_t, int64_t>> blocks;
  for (auto [factor, block] : llvm::zip(step.phi, step.blocks))
    if (isIn(block.first)) {
      ins.push_back(row(factor, t));
      blocks.push_back({placeOf(block.first), placeOf(block.second)});
    }
  SmallVector<int64_t> targets;
  for (const Addition &addition : step.additions)
    if (isIn(addition.state)) {
      ins.push_back(row(addition.key, t));
      ins.push_back(row(addition.vector, t));
      targets.push_back(placeOf(addition.state));
    }
  if (decay)
    ins.push_back(row(*decay, t));
  emitter.pointwise(own, ins, [&](ArrayRef<Value> x, Point &) {
    Values next(own.size());
    ArrayRef<Value> factors = x.drop_front(own.size());
    ArrayRef<Value> products = factors.drop_front(blocks.size());
    auto add = [&](Value &sum, Value a, Value b) {
      sum = sum ? code.fma(a, b, sum) : code.op<arith::MulFOp>(a, b);
    };
    for (auto [factor, block] : llvm::zip(factors, blocks))
      add(next[block.first], factor, x[block.second]);
    for (Value &sum : next)
      if (decay && sum)
        sum = code.op<arith::MulFOp>(sum, x.back());
    for (auto [i, target] : llvm::enumerate(targets))
      add(next[target], products[2 * i], products[2 * i + 1]);
    for (Value &sum : next)
      if (!sum)
        sum = code.real(0);
    return next;
  });
}

void TransitionByTokens::addGradients(const Views &before, const Views &behind,
                                      Value t) {
  size_t mark = emitter.scratchPlaces.size();
  auto sumInto = [&](const View &out, const View &a, const View &b,
                     bool accumulate) {
    SmallVector<StringAttr> axes;
    for (StringAttr axis : b.axes)
      if (!out.has(axis))
        axes.push_back(axis);
    emitter.contract(out, a, b, axes, accumulate);
  };
  View product;
  auto multiply = [&](const View &state, const View &factor) {
    product = emitter.scratch(state.axes, state.sizes);
    emitter.pointwise(product, {state, row(factor, t)},
                      [&](ArrayRef<Value> x, Point &) {
                        return Values{code.op<arith::MulFOp>(x[0], x[1])};
                      });
  };
  for (auto [i, block] : llvm::enumerate(op.getWanted())) {
    auto [to, from] = forward.blocks[block];
    if (decay)
      multiply(before[from], *decay);
    sumInto(row(results[i], t), behind[to], decay ? product : before[from],
            false);
  }
  if (decay) {
    View out = row(results.back(), t);
    emitter.fill(out, 0);
    for (auto [phi, block] : llvm::zip(forward.phi, forward.blocks)) {
      multiply(before[block.second], phi);
      sumInto(out, behind[block.first], product, true);
    }
  }
  emitter.releaseScratch(mark);
}

/// Room for the states at several places.
Views TransitionByTokens::placesFor(const Views &states, StringAttr axis,
                                    int64_t count) {
  Views places;
  for (const View &state : states) {
    SmallVector<StringAttr> axes{axis};
    SmallVector<int64_t> sizes{count};
    axes.append(state.axes.begin(), state.axes.end());
    sizes.append(state.sizes.begin(), state.sizes.end());
    places.push_back(emitter.scratch(axes, sizes));
  }
  return places;
}

void TransitionByTokens::emit() {
  read();
  if (!groupStates())
    return emitter.refuse(op, "a transition to a state with other axes");
  for (Value result : op.getResults())
    results.push_back(emitter.define(result));
  auto axis = [&](const char *name) {
    return StringAttr::get(op.getContext(), name);
  };
  StringAttr blockAxis = axis("t.block"), withinAxis = axis("t.within");
  int64_t blocks = (emitter.chunkTokens + blockTokens - 1) / blockTokens;
  Views current, behind;
  for (const View &state : starts) {
    current.push_back(emitter.scratch(state.axes, state.sizes));
    behind.push_back(emitter.scratch(state.axes, state.sizes));
  }
  Views kept = placesFor(starts, blockAxis, blocks);
  Views within = placesFor(starts, withinAxis, blockTokens);
  Value zero = code.index(0), size = code.index(blockTokens);
  auto endOf = [&](Value begin) {
    return code.min(code.add(begin, size), emitter.tokens);
  };
  copyAll(current, starts);
  code.loop(zero, emitter.tokens, blockTokens, [&](Value begin) {
    copyAll(rowsAt(kept, blockAxis, code.op<arith::DivSIOp>(begin, size)),
            current);
    code.loop(begin, endOf(begin), 1,
              [&](Value t) { advance(forward, current, t); });
  });
  copyAll(behind, ends);
  Value last = code.sub(emitter.tokens, code.index(1));
  last = code.sub(last, code.op<arith::RemSIOp>(last, size));
  code.loop(zero, emitter.tokens, blockTokens, [&](Value i) {
    Value begin = code.sub(last, i), end = endOf(begin);
    copyAll(current,
            rowsAt(kept, blockAxis, code.op<arith::DivSIOp>(begin, size)));
    code.loop(begin, end, 1, [&](Value t) {
      copyAll(rowsAt(within, withinAxis, code.sub(t, begin)), current);
      advance(forward, current, t);
    });
    Value final = code.sub(end, code.index(1));
    code.loop(begin, end, 1, [&](Value i) {
      Value t = code.sub(final, code.sub(i, begin));
      addGradients(rowsAt(within, withinAxis, code.sub(t, begin)), behind, t);
      advance(back, behind, t);
    });
  });
}

void Emitter::emitTransitionByTokens(rec::TransitionGradientOp op) {
  TransitionByTokens(*this, op).emit();
}

} // namespace trowel::cpu
