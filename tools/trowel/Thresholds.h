// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far a derived form may be from the meaning, as an error ratio (see
// frontend/Reference/Compare.h).
#ifndef TROWEL_TOOLS_TROWEL_THRESHOLDS_H
#define TROWEL_TOOLS_TROWEL_THRESHOLDS_H

namespace trowel::tool::thresholds {

constexpr double chunk = 1e-10;             // chunk program in float64
constexpr double gradient = 1e-9;           // backward chunk program in float64
constexpr double cpu = 1e-5;                // CPU code in f32
constexpr double kernels = 1e-4;            // code of GPUs in f32
constexpr double gradientOnCpu = 1e-4;      // CPU code of gradients in f32
constexpr double gradientAsDeclared = 8e-3; // the same in narrow types
/// The same where the program itself rounds to a narrow type, in a cast or an
/// output: an f32 error in front of that may become one of the narrow type's.
constexpr double withCasts = 5e-3;
/// Inputs on which the meaning passes this are no test.
constexpr double magnitude = 1e6;
/// An f32 trial on which a last bit of the arguments moves the meaning by this
/// is no test: it loses three bits already, and code rounds dozens of times.
constexpr double lastBit = cpu / 20;

} // namespace trowel::tool::thresholds

#endif // TROWEL_TOOLS_TROWEL_THRESHOLDS_H
