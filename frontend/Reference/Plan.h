// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A checked program flattened for evaluation: every expression node becomes one
// instruction that fills a slot for all heads of a token, with the strides of
// its operands worked out beforehand. Nothing is reordered, fused or shared
// across statements.
#ifndef TROWEL_FRONTEND_REFERENCE_PLAN_H
#define TROWEL_FRONTEND_REFERENCE_PLAN_H

#include "frontend/AST/Program.h"

#include <array>
#include <vector>

namespace trowel::reference {

/// Where a value lives: `elements` numbers for each unit of its sharing, its
/// axes in ascending order, the last fastest.
struct Slot {
  Sharing sharing = Sharing::Shared;
  std::vector<AxisId> axes;
  int64_t elements = 1;
};

/// A loop nest over axes, outermost first, with an offset into each of up to
/// four tensors (the result and its operands) that moves by a stride an axis.
/// At least one loop; a tensor without an axis has stride 0 there.
struct Nest {
  static constexpr int tensors = 4;
  std::vector<int64_t> sizes;
  std::vector<std::array<int64_t, tensors>> strides; // by loop
  std::array<int64_t, tensors> starts{};

  /// Calls `body` with the offsets of every point, in order.
  template <class Body> void forEach(Body body) const;

private:
  /// Moves `at` to the next point of all loops but the innermost.
  bool advance(std::array<int64_t, tensors> &at,
               std::vector<int64_t> &index) const;
};

template <class Body> void Nest::forEach(Body body) const {
  std::array<int64_t, tensors> outer = starts;
  std::vector<int64_t> index(sizes.size(), 0);
  do {
    std::array<int64_t, tensors> at = outer;
    for (int64_t i = 0; i < sizes.back(); ++i) {
      body(at);
      for (int tensor = 0; tensor < tensors; ++tensor)
        at[tensor] += strides.back()[tensor];
    }
  } while (advance(outer, index));
}

struct Instruction {
  const Expr *expr = nullptr;
  int result = -1;           // slot
  std::vector<int> operands; // slots
  Nest nest;                 // tensor 0: the result; 1 and up: the operands
  int memory = -1; // Delay, PrefixSum: what it keeps from token to token
};

/// `tokens` copies of a slot, zero at the start of a sequence.
struct Memory {
  int slot = -1;
  int tokens = 1;
};

/// Fills or empties a slot at the boundary, or copies one into another. Tensor
/// 0 of the nest is the destination, 1 the source.
struct Copy {
  int slot = -1;
  Nest nest;
};

/// Instructions, then what happens to the last value.
struct Step {
  Statement::Kind kind = Statement::Kind::Let;
  int target = -1;
  int value = -1; // slot
  std::vector<Instruction> instructions;
  Nest store; // into the state, let, output or debug tensor, from `value`
};

struct Plan {
  std::vector<Slot> slots;
  std::vector<Memory> memories;
  // Between a slot and the call's tensor, one for each declaration.
  std::vector<Copy> inputs, params, initialStates, finalStates;
  std::vector<Step> initials; // declared initial states (kind Update)
  std::vector<Step> body;
  std::vector<Declaration> debugs; // the layout of each `debug.N`
};

Plan makePlan(const Program &program);

} // namespace trowel::reference

#endif // TROWEL_FRONTEND_REFERENCE_PLAN_H
