// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Layout.h"

#include <algorithm>
#include <cassert>

namespace trowel {

int64_t unitCount(Sharing sharing, const Batch &batch) {
  switch (sharing) {
  case Sharing::Shared:
    return 1;
  case Sharing::Grouped:
    return batch.groups;
  case Sharing::Head:
    return batch.heads;
  }
  return 1;
}

int64_t unitOf(int64_t unit, Sharing from, Sharing to, const Batch &batch) {
  assert(to <= from && "a value may flow into finer ones only");
  if (from == to)
    return unit;
  if (to == Sharing::Shared)
    return 0;
  return unit / (batch.heads / batch.groups);
}

std::vector<int64_t> boundaryShape(const Program &program,
                                   const Declaration &declaration,
                                   Boundary boundary, const Batch &batch) {
  std::vector<int64_t> shape;
  if (boundary == Boundary::Input || boundary == Boundary::Output)
    shape = {batch.batch, batch.tokens};
  else if (boundary == Boundary::State)
    shape = {batch.sequences()};
  if (declaration.sharing != Sharing::Shared)
    shape.push_back(unitCount(declaration.sharing, batch));
  for (AxisId axis : declaration.shape)
    shape.push_back(program.axes[axis].size);
  return shape;
}

static std::string bracketed(const std::vector<std::string> &parts) {
  std::string text = "[";
  for (size_t i = 0; i < parts.size(); ++i)
    text += (i ? ", " : "") + parts[i];
  return text + "]";
}

std::string describeLayout(const Program &program,
                           const Declaration &declaration, Boundary boundary) {
  std::vector<std::string> parts;
  if (boundary == Boundary::Input || boundary == Boundary::Output)
    parts = {"B", "T"};
  else if (boundary == Boundary::State)
    parts = {"N"};
  if (declaration.sharing != Sharing::Shared)
    parts.push_back(declaration.sharing == Sharing::Head ? "H" : "G");
  for (AxisId id : declaration.shape) {
    const Axis &axis = program.axes[id];
    std::string size = std::to_string(axis.size);
    parts.push_back(axis.isPlainNumber ? size : axis.name + "=" + size);
  }
  return bracketed(parts);
}

std::string describeShape(const std::vector<int64_t> &shape) {
  std::vector<std::string> parts;
  for (int64_t size : shape)
    parts.push_back(std::to_string(size));
  return bracketed(parts);
}

std::string describePosition(const std::vector<int64_t> &shape,
                             int64_t element) {
  std::vector<int64_t> position(shape.size());
  for (size_t i = shape.size(); i-- > 0; element /= shape[i])
    position[i] = element % shape[i];
  return describeShape(position);
}

std::string validate(const Batch &batch) {
  if (batch.batch < 1 || batch.tokens < 0 || batch.heads < 1 ||
      batch.groups < 1)
    return "B, H and G are at least 1 and T at least 0";
  if (batch.heads % batch.groups)
    return "H = " + std::to_string(batch.heads) +
           " is no multiple of G = " + std::to_string(batch.groups);
  const std::vector<int64_t> &offsets = batch.cuSeqlens;
  if (offsets.empty())
    return "";
  if (batch.batch != 1)
    return "`cu_seqlens` needs B = 1, not " + std::to_string(batch.batch);
  if (offsets.size() < 2)
    return "`cu_seqlens` has N + 1 entries for N sequences, at least 2";
  if (offsets.front() != 0)
    return "`cu_seqlens` starts at " + std::to_string(offsets.front()) +
           ", not at 0";
  for (size_t i = 1; i < offsets.size(); ++i)
    if (offsets[i] < offsets[i - 1])
      return "`cu_seqlens` decreases from " + std::to_string(offsets[i - 1]) +
             " to " + std::to_string(offsets[i]) + " at entry " +
             std::to_string(i);
  if (offsets.back() != batch.tokens)
    return "`cu_seqlens` ends at " + std::to_string(offsets.back()) +
           ", not at T = " + std::to_string(batch.tokens);
  return "";
}

/// Looks `declaration` up among the arguments; counts it in `known` if there.
static std::string validateOne(const Program &program,
                               const Declaration &declaration,
                               Boundary boundary, const Batch &batch,
                               const TensorMap &arguments, size_t &known) {
  auto it = arguments.find(declaration.name);
  if (it == arguments.end())
    return boundary == Boundary::State ? ""
                                       : "missing `" + declaration.name + "`";
  ++known;
  std::vector<int64_t> expected =
      boundaryShape(program, declaration, boundary, batch);
  const Tensor &tensor = it->second;
  if (tensor.shape != expected)
    return "`" + declaration.name + "` has shape " +
           describeShape(tensor.shape) + ", not " +
           describeLayout(program, declaration, boundary) + " = " +
           describeShape(expected);
  if (tensor.elementCount() != static_cast<int64_t>(tensor.data.size()))
    return "`" + declaration.name + "` holds " +
           std::to_string(tensor.data.size()) + " values, not " +
           std::to_string(tensor.elementCount());
  return "";
}

static bool isBoundaryName(const Program &program, const std::string &name) {
  for (const auto *list : {&program.inputs, &program.params, &program.states})
    for (const Declaration &declaration : *list)
      if (declaration.name == name)
        return true;
  return false;
}

std::string validate(const Program &program, const Batch &batch,
                     const TensorMap &arguments) {
  if (std::string message = validate(batch); !message.empty())
    return message;
  size_t known = 0;
  const std::pair<const std::vector<Declaration> *, Boundary> lists[] = {
      {&program.inputs, Boundary::Input},
      {&program.params, Boundary::Param},
      {&program.states, Boundary::State}};
  for (auto [list, boundary] : lists)
    for (const Declaration &declaration : *list) {
      std::string message =
          validateOne(program, declaration, boundary, batch, arguments, known);
      if (!message.empty())
        return message;
    }
  if (known == arguments.size())
    return "";
  for (const auto &[name, tensor] : arguments)
    if (!isBoundaryName(program, name))
      return "unknown argument `" + name + "`";
  return "";
}

} // namespace trowel
