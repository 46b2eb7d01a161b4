// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `rec.map` and `rec.cast` do to one element, in float64. Integers are
// doubles that hold 32-bit whole numbers, conditions are 0 and 1.
#ifndef TROWEL_DIALECT_REFERENCE_MAPFUNCTIONS_H
#define TROWEL_DIALECT_REFERENCE_MAPFUNCTIONS_H

#include "dialect/Rec/Rec.h"

namespace trowel::interpreter {

/// Operands that the kind does not have are ignored.
using MapFunction = double (*)(double a, double b, double c);

/// The function of a kind; `isInteger` if the result is an i32, whose sums,
/// differences and products wrap.
MapFunction mapFunction(rec::MapKind kind, bool isInteger);

/// To nearest even; to i32 with saturation, NaN becoming 0.
double castTo(rec::DTypeKind dtype, double x);

} // namespace trowel::interpreter

#endif // TROWEL_DIALECT_REFERENCE_MAPFUNCTIONS_H
