/* Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
   SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

   How compiled code is called: what the compiler's CPU target and whoever runs
   its code agree on. Plain C. */
#ifndef TROWEL_RUNTIME_HOST_KERNEL_H
#define TROWEL_RUNTIME_HOST_KERNEL_H

#include <stdint.h>

/* One head's work on one sequence.

   `data`: an address for each of the program's tensors, in its order of them:
   inputs, params, initial states, final states, outputs.
     Input, output   the head's element of the sequence's first token
     Param           the head's element
     State           the head's on this sequence, dense, last axis fastest
   Null is allowed for an initial state (the program's own beginning), a final
   state and an output (not wanted, or another head of the group stores it).
   Elements have the tensor's declared type; those of tf32, and of states of any
   floating-point type, are floats.

   `strides`, in elements, one tensor after the other:
     Input, output   from token to token, then along each axis but the last
     Param           along each axis but the last
     State           none
   Along the last axis, elements are next to each other.

   `carry`: what the program keeps from call to call beside its states (delayed
   values, hidden states, the position), read first and written last. All bytes
   zero: the sequence begins here. Aligned to 8 bytes.

   `tokens`: may be 0; then the final states are the initial ones.

   `workspace`: memory of any content, aligned to 64 bytes. */
typedef void TrowelKernel(void *const *data, const int64_t *strides,
                          void *carry, int64_t tokens, void *workspace);

#endif /* TROWEL_RUNTIME_HOST_KERNEL_H */
