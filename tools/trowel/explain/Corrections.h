// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a stage's reads that feed writes do to its state, where both use one
// key.
#ifndef TROWEL_TOOLS_TROWEL_EXPLAIN_CORRECTIONS_H
#define TROWEL_TOOLS_TROWEL_EXPLAIN_CORRECTIONS_H

#include "dialect/Rec/Ranges.h"
#include "tools/trowel/explain/Stages.h"

namespace trowel::explaining {

/// `S - strength * key * (key @ S)`: along the key the state is multiplied by
/// one less strength times the key's squared length.
struct Correction {
  std::string state, key, strength;
  rec::Range range;  // of the strength
  bool isNormalized; // the key's length is one at most
};

/// The corrections of a stage of one state whose write keys are those that are
/// read, times scalars and the state's decay.
std::vector<Correction> correctionsOf(const ChunkStage &stage,
                                      Expressions &expressions);

} // namespace trowel::explaining

#endif // TROWEL_TOOLS_TROWEL_EXPLAIN_CORRECTIONS_H
