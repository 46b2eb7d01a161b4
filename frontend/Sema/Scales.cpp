// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scales: `in k : e4m3[D] scale f32[D/128]` declares a second input `k_scale`
// that multiplies the first one when it is read.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"

namespace trowel::sema {

/// An extent of a scale: an axis of the scaled input, or `D/128`, one number
/// for each block of 128 along D, which becomes a plain-number axis.
std::optional<AxisId> Checker::readScaleExtent(const syntax::Expr &extent,
                                               const Declaration &scaled,
                                               Declaration &scale) {
  using Kind = syntax::Expr::Kind;
  bool isBlock = extent.kind == Kind::Binary && extent.op == "/" &&
                 extent.operands.size() == 2 && extent.operands[0] &&
                 extent.operands[1];
  const syntax::Expr &named = isBlock ? *extent.operands[0] : extent;
  if (named.kind != Kind::Reference || !named.pickers.empty()) {
    error(extent.location,
          "an axis of a scale is an axis of " + quote(scaled.name) +
              ", or one divided by the size of a block",
          "for example `scale f32[D/128]`");
    return std::nullopt;
  }
  std::optional<AxisId> axis = axisNamed(named.name);
  if (!axis)
    return std::nullopt;
  if (!contains(scaled.shape, *axis)) {
    error(named.location,
          quote(scaled.name) + " has the axes " +
              printAxes(program, scaled.shape) + ", its scale also has " +
              nameAxes(program, {*axis}),
          "a scale has no axes but those of what it scales");
    return std::nullopt;
  }
  if (!isBlock)
    return axis;
  auto size = sizeOf(*extent.operands[1]);
  auto blocks =
      size ? divide(extent, program.axes[*axis].size, *size) : std::nullopt;
  if (!blocks || !isSizeLegal(*blocks, "", extent.location))
    return std::nullopt;
  std::string name = scale.name + "." + std::to_string(scale.shape.size());
  AxisId coarse = addAxis(name, *blocks, extent.location, true);
  blockAxes[coarse] = *axis;
  return coarse;
}

bool Checker::addScale(const syntax::Statement &statement, int input) {
  const syntax::Type &type = *statement.scale;
  const Declaration scaled = program.inputs[input];
  bool isEightBit = scaled.dtype == DType::E4M3 || scaled.dtype == DType::E5M2;
  if (!isEightBit) {
    error(type.location,
          quote(scaled.name) + " is " + quote(print(scaled.dtype)) +
              "; only an 8-bit input carries a scale",
          "declare the scale as an input of its own and multiply by it");
    return false;
  }
  if (scaled.range) {
    error(statement.range->location,
          "a scaled input takes no range: it would hold for the stored "
          "numbers, not for value times scale");
    return false;
  }
  Declaration scale;
  scale.name = scaled.name + "_scale";
  scale.sharing = scaled.sharing;
  scale.location = type.location;
  scale.scales = input;
  std::optional<DType> dtype = readType(type.dtype);
  if (dtype && *dtype == DType::I32) {
    error(type.dtype.location, "a scale is a real number, not `i32`");
    return false;
  }
  for (const syntax::ExprPtr &extent : type.extents) {
    auto axis = extent ? readScaleExtent(*extent, scaled, scale) : std::nullopt;
    if (!axis)
      return false;
    scale.shape.push_back(*axis);
  }
  Symbol symbol;
  symbol.kind = Symbol::Kind::Input;
  symbol.index = static_cast<int>(program.inputs.size());
  if (!dtype || !declare({scale.name, type.location}, symbol))
    return false;
  scale.dtype = *dtype;
  scaleOf[input] = symbol.index;
  program.inputs.push_back(std::move(scale));
  return true;
}

/// Input number `input` as it was `delay` tokens ago, times its scale.
ExprPtr Checker::readInput(int input, Location at, int delay) {
  auto read = [&](int index) {
    ExprPtr x = build.leaf(Expr::Kind::Input, index, at);
    return delay ? build.delay(x, delay, at) : x;
  };
  ExprPtr value = read(input);
  auto scale = scaleOf.find(input);
  if (scale == scaleOf.end())
    return value;
  ExprPtr factor = read(scale->second);
  for (AxisId axis : program.inputs[scale->second].shape) {
    auto fine = blockAxes.find(axis);
    if (fine != blockAxes.end())
      factor = build.repeat(factor, axis, fine->second, at);
  }
  return build.map(MapOp::Mul, {value, factor}, at);
}

} // namespace trowel::sema
