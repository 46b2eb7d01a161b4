// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program does with its inputs and params, as far as it decides which
// magnitudes make sense for them.
#ifndef TROWEL_FRONTEND_REFERENCE_ROLES_H
#define TROWEL_FRONTEND_REFERENCE_ROLES_H

#include "frontend/AST/Program.h"

#include <set>
#include <vector>

namespace trowel::reference {

struct Role {
  /// Axes over which some `@` sums it, or the state that it is written to. A
  /// param counts only where it is itself an operand of the `@`.
  std::set<AxisId> contracted;
  /// Such an `@` decides what a state becomes.
  bool feedsBack = false;
};

struct Roles {
  std::vector<Role> inputs, params; // as Program::inputs, Program::params
};

Roles findRoles(const Program &program);

} // namespace trowel::reference

#endif // TROWEL_FRONTEND_REFERENCE_ROLES_H
