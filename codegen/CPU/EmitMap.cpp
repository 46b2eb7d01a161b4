// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise work: one nest of loops for a tree of operations, vectors along
// the last axis.
#include "codegen/CPU/Elements.h"
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

void Emitter::nest(Axes axes, ArrayRef<int64_t> sizes, StringAttr vector,
                   PointBody outer, PointBody inner) {
  if (!code.hasVectors())
    return shareNest(axes, sizes, outer, inner);
  Point point;
  point.vector = vector;
  std::function<void(size_t)> open = [&](size_t depth) {
    bool last = depth == axes.size();
    if (!last && axes[depth] != vector) {
      code.loop(code.index(0), boundOf(axes[depth], sizes[depth]), 1,
                [&](Value i) {
                  point.at.set(axes[depth], i);
                  open(depth + 1);
                });
      return;
    }
    outer(point);
    if (last)
      return inner(point);
    Value bound = boundOf(vector, sizes[depth]);
    if (isToken(vector) || sizes[depth] % lanes != 0)
      point.bound = bound;
    code.loop(code.index(0), bound, lanes, [&](Value i) {
      point.at.set(vector, i);
      inner(point);
    });
  };
  open(0);
}

void Emitter::forEach(Axes axes, ArrayRef<int64_t> sizes, PointBody visit) {
  Point point;
  std::function<void(size_t)> open = [&](size_t depth) {
    if (depth == axes.size())
      return visit(point);
    code.loop(code.index(0), boundOf(axes[depth], sizes[depth]), 1,
              [&](Value i) {
                point.at.set(axes[depth], i);
                open(depth + 1);
              });
  };
  open(0);
}

void Emitter::forTokens(function_ref<void(Value)> visit) {
  if (code.team)
    code.team->share(tokens, visit);
  else
    code.loop(code.index(0), tokens, 1, visit);
}

/// The same for many threads: each takes points of the whole nest.
void Emitter::shareNest(Axes axes, ArrayRef<int64_t> sizes, PointBody outer,
                        PointBody inner) {
  int64_t total = 1;
  for (int64_t size : sizes)
    total *= size;
  code.team->share(code.index(total), [&](Value place) {
    Point point;
    Value present;
    for (size_t i = axes.size(); i-- > 0;) {
      Value at = place;
      if (i > 0) {
        Value size = code.index(sizes[i]);
        at = code.op<arith::RemUIOp>(place, size);
        place = code.op<arith::DivUIOp>(place, size);
      }
      point.at.set(axes[i], at);
      if (!isToken(axes[i]))
        continue;
      Value within = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, at,
                                            boundOf(axes[i], sizes[i]));
      present = present ? code.op<arith::AndIOp>(present, within) : within;
    }
    auto visit = [&] {
      outer(point);
      inner(point);
    };
    present ? code.ifThen(present, visit) : visit();
  });
}

/// The machine gathers and scatters no elements of less than 32 bits: those go
/// one by one.
static StringAttr vectorAxis(ArrayRef<View> outs, ArrayRef<View> ins) {
  StringAttr axis = outs.front().last();
  auto scattered = [&](const View &view) {
    return view.isNarrow() && axis && !view.stride(axis).is(0) &&
           !view.stride(axis).is(1);
  };
  return llvm::any_of(outs, scattered) || llvm::any_of(ins, scattered)
             ? StringAttr()
             : axis;
}

void Emitter::pointwise(ArrayRef<View> outs, ArrayRef<View> ins,
                        Compute compute) {
  const View &space = outs.front();
  StringAttr vector = vectorAxis(outs, ins);
  Values spread(ins.size());
  nest(
      space.axes, space.sizes, vector,
      [&](Point &point) {
        for (auto [in, value] : llvm::zip(ins, spread))
          if (!vector || in.stride(vector).is(0))
            value = code.load(in, point);
      },
      [&](Point &point) {
        Values elements = spread;
        for (auto [in, value] : llvm::zip(ins, elements))
          if (vector && !in.stride(vector).is(0))
            value = code.load(in, point);
        Values results = compute(elements, point);
        for (auto [out, result] : llvm::zip(outs, results))
          code.store(out, point, result);
      });
}

void Emitter::copy(const View &to, const View &from) {
  pointwise(to, from, [](ArrayRef<Value> x, Point &) { return Values{x[0]}; });
}

void Emitter::addTo(const View &to, const View &from) {
  pointwise(to, {to, from}, [&](ArrayRef<Value> x, Point &) {
    return Values{code.op<arith::AddFOp>(x[0], x[1])};
  });
}

void Emitter::fill(const View &to, double number) {
  pointwise(to, {}, [&](ArrayRef<Value>, Point &) {
    return Values{splat(number, to.element)};
  });
}

//===--- Trees ------------------------------------------------------------===//

/// True if the tree goes on below this value.
static bool isNode(const Liveness &liveness, Value value, bool root) {
  Operation *op = value.getDefiningOp();
  return op && isa<rec::MapOp, rec::CastOp>(op) &&
         (root || liveness.isInlined(op));
}

void Emitter::collectLeaves(Value value, bool root,
                            SmallVectorImpl<Value> &leaves,
                            SmallVectorImpl<rec::ContractOp> &products) {
  if (splatOf(value) || llvm::is_contained(leaves, value))
    return;
  Operation *source = Liveness::rootOf(value).getDefiningOp();
  if (source && liveness.isAbsorbed(source)) {
    products.push_back(cast<rec::ContractOp>(source));
    return;
  }
  if (!isNode(liveness, value, root)) {
    leaves.push_back(value);
    return;
  }
  for (Value operand : value.getDefiningOp()->getOperands())
    collectLeaves(operand, false, leaves, products);
}

Value Emitter::evaluateTree(Value value, bool root,
                            const DenseMap<Value, Value> &leaves,
                            Point &point) {
  auto leaf = leaves.find(value);
  if (leaf != leaves.end())
    return leaf->second;
  Operation *op = value.getDefiningOp();
  if (liveness.isAbsorbed(Liveness::rootOf(value).getDefiningOp()))
    return Value();
  if (std::optional<double> number = splatOf(value))
    return splat(*number,
                 cast<RankedTensorType>(value.getType()).getElementType());
  Values operands;
  for (Value operand : op->getOperands())
    operands.push_back(evaluateTree(operand, false, leaves, point));
  // Terms that are added later.
  if (llvm::is_contained(operands, Value()))
    return operands[0] ? operands[0] : operands[1];
  return applyElementwise(code, op, operands);
}

/// What the tree makes of causal matrices is causal again.
static bool isCausal(Value value, function_ref<bool(Value)> leafIsCausal) {
  auto map = value.getDefiningOp<rec::MapOp>();
  if (!map)
    return leafIsCausal(value);
  auto recurse = [&](Value operand) {
    return leafIsCausal(operand) || isCausal(operand, leafIsCausal);
  };
  switch (map.getKind()) {
  case rec::MapKind::Mul:
    return llvm::any_of(map.getOperands(), recurse);
  case rec::MapKind::Neg:
  case rec::MapKind::Add:
  case rec::MapKind::Sub:
    return llvm::all_of(map.getOperands(), recurse);
  default:
    return false;
  }
}

void Emitter::evaluate(const View &to, Value root) {
  SmallVector<Value> leaves;
  SmallVector<rec::ContractOp> products;
  collectLeaves(root, true, leaves, products);
  Views ins;
  for (Value leaf : leaves)
    ins.push_back(viewOf(leaf));
  pointwise(to, ins, [&](ArrayRef<Value> elements, Point &point) {
    DenseMap<Value, Value> known;
    for (auto [leaf, element] : llvm::zip(leaves, elements))
      known[leaf] = element;
    Value element = evaluateTree(root, true, known, point);
    return Values{element ? element : code.real(0)};
  });
  for (rec::ContractOp product : products)
    contract(to, viewOf(product.getLhs()), viewOf(product.getRhs()),
             rec::stringsOf(product.getAxes()), true);
  auto place = views.find(root);
  if (place != views.end() && to.has(token) && to.has(earlier))
    place->second.causal = isCausal(root, [&](Value leaf) {
      auto it = llvm::find(leaves, leaf);
      return it != leaves.end() && ins[it - leaves.begin()].causal;
    });
}

//===--- Other operations without arithmetic ------------------------------===//

void Emitter::emitPosition(rec::PositionOp op) {
  View out = define(op.getResult());
  pointwise(out, {}, [&](ArrayRef<Value>, Point &point) {
    Value first = code.add(position, chunkBegin);
    if (Value row = point.at.lookup(token))
      first = code.add(first, row);
    else if (currentToken)
      first = code.add(first, currentToken);
    Value number = code.broadcast(
        code.op<arith::TruncIOp>(code.builder.getI32Type(), first));
    if (point.vector == token && token)
      number = code.op<arith::AddIOp>(number, code.laneNumbers());
    return Values{number};
  });
}

/// The fine axis is two: the coarse one and the place within.
void Emitter::emitRepeat(rec::RepeatOp op) {
  View in = viewOf(op.getOperand()), out = define(op.getResult());
  StringAttr from = op.getFromAttr(), to = op.getToAttr();
  int i = out.find(to);
  if (i >= 0) {
    int64_t coarse = in.size(from), within = out.sizes[i] / coarse;
    out.axes[i] = from;
    out.sizes[i] = coarse;
    Stride stride = out.strides[i];
    out.strides[i].fixed = stride.fixed * within;
    if (within > 1) {
      out.padded = false;
      auto inner = StringAttr::get(op.getContext(), to.getValue() + ".within");
      out.axes.insert(out.axes.begin() + i + 1, inner);
      out.sizes.insert(out.sizes.begin() + i + 1, within);
      out.strides.insert(out.strides.begin() + i + 1, stride);
    }
  }
  copy(out, in);
}

void Emitter::emitStack(rec::StackOp op) {
  View out = define(op.getResult());
  for (auto [i, tile] : llvm::enumerate(op.getValues()))
    copy(out.picked(op.getAxisAttr(), i), viewOf(tile));
}

} // namespace trowel::cpu
