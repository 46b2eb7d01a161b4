// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program keeps from call to call beside its states: the position, as 64
// bits, then hidden states and the tails of delays, dense. In memory of zeros a
// sequence begins, and so it does where there is none.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

/// The next place of the carry, for a buffer's content.
View Emitter::carry(const View &buffer) {
  View place = buffer;
  place.base = carriedIn;
  place.offset = carrySize / 4;
  place.external = true;
  int64_t pitch = 1;
  for (size_t i = place.axes.size(); i-- > 0; pitch *= place.sizes[i])
    place.strides[i] = {pitch, Value()};
  carried.push_back({carrySize, {buffer.sizes.begin(), buffer.sizes.end()}});
  carrySize += pitch * 4;
  return place;
}

Value Emitter::loadPosition() {
  Type type = code.indexType;
  auto given = scf::IfOp::create(code.builder, code.location, TypeRange{type},
                                 notNull(carriedIn), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(code.builder);
  auto yield = [&](Block *block, llvm::function_ref<Value()> value) {
    code.builder.setInsertionPointToStart(block);
    scf::YieldOp::create(code.builder, code.location, value());
  };
  yield(given.thenBlock(),
        [&] { return code.op<LLVM::LoadOp>(type, carriedIn); });
  yield(given.elseBlock(), [&] { return code.index(0); });
  return given.getResult(0);
}

void Emitter::emitCarryIn() {
  position = code.index(0);
  bool needed = false;
  program.walk([&](rec::PositionOp) { needed = true; });
  auto states = program.getBody().front().getOps<rec::StateOp>();
  if (!isBackward) { // else all but the position was saved, chunk by chunk
    needed |= !tails.empty();
    needed |=
        llvm::any_of(states, [](auto state) { return state.getHidden(); });
  }
  if (!needed)
    return;
  position = loadPosition();
  carried.push_back({0, {2}});
  carrySize = 8;
  if (isBackward)
    return;
  Value begins =
      code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, position, code.index(0));
  for (auto state : states) {
    if (!state.getHidden())
      continue;
    View buffer = stateBuffers[state.getNameAttr()], place = carry(buffer);
    kept.push_back({buffer, place});
    code.ifThen(
        begins, [&] { beginState(state, buffer); },
        [&] { copy(buffer, place); });
  }
  for (auto delay : program.getBody().front().getOps<rec::DelayOp>()) {
    View tail = tails[delay], place = carry(tail);
    kept.push_back({tail, place});
    code.ifThen(
        notNull(carriedIn), [&] { copy(tail, place); }, [&] { fill(tail, 0); });
  }
  if (carrySize % 8 != 0) {
    carried.push_back({carrySize, {1}}); // is copied as it was
    carrySize += 4;
  }
}

void Emitter::emitCarryOut() {
  if (carrySize == 0 || isBackward)
    return;
  auto advance = [&] {
    LLVM::StoreOp::create(code.builder, code.location,
                          code.add(position, length), carriedOut);
  };
  code.ifThen(notNull(carriedOut), [&] {
    code.team ? code.team->single(advance) : advance();
    for (auto [buffer, place] : kept) {
      place.base = carriedOut;
      copy(place, buffer);
    }
  });
}

} // namespace trowel::cpu
