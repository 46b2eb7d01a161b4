/* Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A host in C. It runs docs/getting-started/my_rule.trowel over a sequence in
 * one call, then over the same sequence in two calls that hand the state on,
 * its last tokens one by one.
 *
 *   trowel build docs/getting-started/my_rule.trowel -o my_rule.so
 *   cc host.c -I. -I"$PREFIX/include" ./my_rule.so -lm -o host
 */
#include "my_rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { T = 300, H = 4, K = my_rule_size_K, V = my_rule_size_V };

static float q[T * H * K], k[T * H * K], v[T * H * V], beta[T * H], keep[T * H];
static float o[T * H * V], o_again[T * H * V], S[H * K * V], S_again[H * K * V];

/* A dense tensor of floats. DLPack has no memory of its own: the shape must
 * live as long as the tensor. */
static DLTensor tensor(float *data, int64_t *shape, int32_t axes) {
  DLTensor t = {0};
  t.data = data;
  t.device.device_type = kDLCPU;
  t.ndim = axes;
  t.dtype.code = kDLFloat;
  t.dtype.bits = 32;
  t.dtype.lanes = 1;
  t.shape = shape;
  return t;
}

typedef int32_t (*function_t)(const trowel_call *);

/* `tokens` tokens from `first` on: from the state in S_in (null: zero) to
 * S_out. */
static void run(function_t function, int64_t first, int64_t tokens, float *out,
                float *S_in, float *S_out) {
  int64_t keys[] = {1, tokens, H, K}, values[] = {1, tokens, H, V},
          scalars[] = {1, tokens, H}, state[] = {1, H, K, V};
  DLTensor q_t = tensor(q + first * H * K, keys, 4);
  DLTensor k_t = tensor(k + first * H * K, keys, 4);
  DLTensor v_t = tensor(v + first * H * V, values, 4);
  DLTensor beta_t = tensor(beta + first * H, scalars, 3);
  DLTensor keep_t = tensor(keep + first * H, scalars, 3);
  DLTensor o_t = tensor(out + first * H * V, values, 4);
  DLTensor in_t = tensor(S_in, state, 4), out_t = tensor(S_out, state, 4);

  const DLTensor *tensors[my_rule_tensor_count] = {0};
  tensors[my_rule_in_q] = &q_t;
  tensors[my_rule_in_k] = &k_t;
  tensors[my_rule_in_v] = &v_t;
  tensors[my_rule_in_beta] = &beta_t;
  tensors[my_rule_in_keep] = &keep_t;
  tensors[my_rule_out_o] = &o_t;
  tensors[my_rule_state_in_S] = S_in ? &in_t : NULL;
  tensors[my_rule_state_out_S] = &out_t;

  trowel_call call = trowel_new_call();
  call.tensors = tensors;
  call.tensor_count = my_rule_tensor_count;
  call.function = function == my_rule_step ? TROWEL_STEP : TROWEL_FORWARD;
  if (my_rule_workspace_size(&call, &call.workspace_size) != TROWEL_OK ||
      !(call.workspace = malloc(call.workspace_size)) ||
      function(&call) != TROWEL_OK) {
    fprintf(stderr, "%s\n", my_rule_last_error());
    exit(1);
  }
  free(call.workspace);
}

static void fill(float *data, int count, float low, float high) {
  static unsigned bits = 1;
  for (int i = 0; i < count; ++i) {
    bits = bits * 1664525u + 1013904223u;
    data[i] = low + (high - low) * ((float)(bits >> 8) / 16777216.0f);
  }
}

static double difference(const float *a, const float *b, int count) {
  double most = 0;
  for (int i = 0; i < count; ++i)
    most = fmax(most, fabs((double)a[i] - b[i]));
  return most;
}

int main(void) {
  fill(q, T * H * K, -1, 1);
  fill(k, T * H * K, -1, 1);
  fill(v, T * H * V, -1, 1);
  fill(beta, T * H, 0, 1);
  fill(keep, T * H, 0.8f, 1);

  run(my_rule_forward, 0, T, o, NULL, S);
  run(my_rule_forward, 0, 200, o_again, NULL, S_again);
  run(my_rule_forward, 200, 50, o_again, S_again, S_again); /* in place */
  for (int t = 250; t < T; ++t) /* as decoding does */
    run(my_rule_step, t, 1, o_again, S_again, S_again);

  double outputs = difference(o, o_again, T * H * V);
  double states = difference(S, S_again, H * K * V);
  int good = outputs < 1e-4 && states < 1e-4;
  printf("one call and many agree: %s\n", good ? "yes" : "no");

  /* What is wrong with a call is said in words. */
  trowel_call empty = trowel_new_call();
  int32_t status = my_rule_forward(&empty);
  printf("status %d: %s\n", (int)status, my_rule_last_error());
  return !good;
}
