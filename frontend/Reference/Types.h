// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The language's types as number formats.
#ifndef TROWEL_FRONTEND_REFERENCE_TYPES_H
#define TROWEL_FRONTEND_REFERENCE_TYPES_H

#include "dialect/Reference/Rounding.h"
#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"

namespace trowel {

/// The format of a floating-point type (not i32).
inline FloatFormat formatOf(DType dtype) {
  switch (dtype) {
  case DType::TF32:
    return formats::tf32;
  case DType::BF16:
    return formats::bf16;
  case DType::F16:
    return formats::f16;
  case DType::E4M3:
    return formats::e4m3;
  case DType::E5M2:
    return formats::e5m2;
  case DType::F32:
  case DType::I32:
    break;
  }
  return formats::f32;
}

/// Rounds every element as a cast to `dtype` does.
void roundToType(Tensor &tensor, DType dtype);

/// Rounds the outputs among `results` to the types that they are stored in.
void roundOutputs(const Program &program, TensorMap &results);

/// The same with final states.
void roundResults(const Program &program, TensorMap &results);

/// Rounds gradients of results, by d<name>, to the types of the results.
void roundSeeds(const Program &program, TensorMap &seeds);

/// The program with every tensor but integers declared f32: its code rounds
/// nothing when it is called.
Program inF32(Program program);

/// Whether what the program takes and keeps is f32 already, integers aside.
bool takesF32(const Program &program);

/// Whether `x` lies in `range`. NaN lies in none.
bool contains(const Interval &range, double x);

/// The value of `dtype` nearest to `x` that lies in `range`; if the type has
/// none there, the nearest of the type.
double nearestWithin(const Interval &range, DType dtype, double x);

} // namespace trowel

#endif // TROWEL_FRONTEND_REFERENCE_TYPES_H
