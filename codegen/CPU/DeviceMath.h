// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of f32 by a GPU's approximate instructions (PTX ISA 9.7.3), with
// what these lose put back: within some units in the last place, and with the
// same zeros, infinities and NaNs as VectorMath's. Subnormal results are zero.
#ifndef TROWEL_CODEGEN_CPU_DEVICEMATH_H
#define TROWEL_CODEGEN_CPU_DEVICEMATH_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

class DeviceMath {
public:
  explicit DeviceMath(Code &code) : code(code) {}

  Value exp(Value x);
  /// log(1 + x) for x in [0, 1].
  Value log1pOfFraction(Value x);
  Value divide(Value a, Value b);
  /// 1 / x for x in [1, 2].
  Value reciprocal(Value x);

private:
  Value call(llvm::StringRef intrinsic, mlir::ValueRange operands);
  Value mul(Value a, Value b) { return code.op<mlir::arith::MulFOp>(a, b); }

  Code &code;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_DEVICEMATH_H
