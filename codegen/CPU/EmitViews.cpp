// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where values lie: places in the workspace, views of other values.
#include "codegen/CPU/Elements.h"
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

Value Emitter::boundOf(StringAttr axis, int64_t size) {
  if (!isToken(axis))
    return code.index(size);
  return code.mul(tokens, code.index(size / chunkTokens));
}

/// Vectors go on into the pad.
Value Emitter::columnsOf(const View &view) {
  int64_t size = view.sizes.back();
  return code.hasVectors() ? code.index(roundUp(size))
                           : boundOf(view.last(), size);
}

/// The axes `t.s` and `t.w` are one row together, the columns of a matrix.
View Emitter::layOut(Axes axes, ArrayRef<int64_t> sizes, Type element,
                     int64_t &total) const {
  View view;
  view.base = memory;
  view.element = element;
  for (auto [axis, size] : llvm::zip(axes, sizes)) {
    if (size == 1)
      continue;
    view.axes.push_back(axis);
    view.sizes.push_back(size);
  }
  int64_t count = view.axes.size(), pitch = 1;
  view.strides.resize(count);
  view.padded = count > 0;
  for (int64_t i = count - 1; i >= 0; --i) {
    view.strides[i].fixed = pitch;
    pitch *= view.sizes[i];
    bool row = i == count - 1;
    if (row && i > 0 && view.axes[i - 1] == earlier) {
      view.padded = false;
      continue;
    }
    if (row || (i == count - 2 && !view.padded))
      pitch = roundUp(pitch);
  }
  total = std::max(pitch, lanes);
  return view;
}

View Emitter::allocate(Axes axes, ArrayRef<int64_t> sizes, Type element) {
  int64_t total;
  View view = layOut(axes, sizes, element, total);
  view.offset = workspace.allocate(total);
  return view;
}

View Emitter::allocate(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return allocate(rec::axesOf(type), tensor.getShape(),
                  tensor.getElementType());
}

View Emitter::scratch(Axes axes, ArrayRef<int64_t> sizes) {
  View view = allocate(axes, sizes, code.realType);
  scratchPlaces.push_back(view.offset);
  return view;
}

View Emitter::scratch(Type type) {
  View view = allocate(type);
  scratchPlaces.push_back(view.offset);
  return view;
}

void Emitter::releaseScratch(size_t mark) {
  while (scratchPlaces.size() > mark)
    workspace.release(scratchPlaces.pop_back_val());
}

View Emitter::define(Value result) {
  auto home = homes.find(result);
  if (home != homes.end())
    return views[result] = home->second;
  View view = allocate(result.getType());
  Operation *op = result.getDefiningOp();
  if (!liveness.isInvariant(op))
    expiring.emplace(std::max(liveness.lastUse(result), liveness.stepOf(op)),
                     view.offset);
  return views[result] = view;
}

Value Emitter::splat(double number, Type element) {
  if (isa<FloatType>(element))
    return code.real(number);
  if (element.isInteger(1))
    return code.condition(number != 0);
  return code.integer(static_cast<int64_t>(number));
}

View Emitter::splatView(double number, Type element) {
  View view = scratch(Axes(), {});
  view.element = element;
  fill(view, number);
  return view;
}

/// The numbers of a constant with different elements, as 32-bit floats.
static DenseElementsAttr toFloats(Code &code, DenseElementsAttr elements) {
  SmallVector<float> numbers;
  if (isa<FloatType>(elements.getElementType()))
    for (const APFloat &number : elements.getValues<APFloat>())
      numbers.push_back(static_cast<float>(number.convertToDouble()));
  else
    for (const APInt &number : elements.getValues<APInt>()) {
      int32_t bits = number.getBitWidth() == 1
                         ? static_cast<int32_t>(number.getZExtValue())
                         : static_cast<int32_t>(number.getSExtValue());
      float pattern;
      memcpy(&pattern, &bits, sizeof pattern);
      numbers.push_back(pattern);
    }
  auto type = RankedTensorType::get({static_cast<int64_t>(numbers.size())},
                                    code.realType);
  return DenseElementsAttr::get(type, ArrayRef<float>(numbers));
}

View Emitter::constantView(rec::ConstantOp op) {
  auto elements = cast<DenseElementsAttr>(op.getValue());
  auto type = cast<RankedTensorType>(op.getType());
  if (std::optional<double> number = splatOf(op.getResult())) {
    View view = splatView(*number, type.getElementType());
    for (auto [axis, size] : llvm::zip(rec::axesOf(type), type.getShape())) {
      view.axes.push_back(axis);
      view.sizes.push_back(size);
      view.strides.push_back(Stride());
    }
    return view;
  }
  DenseElementsAttr floats = toFloats(code, elements);
  std::string global =
      name + "_constant_" + std::to_string(liveness.stepOf(op));
  if (!code.module.lookupSymbol(global)) {
    OpBuilder outside = OpBuilder::atBlockBegin(code.module.getBody());
    auto array = LLVM::LLVMArrayType::get(code.realType, floats.size());
    LLVM::GlobalOp::create(outside, code.location, array, /*isConstant=*/true,
                           LLVM::Linkage::Internal, global, floats);
  }
  Value base = code.op<LLVM::AddressOfOp>(code.pointerType, global);
  SmallVector<Attribute> names(rec::axesOf(type).begin(),
                               rec::axesOf(type).end());
  return denseView(base, type, code.builder.getArrayAttr(names));
}

View Emitter::viewOf(Value value) {
  auto known = views.find(value);
  if (known != views.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast<rec::ConstantOp>(op))
    return constantView(constant);
  if (auto rename = dyn_cast<rec::RenameOp>(op)) {
    View view = viewOf(rename.getOperand())
                    .renamed(rename.getFromAttr(), rename.getToAttr());
    view.causal = false;
    return view;
  }
  if (auto pick = dyn_cast<rec::PickOp>(op))
    return viewOf(pick.getOperand())
        .picked(pick.getAxisAttr(), pick.getIndex());
  if (auto row = dyn_cast<chunk::TokenOp>(op))
    return code.at(viewOf(row.getTile()), token, currentToken);
  return viewOf(op->getOperand(0)); // rec.stop
}

} // namespace trowel::cpu
