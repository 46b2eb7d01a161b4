// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/Run.h"

#include "runtime/Host/Array.h"

#include <chrono>

namespace trowel::cpu {

DType memoryType(const Argument &argument) {
  using Kind = rec::DTypeKind;
  static_assert(int(DType::F32) == int(Kind::F32) &&
                int(DType::E4M3) == int(Kind::E4M3) &&
                int(DType::I32) == int(Kind::I32));
  auto type = static_cast<DType>(argument.dtype);
  bool state = argument.role == Argument::Role::InitialState ||
               argument.role == Argument::Role::FinalState;
  return state && type != DType::I32 ? DType::F32 : type;
}

HostTensor hostTensor(const Argument &argument) {
  using Role = HostTensor::Role;
  static_assert(int(Role::Input) == int(Argument::Role::Input) &&
                int(Role::FinalState) == int(Argument::Role::FinalState) &&
                int(Role::Output) == int(Argument::Role::Output));
  HostTensor tensor;
  tensor.role = static_cast<Role>(argument.role);
  tensor.sharing = argument.sharing == rec::SharingKind::Shared
                       ? HostTensor::Sharing::Shared
                   : argument.sharing == rec::SharingKind::Grouped
                       ? HostTensor::Sharing::Grouped
                       : HostTensor::Sharing::Head;
  tensor.sizes = argument.sizes;
  tensor.elementBytes = argument.elementBytes();
  return tensor;
}

std::optional<TensorMap> run(const Kernel &kernel, const Batch &batch,
                             const TensorMap &arguments, ThreadPool &pool,
                             const RunOptions &options) {
  size_t count = kernel.arguments().size();
  std::vector<std::string> memory(count);
  std::vector<HostTensor> tensors;
  for (size_t i = 0; i < count; ++i) {
    const Argument &argument = kernel.arguments()[i];
    HostTensor &tensor = tensors.emplace_back(hostTensor(argument));
    auto given = arguments.find(argument.name);
    if (tensor.isResult()) // all ones: NaN until it is written
      memory[i] = std::string(
          static_cast<size_t>(tensor.elementCount(batch) * tensor.elementBytes),
          '\xff');
    else if (given != arguments.end())
      memory[i] = host::pack(given->second, memoryType(argument));
    else
      continue; // an initial state that the caller leaves to the program
    tensor.data = memory[i].data();
  }
  HostProgram program{kernel.entry(), kernel.workspaceBytes(),
                      kernel.carryBytes(), options.poison};
  auto start = std::chrono::steady_clock::now();
  if (!launch(program, tensors, batch, pool))
    return std::nullopt;
  std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  if (options.seconds)
    *options.seconds += passed.count();
  TensorMap results;
  for (size_t i = 0; i < count; ++i)
    if (tensors[i].isResult())
      results[kernel.arguments()[i].name] =
          host::unpack(memory[i].data(), tensors[i].shape(batch),
                       memoryType(kernel.arguments()[i]));
  return results;
}

std::optional<TensorMap> run(const std::vector<Phase> &phases,
                             const Batch &batch, const TensorMap &arguments,
                             ThreadPool &pool, const RunOptions &options) {
  std::optional<TensorMap> results;
  TensorMap joined; // with what is reduced between phases
  if (phases.size() > 1)
    joined = arguments;
  for (const Phase &phase : phases) {
    results = run(*phase.kernel, batch, phases.size() > 1 ? joined : arguments,
                  pool, options);
    if (!results)
      return std::nullopt;
    for (const HeadReduction &reduction : phase.reductions)
      joined[reduction.name] =
          reduceHeads(reduction, results->at(reduction.name), batch);
  }
  return results;
}

} // namespace trowel::cpu
