// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The elementwise operations of `rec` on vectors.
#ifndef TROWEL_CODEGEN_CPU_ELEMENTS_H
#define TROWEL_CODEGEN_CPU_ELEMENTS_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

/// `kind` of 16 elements each; the type of the result follows from the kind, as
/// `rec.map` has it.
Value applyMap(Code &code, rec::MapKind kind, mlir::ValueRange operands);

/// `rec.cast` of 16 elements.
Value applyCast(Code &code, rec::DTypeKind dtype, Value operand);

/// A `rec.map` or `rec.cast` of elements.
Value applyElementwise(Code &code, mlir::Operation *op,
                       mlir::ValueRange operands);

/// The one number of a constant; none of anything else.
std::optional<double> splatOf(Value value);

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_ELEMENTS_H
