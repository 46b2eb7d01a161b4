// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Questions.h"

#include "tools/trowel/Thresholds.h"

#include <algorithm>
#include <set>

namespace trowel::tool {
namespace {

const Expr *findIn(const Expr &expr, const std::vector<Expr::Kind> &kinds,
                   std::set<const Expr *> &seen) {
  if (!seen.insert(&expr).second)
    return nullptr;
  if (std::count(kinds.begin(), kinds.end(), expr.kind))
    return &expr;
  for (const ExprPtr &operand : expr.operands)
    if (const Expr *found = findIn(*operand, kinds, seen))
      return found;
  return nullptr;
}

} // namespace

const Expr *find(const Program &program, const std::vector<Expr::Kind> &kinds) {
  std::set<const Expr *> seen;
  for (const Statement &statement : program.body)
    if (const Expr *found = findIn(*statement.value, kinds, seen))
      return found;
  return nullptr;
}

/// `inF32`, unless the program itself rounds to something narrower.
static double allowed(const Program &program, double inF32) {
  bool rounds = has(program, {Expr::Kind::Cast});
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &stored : *list)
      rounds |= stored.dtype != DType::F32 && stored.dtype != DType::I32;
  return rounds ? thresholds::withCasts : inF32;
}

double allowedOnCpu(const Program &program) {
  return allowed(program, thresholds::cpu);
}

double allowedInKernels(const Program &program) {
  return allowed(program, thresholds::kernels);
}

std::string describeSizes(const Program &program) {
  std::string text;
  for (const auto &[name, value] : program.sizes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  return text;
}

} // namespace trowel::tool
