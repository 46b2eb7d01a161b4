// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What goes token by token: sequential stages and delays.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

static bool samePlace(const View &a, const View &b) {
  return a.base == b.base && a.offset == b.offset;
}

void Emitter::emitSequential(chunk::SequentialOp op) {
  Block &block = op.getBody().front();
  size_t states = op.getStates().size();
  Views results;
  for (Value result : op.getResults())
    results.push_back(define(result));
  for (size_t i = 0; i < states; ++i) {
    View begin = viewOf(op.getStates()[i]);
    if (!samePlace(begin, results[i]))
      copy(results[i], begin);
    views[block.getArgument(i)] = results[i];
  }
  Value last = code.sub(tokens, code.index(1));
  code.loop(code.index(0), tokens, 1, [&](Value t) {
    currentToken = op.getReverse() ? code.sub(last, t) : t;
    emitBlock(block);
  });
  currentToken = Value();
}

/// What is exported is stored while the states are still the old ones.
void Emitter::emitYield(chunk::YieldOp op) {
  auto stage = cast<chunk::SequentialOp>(op->getParentOp());
  size_t states = stage.getStates().size();
  for (size_t i = states; i < op.getValues().size(); ++i) {
    View tile = views[stage.getResult(i)];
    copy(code.at(tile, token, currentToken), viewOf(op.getValues()[i]));
  }
  // A state may become what another one was.
  Views next;
  for (Value value : op.getValues().take_front(states)) {
    View view = viewOf(value);
    if (isa<BlockArgument>(Liveness::rootOf(value))) {
      View held = scratch(value.getType());
      copy(held, view);
      view = held;
    }
    next.push_back(view);
  }
  for (size_t i = 0; i < states; ++i)
    copy(views[stage.getResult(i)], next[i]);
}

/// Rows `from`, … of a tile, on an axis that is not bounded by the chunk's own
/// number of tokens.
static View rowsFrom(View view, StringAttr axis, StringAttr name, int64_t from,
                     int64_t count) {
  int i = view.find(axis);
  if (i < 0)
    return view;
  if (count == 1)
    return view.picked(axis, from);
  view.offset += from * view.strides[i].fixed;
  view.axes[i] = name;
  view.sizes[i] = count;
  if (i + 1 == static_cast<int>(view.axes.size()))
    view.padded = false;
  return view;
}

void Emitter::emitDelay(rec::DelayOp op) {
  View in = viewOf(op.getOperand()), out = define(op.getResult());
  bool isSaved = isBackward && op.getSaved();
  View tail = isSaved ? savedView(op.getSavedAttr()) : tails[op];
  int64_t amount = op.getAmount();
  auto name = StringAttr::get(op.getContext(), "t.tail");
  int64_t early = std::min(amount, chunkTokens), late = chunkTokens - early;
  copy(rowsFrom(out, token, name, 0, early),
       rowsFrom(tail, name, name, 0, early));
  // Rows behind the chunk's last token are copied too; nobody reads them.
  View tile = in;
  if (tile.external || tile.find(token) < 0) {
    tile = scratch(op.getType());
    copy(tile, in);
  }
  if (late > 0 && !code.hasVectors())
    code.loop(code.index(0), code.min(tokens, code.index(late)), 1,
              [&](Value i) {
                copy(code.at(out, token, code.add(i, code.index(early))),
                     code.at(tile, token, i));
              });
  else if (late > 0)
    copy(rowsFrom(out, token, name, early, late),
         rowsFrom(tile, token, name, 0, late));
  if (isSaved)
    return;
  // The next chunk's tail: the last rows of this one's and of the tile.
  Value rows = code.index(amount);
  Value stay = code.sub(rows, code.min(tokens, rows));
  code.loop(code.index(0), stay, 1, [&](Value i) {
    copy(code.at(tail, name, i), code.at(tail, name, code.add(i, tokens)));
  });
  code.loop(stay, rows, 1, [&](Value i) {
    Value row = code.add(i, code.sub(tokens, rows));
    copy(code.at(tail, name, i), code.at(tile, token, row));
  });
}

} // namespace trowel::cpu
