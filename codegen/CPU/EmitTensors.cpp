// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The caller's tensors: inputs are read where they lie if vectors of floats can
// be loaded there, else copied, as params are; states are copied in and out;
// outputs are stored as they are computed. Elements of narrower types are
// converted when they are copied and stored.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

Value Emitter::notNull(Value pointer) {
  Value null = code.op<LLVM::ZeroOp>(code.pointerType);
  return code.op<LLVM::ICmpOp>(LLVM::ICmpPredicate::ne, pointer, null);
}

View Emitter::denseView(Value base, Type type, ArrayAttr layout) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<StringAttr> names = rec::stringsOf(layout);
  View view;
  view.base = base;
  view.element = tensor.getElementType();
  view.external = true;
  for (auto [axis, size] : llvm::zip(rec::axesOf(type), tensor.getShape())) {
    if (size == 1)
      continue;
    Stride stride;
    stride.fixed = 1;
    for (auto it = names.rbegin(); it != names.rend() && *it != axis; ++it)
      stride.fixed *= order.size(*it);
    view.axes.push_back(axis);
    view.sizes.push_back(size);
    view.strides.push_back(stride);
  }
  return view;
}

View Emitter::stridedView(const Tensor &tensor, Type type, ArrayAttr layout,
                          rec::DTypeKind dtype) {
  View view = denseView(tensor.address, type, layout);
  if (isa<FloatType>(view.element))
    view.format = dtype;
  SmallVector<StringAttr> names = rec::stringsOf(layout);
  ValueRange outer = tensor.strides;
  for (auto [axis, stride] : llvm::zip(view.axes, view.strides))
    if (axis != token && axis != names.back())
      stride.dynamic = outer[llvm::find(names, axis) - names.begin()];
  return view;
}

View Emitter::tokensView(const Tensor &tensor, Type type, ArrayAttr layout,
                         rec::DTypeKind dtype) {
  Tensor row = tensor;
  Value stride = tensor.strides.front();
  row.strides.erase(row.strides.begin());
  View view = stridedView(row, type, layout, dtype);
  view.base = code.behind(view, code.mul(chunkBegin, stride));
  int i = view.find(token);
  if (i >= 0)
    view.strides[i].dynamic = stride;
  return view;
}

/// True if vectors of floats can be loaded at any place along any axis.
bool Emitter::isReadInPlace(const View &tensor) const {
  for (auto [axis, stride] : llvm::zip(tensor.axes, tensor.strides))
    if (axis != token && stride.dynamic)
      return false;
  return tensor.last() != token && tensor.loadsWhole() && !tensor.isConverted();
}

View Emitter::inputView(rec::InputOp op) {
  return tokensView(tensorOf(Argument::Role::Input, op.getName()), op.getType(),
                    op.getLayout(), op.getDtype());
}

void Emitter::emitInput(rec::InputOp op) {
  View tensor = inputView(op);
  if (code.hasVectors())
    prefetches.push_back(tensor);
  if (op.getPartial()) { // null: zero, for this head at least
    View buffer = define(op.getResult());
    code.ifThen(
        notNull(tensorOf(Argument::Role::Input, op.getName()).address),
        [&] { copy(buffer, tensor); }, [&] { fill(buffer, 0); });
    return;
  }
  if (isReadInPlace(tensor))
    views[op.getResult()] = tensor;
  else
    copy(define(op.getResult()), tensor);
}

/// Asks for a view's elements, at most `lines` lines of the cache.
static void prefetch(Code &code, const View &view, int64_t &lines) {
  for (auto [axis, size, stride] :
       llvm::zip(view.axes, view.sizes, view.strides)) {
    if (stride.is(1))
      continue;
    for (int64_t i = 0; i < size && lines > 0; ++i)
      prefetch(code, code.at(view, axis, code.index(i)), lines);
    return;
  }
  int64_t elements = view.axes.empty() ? 1 : view.sizes.front();
  int64_t step = 64 / view.bytes();
  for (int64_t i = 0; i < elements && lines > 0; i += step, --lines)
    LLVM::Prefetch::create(code.builder, code.location,
                           code.behind(view, code.index(i)), /*rw=*/0,
                           /*hint=*/2, /*cache=*/1);
}

/// Asks for an input's rows of the next chunk. Heads lie between the tokens of
/// one head, so that the hardware sees no stream.
void Emitter::emitPrefetch(const View &input) {
  if (!input.has(token))
    return;
  Value next = code.index(isBackward ? -chunkTokens : chunkTokens);
  code.loop(code.index(0), tokens, 1, [&](Value t) {
    int64_t lines = 64;
    prefetch(code, code.at(input, token, code.add(t, next)), lines);
  });
}

void Emitter::emitParam(rec::ParamOp op) {
  copy(define(op.getResult()),
       stridedView(tensorOf(Argument::Role::Param, op.getName()), op.getType(),
                   op.getLayout(), op.getDtype()));
}

void Emitter::emitOutput(rec::OutputOp op) {
  const Tensor &tensor = tensorOf(Argument::Role::Output, op.getName());
  code.ifThen(notNull(tensor.address), [&] {
    Type value = op.getValue().getType();
    Type tile = order.type(op.getContext(),
                           order.unite(rec::axesOf(value), ArrayRef(token)),
                           cast<RankedTensorType>(value).getElementType());
    rec::DTypeKind dtype = isSummed(op) ? rec::DTypeKind::F32 : op.getDtype();
    storeOutput(op.getValue(), tokensView(tensor, tile, op.getLayout(), dtype));
  });
}

/// Only what is complete, and vectors where there is more than one element, is
/// converted as it is computed.
void Emitter::storeOutput(Value value, const View &tensor) {
  Operation *root = value.getDefiningOp();
  if (!root || !liveness.isInlined(root))
    return copy(tensor, viewOf(value));
  SmallVector<Value> leaves;
  SmallVector<rec::ContractOp> products;
  collectLeaves(value, true, leaves, products);
  bool vectors = !tensor.axes.empty() && tensor.strides.back().is(1);
  if (!tensor.isConverted() || (products.empty() && vectors))
    return evaluate(tensor, value);
  View whole = scratch(tensor.axes, tensor.sizes);
  evaluate(whole, value);
  copy(tensor, whole);
}

//===--- States -----------------------------------------------------------===//

void Emitter::beginState(rec::StateOp op, const View &buffer) {
  if (op.getInitial())
    copy(buffer, viewOf(op.getInitial()));
  else
    fill(buffer, 0);
}

/// The state's place for the time of the call. With one token a chunk that is
/// the final state itself if it is wanted and lies as a buffer does: a state is
/// read and written once.
View Emitter::placeState(rec::StateOp op) {
  View buffer = allocate(op.getType());
  if (chunkTokens != 1 || isBackward || op.getHidden() || op.getSaved())
    return buffer;
  Value wanted = tensorOf(Argument::Role::FinalState, op.getName()).address;
  View dense = denseView(wanted, op.getType(), op.getLayout());
  bool same = buffer.axes == dense.axes && dense.storesWhole();
  for (auto [a, b] : llvm::zip(buffer.strides, dense.strides))
    same &= a.is(b.fixed);
  if (!same)
    return buffer;
  buffer.base =
      code.op<arith::SelectOp>(notNull(wanted), wanted, code.start(buffer));
  buffer.offset = 0;
  return buffer;
}

void Emitter::emitStateBegin(rec::StateOp op) {
  View buffer = placeState(op);
  stateBuffers[op.getNameAttr()] = buffer;
  if (op.getHidden()) { // else by what is carried
    if (isBackward)
      beginState(op, buffer);
    return;
  }
  Value given = tensorOf(Argument::Role::InitialState, op.getName()).address;
  View start = denseView(given, op.getType(), op.getLayout());
  auto copyIn = [&] { copy(buffer, start); };
  auto copyUnlessThere = [&] {
    code.ifThen(
        code.op<LLVM::ICmpOp>(LLVM::ICmpPredicate::ne, given, buffer.base),
        copyIn);
  };
  bool mayBeThere = buffer.base != memory;
  code.ifThen(
      notNull(given), [&] { mayBeThere ? copyUnlessThere() : copyIn(); },
      [&] { beginState(op, buffer); });
}

void Emitter::emitStateEnd(rec::StateOp op) {
  if (op.getHidden() || op.getSaved())
    return;
  View buffer = stateBuffers[op.getNameAttr()];
  if (buffer.base != memory) // it is there
    return;
  Value wanted = tensorOf(Argument::Role::FinalState, op.getName()).address;
  code.ifThen(notNull(wanted), [&] {
    copy(denseView(wanted, op.getType(), op.getLayout()), buffer);
  });
}

void Emitter::emitUpdates() {
  size_t mark = scratchPlaces.size();
  std::vector<std::pair<View, View>> copies;
  for (auto update : program.getBody().front().getOps<rec::UpdateOp>()) {
    if (isElsewhere(update))
      continue;
    View to = stateBuffers[update.getNameAttr()];
    View from = viewOf(update.getValue());
    if (homes.count(update.getValue()) && from.base == to.base &&
        from.offset == to.offset)
      continue;
    // Another state's beginning is overwritten by that state's own update.
    if (Liveness::rootOf(update.getValue()).getDefiningOp<rec::StateOp>()) {
      View held = scratch(update.getValue().getType());
      copy(held, from);
      from = held;
    }
    copies.push_back({to, from});
  }
  for (auto &[to, from] : copies)
    copy(to, from);
  releaseScratch(mark);
}

} // namespace trowel::cpu
