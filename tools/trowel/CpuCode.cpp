// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/CpuCode.h"

#include "frontend/Reference/Types.h"
#include "runtime/Host/Array.h"
#include "runtime/Host/Launch.h"

#include <chrono>

namespace trowel::tool {
namespace {

using Role = cpu::Argument::Role;

bool isResult(Role role) {
  return role == Role::FinalState || role == Role::Output;
}

/// The type of the elements in the code's memory.
DType memoryType(const cpu::Argument &argument) {
  return argument.dtype == rec::DTypeKind::I32 ? DType::I32 : DType::F32;
}

std::vector<int64_t> shapeOf(const cpu::Argument &argument,
                             const Batch &batch) {
  std::vector<int64_t> shape;
  switch (argument.role) {
  case Role::Input:
  case Role::Output:
    shape = {batch.batch, batch.tokens};
    break;
  case Role::InitialState:
  case Role::FinalState:
    shape = {batch.sequences()};
    break;
  case Role::Param:
    break;
  }
  if (argument.sharing != rec::SharingKind::Shared)
    shape.push_back(argument.sharing == rec::SharingKind::Head ? batch.heads
                                                               : batch.groups);
  shape.insert(shape.end(), argument.sizes.begin(), argument.sizes.end());
  return shape;
}

/// Memory for a result, all ones: NaN until it is written.
std::string poisoned(const std::vector<int64_t> &shape) {
  size_t bytes = sizeof(float);
  for (int64_t extent : shape)
    bytes *= static_cast<size_t>(extent);
  return std::string(bytes, '\xff');
}

/// The arguments and results of one kernel's call in the memory of the caller.
class Tensors {
public:
  Tensors(const cpu::Kernel &kernel, const Batch &batch)
      : wanted(kernel.arguments()), batch(batch), memory(wanted.size()),
        addresses(wanted.size(), nullptr) {}

  void fill(const TensorMap &arguments, const TensorMap &between);
  void *const *data() const { return addresses.data(); }
  TensorMap results() const;

private:
  const std::vector<cpu::Argument> &wanted;
  const Batch &batch;
  std::vector<std::string> memory;
  std::vector<void *> addresses;
};

void Tensors::fill(const TensorMap &arguments, const TensorMap &between) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (isResult(wanted[i].role)) {
      memory[i] = poisoned(shapeOf(wanted[i], batch));
    } else {
      const TensorMap &from =
          between.count(wanted[i].name) ? between : arguments;
      auto it = from.find(wanted[i].name);
      if (it == from.end())
        continue; // an initial state that the caller leaves to the program
      memory[i] = host::pack(it->second, memoryType(wanted[i]));
    }
    addresses[i] = memory[i].data();
  }
}

TensorMap Tensors::results() const {
  TensorMap results;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (isResult(wanted[i].role))
      results[wanted[i].name] = host::unpack(
          memory[i].data(), shapeOf(wanted[i], batch), memoryType(wanted[i]));
  return results;
}

} // namespace

std::optional<TensorMap> CpuCode::run(const Batch &batch,
                                      const TensorMap &arguments,
                                      ThreadPool &pool, double *seconds) const {
  TensorMap results, between;
  std::chrono::duration<double> passed{};
  for (const cpu::Phase &phase : phases) {
    Tensors tensors(*phase.kernel, batch);
    tensors.fill(arguments, between);
    HostProgram program{phase.kernel->entry(), phase.kernel->workspaceBytes()};
    auto start = std::chrono::steady_clock::now();
    if (!launch(program, tensors.data(), batch, pool))
      return std::nullopt;
    passed += std::chrono::steady_clock::now() - start;
    results = tensors.results();
    for (const HeadReduction &reduction : phase.reductions) {
      Tensor &reduced = between[reduction.name];
      reduced = reduceHeads(reduction, results.at(reduction.name), batch);
      if (!reduction.integer)
        roundToType(reduced, DType::F32);
    }
  }
  if (seconds)
    *seconds = passed.count();
  return results;
}

} // namespace trowel::tool
