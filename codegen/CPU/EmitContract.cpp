// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions: as register-blocked matrix products where the result's last
// axis belongs to one operand; dot products along rows; else a plain nest.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

namespace {
/// One loop of a contraction, with what a step of it means to each operand.
struct LoopAxis {
  StringAttr axis;
  int64_t size;
  Stride a, b, c;
};
} // namespace

static LoopAxis loopAxis(StringAttr axis, const View &a, const View &b,
                         const View &c) {
  int64_t size = std::max({a.size(axis), b.size(axis), c.size(axis)});
  return {axis, size, a.stride(axis), b.stride(axis), c.stride(axis)};
}

static int64_t rowCount(const View &view, const View &other, Axes axes) {
  int64_t count = 1;
  for (auto [axis, size] : llvm::zip(view.axes, view.sizes))
    if (!other.has(axis) && !llvm::is_contained(axes, axis))
      count *= size;
  return count;
}

void Emitter::emitContract(rec::ContractOp op) {
  View a = viewOf(op.getLhs()), b = viewOf(op.getRhs());
  contract(define(op.getResult()), a, b, rec::stringsOf(op.getAxes()));
}

void Emitter::contract(const View &out, View a, View b,
                       SmallVector<StringAttr> axes, bool accumulate) {
  llvm::erase_if(axes, [&](StringAttr axis) {
    return a.size(axis) == 1 && b.size(axis) == 1;
  });
  StringAttr vector = out.last();
  // The result's last axis shall be the second operand's.
  if (vector && a.has(vector) && !b.has(vector))
    std::swap(a, b);
  bool real = isa<FloatType>(a.element) && isa<FloatType>(b.element);
  bool product = real && vector && !axes.empty() && b.has(vector) &&
                 !a.has(vector) && out.strides.back().is(1);
  // Few rows that lie across: dot products need no transposed copy.
  bool contiguous = b.stride(vector ? vector : StringAttr()).is(1);
  if (product && !contiguous && rowCount(a, b, axes) < 4 &&
      a.last() == b.last() && llvm::is_contained(axes, b.last()))
    product = false;
  if (!product)
    return contractByNest(out, a, b, axes, accumulate);
  if (!b.stride(vector).is(1) || !b.loadsWhole() || b.last() != vector)
    b = withInnermost(b, vector);
  if (b.external) { // rows a power of two apart would share few cache sets
    View packed = scratch(b.axes, b.sizes);
    copy(packed, b);
    b = packed;
  }
  View target = out;
  if (!out.storesWhole() || out.external) {
    target = scratch(out.axes, out.sizes);
    if (accumulate)
      copy(target, out);
  }
  if (!contractCausal(target, a, b, axes, accumulate))
    contractByProduct(target, a, b, axes, accumulate);
  if (target.offset != out.offset || target.base != out.base)
    copy(out, target);
}

View Emitter::withInnermost(const View &view, StringAttr axis) {
  View order = view;
  int i = order.find(axis);
  int64_t size = order.sizes[i];
  Stride stride = order.strides[i];
  order.erase(i);
  StringAttr across = order.last();
  bool blocks = stride.dynamic || stride.fixed > 1;
  blocks &= order.loadsWhole() && isa<FloatType>(view.element);
  order.axes.push_back(axis);
  order.sizes.push_back(size);
  SmallVector<int64_t, 4> sizes = order.sizes;
  if (blocks) // whole blocks are written
    sizes[sizes.size() - 2] = roundUp(sizes[sizes.size() - 2]);
  View result = scratch(order.axes, sizes);
  result.sizes = order.sizes;
  result.element = view.element;
  if (!blocks) {
    copy(result, view);
    return result;
  }
  ArrayRef<StringAttr> outer = ArrayRef(order.axes).drop_back(2);
  forEach(outer, ArrayRef(order.sizes).drop_back(2), [&](Point &point) {
    Point corner = point;
    corner.at.set(axis, code.index(0));
    corner.at.set(across, code.index(0));
    kernels.transpose(
        {code.address(view, corner), code.strideValue(stride),
         code.address(result, corner), code.strideValue(result.stride(across)),
         boundOf(axis, size), code.index(order.sizes[order.sizes.size() - 2])});
  });
  return result;
}

/// Joins loops that step through all operands as one longer loop would.
static void joinLoops(SmallVectorImpl<LoopAxis> &loops) {
  auto joins = [](const Stride &outer, const Stride &inner, int64_t size) {
    return !outer.dynamic && !inner.dynamic &&
           outer.fixed == inner.fixed * size;
  };
  for (size_t i = 0; i + 1 < loops.size();) {
    LoopAxis &x = loops[i], &y = loops[i + 1];
    if (joins(x.a, y.a, y.size) && joins(x.b, y.b, y.size) &&
        joins(x.c, y.c, y.size)) {
      x = {x.axis, x.size * y.size, y.a, y.b, y.c};
      loops.erase(loops.begin() + i + 1);
    } else {
      ++i;
    }
  }
}

/// Takes the longest loop out; a loop of one turn if there is none.
static LoopAxis takeLongest(SmallVectorImpl<LoopAxis> &loops) {
  if (loops.empty())
    return {StringAttr(), 1, {}, {}, {}};
  auto *longest = std::max_element(
      loops.begin(), loops.end(),
      [](const LoopAxis &x, const LoopAxis &y) { return x.size < y.size; });
  LoopAxis taken = *longest;
  loops.erase(longest);
  return taken;
}

/// The loops over `t` are joined with those over what is within a token: the
/// number of turns then is the number of tokens times the rest.
static Value turns(Code &code, const LoopAxis &loop, bool isToken, Value tokens,
                   int64_t chunkTokens) {
  if (!isToken)
    return code.index(loop.size);
  return code.mul(tokens, code.index(loop.size / chunkTokens));
}

bool Emitter::contractByProduct(const View &out, const View &a, const View &b,
                                Axes axes, bool accumulate) {
  StringAttr vector = out.last();
  SmallVector<LoopAxis> rows, depths, rest;
  for (StringAttr axis : out.axes) {
    if (axis == vector)
      continue;
    LoopAxis loop = loopAxis(axis, a, b, out);
    (b.has(axis) ? rest : rows).push_back(loop);
  }
  for (StringAttr axis : b.axes)
    if (llvm::is_contained(axes, axis))
      depths.push_back(loopAxis(axis, a, b, out));
  joinLoops(rows);
  joinLoops(depths);
  LoopAxis row = takeLongest(rows), depth = takeLongest(depths);
  if (!depths.empty() && !accumulate) {
    fill(out, 0);
    accumulate = true;
  }
  rest.append(rows);
  rest.append(depths);
  auto turnsOf = [&](const LoopAxis &loop) {
    return turns(code, loop, loop.axis && isToken(loop.axis), tokens,
                 chunkTokens);
  };
  std::function<void(size_t, Value, Value, Value)> open =
      [&](size_t i, Value aBase, Value bBase, Value cBase) {
        if (i == rest.size()) {
          kernels.product(
              {aBase, code.strideValue(row.a), code.strideValue(depth.a), bBase,
               code.strideValue(depth.b), cBase, code.strideValue(row.c),
               turnsOf(row), turnsOf(depth), columnsOf(out), accumulate});
          return;
        }
        const LoopAxis &loop = rest[i];
        code.loop(code.index(0), turnsOf(loop), 1, [&](Value at) {
          open(i + 1, code.behind(aBase, code.mul(at, loop.a)),
               code.behind(bBase, code.mul(at, loop.b)),
               code.behind(cBase, code.mul(at, loop.c)));
        });
      };
  open(0, code.start(a), code.start(b), code.start(out));
  return true;
}

/// A causal matrix times rows of tokens: what lies above the diagonal is not
/// read.
bool Emitter::contractCausal(const View &out, const View &a, const View &b,
                             Axes axes, bool accumulate) {
  StringAttr columns = a.has(columnAxis) ? columnAxis : earlier;
  if (!a.causal || !a.has(token) || !llvm::is_contained(axes, columns) ||
      !out.has(token) || b.has(token))
    return false;
  if (!accumulate)
    fill(out, 0);
  bool plain = a.axes.size() == 2 && out.axes.size() == 2 &&
               b.axes.size() == 2 && axes.size() == 1;
  if (plain) {
    kernels.triangle({code.start(a), code.strideValue(a.stride(token)),
                      code.strideValue(a.stride(columns)), code.start(b),
                      code.strideValue(b.stride(columns)), code.start(out),
                      code.strideValue(out.stride(token)), tokens,
                      code.index(a.size(columns) / chunkTokens),
                      columnsOf(out)});
    return true;
  }
  code.loop(code.index(0), tokens, 1, [&](Value t) {
    Value all = tokens;
    tokens = code.add(t, code.index(1)); // the earlier tokens and this one
    contractByProduct(code.at(out, token, t), code.at(a, token, t), b, axes,
                      true);
    tokens = all;
  });
  return true;
}

void Emitter::contractByNest(const View &out, const View &a, const View &b,
                             Axes axes, bool accumulate) {
  // Reduced axes in the order in which an operand has them, so that rows are
  // read along.
  SmallVector<StringAttr> reduced;
  SmallVector<int64_t> sizes;
  for (const View *view : {&a, &b})
    for (auto [axis, size] : llvm::zip(view->axes, view->sizes))
      if (llvm::is_contained(axes, axis) &&
          !llvm::is_contained(reduced, axis)) {
        reduced.push_back(axis);
        sizes.push_back(size);
      }
  auto contiguous = [](const View &view, StringAttr axis) {
    return view.stride(axis).is(1) || view.stride(axis).is(0);
  };
  bool real = isa<FloatType>(a.element) && isa<FloatType>(b.element);
  bool across = false;
  if (!reduced.empty() && real) {
    StringAttr last = reduced.back(), vector = out.last();
    bool along = vector && contiguous(a, vector) && contiguous(b, vector);
    across = contiguous(a, last) && contiguous(b, last) && !along;
  }
  Type element = out.element;
  auto element32 = [&](Value x) {
    if (getElementTypeOrSelf(x).isInteger(1))
      x = code.op<arith::ExtUIOp>(code.integerVector, x);
    if (isa<FloatType>(element) && !isa<FloatType>(getElementTypeOrSelf(x)))
      x = code.op<arith::SIToFPOp>(code.realVector, x);
    return x;
  };
  bool realSum = isa<FloatType>(element);
  Value zero = realSum ? code.real(0) : code.integer(0);
  auto combine = [&](Value sum, Point &point, Value mask) {
    Value x = element32(code.load(a, point)),
          y = element32(code.load(b, point));
    if (mask) {
      x = code.select(mask, x, zero);
      y = code.select(mask, y, zero);
    }
    if (realSum)
      return code.fma(x, y, sum);
    return code.op<arith::AddIOp>(sum, code.op<arith::MulIOp>(x, y));
  };
  View target = accumulate ? scratch(out.axes, out.sizes) : out;
  reduceNest(target, reduced, sizes, across, vector::CombiningKind::ADD, zero,
             combine, [](Value sum) { return sum; });
  if (accumulate)
    addTo(out, target);
}

} // namespace trowel::cpu
