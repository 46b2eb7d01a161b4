// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of floats that need more digits on the way than a float has:
// computed in f64, 16 at a time, and rounded once. Over the whole range, and
// with the special cases of the C library.
#ifndef TROWEL_CODEGEN_CPU_WIDEMATH_H
#define TROWEL_CODEGEN_CPU_WIDEMATH_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

class WideMath {
public:
  explicit WideMath(Code &code);

  Value sin(Value x);
  Value cos(Value x);
  Value erf(Value x);
  Value pow(Value x, Value y);
  /// The remainder with the dividend's sign: exact.
  Value remainder(Value a, Value b);

private:
  Value number(double x);
  Value whole(int64_t x); // of 64 bits
  Value add(Value a, Value b) { return code.op<mlir::arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return code.op<mlir::arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return code.op<mlir::arith::MulFOp>(a, b); }
  Value div(Value a, Value b) { return code.op<mlir::arith::DivFOp>(a, b); }
  Value both(Value a, Value b) { return code.op<mlir::arith::AndIOp>(a, b); }
  Value either(Value a, Value b) { return code.op<mlir::arith::OrIOp>(a, b); }
  Value differ(Value a, Value b) { return code.op<mlir::arith::XOrIOp>(a, b); }
  Value isNot(Value condition);
  Value less(Value a, Value b);
  Value equal(Value a, Value b);
  Value isNan(Value x);
  Value round(Value x);
  Value abs(Value x);
  Value widen(Value x);
  Value narrow(Value x);
  Value bits(Value x);
  Value fromBits(Value x);
  Value toInteger(Value x);
  Value signOf(Value x);
  Value withSignOf(Value x, Value sign);
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients);

  Value quarterTurns(Value bitsOfX, int piece);
  Value circular(Value x, bool cosine);
  Value log2(Value x);
  Value exp2(Value x);

  Code &code;
  mlir::Type wideVector, longVector;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_WIDEMATH_H
