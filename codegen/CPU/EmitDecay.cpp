// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running products of transitions, multiplied in token order; no logarithm, no
// division. Several states are matrices of factors, kept as vectors for those
// blocks that can differ from zero.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

SmallVector<std::pair<int64_t, int64_t>> Transition::reached() const {
  SmallVector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < states; ++i)
    pairs.push_back({i, i});
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t known = 0, n = pairs.size(); known < n; ++known)
      for (auto [to, from] : blocks) {
        std::pair<int64_t, int64_t> next{to, pairs[known].second};
        if (from != pairs[known].first || llvm::is_contained(pairs, next))
          continue;
        pairs.push_back(next);
        grown = true;
      }
  }
  return pairs;
}

SmallVector<StringAttr> Transition::axes(StringAttr token) const {
  SmallVector<StringAttr> result;
  for (const View &view : phi)
    for (StringAttr axis : view.axes)
      if (axis != token && !llvm::is_contained(result, axis))
        result.push_back(axis);
  return result;
}

SmallVector<SmallVector<int64_t>> Transition::components() const {
  SmallVector<int64_t> first(states); // the least state of each one's component
  for (int64_t i = 0; i < states; ++i)
    first[i] = i;
  for (int64_t round = 0; round < states; ++round)
    for (auto [to, from] : blocks)
      first[to] = first[from] = std::min(first[to], first[from]);
  SmallVector<SmallVector<int64_t>> result;
  for (int64_t i = 0; i < states; ++i) {
    if (first[i] != i)
      continue;
    result.emplace_back();
    for (int64_t j = i; j < states; ++j)
      if (first[j] == i)
        result.back().push_back(j);
  }
  return result;
}

Transition Transition::restrictedTo(ArrayRef<int64_t> component) const {
  Transition result;
  result.identity = identity;
  result.states = component.size();
  auto place = [&](int64_t state) {
    return llvm::find(component, state) - component.begin();
  };
  for (auto [factor, block] : llvm::zip(phi, blocks))
    if (llvm::is_contained(component, block.first)) {
      result.phi.push_back(factor);
      result.blocks.push_back({place(block.first), place(block.second)});
    }
  return result;
}

Transition Emitter::transition(ValueRange phi, ArrayRef<int64_t> blocks) {
  Transition result;
  result.identity = phi.empty();
  result.states = 0;
  for (auto [i, value] : llvm::enumerate(phi)) {
    result.phi.push_back(viewOf(value));
    result.blocks.push_back({blocks[2 * i], blocks[2 * i + 1]});
  }
  return result;
}

void Transition::include(ArrayRef<int64_t> named) {
  for (int64_t state : named)
    states = std::max(states, state + 1);
  for (auto [to, from] : blocks)
    states = std::max({states, to + 1, from + 1});
}

Values Emitter::identityProducts(const Transition &phi) {
  Values products;
  for (auto [to, from] : phi.reached())
    products.push_back(code.real(to == from ? 1 : 0));
  return products;
}

Values Emitter::stepProducts(const Transition &phi, ValueRange products,
                             Point &point, bool onRight) {
  if (phi.identity)
    return Values(products);
  auto pairs = phi.reached();
  Values factors;
  for (const View &view : phi.phi)
    factors.push_back(code.load(view, point));
  auto factorAt = [&](int64_t to, int64_t from) {
    auto it = llvm::find(phi.blocks, std::pair<int64_t, int64_t>{to, from});
    return it == phi.blocks.end() ? Value() : factors[it - phi.blocks.begin()];
  };
  auto productAt = [&](int64_t to, int64_t from) {
    auto it = llvm::find(pairs, std::pair<int64_t, int64_t>{to, from});
    return it == pairs.end() ? Value() : products[it - pairs.begin()];
  };
  Values next;
  for (auto [to, from] : pairs) {
    Value sum;
    for (int64_t k = 0; k < phi.states; ++k) {
      Value factor = onRight ? factorAt(k, from) : factorAt(to, k);
      Value product = onRight ? productAt(to, k) : productAt(k, from);
      if (!factor || !product)
        continue;
      sum = sum ? code.fma(factor, product, sum)
                : code.op<arith::MulFOp>(factor, product);
    }
    next.push_back(sum ? sum : code.real(0));
  }
  return next;
}

View Emitter::spaceOf(ArrayRef<View> views) {
  View space;
  for (const View &view : views)
    for (auto [axis, size] : llvm::zip(view.axes, view.sizes)) {
      if (axis == token || axis == rowAxis || axis == earlier ||
          axis == writeAxis || space.has(axis))
        continue;
      int rank = order.rank(axis);
      auto *at = llvm::find_if(space.axes, [&](StringAttr other) {
        return order.rank(other) > rank;
      });
      space.sizes.insert(space.sizes.begin() + (at - space.axes.begin()), size);
      space.axes.insert(at, axis);
    }
  return space;
}

View Emitter::spreadOver(const View &view, const View &space) {
  View result = view;
  for (auto [axis, size] : llvm::zip(space.axes, space.sizes)) {
    if (view.has(axis))
      continue;
    result.axes.insert(result.axes.begin(), axis);
    result.sizes.insert(result.sizes.begin(), size);
    result.strides.insert(result.strides.begin(), Stride());
  }
  return result;
}

void Emitter::scan(const View &space, ValueRange initial, bool backwards,
                   ScanBody body,
                   function_ref<void(Point &, ValueRange)> after) {
  Value last = code.sub(tokens, code.index(1));
  nest(
      space.axes, space.sizes, space.last(), [](Point &) {},
      [&](Point &point) {
        Values carried = code.loop(
            code.index(0), tokens, 1, initial, [&](Value i, ValueRange values) {
              point.at.set(token, backwards ? code.sub(last, i) : i);
              return body(point, values);
            });
        point.at.set(token, Value());
        if (after)
          after(point, carried);
      });
}

//===--- The operations ---------------------------------------------------===//

static Views viewsOf(ValueRange values, function_ref<View(Value)> viewOf) {
  Views views;
  for (Value value : values)
    views.push_back(viewOf(value));
  return views;
}

static void append(Views &views, ArrayRef<View> more) {
  views.append(more.begin(), more.end());
}

void Emitter::emitPull(chunk::PullOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  phi.include(op.getRowStates());
  phi.include(op.getResultStates());
  auto view = [&](Value value) { return viewOf(value); };
  Views rows = viewsOf(op.getRow(), view), outs;
  for (Value result : op.getResults())
    outs.push_back(define(result));
  Views all = outs;
  append(all, rows);
  append(all, phi.phi);
  auto pairs = phi.reached();
  scan(
      spaceOf(all), identityProducts(phi), false,
      [&](Point &point, ValueRange products) {
        for (auto [out, j] : llvm::zip(outs, op.getResultStates())) {
          Value sum = code.real(0);
          for (auto [row, i] : llvm::zip(rows, op.getRowStates()))
            for (auto [pair, product] : llvm::zip(pairs, products))
              if (pair == std::pair<int64_t, int64_t>{i, j})
                sum = code.fma(code.load(row, point), product, sum);
          code.store(out, point, sum);
        }
        return stepProducts(phi, products, point, false);
      },
      nullptr);
}

void Emitter::emitPush(chunk::PushOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  phi.include(op.getKeyStates());
  phi.include(op.getResultStates());
  auto view = [&](Value value) { return viewOf(value); };
  Views keys = viewsOf(op.getKey(), view), outs;
  for (Value result : op.getResults())
    outs.push_back(define(result));
  Views all = outs;
  append(all, keys);
  append(all, phi.phi);
  auto pairs = phi.reached();
  scan(
      spaceOf(all), identityProducts(phi), true,
      [&](Point &point, ValueRange products) {
        for (auto [out, i] : llvm::zip(outs, op.getResultStates())) {
          Value sum = code.real(0);
          for (auto [key, j] : llvm::zip(keys, op.getKeyStates()))
            for (auto [pair, product] : llvm::zip(pairs, products))
              if (pair == std::pair<int64_t, int64_t>{i, j})
                sum = code.fma(product, code.load(key, point), sum);
          code.store(out, point, sum);
        }
        return stepProducts(phi, products, point, true);
      },
      nullptr);
}

void Emitter::emitTotal(chunk::TotalOp op) {
  Transition phi = transition(op.getPhi(), op.getPhiBlocks());
  phi.include(op.getResultBlocks());
  Views outs;
  for (Value result : op.getResults())
    outs.push_back(define(result));
  Views all = outs;
  append(all, phi.phi);
  auto pairs = phi.reached();
  scan(
      spaceOf(all), identityProducts(phi), false,
      [&](Point &point, ValueRange products) {
        return stepProducts(phi, products, point, false);
      },
      [&](Point &point, ValueRange products) {
        for (auto [n, out] : llvm::enumerate(outs)) {
          std::pair<int64_t, int64_t> block{op.getResultBlocks()[2 * n],
                                            op.getResultBlocks()[2 * n + 1]};
          auto *it = llvm::find(pairs, block);
          code.store(out, point,
                     it == pairs.end() ? code.real(0)
                                       : products[it - pairs.begin()]);
        }
      });
}

} // namespace trowel::cpu
