// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a chunk begins with, states and the tails of delays, from the program
// that runs forward to the one that runs back: a record for each chunk, in
// which everything lies as in the workspace. The attribute `kept` of both
// programs lists what the backward one reads; else it is all there is.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

View Emitter::tailLayout(rec::DelayOp delay, int64_t &total) {
  auto type = cast<RankedTensorType>(delay.getType());
  SmallVector<int64_t> sizes(type.getShape());
  SmallVector<StringAttr> axes(rec::axesOf(type));
  int position = rec::axisPosition(type, token);
  sizes[position] = delay.getAmount();
  // The tail's rows are not the chunk's tokens.
  axes[position] = StringAttr::get(delay.getContext(), "t.tail");
  return layOut(axes, sizes, type.getElementType(), total);
}

void Emitter::layOutSaved() {
  if (!isBackward && !program->hasAttr("saves"))
    return;
  int64_t elements = 0;
  auto kept = program->getAttrOfType<ArrayAttr>("kept");
  auto place = [&](StringAttr name, View view, int64_t total) {
    if (kept && !llvm::is_contained(kept, name))
      return;
    view.offset = elements;
    savedPlaces[name] = view;
    elements += roundUp(total);
  };
  Block &block = program.getBody().front();
  for (auto state : block.getOps<rec::StateOp>()) {
    if (isBackward && !state.getSaved())
      continue;
    auto type = cast<RankedTensorType>(state.getType());
    int64_t total;
    View view = layOut(rec::axesOf(type), type.getShape(),
                       type.getElementType(), total);
    place(state.getNameAttr(), view, total);
  }
  for (auto delay : block.getOps<rec::DelayOp>()) {
    if (!delay.getSaved())
      continue;
    int64_t total;
    View view = tailLayout(delay, total);
    place(delay.getSavedAttr(), view, total);
  }
  // Vectors are read past a row's end.
  savedSize = (elements + 4 * lanes) * 4;
}

View Emitter::savedView(StringAttr name) {
  View view = savedPlaces.lookup(name);
  view.base = record;
  return view;
}

void Emitter::emitSave() {
  if (savedPlaces.empty())
    return;
  Value address = tensorOf(Argument::Role::Saved, savedName).address;
  Value chunk = code.op<arith::DivSIOp>(chunkBegin, code.index(chunkTokens));
  record = code.behind(address, code.mul(chunk, code.index(savedSize / 4)));
  if (isBackward)
    return;
  parts.write("save", [&] {
    code.ifThen(notNull(address), [&] {
      Block &block = program.getBody().front();
      for (auto state : block.getOps<rec::StateOp>())
        if (savedPlaces.count(state.getNameAttr()))
          copy(savedView(state.getNameAttr()),
               stateBuffers[state.getNameAttr()]);
      for (auto delay : block.getOps<rec::DelayOp>())
        if (delay.getSaved() && savedPlaces.count(delay.getSavedAttr()))
          copy(savedView(delay.getSavedAttr()), tails[delay]);
    });
  });
}

} // namespace trowel::cpu
