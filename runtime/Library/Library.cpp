// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "runtime/Library/Library.h"

#include "runtime/Library/Check.h"
#include "runtime/Library/Device.h"
#include "runtime/Library/Machine.h"
#include "runtime/Library/Message.h"
#include "runtime/Library/Run.h"

#include <cstddef>

using namespace trowel::library;

/// A shorter struct, of an earlier version, has no `function`.
static bool asksForBackward(const trowel_call *call) {
  size_t end = offsetof(trowel_call, function) + sizeof(call->function);
  return call && call->struct_size >= end && call->function == TROWEL_BACKWARD;
}

static int32_t runFunction(const ProgramInfo *program, const trowel_call *raw,
                           Function function) {
  Call call(*program, function);
  int64_t machine;
  if (int32_t status = call.checkShapes(raw))
    return status;
  if (int32_t status = call.checkMemory())
    return status;
  if (call.isOnDevice())
    return runOnDevice(*program, call);
  if (int32_t status = chooseMachine(*program, machine))
    return status;
  return Run(*program, call, machine).run();
}

int32_t trowel_library_forward(const ProgramInfo *program,
                               const trowel_call *raw) {
  return runFunction(program, raw, Function::Forward);
}

int32_t trowel_library_step(const ProgramInfo *program,
                            const trowel_call *raw) {
  return runFunction(program, raw, Function::Step);
}

int32_t trowel_library_verify(const ProgramInfo *program,
                              const trowel_call *raw) {
  return runFunction(program, raw, Function::Verify);
}

int32_t trowel_library_commit(const ProgramInfo *program,
                              const trowel_call *raw) {
  return runFunction(program, raw, Function::Commit);
}

int32_t trowel_library_backward(const ProgramInfo *program,
                                const trowel_call *raw) {
  return runFunction(program, raw, Function::Backward);
}

int32_t trowel_library_workspace_size(const ProgramInfo *program,
                                      const ProgramInfo *gradient,
                                      const trowel_call *raw, size_t *bytes) {
  if (!bytes)
    return fail(TROWEL_ERROR_CALL, "bytes is null");
  if (asksForBackward(raw))
    program = gradient;
  if (!program)
    return fail(TROWEL_ERROR_CALL, "the library has no backward function");
  Call call(*program, Function::Asked);
  int64_t machine;
  if (int32_t status = call.checkShapes(raw))
    return status;
  if (call.isOnDevice())
    return deviceWorkspace(*program, call, *bytes);
  if (int32_t status = chooseMachine(*program, machine))
    return status;
  return Run(*program, call, machine).workspaceBytes(*bytes);
}

const char *trowel_library_last_error(void) { return lastMessage(); }
