// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Emulator/Registers.h"

#include "codegen/Emulator/Wgmma.h"

namespace trowel::emulator {

/// Why a register cannot get another value; `chain`: the products that it
/// comes from, 0 if from none.
std::string Registers::overwritten(const State &state, uint32_t chain) const {
  if (inFlight(state.writtenBy) && state.chain != chain)
    return "overwrites an accumulator of " + state.product->name() +
           ", which is in flight";
  if (inFlight(state.readBy))
    return "overwrites a register that a product in flight multiplies";
  return "";
}

std::string Registers::use(const Uses &uses) {
  for (SlotRange range : uses.reads)
    for (Slot slot = range.first; slot < range.first + range.count; ++slot) {
      State &state = states[slot];
      if (inFlight(state.writtenBy))
        return "reads an accumulator of " + state.product->name() +
               ", which is in flight";
      state.touched = fences;
    }
  for (SlotRange range : uses.writes)
    for (Slot slot = range.first; slot < range.first + range.count; ++slot) {
      State &state = states[slot];
      if (std::string wrong = overwritten(state, 0); !wrong.empty())
        return wrong;
      state = State();
      state.touched = fences;
    }
  return "";
}

std::string Registers::rename(Slot from, Slot to, uint32_t count) {
  if (from == to)
    return "";
  for (uint32_t i = 0; i < count; ++i) {
    State &target = states[to + i];
    const State &source = states[from + i];
    if (std::string wrong = overwritten(target, source.chain); !wrong.empty())
      return wrong;
    target = source;
    target.readBy = 0;
  }
  return "";
}

/// Why a product cannot use a register yet.
std::string Registers::unordered(const State &state,
                                 const Instruction &at) const {
  if (fences == 0)
    return "no wgmma.fence comes before the first product";
  if (state.touched >= fences)
    return "no wgmma.fence comes between it and another access to a register "
           "that it uses";
  bool otherShape = state.product && !haveSameShape(*state.product, at);
  if (otherShape && state.fencesAtIssue >= fences)
    return "no wgmma.fence comes between it and " + state.product->name() +
           ", which has another shape";
  return "";
}

std::string Registers::multiply(const Instruction &at,
                                llvm::ArrayRef<Slot> from,
                                llvm::ArrayRef<Slot> to,
                                llvm::ArrayRef<Slot> multiplied) {
  ++issued;
  for (Slot slot : multiplied) {
    State &state = states[slot];
    if (inFlight(state.writtenBy))
      return "multiplies an accumulator of " + state.product->name() +
             ", which is in flight";
    if (std::string wrong = unordered(state, at); !wrong.empty())
      return wrong;
    state.readBy = issued;
  }
  for (auto [source, target] : llvm::zip(from, to)) {
    const State &before = states[source];
    if (inFlight(before.writtenBy) && !haveSameShape(*before.product, at))
      return "adds to an accumulator of " + before.product->name() +
             ", which is in flight and has another shape";
    if (std::string wrong = unordered(before, at); !wrong.empty())
      return wrong;
    uint32_t chain = before.chain ? before.chain : issued;
    if (std::string wrong = overwritten(states[target], chain); !wrong.empty())
      return wrong;
    states[target] = {0, chain, issued, 0, fences, &at};
  }
  return "";
}

void Registers::wait(uint64_t most) {
  for (; groups.size() > most; groups.pop_front())
    done = groups.front();
}

} // namespace trowel::emulator
