// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parameters are those that codegen/CUDA/Kernels.h lists.
#include "runtime/CUDA/Launch.h"

#include "runtime/CUDA/Modules.h"
#include "runtime/Library/Device.h"
#include "runtime/Library/Message.h"

namespace trowel::library {
namespace {

class Parameters {
public:
  Parameters(const ProgramInfo &program, const Call &call)
      : program(program), call(call), phase(program.phases[0]),
        values(mostValues()), addresses(mostValues()) {}

  bool hasMemory() const { return values.data && addresses.data; }
  void fill(char *workspace);
  void **get() { return addresses.data; }

private:
  int64_t mostValues() const;
  void add(int64_t value) {
    addresses.data[count] = &values.data[count];
    values.data[count++] = value;
  }
  void add(const void *address) {
    add(static_cast<int64_t>(reinterpret_cast<uintptr_t>(address)));
  }
  void addCarry(const View &view);
  void addTensor(const ArgumentInfo &argument);
  void addStrides(const ArgumentInfo &argument, const View &view);

  const ProgramInfo &program;
  const Call &call;
  const PhaseInfo &phase;
  Buffer<int64_t> values;
  Buffer<void *> addresses;
  int64_t count = 0;
};

bool isState(Role role) {
  return role == Role::InitialState || role == Role::FinalState;
}

int64_t Parameters::mostValues() const {
  int64_t most = 13;
  for (int64_t i = 0; i < phase.argumentCount; ++i)
    most += 5 + program.tensors[phase.arguments[i].tensor].rank;
  return most;
}

void Parameters::fill(char *workspace) {
  add(call.size(H));
  add(call.size(T));
  add(call.cuSeqlens().data);
  add(call.stateIn().data);
  add(call.stateOut().data);
  add(call.accepted().data);
  addCarry(call.carryIn());
  addCarry(call.carryOut());
  add(workspace);
  for (int64_t i = 0; i < phase.argumentCount; ++i)
    addTensor(phase.arguments[i]);
}

void Parameters::addCarry(const View &view) {
  add(view.data);
  add(view.given ? view.strides[0] : 0);
  add(view.given ? view.strides[1] : 0);
}

void Parameters::addTensor(const ArgumentInfo &argument) {
  const View &view = call.tensor(argument.tensor);
  add(view.data);
  int64_t axis = 0, bytes = bytesOf(view.type);
  bool hasRows = argument.role != Role::Param;
  add(hasRows && view.given ? view.strides[axis] * bytes : 0);
  if (hasRows)
    axis += isState(argument.role) ? 1 : 2;
  bool isShared = argument.sharing == Sharing::Shared;
  add(view.given && !isShared ? view.strides[axis] * bytes : 0);
  add(call.size(H) / call.units(argument.sharing));
  addStrides(argument, view);
}

void Parameters::addStrides(const ArgumentInfo &argument, const View &view) {
  if (isState(argument.role))
    return;
  if (argument.role != Role::Param)
    add(view.given ? view.strides[1] : 0);
  int64_t rank = program.tensors[argument.tensor].rank;
  for (int64_t i = 0; i + 1 < rank; ++i)
    add(view.given ? view.strides[view.rank - rank + i] : 0);
}

/// The multiple of the alignment of which `deviceWorkspace` has thought.
char *aligned(void *workspace) {
  auto address = reinterpret_cast<uintptr_t>(workspace);
  uintptr_t past = address % workspaceAlignment;
  char *begin = static_cast<char *>(workspace);
  return past ? begin + (workspaceAlignment - past) : begin;
}

} // namespace
} // namespace trowel::library

using namespace trowel::library;

int32_t trowel_library_launch(const ProgramInfo *program, const Call *call) {
  const trowel_call &raw = call->arguments();
  int64_t blocks = call->size(N) * call->size(H);
  if (blocks == 0)
    return TROWEL_OK;
  Parameters parameters(*program, *call);
  if (!parameters.hasMemory())
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  parameters.fill(aligned(raw.workspace));
  const Driver *driver;
  if (int32_t status = findDriver(driver))
    return status;
  int device = call->device();
  CurrentContext context(*driver, device);
  if (context.status())
    return context.status();
  LoadedKernels kernels;
  if (int32_t status = findKernels(*driver, *program->device, device,
                                   context.get(), kernels))
    return status;
  const KernelInfo &info = kernelOf(*program, *call);
  CudaFunction function = call->isDecode() ? kernels.step : kernels.forward;
  CudaResult result = driver->launch(function, static_cast<unsigned>(blocks), 1,
                                     1, static_cast<unsigned>(info.threads), 1,
                                     1, static_cast<unsigned>(info.sharedBytes),
                                     static_cast<CudaStream>(raw.stream),
                                     parameters.get(), nullptr);
  if (result != 0)
    return failInDriver(*driver, TROWEL_ERROR_LAUNCH, "cuLaunchKernel", result);
  return TROWEL_OK;
}
