// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between floats and the bits that they have in memory in a narrower type.
#ifndef TROWEL_CODEGEN_CPU_FORMATS_H
#define TROWEL_CODEGEN_CPU_FORMATS_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

/// The type of an element's bits: i8, i16, or f32 where they are a float's.
mlir::Type bitsType(Code &code, rec::DTypeKind format);

/// Vectors of 16 elements' bits to floats; a tf32 is rounded to one first.
Value decode(Code &code, rec::DTypeKind format, Value bits);

/// The bits of floats rounded to nearest even; a NaN becomes the positive quiet
/// one. Both as dialect/Reference/Rounding has them.
Value encode(Code &code, rec::DTypeKind format, Value x);

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_FORMATS_H
