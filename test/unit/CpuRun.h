// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs compiled programs on float64 tensors, for tests.
#ifndef TROWEL_TEST_UNIT_CPURUN_H
#define TROWEL_TEST_UNIT_CPURUN_H

#include "codegen/CPU/Phases.h"
#include "runtime/Host/Launch.h"

#include <cmath>

namespace trowel::test {

/// The shape of a kernel's argument for a batch.
inline std::vector<int64_t> shapeOf(const cpu::Argument &argument,
                                    const Batch &batch) {
  using Role = cpu::Argument::Role;
  std::vector<int64_t> shape;
  bool perToken = argument.role == Role::Input || argument.role == Role::Output;
  if (perToken)
    shape = {batch.batch, batch.tokens};
  else if (argument.role != Role::Param)
    shape = {batch.sequences()};
  if (argument.sharing == rec::SharingKind::Head)
    shape.push_back(batch.heads);
  if (argument.sharing == rec::SharingKind::Grouped)
    shape.push_back(batch.groups);
  shape.insert(shape.end(), argument.sizes.begin(), argument.sizes.end());
  return shape;
}

/// Outputs and final states; they and the workspace are NaN before the run.
inline TensorMap runKernel(const cpu::Kernel &kernel, const Batch &batch,
                           const TensorMap &values, unsigned threads = 1) {
  using Role = cpu::Argument::Role;
  std::vector<std::vector<float>> buffers;
  std::vector<void *> pointers;
  for (const cpu::Argument &argument : kernel.arguments()) {
    Tensor shape(shapeOf(argument, batch));
    std::vector<float> &buffer =
        buffers.emplace_back(shape.elementCount() + 1, std::nanf(""));
    bool result =
        argument.role == Role::Output || argument.role == Role::FinalState;
    auto value = values.find(argument.name);
    if (!result && value == values.end()) {
      pointers.push_back(nullptr);
      continue;
    }
    auto *integers = reinterpret_cast<int32_t *>(buffer.data());
    for (int64_t i = 0; !result && i < shape.elementCount(); ++i)
      if (argument.dtype == rec::DTypeKind::I32)
        integers[i] = static_cast<int32_t>(value->second.data[i]);
      else
        buffer[i] = static_cast<float>(value->second.data[i]);
    pointers.push_back(buffer.data());
  }
  ThreadPool pool(threads);
  HostProgram program{kernel.entry(), kernel.workspaceBytes(), true};
  launch(program, pointers.data(), batch, pool);
  TensorMap results;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const cpu::Argument &argument = kernel.arguments()[i];
    if (argument.role != Role::Output && argument.role != Role::FinalState)
      continue;
    Tensor &tensor = results[argument.name] = Tensor(shapeOf(argument, batch));
    auto *integers = reinterpret_cast<const int32_t *>(buffers[i].data());
    for (size_t n = 0; n < tensor.data.size(); ++n)
      tensor.data[n] =
          argument.dtype == rec::DTypeKind::I32 ? integers[n] : buffers[i][n];
  }
  return results;
}

/// The phases of a program in order, with the reductions between them.
inline TensorMap runPhases(const std::vector<cpu::Phase> &phases,
                           const Batch &batch, TensorMap values,
                           unsigned threads = 1) {
  TensorMap results;
  for (const cpu::Phase &phase : phases) {
    results = runKernel(*phase.kernel, batch, values, threads);
    for (const HeadReduction &reduction : phase.reductions)
      values[reduction.name] =
          reduceHeads(reduction, results.at(reduction.name), batch);
  }
  return results;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_CPURUN_H
