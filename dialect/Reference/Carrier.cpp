// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Reference/Carrier.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel::interpreter {

void StateAxes::add(int64_t state) {
  if (state >= static_cast<int64_t>(axes.size()))
    axes.resize(state + 1);
}

void StateAxes::add(int64_t state, Value tile) {
  add(state);
  for (StringAttr axis : rec::axesOf(tile)) {
    if (llvm::is_contained(own, axis))
      continue;
    axes[state] = order.unite(axes[state], {axis});
    sizes[axis] = rec::axisSize(tile, axis);
  }
}

void StateAxes::close(ValueRange phi, ArrayRef<int64_t> blocks) {
  for (auto [i, factor] : llvm::enumerate(phi)) {
    add(blocks[2 * i], factor);
    add(blocks[2 * i + 1]);
  }
  for (size_t round = 0; round < axes.size(); ++round)
    for (size_t i = 0; i + 1 < blocks.size(); i += 2)
      axes[blocks[i]] = order.unite(axes[blocks[i]], axes[blocks[i + 1]]);
}

View StateAxes::view(int64_t state, ArrayRef<View::Axis> leading) const {
  SmallVector<StringAttr> names;
  SmallVector<int64_t> extents;
  for (const View::Axis &axis : leading) {
    names.push_back(axis.name);
    extents.push_back(axis.size);
  }
  for (StringAttr axis : axes[state]) {
    names.push_back(axis);
    extents.push_back(sizes.lookup(axis));
  }
  return View::dense(names, extents);
}

void Carrier::addBlock(int64_t to, int64_t from, std::vector<double> factors) {
  Block block{to, from, std::move(factors), {}};
  block.source.resize(axes.elements(to));
  rec::AxisOrder noOrder;
  Nest({axes.view(to), axes.view(from)}, noOrder, {}, 0)
      .forEach([&](const Nest::Offsets &at) { block.source[at[0]] = at[1]; });
  blocks.push_back(std::move(block));
}

static void clear(PerState &x, size_t states) {
  x.resize(states);
  for (std::vector<double> &numbers : x)
    numbers.clear();
}

void Carrier::forwards(int64_t token, PerState &x) const {
  if (blocks.empty())
    return;
  clear(next, x.size());
  for (const Block &block : blocks) {
    const std::vector<double> &from = x[block.from];
    if (from.empty())
      continue;
    size_t count = block.source.size();
    std::vector<double> &to = next[block.to];
    to.resize(count);
    const double *factor = block.factors.data() + token * count;
    for (size_t i = 0; i < count; ++i)
      to[i] += factor[i] * from[block.source[i]];
  }
  std::swap(x, next);
}

void Carrier::backwards(int64_t token, PerState &f) const {
  if (blocks.empty())
    return;
  clear(next, f.size());
  for (const Block &block : blocks) {
    const std::vector<double> &to = f[block.to];
    if (to.empty())
      continue;
    size_t count = block.source.size();
    std::vector<double> &from = next[block.from];
    from.resize(axes.elements(block.from));
    const double *factor = block.factors.data() + token * count;
    for (size_t i = 0; i < count; ++i)
      from[block.source[i]] += to[i] * factor[i];
  }
  std::swap(f, next);
}

} // namespace trowel::interpreter
