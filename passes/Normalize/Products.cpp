// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Normalize/Products.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel {

static const double infinity = std::numeric_limits<double>::infinity();

bool StageAxes::onlyKey(Value v) const {
  return llvm::none_of(rec::axesOf(v),
                       [&](StringAttr axis) { return isValue(axis); });
}

bool StageAxes::onlyValue(Value v) const {
  return llvm::all_of(rec::axesOf(v),
                      [&](StringAttr axis) { return isValue(axis); });
}

Value pickAt(rec::ValueBuilder &values, Value value, const Place &at) {
  for (const auto &[axis, index] : at)
    if (rec::hasAxis(value, axis))
      value = values.pick(value, axis, index);
  return value;
}

Factor multiply(rec::ValueBuilder &values, const Factor &a, const Factor &b) {
  Factor product;
  product.key =
      values.mul(pickAt(values, a.key, b.at), pickAt(values, b.key, a.at));
  product.at = a.at;
  llvm::append_range(product.at, b.at);
  product.value = !a.value   ? b.value
                  : !b.value ? a.value
                             : values.mul(a.value, b.value);
  return product;
}

static bool isScalar(Value value) { return rec::axesOf(value).empty(); }

std::optional<Factor> Products::find(Value coefficient) {
  const Result &result = resultOf(coefficient);
  return result.unknown.empty() ? result.factor : std::nullopt;
}

ArrayRef<UnknownRange> Products::unknownRanges(Value coefficient) {
  return resultOf(coefficient).unknown;
}

const Products::Result &Products::resultOf(Value coefficient) {
  auto it = known.find(coefficient);
  if (it != known.end())
    return *it->second;
  auto result = std::make_unique<Result>();
  result->factor = takeApart(coefficient, result->unknown);
  if (!result->factor)
    result->unknown.clear();
  return *(known[coefficient] = std::move(result));
}

/// The product, if the ranges that are added to `unknown` are known.
std::optional<Factor> Products::parts(Value coefficient, Unknown &unknown) {
  const Result &result = resultOf(coefficient);
  llvm::append_range(unknown, result.unknown);
  return result.factor;
}

std::optional<Factor> Products::takeApart(Value coefficient, Unknown &unknown) {
  if (axes.onlyKey(coefficient))
    return Factor{coefficient, Value()};
  if (axes.onlyValue(coefficient))
    return Factor{values.real(1), coefficient};
  if (auto map = coefficient.getDefiningOp<rec::MapOp>())
    return partsOf(map, unknown);
  if (auto stop = coefficient.getDefiningOp<rec::StopOp>())
    if (auto inner = parts(stop.getOperand(), unknown))
      return each(*inner, [&](Value part) { return values.stop(part); });
  return std::nullopt;
}

Factor Products::each(const Factor &factor,
                      function_ref<Value(Value)> function) {
  return {function(factor.key),
          factor.value ? function(factor.value) : Value()};
}

/// Notes the parts that are not known to lie in [low, high].
void Products::require(const Factor &parts, double low, double high,
                       StringRef needed, Unknown &unknown) {
  for (Value part : {parts.key, parts.value})
    if (part && !ranges.isWithin(part, low, high))
      unknown.push_back({part, needed});
}

std::optional<Factor> Products::partsOf(rec::MapOp map, Unknown &unknown) {
  MapKind kind = map.getKind();
  switch (kind) {
  case MapKind::Neg: {
    auto inner = parts(map.getOperand(0), unknown);
    if (inner)
      inner->key = values.neg(inner->key);
    return inner;
  }
  case MapKind::Mul: {
    auto a = parts(map.getOperand(0), unknown);
    auto b = a ? parts(map.getOperand(1), unknown) : std::nullopt;
    if (!b)
      return std::nullopt;
    return multiply(values, *a, *b);
  }
  case MapKind::Div:
    return quotient(map, unknown);
  case MapKind::Where:
    return choice(map, unknown);
  case MapKind::Abs:
  case MapKind::Sign:
  case MapKind::Sqrt:
  case MapKind::Rsqrt: {
    auto inner = parts(map.getOperand(0), unknown);
    if (!inner)
      return std::nullopt;
    // The root of a product of two negative numbers is no product of roots.
    if (kind == MapKind::Sqrt || kind == MapKind::Rsqrt)
      require(*inner, 0, infinity, ">= 0", unknown);
    return each(*inner, [&](Value part) { return values.map(kind, {part}); });
  }
  case MapKind::Exp: {
    auto exponent = sum(map.getOperand(0));
    if (!exponent)
      return std::nullopt;
    Factor both = *exponent;
    require(both, -infinity, 0, "<= 0", unknown);
    return each(both,
                [&](Value part) { return values.map(MapKind::Exp, {part}); });
  }
  case MapKind::Pow:
    return isScalar(map.getOperand(1)) ? power(map, unknown)
                                       : powerOfSum(map, unknown);
  default:
    return std::nullopt;
  }
}

std::optional<Factor> Products::quotient(rec::MapOp map, Unknown &unknown) {
  auto a = parts(map.getOperand(0), unknown);
  auto b = a ? parts(map.getOperand(1), unknown) : std::nullopt;
  if (!b)
    return std::nullopt;
  a->key = values.map(MapKind::Div, {a->key, b->key});
  if (b->value)
    a->value = values.map(MapKind::Div,
                          {a->value ? a->value : values.real(1), b->value});
  return a;
}

/// A choice between two products is one if it is made alike along all axes, or
/// if they share the part along which it differs.
std::optional<Factor> Products::choice(rec::MapOp map, Unknown &unknown) {
  Value condition = map.getOperand(0);
  auto a = parts(map.getOperand(1), unknown);
  auto b = a ? parts(map.getOperand(2), unknown) : std::nullopt;
  if (!b)
    return std::nullopt;
  auto choose = [&](Value x, Value y) {
    return x == y ? x : values.map(MapKind::Where, {condition, x, y});
  };
  bool sameKey = a->key == b->key, sameValue = a->value == b->value;
  if (!isScalar(condition) && !(sameKey && axes.onlyValue(condition)) &&
      !(sameValue && axes.onlyKey(condition)))
    return std::nullopt;
  auto orOne = [&](Value part) { return part ? part : values.real(1); };
  return Factor{choose(a->key, b->key),
                sameValue ? a->value
                          : choose(orOne(a->value), orOne(b->value))};
}

/// A product to the power of a scalar. Magnitudes may not grow: the power of
/// one part could overflow where that of the product does not.
std::optional<Factor> Products::power(rec::MapOp map, Unknown &unknown) {
  Value exponent = map.getOperand(1);
  auto base = parts(map.getOperand(0), unknown);
  if (!base)
    return std::nullopt;
  rec::Range range = ranges.find(exponent);
  bool isWhole = range.low == range.high && range.low == std::floor(range.low);
  if (isWhole && std::abs(range.low) <= 1) {
    // One, the product, or a quotient.
  } else if (range.low >= -1 && range.high <= 1) {
    require(*base, 0, infinity, ">= 0", unknown);
  } else if (isWhole && range.low > 0) {
    require(*base, -1, 1, "in [-1, 1]", unknown);
  } else if (range.high <= 0) {
    require(*base, 1, infinity, ">= 1", unknown);
  } else {
    require(*base, 0, 1, "in [0, 1]", unknown);
    require({exponent, Value()}, 0, infinity, ">= 0", unknown);
  }
  return each(*base, [&](Value part) {
    return values.map(MapKind::Pow, {part, exponent});
  });
}

/// A scalar to the power of a sum.
std::optional<Factor> Products::powerOfSum(rec::MapOp map, Unknown &unknown) {
  Value base = map.getOperand(0);
  auto exponent = isScalar(base) ? sum(map.getOperand(1)) : std::nullopt;
  if (!exponent)
    return std::nullopt;
  Factor both = *exponent;
  if (ranges.isWithin(base, 0, 1)) {
    require(both, 0, infinity, ">= 0", unknown);
  } else {
    require({base, Value()}, 1, infinity, ">= 1", unknown);
    require(both, -infinity, 0, "<= 0", unknown);
  }
  return each(
      both, [&](Value part) { return values.map(MapKind::Pow, {base, part}); });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

std::optional<Factor> Products::sum(Value exponent) {
  auto it = sums.find(exponent);
  if (it != sums.end())
    return it->second;
  std::optional<Factor> result;
  if (axes.onlyKey(exponent))
    result = Factor{exponent, Value()};
  else if (axes.onlyValue(exponent))
    result = Factor{values.real(0), exponent};
  else if (auto map = exponent.getDefiningOp<rec::MapOp>())
    result = sumOf(map);
  sums[exponent] = result;
  return result;
}

std::optional<Factor> Products::sumOf(rec::MapOp map) {
  MapKind kind = map.getKind();
  auto scaled = [&](unsigned part) -> std::optional<Factor> {
    Value scalar = map.getOperand(1 - part);
    auto inner = isScalar(scalar) ? sum(map.getOperand(part)) : std::nullopt;
    if (!inner)
      return std::nullopt;
    return each(*inner, [&](Value side) {
      return part == 0 ? values.map(kind, {side, scalar})
                       : values.map(kind, {scalar, side});
    });
  };
  switch (kind) {
  case MapKind::Neg: {
    auto inner = sum(map.getOperand(0));
    if (!inner)
      return std::nullopt;
    return each(*inner, [&](Value side) { return values.neg(side); });
  }
  case MapKind::Add:
  case MapKind::Sub: {
    auto a = sum(map.getOperand(0)), b = sum(map.getOperand(1));
    if (!a || !b)
      return std::nullopt;
    Factor both{values.map(kind, {a->key, b->key}), a->value};
    if (b->value)
      both.value =
          values.map(kind, {a->value ? a->value : values.real(0), b->value});
    return both;
  }
  case MapKind::Mul: {
    auto result = scaled(0);
    return result ? result : scaled(1);
  }
  case MapKind::Div:
    return scaled(0);
  default:
    return std::nullopt;
  }
}

} // namespace trowel
