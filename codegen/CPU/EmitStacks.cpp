// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A token's rows, or its writes, side by side: what goes through all pairs of
// rows and writes is one matrix product, and its code has loops over them.
#include "codegen/CPU/Emitter.h"

using namespace mlir;

namespace trowel::cpu {

Coefficients Emitter::coefficients(ValueRange tiles, ArrayRef<int64_t> pairs) {
  Coefficients result;
  for (auto [i, tile] : llvm::enumerate(tiles))
    result.push_back({pairs[2 * i], pairs[2 * i + 1], viewOf(tile)});
  return result;
}

Coefficients Emitter::within(ArrayRef<int64_t> component,
                             const Coefficients &all) {
  Coefficients result;
  for (const Coefficient &tile : all) {
    const auto *place = llvm::find(component, tile.state);
    if (place != component.end())
      result.push_back({tile.index, place - component.begin(), tile.view});
  }
  return result;
}

View Emitter::spaceOf(const Transition &phi, const Coefficients &tiles,
                      ArrayRef<View> more) {
  Views all(more);
  for (const Coefficient &tile : tiles)
    all.push_back(tile.view);
  all.append(phi.phi.begin(), phi.phi.end());
  return spaceOf(all);
}

View Emitter::stack(const Coefficients &tiles, int64_t state, StringAttr axis,
                    int64_t count, const View &space) {
  SmallVector<Views, 0> places(count);
  bool single = true;
  for (const Coefficient &tile : tiles)
    if (tile.state == state)
      places[tile.index].push_back(spreadOver(tile.view, space));
  if (llvm::all_of(places, [](const Views &place) { return place.empty(); }))
    return View();
  Views all;
  for (const Views &place : places) {
    single &= place.size() == 1;
    all.append(place.begin(), place.end());
  }
  if (single)
    if (std::optional<View> view = sideBySide(all, axis))
      return *view;
  SmallVector<StringAttr> axes{token, axis};
  SmallVector<int64_t> sizes{chunkTokens, count};
  axes.append(space.axes.begin(), space.axes.end());
  sizes.append(space.sizes.begin(), space.sizes.end());
  View result = scratch(axes, sizes);
  for (auto [i, place] : llvm::enumerate(places)) {
    View to = result.picked(axis, i);
    if (place.empty())
      fill(to, 0);
    for (auto [n, from] : llvm::enumerate(place))
      n == 0 ? copy(to, from) : addTo(to, from);
  }
  return result;
}

/// `outer` and `inner` as one axis if one step along it is one along `inner`.
static std::optional<View> joined(View view, StringAttr outer, StringAttr inner,
                                  StringAttr name) {
  int i = view.find(outer), j = view.find(inner);
  if (view.strides[i].dynamic ||
      !view.strides[i].is(view.strides[j].fixed * view.sizes[j]))
    return std::nullopt;
  view.axes[i] = name;
  view.sizes[i] *= view.sizes[j];
  view.strides[i] = view.strides[j];
  view.erase(j);
  return view;
}

View Emitter::asColumns(const View &tile) {
  if (!tile.has(writeAxis))
    return tile;
  if (std::optional<View> view = joined(tile, earlier, writeAxis, columnAxis)) {
    view->padded |= view->last() == columnAxis;
    return *view;
  }
  SmallVector<StringAttr> axes;
  SmallVector<int64_t> sizes;
  for (auto [axis, size] : llvm::zip(tile.axes, tile.sizes))
    if (axis != writeAxis) {
      axes.push_back(axis == earlier ? columnAxis : axis);
      sizes.push_back(size * (axis == earlier ? tile.size(writeAxis) : 1));
    }
  View result = scratch(axes, sizes);
  View place = result; // with the two axes apart
  int i = place.find(columnAxis);
  Stride step = place.strides[i];
  place.axes[i] = earlier;
  place.sizes[i] = tile.size(earlier);
  place.strides[i].fixed *= tile.size(writeAxis);
  place.axes.insert(place.axes.begin() + i + 1, writeAxis);
  place.sizes.insert(place.sizes.begin() + i + 1, tile.size(writeAxis));
  place.strides.insert(place.strides.begin() + i + 1, step);
  place.padded = false;
  copy(place, tile);
  return result;
}

} // namespace trowel::cpu
