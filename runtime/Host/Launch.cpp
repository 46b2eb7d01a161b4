// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/Launch.h"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace trowel {

namespace {

struct Free {
  void operator()(void *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, Free>;

using Role = HostTensor::Role;
using Sharing = HostTensor::Sharing;

/// How many heads a tensor has.
int64_t unitsOf(const HostTensor &tensor, const Batch &batch) {
  return tensor.sharing == Sharing::Head      ? batch.heads
         : tensor.sharing == Sharing::Grouped ? batch.groups
                                              : 1;
}

int64_t elementsOf(const HostTensor &tensor) {
  int64_t count = 1;
  for (int64_t size : tensor.sizes)
    count *= size;
  return count;
}

bool hasTokens(const HostTensor &tensor) {
  return tensor.role == Role::Input || tensor.role == Role::Output;
}

std::vector<int64_t> stridesOf(const std::vector<HostTensor> &tensors,
                               const Batch &batch) {
  std::vector<int64_t> strides;
  for (const HostTensor &tensor : tensors) {
    if (hasTokens(tensor))
      strides.push_back(unitsOf(tensor, batch) * elementsOf(tensor));
    else if (tensor.role != Role::Param)
      continue;
    int64_t stride = elementsOf(tensor);
    for (size_t i = 0; i + 1 < tensor.sizes.size(); ++i)
      strides.push_back(stride /= tensor.sizes[i]);
  }
  return strides;
}

/// The work of one head on one sequence, whose first token is the `begin`th of
/// all B * T.
struct Item {
  int64_t sequence, head, begin, end;
};

Item itemOf(const Batch &batch, int64_t number) {
  Item item{number / batch.heads, number % batch.heads, 0, 0};
  item.begin = item.sequence * batch.tokens;
  item.end = item.begin + batch.tokens;
  if (!batch.cuSeqlens.empty()) {
    item.begin = batch.cuSeqlens[static_cast<size_t>(item.sequence)];
    item.end = batch.cuSeqlens[static_cast<size_t>(item.sequence) + 1];
  }
  return item;
}

/// Where an item's part of a tensor lies; null if it has no business there.
void *partOf(const HostTensor &tensor, const Batch &batch, const Item &item) {
  int64_t units = unitsOf(tensor, batch), headsOfUnit = batch.heads / units;
  bool first = item.head % headsOfUnit == 0;
  if (!tensor.data || (tensor.isResult() && !first))
    return nullptr;
  int64_t row = hasTokens(tensor)            ? item.begin
                : tensor.role == Role::Param ? 0
                                             : item.sequence;
  int64_t unit = row * units + item.head / headsOfUnit;
  return static_cast<char *>(tensor.data) +
         unit * elementsOf(tensor) * tensor.elementBytes;
}

/// What one thread needs.
struct Worker {
  Memory workspace;
  std::vector<char> carry;
  std::vector<void *> data;
};

} // namespace

std::vector<int64_t> HostTensor::shape(const Batch &batch) const {
  std::vector<int64_t> shape;
  if (hasTokens(*this))
    shape = {batch.batch, batch.tokens};
  else if (role != Role::Param)
    shape = {batch.sequences()};
  if (sharing != Sharing::Shared)
    shape.push_back(unitsOf(*this, batch));
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  return shape;
}

int64_t HostTensor::elementCount(const Batch &batch) const {
  int64_t count = 1;
  for (int64_t extent : shape(batch))
    count *= extent;
  return count;
}

bool launch(const HostProgram &program, const std::vector<HostTensor> &tensors,
            const Batch &batch, ThreadPool &pool) {
  size_t bytes = static_cast<size_t>(program.workspaceBytes + 63) / 64 * 64;
  std::vector<Worker> workers(pool.size());
  for (Worker &worker : workers) {
    worker.workspace.reset(std::aligned_alloc(64, bytes));
    if (!worker.workspace)
      return false;
    worker.data.resize(tensors.size());
  }
  std::vector<int64_t> strides = stridesOf(tensors, batch);
  auto work = [&](int64_t number, unsigned thread) {
    Worker &worker = workers[thread];
    Item item = itemOf(batch, number);
    for (size_t i = 0; i < tensors.size(); ++i)
      worker.data[i] = partOf(tensors[i], batch, item);
    worker.carry.assign(static_cast<size_t>(program.carryBytes), 0);
    if (program.poison)
      std::memset(worker.workspace.get(), 0xff, bytes);
    program.entry(worker.data.data(), strides.data(), worker.carry.data(),
                  item.end - item.begin, worker.workspace.get());
  };
  pool.run(batch.sequences() * batch.heads, work);
  return true;
}

} // namespace trowel
