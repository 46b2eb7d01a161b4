// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Reference/Nest.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel::interpreter {

View View::dense(ArrayRef<StringAttr> names, ArrayRef<int64_t> sizes) {
  View view;
  int64_t stride = 1;
  for (size_t i = names.size(); i-- > 0;) {
    view.axes.push_back({names[i], sizes[i], stride});
    stride *= sizes[i];
  }
  return view;
}

View View::dense(Type type) {
  return dense(rec::axesOf(type), cast<RankedTensorType>(type).getShape());
}

View::Axis *View::find(StringAttr name) {
  auto *it = llvm::find_if(axes, [&](Axis &axis) { return axis.name == name; });
  return it == axes.end() ? nullptr : it;
}

const View::Axis *View::find(StringAttr name) const {
  return const_cast<View *>(this)->find(name);
}

int64_t View::elements() const {
  int64_t product = 1;
  for (const Axis &axis : axes)
    product *= axis.size;
  return product;
}

Nest::Nest(ArrayRef<View> views, const rec::AxisOrder &order,
           ArrayRef<StringAttr> bounded, int64_t bound) {
  for (const View &view : views)
    for (const View::Axis &axis : view.axes)
      if (llvm::none_of(loops,
                        [&](Loop &loop) { return loop.axis == axis.name; })) {
        bool isBounded = llvm::is_contained(bounded, axis.name);
        loops.push_back({axis.name, isBounded ? bound : axis.size, {}});
      }
  llvm::sort(loops, [&](const Loop &a, const Loop &b) {
    return order.rank(a.axis) < order.rank(b.axis);
  });
  for (auto [i, view] : llvm::enumerate(views)) {
    starts[i] = view.start;
    for (Loop &loop : loops)
      if (const View::Axis *axis = view.find(loop.axis))
        loop.strides[i] = axis->stride;
  }
  if (loops.empty())
    loops.push_back({StringAttr(), 1, {}});
}

} // namespace trowel::interpreter
