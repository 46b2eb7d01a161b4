// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients to start a backward pass from.
#ifndef TROWEL_TEST_UNIT_SEEDS_H
#define TROWEL_TEST_UNIT_SEEDS_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"
#include "frontend/Reference/Random.h"

namespace trowel::test {

/// A normal number for each element of every output and final state.
inline TensorMap randomSeeds(const Program &program, const TensorMap &results,
                             uint64_t seed) {
  reference::Random random(seed, program.name);
  TensorMap seeds;
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &declaration : *list) {
      Tensor tensor = results.at(declaration.name);
      for (double &x : tensor.data)
        x = random.normal();
      seeds["d" + declaration.name] = tensor;
    }
  return seeds;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_SEEDS_H
