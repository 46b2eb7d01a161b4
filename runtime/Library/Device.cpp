// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "runtime/Library/Device.h"

#include "runtime/Library/Message.h"

namespace trowel::library {

int32_t deviceWorkspace(const ProgramInfo &program, const Call &call,
                        size_t &bytes) {
  Checked needed = Checked(kernelOf(program, call).workspaceBytes) *
                   call.size(N) * call.size(H);
  if (needed.get() > 0)
    needed += workspaceAlignment - 1;
  if (needed.overflows())
    return fail(TROWEL_ERROR_WORKSPACE,
                "the workspace would be larger than what can be addressed");
  bytes = static_cast<size_t>(needed.get());
  return TROWEL_OK;
}

int32_t runOnDevice(const ProgramInfo &program, const Call &call) {
  const trowel_call &raw = call.arguments();
  size_t needed;
  if (int32_t status = deviceWorkspace(program, call, needed))
    return status;
  if (needed > 0 && !raw.workspace)
    return fail(TROWEL_ERROR_WORKSPACE,
                "a call on a device allocates nothing: it needs a workspace of "
                "%zu bytes there",
                needed);
  if (raw.workspace_size < needed)
    return fail(TROWEL_ERROR_WORKSPACE,
                "the workspace has %zu bytes; the call needs %zu",
                raw.workspace_size, needed);
  return program.device->launch(&program, &call);
}

} // namespace trowel::library
