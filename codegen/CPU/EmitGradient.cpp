// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What only backward programs have: tiles whose tokens are turned around, and
// the gradients of params, summed over all tokens.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

void Emitter::emitReverse(chunk::ReverseOp op) {
  View in = viewOf(op.getTile()), out = define(op.getResult());
  Value last = code.sub(tokens, code.index(1));
  code.loop(code.index(0), tokens, 1, [&](Value t) {
    copy(code.at(out, token, t), code.at(in, token, code.sub(last, t)));
  });
}

/// The value's type at one token.
static Type tokenType(rec::TotalOp op, const rec::AxisOrder &order,
                      StringAttr token) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  SmallVector<StringAttr> axes = llvm::to_vector(rec::axesOf(type));
  llvm::erase(axes, token);
  return order.type(op.getContext(), axes, type.getElementType());
}

void Emitter::emitTotalBegin(rec::TotalOp op) {
  View sum = allocate(tokenType(op, order, token));
  totals[op] = sum;
  fill(sum, 0);
}

/// A chunk's sum first: then the whole has few roundings.
void Emitter::emitTotalOver(rec::TotalOp op) {
  View tile = viewOf(op.getValue());
  View sum = scratch(tokenType(op, order, token));
  fill(sum, 0);
  code.loop(code.index(0), tokens, 1,
            [&](Value t) { addTo(sum, code.at(tile, token, t)); });
  addTo(totals[op], sum);
}

void Emitter::emitTotalEnd(rec::TotalOp op) {
  Value wanted = tensorOf(Argument::Role::Total, op.getName()).address;
  code.ifThen(notNull(wanted), [&] {
    copy(denseView(wanted, tokenType(op, order, token), op.getLayout()),
         totals[op]);
  });
}

} // namespace trowel::cpu
