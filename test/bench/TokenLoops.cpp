// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "test/bench/TokenLoops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace trowel::bench {

namespace {

constexpr long width = 128; // K and V
constexpr int lanes = 16;
typedef float Vector __attribute__((vector_size(lanes * 4), aligned(4)));

Vector load(const float *from) {
  Vector x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
void store(float *to, Vector x) { std::memcpy(to, &x, sizeof x); }
Vector all(float x) { return Vector{} + x; }

float sum(Vector x) {
  float result = 0;
  for (int i = 0; i < lanes; ++i)
    result += x[i];
  return result;
}

//===--- Rows -------------------------------------------------------------===//

float dot(const float *x, const float *y) {
  Vector sums[4] = {};
  for (int c = 0; c < width; c += 4 * lanes)
    for (int i = 0; i < 4; ++i)
      sums[i] += load(x + c + i * lanes) * load(y + c + i * lanes);
  return sum(sums[0] + sums[1] + sums[2] + sums[3]);
}

void addTimes(float *x, float factor, const float *y) {
  for (int c = 0; c < width; c += lanes)
    store(x + c, load(x + c) + factor * load(y + c));
}

void multiply(float *x, const float *y) {
  for (int c = 0; c < width; c += lanes)
    store(x + c, load(x + c) * load(y + c));
}

//===--- Slices -----------------------------------------------------------===//

/// A token on `Columns` vectors of value columns; `state` is [K][Columns].
template <int Columns, bool Channels>
void sliceToken(float *state, const float *k, const float *q, const float *a,
                float beta, const float *v, float *o) {
  Vector read[2][Columns] = {}, write[Columns];
  for (int c = 0; c < width; c += 2)
    for (int half = 0; half < 2; ++half) {
      int at = c + half;
      float factor = Channels ? a[at] * k[at] : k[at];
      for (int j = 0; j < Columns; ++j)
        read[half][j] += factor * load(state + (at * Columns + j) * lanes);
    }
  for (int j = 0; j < Columns; ++j) {
    Vector known = read[0][j] + read[1][j];
    write[j] = beta * (load(v + j * lanes) - (Channels ? known : a[0] * known));
    read[0][j] = read[1][j] = all(0);
  }
  for (int c = 0; c < width; c += 2)
    for (int half = 0; half < 2; ++half) {
      int at = c + half;
      for (int j = 0; j < Columns; ++j) {
        float *place = state + (at * Columns + j) * lanes;
        Vector next = load(place) * a[Channels ? at : 0] + k[at] * write[j];
        store(place, next);
        read[half][j] += q[at] * next;
      }
    }
  for (int j = 0; j < Columns; ++j)
    store(o + j * lanes, read[0][j] + read[1][j]);
}

template <int Columns, bool Channels>
void sliced(const DeltaRule &rule, long head) {
  constexpr long block = 32;
  alignas(64) static thread_local float state[width * width];
  alignas(64) static thread_local float decay[block * width];
  std::memset(state, 0, sizeof state);
  for (long first = 0; first < rule.tokens; first += block) {
    long count = std::min(block, rule.tokens - first);
    for (long t = 0; t < count; ++t) {
      long row = (first + t) * rule.heads + head;
      if (Channels)
        for (int c = 0; c < width; ++c)
          decay[t * width + c] = std::exp(rule.g[row * width + c]);
      else
        decay[t * width] = std::exp(rule.g[row]);
    }
    for (int slice = 0; slice < width; slice += Columns * lanes)
      for (long t = 0; t < count; ++t) {
        long row = (first + t) * rule.heads + head, at = row * width;
        sliceToken<Columns, Channels>(
            state + slice * width, rule.k + at, rule.q + at, decay + t * width,
            rule.beta[row], rule.v + at + slice, rule.o + at + slice);
      }
  }
}

} // namespace

void rowLoop(const DeltaRule &rule, long head) {
  alignas(64) static thread_local float state[width * width];
  std::memset(state, 0, sizeof state);
  float a[width], write[width];
  for (long t = 0; t < rule.tokens; ++t) {
    long row = t * rule.heads + head, at = row * width;
    for (long c = 0; c < width; ++c)
      a[c] = rule.channels ? std::exp(rule.g[at + c])
             : c == 0      ? std::exp(rule.g[row])
                           : a[0];
    for (long j = 0; j < width; ++j)
      multiply(state + j * width, a);
    for (long j = 0; j < width; ++j)
      write[j] = rule.beta[row] *
                 (rule.v[at + j] - dot(state + j * width, rule.k + at));
    for (long j = 0; j < width; ++j)
      addTimes(state + j * width, write[j], rule.k + at);
    for (long j = 0; j < width; ++j)
      rule.o[at + j] = dot(state + j * width, rule.q + at);
  }
}

void slicedLoop(const DeltaRule &rule, long head, int columns) {
  if (rule.channels)
    return columns == 32 ? sliced<2, true>(rule, head)
                         : sliced<4, true>(rule, head);
  return columns == 32 ? sliced<2, false>(rule, head)
                       : sliced<4, false>(rule, head);
}

} // namespace trowel::bench
