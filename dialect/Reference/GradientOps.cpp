// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What only backward programs have. The gradient of a transition is computed by
// its definition: from the states before, and their gradients behind, every
// token; or term by term from the products of what they consist of.
#include "dialect/Reference/Machine.h"

using namespace mlir;

namespace trowel::interpreter {

void Machine::reverse(chunk::ReverseOp op) {
  define(op.getResult());
  int64_t width = elements(op.getType()) / capacity;
  for (int64_t head = 0; head < batch.heads; ++head) {
    const double *from = at(op.getTile(), head);
    double *to = at(op.getResult(), head);
    for (int64_t t = 0; t < rows; ++t)
      std::copy_n(from + (rows - 1 - t) * width, width, to + t * width);
  }
}

/// One token's part of a tile.
View Machine::rowOf(Value tile, int64_t token) const {
  View view = View::dense(tile.getType());
  View::Axis *axis = view.find(tokenAxis);
  view.start += token * axis->stride;
  view.axes.erase(axis);
  return view;
}

void Machine::transitionGradient(rec::TransitionGradientOp op) {
  ArrayRef<int64_t> blocks = op.getPhiBlocks();
  Value decay = op.getDecay();
  for (Value result : op.getResults()) {
    Numbers &numbers = define(result);
    numbers.assign(numbers.size(), 0);
  }
  auto stateView = [&](size_t i) {
    return View::dense(op.getStarts()[i].getType());
  };
  // to += product of up to three tensors
  auto add = [&](double *to, const View &toView, ArrayRef<const double *> from,
                 ArrayRef<View> fromViews) {
    SmallVector<View, 4> views{toView};
    views.append(fromViews.begin(), fromViews.end());
    makeNest(views).forEach([&](const Nest::Offsets &at) {
      double product = 1;
      for (size_t i = 0; i < from.size(); ++i)
        product *= from[i][at[i + 1]];
      to[at[0]] += product;
    });
  };
  for (int64_t head = 0; head < batch.heads; ++head) {
    auto numbersOf = [&](ValueRange values) {
      std::vector<Numbers> result;
      for (Value value : values) {
        const double *data = at(value, head);
        result.emplace_back(data, data + elements(value.getType()));
      }
      return result;
    };
    // One token of either recurrence: the transition, then keys times vectors.
    auto step = [&](std::vector<Numbers> &states, int64_t t, bool transposed) {
      std::vector<Numbers> next;
      for (const Numbers &numbers : states)
        next.emplace_back(numbers.size(), 0);
      for (auto [b, phi] : llvm::enumerate(op.getPhi())) {
        size_t to = blocks[2 * b + (transposed ? 1 : 0)];
        size_t from = blocks[2 * b + (transposed ? 0 : 1)];
        SmallVector<const double *> factors{at(phi, head), states[from].data()};
        SmallVector<View> views{rowOf(phi, t), stateView(from)};
        if (decay) {
          factors.push_back(at(decay, head));
          views.push_back(rowOf(decay, t));
        }
        add(next[to].data(), stateView(to), factors, views);
      }
      ValueRange keys = transposed ? op.getReads() : op.getKeys();
      ValueRange vectors = transposed ? op.getReadVectors() : op.getVectors();
      ArrayRef<int64_t> index =
          transposed ? op.getReadIndex() : op.getKeyIndex();
      for (auto [i, key] : llvm::enumerate(keys)) {
        Value vector = vectors[index[2 * i]];
        size_t to = index[2 * i + 1];
        add(next[to].data(), stateView(to), {at(key, head), at(vector, head)},
            {rowOf(key, t), rowOf(vector, t)});
      }
      states = std::move(next);
    };

    std::vector<std::vector<Numbers>> before{numbersOf(op.getStarts())};
    for (int64_t t = 0; t + 1 < rows; ++t) {
      before.push_back(before.back());
      step(before.back(), t, /*transposed=*/false);
    }
    std::vector<Numbers> behind = numbersOf(op.getEnds());
    for (int64_t t = rows - 1; t >= 0; --t) {
      const std::vector<Numbers> &states = before[t];
      for (auto [i, block] : llvm::enumerate(op.getWanted())) {
        size_t to = blocks[2 * block], from = blocks[2 * block + 1];
        SmallVector<const double *> factors{behind[to].data(),
                                            states[from].data()};
        SmallVector<View> views{stateView(to), stateView(from)};
        if (decay) {
          factors.push_back(at(decay, head));
          views.push_back(rowOf(decay, t));
        }
        Value result = op.getResult(i);
        add(at(result, head), rowOf(result, t), factors, views);
      }
      if (decay)
        for (auto [b, phi] : llvm::enumerate(op.getPhi())) {
          size_t to = blocks[2 * b], from = blocks[2 * b + 1];
          Value result = op.getResults().back();
          add(at(result, head), rowOf(result, t),
              {behind[to].data(), at(phi, head), states[from].data()},
              {stateView(to), rowOf(phi, t), stateView(from)});
        }
      step(behind, t, /*transposed=*/true);
    }
  }
}

/// For every pair of tokens s < t the product of what lies between them.
void Machine::transitionGradient(chunk::TransitionGradientOp op) {
  define(op.getResult());
  SmallVector<StringAttr> axes(rec::axesOf(op.getType()));
  SmallVector<int64_t> sizes(op.getType().getShape());
  sizes[llvm::find(axes, tokenAxis) - axes.begin()] = rows;
  View tile = View::dense(axes, sizes), element = tile;
  element.axes.erase(element.find(tokenAxis));
  int64_t width = elements(op.getType()) / capacity;
  for (int64_t head = 0; head < batch.heads; ++head) {
    auto numbersOf = [&](ValueRange tiles) {
      std::vector<Numbers> result;
      for (Value value : tiles)
        result.push_back(spread(value, head, tile));
      return result;
    };
    Numbers phi = spread(op.getPhi(), head, tile),
            ends = spread(op.getEnds(), head, tile),
            starts = spread(op.getStarts(), head, tile),
            corner = spread(op.getCorner(), head, element);
    std::vector<Numbers> reads = numbersOf(op.getReads()),
                         keys = numbersOf(op.getKeys());
    auto readsOf = [&](int64_t u, int64_t s, int64_t i) {
      double sum = 0;
      for (auto [read, matrix] : llvm::zip(reads, op.getMatrices())) {
        Square square = squareOf(matrix);
        for (size_t w = 0; w < keys.size(); ++w)
          sum += read[u * width + i] * keys[w][s * width + i] *
                 at(matrix, head)[square.at(u, 0, s, w)];
      }
      return sum;
    };
    double *result = at(op.getResult(), head);
    for (int64_t t = 0; t < rows; ++t)
      for (int64_t i = 0; i < width; ++i) {
        double sum = 0, before = 1; // the factors on the way to token t
        std::vector<double> onTheWay(t);
        for (int64_t s = t - 1; s >= 0; --s) {
          onTheWay[s] = before;
          before *= phi[s * width + i];
        }
        double behind = 1; // those of the tokens behind it
        for (int64_t u = t + 1; u < rows; ++u) {
          sum += behind * starts[u * width + i] * before;
          for (int64_t s = 0; s < t; ++s)
            sum += behind * onTheWay[s] * readsOf(u, s, i);
          behind *= phi[u * width + i];
        }
        sum += behind * corner[i] * before;
        for (int64_t s = 0; s < t; ++s)
          sum += behind * onTheWay[s] * ends[s * width + i];
        result[t * width + i] = sum;
      }
  }
}

} // namespace trowel::interpreter
