// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace trowel::sema {

static constexpr double infinity = std::numeric_limits<double>::infinity();

Interval closed(double low, double high) {
  Interval result;
  result.low = low;
  result.high = high;
  return result;
}

Interval anything() { return Interval(); }

bool isEmpty(const Interval &x) {
  if (std::isnan(x.low) || std::isnan(x.high) || x.low > x.high)
    return true;
  return x.low == x.high && (x.lowOpen || x.highOpen);
}

Interval hull(const Interval &a, const Interval &b) {
  return closed(std::min(a.low, b.low), std::max(a.high, b.high));
}

Interval intersect(const Interval &a, const Interval &b) {
  Interval result = closed(std::max(a.low, b.low), std::min(a.high, b.high));
  return isEmpty(result) ? a : result;
}

Interval outward(const Interval &x) {
  Interval result = x;
  const double largest = std::numeric_limits<float>::max();
  if (std::isfinite(x.low)) {
    if (std::abs(x.low) > largest)
      return outward(closed(x.low > 0 ? largest : -infinity, x.high));
    float low = static_cast<float>(x.low);
    if (low > x.low)
      low = std::nextafter(low, -std::numeric_limits<float>::infinity());
    result.low = low;
  }
  if (std::isfinite(x.high)) {
    if (std::abs(x.high) > largest)
      return closed(result.low, x.high < 0 ? -largest : infinity);
    float high = static_cast<float>(x.high);
    if (high < x.high)
      high = std::nextafter(high, std::numeric_limits<float>::infinity());
    result.high = high;
  }
  return result;
}

/// Bounds that an approximation may miss by a few units in the last place. A
/// bound of 0, 1 or -1 is one that the functions themselves keep.
static Interval roughly(const Interval &x) {
  auto isKept = [](double bound) {
    return bound == 0 || bound == 1 || bound == -1 || std::isinf(bound);
  };
  const double room = std::ldexp(1.0, -20);
  Interval result = x;
  if (!isKept(x.low))
    result.low -= std::abs(x.low) * room;
  if (!isKept(x.high))
    result.high += std::abs(x.high) * room;
  return outward(result);
}

/// A product of bounds, where zero times infinity is the zero: the infinity is
/// a limit of finite values.
static double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

static Interval product(const Interval &a, const Interval &b) {
  auto [low, high] = std::minmax({times(a.low, b.low), times(a.low, b.high),
                                  times(a.high, b.low), times(a.high, b.high)});
  return closed(low, high);
}

static Interval sum(const Interval &a, const Interval &b) {
  double low = a.low + b.low, high = a.high + b.high;
  return closed(std::isnan(low) ? -infinity : low,
                std::isnan(high) ? infinity : high);
}

static Interval negated(const Interval &x) { return closed(-x.high, -x.low); }

static Interval reciprocal(const Interval &x) {
  if (x.low >= 0)
    return closed(1 / x.high, x.low == 0 ? infinity : 1 / x.low);
  if (x.high <= 0)
    return negated(reciprocal(negated(x)));
  return anything();
}

static Interval magnitude(const Interval &x) {
  if (x.low >= 0)
    return closed(x.low, x.high);
  if (x.high <= 0)
    return negated(x);
  return closed(0, std::max(-x.low, x.high));
}

template <typename Function>
static Interval increasing(const Interval &x, Function function) {
  double low = function(x.low), high = function(x.high);
  return closed(std::isnan(low) ? -infinity : low,
                std::isnan(high) ? infinity : high);
}

static double softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

/// a - b * floor(a / b): between zero and the divisor.
static Interval remainder(const Interval &divisor) {
  return closed(std::min(divisor.low, 0.0), std::max(divisor.high, 0.0));
}

static Interval power(const Interval &base, const Interval &exponent) {
  bool isConstant = exponent.low == exponent.high;
  double n = exponent.low;
  if (base.low >= 0 && isConstant) {
    auto raise = [n](double x) { return std::pow(x, n); };
    return n >= 0 ? closed(raise(base.low), raise(base.high))
                  : closed(raise(base.high), raise(base.low));
  }
  if (isConstant && std::fmod(n, 2) == 0)
    return power(magnitude(base), exponent);
  if (base.low == base.high && base.low > 0) {
    double low = std::pow(base.low, exponent.low);
    double high = std::pow(base.low, exponent.high);
    return closed(std::min(low, high), std::max(low, high));
  }
  return base.low >= 0 ? closed(0, infinity) : anything();
}

static Interval rangeOfFunction(MapOp op, const Interval &x) {
  auto positive = closed(std::max(x.low, 0.0), std::max(x.high, 0.0));
  switch (op) {
  case MapOp::Exp:
    return increasing(x, [](double v) { return std::exp(v); });
  case MapOp::Log:
    return increasing(positive, [](double v) { return std::log(v); });
  case MapOp::Log1p:
    return increasing(closed(std::max(x.low, -1.0), std::max(x.high, -1.0)),
                      [](double v) { return std::log1p(v); });
  case MapOp::Expm1:
    return increasing(x, [](double v) { return std::expm1(v); });
  case MapOp::Rsqrt:
    return reciprocal(
        increasing(positive, [](double v) { return std::sqrt(v); }));
  case MapOp::Sigmoid:
    return increasing(x, [](double v) { return 1 / (1 + std::exp(-v)); });
  case MapOp::Softplus:
    return increasing(x, softplus);
  case MapOp::Tanh:
    return increasing(x, [](double v) { return std::tanh(v); });
  case MapOp::Erf:
    return increasing(x, [](double v) { return std::erf(v); });
  case MapOp::Sin:
  case MapOp::Cos:
    return closed(-1, 1);
  default:
    return anything();
  }
}

static Interval logaddexp(const Interval &a, const Interval &b) {
  auto add = [](double x, double y) {
    double high = std::max(x, y), low = std::min(x, y);
    return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
  };
  return closed(add(a.low, b.low), add(a.high, b.high));
}

Interval rangeOfMap(MapOp op, const std::vector<Interval> &x) {
  switch (op) {
  case MapOp::Neg:
    return negated(x[0]);
  case MapOp::Abs:
    return magnitude(x[0]);
  case MapOp::Sign:
    return increasing(x[0], [](double v) { return double((v > 0) - (v < 0)); });
  case MapOp::Floor:
    return increasing(x[0], [](double v) { return std::floor(v); });
  case MapOp::Round:
    return increasing(x[0], [](double v) { return std::nearbyint(v); });
  case MapOp::Sqrt:
    return outward(
        increasing(closed(std::max(x[0].low, 0.0), std::max(x[0].high, 0.0)),
                   [](double v) { return std::sqrt(v); }));
  case MapOp::Add:
    return outward(sum(x[0], x[1]));
  case MapOp::Sub:
    return outward(sum(x[0], negated(x[1])));
  case MapOp::Mul:
    return outward(product(x[0], x[1]));
  case MapOp::Div:
    return outward(product(x[0], reciprocal(x[1])));
  case MapOp::Mod:
    return outward(remainder(x[1]));
  case MapOp::Pow:
    return roughly(power(x[0], x[1]));
  case MapOp::Max:
    return closed(std::max(x[0].low, x[1].low), std::max(x[0].high, x[1].high));
  case MapOp::Min:
    return closed(std::min(x[0].low, x[1].low), std::min(x[0].high, x[1].high));
  case MapOp::Logaddexp:
    return roughly(logaddexp(x[0], x[1]));
  case MapOp::Where:
    return hull(x[1], x[2]);
  case MapOp::Lt:
  case MapOp::Le:
  case MapOp::Gt:
  case MapOp::Ge:
  case MapOp::Eq:
  case MapOp::Ne:
  case MapOp::And:
  case MapOp::Or:
  case MapOp::Not:
    return closed(0, 1);
  default:
    return roughly(rangeOfFunction(op, x[0]));
  }
}

Interval rangeOfSquare(const Interval &x) {
  Interval size = magnitude(x);
  return outward(product(size, size));
}

Interval rangeOfSum(const Interval &term, int64_t count) {
  double n = static_cast<double>(count);
  double room = n * std::ldexp(1.0, -22);
  double size = times(std::max(std::abs(term.low), std::abs(term.high)), n);
  double low = times(term.low, n), high = times(term.high, n);
  if (low != 0 && std::isfinite(size))
    low -= size * room;
  if (high != 0 && std::isfinite(size))
    high += size * room;
  if (term.low >= 0)
    low = std::max(low, 0.0);
  if (term.high <= 0)
    high = std::min(high, 0.0);
  return outward(closed(low, high));
}

Interval rangeOfOpenSum(const Interval &term) {
  return closed(term.low >= 0 ? term.low : -infinity,
                term.high <= 0 ? term.high : infinity);
}

Interval rangeOfCast(DType dtype, const Interval &x) {
  int bits = 24; // of the significand
  double largest = infinity;
  switch (dtype) {
  case DType::F32:
    return x;
  case DType::TF32:
  case DType::F16:
    bits = 11;
    break;
  case DType::BF16:
    bits = 8;
    break;
  case DType::E4M3:
    bits = 4;
    largest = 448;
    break;
  case DType::E5M2:
    bits = 3;
    largest = 57344;
    break;
  case DType::I32:
    return wrapped(increasing(x, [](double v) { return std::nearbyint(v); }));
  }
  // Rounding is monotone: a bound moves by half a unit at most, and one that
  // the type holds (0, 1, -1) does not move.
  double room = std::ldexp(1.0, -bits);
  double tiny = std::ldexp(1.0, dtype == DType::E4M3 ? -9 : -16);
  auto moved = [&](double bound, double sign) {
    if (bound == 0 || bound == 1 || bound == -1 || std::isinf(bound))
      return bound;
    double result = bound + sign * (std::abs(bound) * room + tiny);
    return (result < 0) == (bound < 0) ? result : 0.0;
  };
  Interval result = closed(moved(x.low, -1), moved(x.high, 1));
  if (dtype == DType::F16) {
    result.low = result.low < -65504 ? -infinity : result.low;
    result.high = result.high > 65504 ? infinity : result.high;
  }
  return closed(std::clamp(result.low, -largest, largest),
                std::clamp(result.high, -largest, largest));
}

Interval wrapped(const Interval &x) {
  constexpr double low = std::numeric_limits<int32_t>::min();
  constexpr double high = std::numeric_limits<int32_t>::max();
  bool fits = x.low >= low && x.high <= high;
  return fits ? x : closed(low, high);
}

} // namespace trowel::sema
