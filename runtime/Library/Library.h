// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the functions of a library do, for the program that it has been built
// from.
#ifndef TROWEL_RUNTIME_LIBRARY_LIBRARY_H
#define TROWEL_RUNTIME_LIBRARY_LIBRARY_H

#include "runtime/Library/Program.h"
#include "trowel/trowel.h"

extern "C" {
int32_t trowel_library_forward(const trowel::library::ProgramInfo *program,
                               const trowel_call *call);
int32_t trowel_library_step(const trowel::library::ProgramInfo *program,
                            const trowel_call *call);
int32_t trowel_library_verify(const trowel::library::ProgramInfo *program,
                              const trowel_call *call);
int32_t trowel_library_commit(const trowel::library::ProgramInfo *program,
                              const trowel_call *call);
/// `gradient` is the program of the backward function, null if there is none.
int32_t trowel_library_backward(const trowel::library::ProgramInfo *gradient,
                                const trowel_call *call);
int32_t
trowel_library_workspace_size(const trowel::library::ProgramInfo *program,
                              const trowel::library::ProgramInfo *gradient,
                              const trowel_call *call, size_t *bytes);
const char *trowel_library_last_error(void);
}

#endif // TROWEL_RUNTIME_LIBRARY_LIBRARY_H
