// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The meaning of one operation on one element, in float64. Integers are
// doubles that hold 32-bit whole numbers, booleans are 0 and 1.
#ifndef TROWEL_FRONTEND_REFERENCE_ARITHMETIC_H
#define TROWEL_FRONTEND_REFERENCE_ARITHMETIC_H

#include "frontend/AST/Program.h"

namespace trowel::reference {

using UnaryFunction = double (*)(double);
using BinaryFunction = double (*)(double, double);

/// The function of a map with one or two operands. `scalar` is the result's:
/// integer arithmetic wraps to 32 bits, as two's complement does. `%` takes the
/// divisor's sign, and `x % 0` is 0 for integers and NaN for reals. `round` is
/// to even, the sign of NaN is NaN, a NaN operand of max or min wins.
UnaryFunction unaryFunction(MapOp op, Expr::Scalar scalar);
BinaryFunction binaryFunction(MapOp op, Expr::Scalar scalar);

/// The value a reduction starts from.
double reductionStart(ReduceOp op);

/// `x` as a cast to `dtype` leaves it: nearest even; to i32, out-of-range
/// values saturate and NaN is 0.
double castTo(DType dtype, double x);

/// How many operands a map has.
int operandCount(MapOp op);

} // namespace trowel::reference

#endif // TROWEL_FRONTEND_REFERENCE_ARITHMETIC_H
