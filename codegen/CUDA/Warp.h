// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp's matrix products: `mma.sync` m16n8k8 of tf32 with sums in f32 (PTX
// ISA 9.7.14). The places along the depth are permuted so that a result is an
// operand as it is: those of a lane, 2 * (lane % 4) and the next, are both next
// to each other.
#ifndef TROWEL_CODEGEN_CUDA_WARP_H
#define TROWEL_CODEGEN_CUDA_WARP_H

#include "codegen/CPU/Code.h"

namespace trowel::cuda {

using mlir::Value;

/// What a product's operands are rounded to.
enum class Precision {
  /// To tf32, 11 significant bits: as precise as f16, as wide as f32.
  Single,
  /// To the sum of two tf32. Of their products the least one is left out.
  Double
};

class Warp {
public:
  Warp(cpu::Code &code, Precision precision)
      : code(code), precision(precision) {}

  /// A rounded operand: the number's tf32, and what that leaves of it.
  struct Operand {
    Value high, low;
  };
  using Operands = llvm::ArrayRef<Operand>;
  bool isDouble() const { return precision == Precision::Double; }
  Operand round(Value number);
  /// Four sums of `c` and products: `a` has (row, depth), (row + 8, depth),
  /// (row, depth + 1), (row + 8, depth + 1); `b` (depth, column), (depth + 1,
  /// column) with column = lane / 4.
  cpu::Values multiplyAdd(Operands a, Operands b, mlir::ValueRange c);

private:
  Value tf32(Value number);
  cpu::Values step(mlir::ValueRange a, mlir::ValueRange b, mlir::ValueRange c);

  cpu::Code &code;
  Precision precision;
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_WARP_H
