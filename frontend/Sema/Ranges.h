// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interval arithmetic: what values an expression can take.
//
// Every function is sound for f32 arithmetic: finite bounds are rounded outward
// to f32, sums and transcendental functions leave room for rounding, a bound
// that f32 cannot hold becomes infinite. NaN is outside every interval and the
// sign of zero is not tracked (1 / x of x >= 0 is >= 0). Inferred bounds are
// closed: exp of a large negative number is a zero.
#ifndef TROWEL_FRONTEND_SEMA_RANGES_H
#define TROWEL_FRONTEND_SEMA_RANGES_H

#include "frontend/AST/Program.h"

#include <vector>

namespace trowel::sema {

/// The interval [low, high].
Interval closed(double low, double high);
/// All reals and both infinities.
Interval anything();

bool isEmpty(const Interval &interval);
Interval hull(const Interval &a, const Interval &b);
Interval intersect(const Interval &a, const Interval &b);

/// Finite bounds moved outward to numbers that f32 holds exactly.
Interval outward(const Interval &interval);

/// The range of `op` over operands of these ranges, as reals.
Interval rangeOfMap(MapOp op, const std::vector<Interval> &operands);
/// x * x.
Interval rangeOfSquare(const Interval &x);
/// A sum of `count` terms, each in `term`.
Interval rangeOfSum(const Interval &term, int64_t count);
/// A sum of an unknown number, at least one, of terms in `term`.
Interval rangeOfOpenSum(const Interval &term);
/// x rounded to `dtype`, saturating in eight bits.
Interval rangeOfCast(DType dtype, const Interval &x);
/// What an i32 can hold, if `x` leaves it; else `x`.
Interval wrapped(const Interval &x);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_RANGES_H
