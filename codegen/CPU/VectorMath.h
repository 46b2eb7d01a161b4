// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of real numbers on vectors of 16 floats, right to a few units in
// the last place over the whole range: zeros, denormals, infinities and NaN
// give what IEEE 754 and the C library give.
#ifndef TROWEL_CODEGEN_CPU_VECTORMATH_H
#define TROWEL_CODEGEN_CPU_VECTORMATH_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

class VectorMath {
public:
  explicit VectorMath(Code &code) : code(code) {}

  Value exp(Value x);
  Value log(Value x);
  Value log1p(Value x);
  Value expm1(Value x);
  Value tanh(Value x);
  Value sigmoid(Value x);
  Value softplus(Value x);
  Value logaddexp(Value a, Value b);
  Value sign(Value x);
  Value abs(Value x);
  Value sqrt(Value x);
  Value floor(Value x);
  Value roundEven(Value x);
  Value div(Value a, Value b);
  /// NaN if an operand is NaN; the first operand on a tie.
  Value maximum(Value a, Value b);
  Value minimum(Value a, Value b);
  /// The remainder with the divisor's sign.
  Value modulo(Value a, Value b);
  Value moduloIntegers(Value a, Value b);
  /// To the nearest value of a narrower type, ties to even; to i32 as well.
  Value round(Value x, rec::DTypeKind dtype);

private:
  Value number(double x) { return code.real(x); }
  Value add(Value a, Value b) { return code.op<mlir::arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return code.op<mlir::arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return code.op<mlir::arith::MulFOp>(a, b); }
  Value less(Value a, Value b);
  Value equal(Value a, Value b);
  Value isNan(Value x);
  Value reciprocal(Value x);
  Value log1pOfExp(Value x);
  Value either(Value a, Value b) { return code.op<mlir::arith::OrIOp>(a, b); }
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients);
  Value bits(Value x);
  Value fromBits(Value x);
  Value powerOfTwo(Value exponent);
  Value roundBits(Value x, int dropped);
  Value roundFormat(Value x, int mantissaBits, int leastExponent,
                    double largest, bool saturates);
  Value toInteger(Value x);

  Code &code;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_VECTORMATH_H
