// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Rec/Axes.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel::rec {

ArrayRef<StringAttr> axesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  auto axes = dyn_cast_or_null<AxesAttr>(tensor.getEncoding());
  return axes ? axes.getNames() : ArrayRef<StringAttr>();
}

ArrayRef<StringAttr> axesOf(Value value) { return axesOf(value.getType()); }

int axisPosition(Type type, StringAttr axis) {
  ArrayRef<StringAttr> axes = axesOf(type);
  const auto *it = llvm::find(axes, axis);
  return it == axes.end() ? -1 : static_cast<int>(it - axes.begin());
}

bool hasAxis(Value value, StringAttr axis) {
  return llvm::is_contained(axesOf(value), axis);
}

bool hasAxis(Value value, StringRef axis) {
  return llvm::any_of(axesOf(value),
                      [&](StringAttr a) { return a.getValue() == axis; });
}

int64_t axisSize(Value value, StringAttr axis) {
  return cast<RankedTensorType>(value.getType())
      .getDimSize(axisPosition(value.getType(), axis));
}

SmallVector<StringAttr> stringsOf(ArrayAttr array) {
  return llvm::map_to_vector(array,
                             [](Attribute a) { return cast<StringAttr>(a); });
}

std::optional<std::pair<double, double>> rangeOf(Value value) {
  Operation *op = value.getDefiningOp();
  auto range = op ? op->getAttrOfType<ArrayAttr>("range") : ArrayAttr();
  if (!range || range.size() != 2)
    return std::nullopt;
  return std::make_pair(cast<FloatAttr>(range[0]).getValueAsDouble(),
                        cast<FloatAttr>(range[1]).getValueAsDouble());
}

llvm::StringRef nameOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (isa<InputOp, ParamOp, StateOp>(op))
    return op->getAttrOfType<StringAttr>("name").getValue();
  auto name = op->getDiscardableAttr("let");
  return name ? cast<StringAttr>(name).getValue() : StringRef();
}

AxisOrder::AxisOrder(ArrayAttr names, ArrayRef<int64_t> axisSizes) {
  MLIRContext *context = names.getContext();
  int next = 0;
  for (StringRef name : {"t", "t.r", "t.s", "t.w"})
    ranks[StringAttr::get(context, name)] = next++;
  for (auto [i, name] : llvm::enumerate(stringsOf(names))) {
    ranks[name] = next++;
    sizes[name] = axisSizes[i];
  }
}

AxisOrder AxisOrder::around(Operation *op) {
  for (; op; op = op->getParentOp()) {
    auto names = op->getAttrOfType<ArrayAttr>("axes");
    auto sizes = op->getAttrOfType<DenseI64ArrayAttr>("sizes");
    if (!names || !sizes)
      continue;
    AxisOrder order(names, sizes.asArrayRef());
    if (auto tokens = op->getAttrOfType<IntegerAttr>("tokens"))
      for (StringRef axis : {"t", "t.s"})
        order.setSize(StringAttr::get(op->getContext(), axis), tokens.getInt());
    return order;
  }
  return AxisOrder();
}

int AxisOrder::rank(StringAttr axis) const { return ranks.lookup(axis); }

int64_t AxisOrder::size(StringAttr axis) const { return sizes.lookup(axis); }

RankedTensorType AxisOrder::type(MLIRContext *context,
                                 ArrayRef<StringAttr> axes,
                                 Type element) const {
  SmallVector<StringAttr> sorted(axes);
  llvm::sort(sorted,
             [&](StringAttr a, StringAttr b) { return rank(a) < rank(b); });
  SmallVector<int64_t> shape;
  for (StringAttr axis : sorted)
    shape.push_back(size(axis));
  return RankedTensorType::get(shape, element, AxesAttr::get(context, sorted));
}

SmallVector<StringAttr> AxisOrder::unite(ArrayRef<StringAttr> a,
                                         ArrayRef<StringAttr> b) const {
  SmallVector<StringAttr> result(a);
  for (StringAttr axis : b)
    if (!llvm::is_contained(result, axis))
      result.push_back(axis);
  llvm::sort(result,
             [&](StringAttr x, StringAttr y) { return rank(x) < rank(y); });
  return result;
}

} // namespace trowel::rec
