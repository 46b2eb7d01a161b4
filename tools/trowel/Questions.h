// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What commands ask about a checked program.
#ifndef TROWEL_TOOLS_TROWEL_QUESTIONS_H
#define TROWEL_TOOLS_TROWEL_QUESTIONS_H

#include "frontend/AST/Program.h"

#include <vector>

namespace trowel::tool {

/// The first expression of one of the kinds, in the order of the body; null if
/// there is none.
const Expr *find(const Program &program, const std::vector<Expr::Kind> &kinds);

inline bool has(const Program &program, const std::vector<Expr::Kind> &kinds) {
  return find(program, kinds) != nullptr;
}

/// The error ratio that the program's CPU code may have.
double allowedOnCpu(const Program &program);
/// The same for kernels of a GPU.
double allowedInKernels(const Program &program);

/// "K = 64, V = 128": every size and dim.
std::string describeSizes(const Program &program);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_QUESTIONS_H
