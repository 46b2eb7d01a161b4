// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Work on matrices by a team of threads: each computes elements, or columns
// where these depend on each other.
#ifndef TROWEL_CODEGEN_CPU_TEAMKERNELS_H
#define TROWEL_CODEGEN_CPU_TEAMKERNELS_H

#include "codegen/CPU/Kernels.h"

namespace trowel::cpu {

class TeamKernels : public Kernels {
public:
  explicit TeamKernels(Code &code) : code(code) {}

  void product(const Product &product) override;
  void triangle(const Triangle &triangle) override;
  void solve(const System &system) override;
  void transpose(const Transposition &transposition) override;

private:
  /// A pair of indices for each thread.
  void shareGrid(Value rows, Value columns,
                 llvm::function_ref<void(Value row, Value column)> body);
  Value load(Value base, Value distance);
  void store(Value value, Value base, Value distance);
  /// sum + A[depth] B[depth] over so many steps.
  Value dot(Value a, Value aStep, Value b, Value bStep, Value depth, Value sum);

  Code &code;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_TEAMKERNELS_H
