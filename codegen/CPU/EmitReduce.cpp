// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums and maxima over axes, and the nest that contractions use where no
// matrix product fits.
#include "codegen/CPU/Emitter.h"
#include "codegen/CPU/VectorMath.h"

#include <limits>

using namespace mlir;

namespace trowel::cpu {

void Emitter::reduceNest(const View &out, Axes axes, ArrayRef<int64_t> sizes,
                         bool across, vector::CombiningKind kind, Value initial,
                         Combine combine, Finish finish) {
  across &= code.hasVectors();
  auto inner = [&](Point &point) {
    StringAttr vector = across ? axes.back() : StringAttr();
    std::function<Value(size_t, Value)> open = [&](size_t depth, Value sum) {
      if (depth == axes.size())
        return combine(sum, point, Value());
      StringAttr axis = axes[depth];
      Value bound = boundOf(axis, sizes[depth]);
      bool spread = axis == vector;
      return code.loop(code.index(0), bound, spread ? lanes : 1, sum,
                       [&](Value i, ValueRange carried) {
                         point.at.set(axis, i);
                         if (!spread)
                           return Values{open(depth + 1, carried[0])};
                         Point along = point;
                         along.vector = vector;
                         if (isToken(axis) || sizes[depth] % lanes != 0)
                           along.bound = bound;
                         return Values{
                             combine(carried[0], along, code.mask(along))};
                       })[0];
    };
    Value sum = open(0, initial);
    if (across)
      sum = code.broadcast(
          code.op<vector::ReductionOp>(kind, sum,
                                       isa<FloatType>(getElementTypeOrSelf(sum))
                                           ? arith::FastMathFlags::reassoc
                                           : arith::FastMathFlags::none));
    code.store(out, point, finish(sum));
  };
  nest(
      out.axes, out.sizes, across ? StringAttr() : out.last(), [](Point &) {},
      inner);
}

/// The value that changes no sum or maximum.
static Value neutral(Code &code, rec::ReduceKind kind, Type element) {
  bool maximum = kind == rec::ReduceKind::Max;
  if (isa<FloatType>(element))
    return code.real(maximum ? -std::numeric_limits<double>::infinity() : 0);
  return code.integer(maximum ? std::numeric_limits<int32_t>::min() : 0);
}

static Value combineTwo(Code &code, rec::ReduceKind kind, Value a, Value b) {
  bool real = isa<FloatType>(getElementTypeOrSelf(a));
  if (kind == rec::ReduceKind::Max)
    return real ? VectorMath(code).maximum(a, b)
                : code.op<arith::MaxSIOp>(a, b);
  return real ? code.op<arith::AddFOp>(a, b) : code.op<arith::AddIOp>(a, b);
}

static vector::CombiningKind combiningKind(rec::ReduceKind kind, bool real) {
  if (kind != rec::ReduceKind::Max)
    return vector::CombiningKind::ADD;
  return real ? vector::CombiningKind::MAXIMUMF : vector::CombiningKind::MAXSI;
}

void Emitter::emitReduce(rec::ReduceOp op) {
  View in = viewOf(op.getOperand()), out = define(op.getResult());
  SmallVector<StringAttr> axes;
  SmallVector<int64_t> sizes;
  double count = 1;
  for (auto [axis, size] : llvm::zip(in.axes, in.sizes))
    if (llvm::is_contained(rec::stringsOf(op.getAxes()), axis)) {
      axes.push_back(axis);
      sizes.push_back(size);
      count *= size;
    }
  rec::ReduceKind kind = op.getKind();
  bool real = isa<FloatType>(in.element);
  bool across =
      !axes.empty() && in.last() == axes.back() && in.strides.back().is(1);
  Value start = neutral(code, kind, in.element);
  auto combine = [&](Value sum, Point &point, Value mask) {
    Value element = code.load(in, point);
    if (in.element.isInteger(1))
      element = code.op<arith::ExtUIOp>(code.integerVector, element);
    if (mask)
      element = code.select(mask, element, start);
    return combineTwo(code, kind, sum, element);
  };
  auto finish = [&](Value sum) {
    if (kind == rec::ReduceKind::Mean && real)
      return code.op<arith::DivFOp>(sum, code.real(count));
    return sum;
  };
  reduceNest(out, axes, sizes, across, combiningKind(kind, real), start,
             combine, finish);
}

} // namespace trowel::cpu
