// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The caller's tensors: inputs and params are read where they lie if vectors
// can be loaded there, else copied; states are copied in and out; outputs are
// stored as they are computed.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

Value Emitter::tensorPointer(Argument::Role role, StringRef name) {
  Value slot = code.op<LLVM::GEPOp>(
      code.pointerType, code.pointerType, tensors,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(argumentIndex(role, name))});
  return code.op<LLVM::LoadOp>(code.pointerType, slot);
}

Value Emitter::headIndex(rec::SharingKind sharing) {
  if (sharing == rec::SharingKind::Shared)
    return code.index(0);
  if (sharing == rec::SharingKind::Head)
    return head;
  Value perGroup = code.op<arith::DivSIOp>(heads, groups);
  return code.op<arith::DivSIOp>(head, perGroup);
}

Value Emitter::headCount(rec::SharingKind sharing) {
  return sharing == rec::SharingKind::Shared ? code.index(1)
         : sharing == rec::SharingKind::Head ? heads
                                             : groups;
}

/// All heads of a group compute the same; the first one stores it.
Value Emitter::isFirstHead(rec::SharingKind sharing) {
  Value zero = code.index(0), within = zero;
  if (sharing == rec::SharingKind::Shared)
    within = head;
  if (sharing == rec::SharingKind::Grouped)
    within =
        code.op<arith::RemSIOp>(head, code.op<arith::DivSIOp>(heads, groups));
  return code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, within, zero);
}

Value Emitter::notNull(Value pointer) {
  Value null = code.op<LLVM::ZeroOp>(code.pointerType);
  return code.op<LLVM::ICmpOp>(LLVM::ICmpPredicate::ne, pointer, null);
}

int64_t Emitter::layoutElements(ArrayAttr layout) const {
  int64_t count = 1;
  for (StringAttr axis : rec::stringsOf(layout))
    count *= order.size(axis);
  return count;
}

View Emitter::externalView(Value base, Type type, ArrayAttr layout,
                           Value rowStride) {
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
    if (axis == token && rowStride) {
      stride.dynamic = rowStride;
    } else {
      stride.fixed = 1;
      for (auto it = names.rbegin(); it != names.rend() && *it != axis; ++it)
        stride.fixed *= tensor.getDimSize(rec::axisPosition(type, *it));
    }
    view.axes.push_back(axis);
    view.sizes.push_back(size);
    view.strides.push_back(stride);
  }
  return view;
}

void Emitter::emitInput(rec::InputOp op) {
  int64_t elements = layoutElements(op.getLayout());
  Value rowStride = code.mul(headCount(op.getSharing()), code.index(elements));
  Value row = code.add(begin, chunkBegin);
  Value offset =
      code.add(code.mul(row, rowStride),
               code.mul(headIndex(op.getSharing()), code.index(elements)));
  Value base =
      code.behind(tensorPointer(Argument::Role::Input, op.getName()), offset);
  View tensor = externalView(base, op.getType(), op.getLayout(), rowStride);
  prefetches.push_back({base, rowStride, elements});
  if (tensor.last() != token && tensor.loadsWhole())
    views[op.getResult()] = tensor;
  else
    copy(define(op.getResult()), tensor);
}

/// Asks for an input's rows of the next chunk. Heads lie between the tokens of
/// one head, so that the hardware sees no stream.
void Emitter::emitPrefetch(const Prefetch &input) {
  constexpr int64_t line = 16; // elements
  Value next = code.index(chunkTokens);
  code.loop(code.index(0), tokens, 1, [&](Value t) {
    Value row =
        code.behind(input.base, code.mul(code.add(t, next), input.rowStride));
    for (int64_t i = 0; i < std::min<int64_t>(input.elements, 64 * line);
         i += line)
      LLVM::Prefetch::create(code.builder, code.location,
                             code.behind(row, code.index(i)), /*rw=*/0,
                             /*hint=*/2, /*cache=*/1);
  });
}

void Emitter::emitParam(rec::ParamOp op) {
  Value offset = code.mul(headIndex(op.getSharing()),
                          code.index(layoutElements(op.getLayout())));
  Value base =
      code.behind(tensorPointer(Argument::Role::Param, op.getName()), offset);
  View tensor = externalView(base, op.getType(), op.getLayout());
  copy(define(op.getResult()), tensor);
}

void Emitter::emitOutput(rec::OutputOp op) {
  int64_t elements = layoutElements(op.getLayout());
  Value rowStride = code.mul(headCount(op.getSharing()), code.index(elements));
  auto store = [&] {
    Value row = code.add(begin, chunkBegin);
    Value offset =
        code.add(code.mul(row, rowStride),
                 code.mul(headIndex(op.getSharing()), code.index(elements)));
    Value base = code.behind(
        tensorPointer(Argument::Role::Output, op.getName()), offset);
    Type value = op.getValue().getType();
    Type tile = order.type(op.getContext(),
                           order.unite(rec::axesOf(value), ArrayRef(token)),
                           cast<RankedTensorType>(value).getElementType());
    View tensor = externalView(base, tile, op.getLayout(), rowStride);
    Operation *root = op.getValue().getDefiningOp();
    if (root && liveness.isInlined(root))
      evaluate(tensor, op.getValue());
    else
      copy(tensor, viewOf(op.getValue()));
  };
  if (op.getSharing() == rec::SharingKind::Head)
    store();
  else
    code.ifThen(isFirstHead(op.getSharing()), store);
}

//===--- States -----------------------------------------------------------===//

/// Where this sequence's and head's state lies in a tensor [N, heads, layout].
static Value stateOffset(Code &code, Value sequence, Value heads, Value head,
                         int64_t elements) {
  Value row = code.add(code.mul(sequence, heads), head);
  return code.mul(row, code.index(elements));
}

void Emitter::emitStateBegin(rec::StateOp op) {
  View buffer = allocate(op.getType());
  stateBuffers[op.getNameAttr()] = buffer;
  auto ownBeginning = [&] {
    if (op.getInitial())
      copy(buffer, viewOf(op.getInitial()));
    else
      fill(buffer, 0);
  };
  if (op.getHidden())
    return ownBeginning();
  Value pointer = tensorPointer(Argument::Role::InitialState, op.getName());
  Value offset =
      stateOffset(code, sequence, headCount(op.getSharing()),
                  headIndex(op.getSharing()), layoutElements(op.getLayout()));
  code.ifThen(
      notNull(pointer),
      [&] {
        copy(buffer, externalView(code.behind(pointer, offset), op.getType(),
                                  op.getLayout()));
      },
      ownBeginning);
}

void Emitter::emitStateEnd(rec::StateOp op) {
  if (op.getHidden())
    return;
  Value pointer = tensorPointer(Argument::Role::FinalState, op.getName());
  Value offset =
      stateOffset(code, sequence, headCount(op.getSharing()),
                  headIndex(op.getSharing()), layoutElements(op.getLayout()));
  Value wanted =
      code.op<arith::AndIOp>(notNull(pointer), isFirstHead(op.getSharing()));
  code.ifThen(wanted, [&] {
    copy(externalView(code.behind(pointer, offset), op.getType(),
                      op.getLayout()),
         stateBuffers[op.getNameAttr()]);
  });
}

void Emitter::emitUpdates() {
  size_t mark = scratchPlaces.size();
  std::vector<std::pair<View, View>> copies;
  for (auto update : program.getBody().front().getOps<rec::UpdateOp>()) {
    View to = stateBuffers[update.getNameAttr()];
    View from = viewOf(update.getValue());
    if (homes.count(update.getValue()) && from.offset == to.offset)
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
  while (scratchPlaces.size() > mark)
    workspace.release(scratchPlaces.pop_back_val());
}

} // namespace trowel::cpu
