/* Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * How a host calls what `trowel build` makes. A library built from the
 * attention NAME has these functions, which the header NAME.h declares beside
 * an enumeration of its tensors:
 *
 *   int32_t NAME_forward(const trowel_call *call);
 *   int32_t NAME_backward(const trowel_call *call);
 *   int32_t NAME_step(const trowel_call *call);
 *   int32_t NAME_verify(const trowel_call *call);
 *   int32_t NAME_commit(const trowel_call *call);
 *   int32_t NAME_workspace_size(const trowel_call *call, size_t *bytes);
 *   const char *NAME_describe(void);
 *   const char *NAME_last_error(void);
 *
 * They need nothing but the C library (and, on a device, its driver), may be called from several threads at
 * once, and never end the process. What is wrong with a call is said by the
 * status that they return; then nothing has been written. NAME_last_error has
 * it in words that name the argument, for the last call that failed in the same
 * thread.
 *
 * forward: any number of tokens of each sequence, by chunks.
 *
 * backward: the gradients of a sum, from those of outputs and final states
 * (NAME_grad_out_o, NAME_grad_state_out_S; null: zero), those of inputs, params
 * and initial states (NAME_grad_in_x, NAME_grad_param_x, NAME_grad_state_in_S;
 * null: not wanted), in the types and shapes of what they are gradients of. The
 * call is otherwise forward's: the same inputs, params, initial states,
 * cu_seqlens and carry_in; what forward gave is computed again. A gradient of
 * what several heads share, or of a param, is the sum over them and all
 * sequences. What goes through the carry has no gradient. Not there if the
 * library was built without.
 *
 * step: one token of each sequence, to decode.
 *
 * verify: up to TROWEL_DRAFT_TOKENS tokens of each sequence. Outputs are, to the
 * bit, those that as many steps give; states and carries stay as they are.
 *
 * commit: the first `accepted` of these tokens. States and carries become, to
 * the bit, what as many steps leave.
 *
 * The last three take states and carries from pools of slots, [slots, H,
 * sizes...], and need no place for each sequence in order: see state_in.
 *
 * On a CUDA device. A library built with `--target sm_90a` has all functions but
 * backward for tensors on a device (kDLCUDA); with `--target cpu,sm_90a` it has
 * code for the CPU as well, and where the tensors are decides. All of a call are
 * in one place, those of numbers such as cu_seqlens too. A call starts one
 * kernel on `stream` and returns: it allocates nothing on the device, waits for
 * nothing and can be recorded into a CUDA graph. The first one on a device
 * loads the driver and the kernels. What differs from a CPU:
 *
 * - The values of cu_seqlens, state_in, state_out and accepted are not checked:
 *   ones that trowel_call forbids read and write whatever memory they lead to.
 * - `workspace` is memory of the device, and needed if NAME_workspace_size is
 *   not zero. Calls that may run at the same time need one each.
 * - A state lies densely along its declared axes. Only a state that each head
 *   has for itself may be read and written in the same place. Carries begin,
 *   and have strides, at multiples of 8 bytes.
 * - There are no boundaries, segments, TROWEL_STATE_V_FIRST and
 *   TROWEL_POISON_WORKSPACE; `threads` and parallel_for have no meaning.
 * - TROWEL_OK means that the kernel was started; what goes wrong in it is said
 *   by whoever waits for the stream.
 */
#ifndef TROWEL_TROWEL_H
#define TROWEL_TROWEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "trowel/dlpack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a library cannot be called as before. */
#define TROWEL_ABI_VERSION 1

/* At most so many tokens of a sequence in a call of verify and commit. */
#define TROWEL_DRAFT_TOKENS 16

/* What the functions return. */
typedef enum trowel_status {
  TROWEL_OK = 0,
  TROWEL_ERROR_CALL = 1,    /* trowel_call itself: a null, a size, a flag */
  TROWEL_ERROR_MISSING = 2, /* a tensor, or its data, that is needed is null */
  TROWEL_ERROR_DEVICE = 3,  /* where a tensor is, or what is not done there */
  TROWEL_ERROR_DTYPE = 4,   /* not of the declared type */
  TROWEL_ERROR_SHAPE = 5,   /* the number of axes, or one's extent */
  TROWEL_ERROR_STRIDE = 6, /* an axis that should be contiguous, and the like */
  TROWEL_ERROR_ALIGNMENT = 7, /* an address that is no multiple of an element */
  TROWEL_ERROR_OVERLAP =
      8, /* a result that shares memory with another tensor */
  TROWEL_ERROR_CU_SEQLENS = 9,  /* the values of cu_seqlens */
  TROWEL_ERROR_BOUNDARIES = 10, /* the values of boundaries */
  TROWEL_ERROR_WORKSPACE = 11,  /* the workspace is too small */
  TROWEL_ERROR_MEMORY = 12,     /* there is no memory left */
  TROWEL_ERROR_MACHINE = 13,    /* no code for this processor */
  TROWEL_ERROR_TOKENS = 14, /* how many tokens a sequence has, or `accepted` */
  TROWEL_ERROR_SLOTS = 15,  /* the values of state_in and state_out */
  TROWEL_ERROR_DRIVER = 16, /* no CUDA driver, or no use of the device */
  TROWEL_ERROR_KERNEL = 17, /* no kernels that the device or its driver takes */
  TROWEL_ERROR_LAUNCH = 18  /* the driver did not start the kernel */
} trowel_status;

/* Bits of trowel_call.flags. */
enum {
  /* The last two axes of every state come in the other order: [N, H, V, K]. A
   * state with fewer than two axes is as it is declared. */
  TROWEL_STATE_V_FIRST = 1,
  /* For tests of the compiler: the code finds its memory full of NaN. */
  TROWEL_POISON_WORKSPACE = 2
};

/* Values of trowel_call.function. */
typedef enum trowel_function {
  TROWEL_FORWARD = 0,
  TROWEL_STEP = 1,
  TROWEL_VERIFY = 2,
  TROWEL_COMMIT = 3,
  TROWEL_BACKWARD = 4
} trowel_function;

/* Runs `body(context, i)` for every i in [0, count), in any order and on any
 * threads, and returns when all have returned. `host` is the host's own. */
typedef void (*trowel_parallel_for)(void *host, int32_t count,
                                    void (*body)(void *context, int32_t index),
                                    void *context);

/* The arguments of every function: begin with trowel_new_call, then set what is
 * wanted. Later versions append fields, of which zero means what this version
 * does.
 *
 * Tensors are read and written where they lie. Strides are free but for the
 * last of the declared axes, which must be contiguous; no strides means dense.
 * Elements are of the declared type. B, T and N may be 0; T has 31 bits.
 *
 * A result may share no memory with another tensor, with two exceptions: a
 * per-head state's initial and final tensor, and the carry's, may be the same
 * one. Tensors that lie between one another, such as columns of one matrix,
 * share none. */
typedef struct trowel_call {
  size_t struct_size; /* sizeof(trowel_call) */
  uint32_t flags;     /* TROWEL_STATE_V_FIRST and others */
  /* At most so many threads; 0: one for each processor. Results do not depend
   * on it, unless it makes segments. */
  int32_t threads;

  /* One for each NAME_in_x, NAME_param_x, NAME_out_x, NAME_state_in_S,
   * NAME_state_out_S, NAME_state_at_S and NAME_grad_..., at these places. Null:
   * an output or final state that is not wanted, an initial state that is the
   * program's own. A function does not look at places that it has no use for:
   * backward at outputs, others at gradients. */
  const DLTensor *const *tensors;
  int32_t tensor_count; /* how many there are; what lies behind is null */
  int32_t reserved;     /* zero */

  /* Null, or int32 [N + 1]: B = 1, and sequence i has the tokens from
   * cu_seqlens[i] up to cu_seqlens[i + 1]. From 0 to T, not decreasing. */
  const DLTensor *cu_seqlens;

  /* Null, or int32 [M], increasing: NAME_state_at_S, [M, H, sizes...], gets the
   * state before each of these tokens. Token t of row b is number b * T + t.
   * Each lies a multiple of the chunk (`chunk_tokens` of the description)
   * behind its sequence's first token. */
  const DLTensor *boundaries;

  /* What else goes from token to token: delays, running sums, the position.
   * Bytes without a meaning to the host, uint8 [N, H, carry_bytes] (carry_at:
   * [M, H, carry_bytes]); `carry_bytes` is in the description. No carry_in: the
   * sequences begin here. */
  const DLTensor *carry_in;
  const DLTensor *carry_out;
  const DLTensor *carry_at;

  /* Memory of any content for the time of the call, NAME_workspace_size bytes.
   * A smaller one serves fewer threads. Null: the call asks malloc for it. */
  void *workspace;
  size_t workspace_size;

  void *stream; /* a CUstream or cudaStream_t; not used on a CPU */

  /* Null, or where to run instead of on threads of the library's own: called at
   * most a few times, with a count of at most `threads`. */
  trowel_parallel_for parallel_for;
  void *parallel_for_host;

  /* From here on: step, verify and commit. NAME_state_in_S, NAME_state_out_S
   * and the carries have slots in place of N. int32 [N] each: the slot that
   * sequence i begins with (-1: at its beginning), and the one that gets what
   * it leaves (-1: none). Null: slot i. Both may name the same slot of the same
   * tensor, with states of any kind. No two sequences write one slot, and none
   * reads what another one writes. */
  const DLTensor *state_in;
  const DLTensor *state_out;
  /* int32 [N], commit only: how many of its tokens each sequence takes. Outputs
   * of the others are not written. */
  const DLTensor *accepted;

  /* Which function NAME_workspace_size is asked for: a trowel_function. */
  uint32_t function;
  uint32_t reserved2; /* zero */

  /* forward only. Cut each sequence into so many segments that run at the same
   * time, where the states allow it (`segments` of the description); 1: do not.
   * Results differ by roundings, and depend on this number and the shapes
   * alone. 0: as many as the heads leave threads for, if `threads` says so and
   * these are at least eight for each head. */
  int64_t segments;
} trowel_call;

/* A call of which nothing but its size is set. */
static inline trowel_call trowel_new_call(void) {
  trowel_call call;
  memset(&call, 0, sizeof(call));
  call.struct_size = sizeof(call);
  return call;
}

#ifdef __cplusplus
}
#endif

#endif /* TROWEL_TROWEL_H */
