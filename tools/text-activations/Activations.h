// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations of a text: what an attention would be given if a small seeded
// model had read the text. They have the statistics that random numbers lack
// (repeated words give repeated keys, runs of spaces give near-equal ones) and
// are the same on every machine: only +, * and / on float64 in a fixed order,
// and an integer generator of our own.
//
// A token is a byte. Its embedding is the sum of the seeded vectors of the 1-
// to 4-grams that end at it; a tensor is a seeded linear projection of the
// embedding. Every value has mean near 0 and variance near 1.
#ifndef TROWEL_TOOLS_TEXT_ACTIVATIONS_ACTIVATIONS_H
#define TROWEL_TOOLS_TEXT_ACTIVATIONS_ACTIVATIONS_H

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace trowel {

/// Length of a token's embedding.
constexpr int64_t embeddingSize = 64;

/// The `index`-th number of the stream `seed`, uniform in [-1, 1).
double seededUniform(uint64_t seed, uint64_t index);

/// A seed for the tensor or parameter called `name`.
uint64_t seedOf(std::string_view name, uint64_t seed);

/// Embeddings of text[0], …, text[tokens - 1]: [tokens, embeddingSize]. The
/// embedding at t depends on nothing after t. Needs tokens <= text.size().
std::vector<double> embedText(std::string_view text, int64_t tokens,
                              uint64_t seed);

/// The tensor `name`: the embeddings ([tokens, embeddingSize]) projected to
/// `width` columns, times `spread`, plus `centre`. Row by row.
std::vector<float> project(const std::vector<double> &embeddings, int64_t width,
                           std::string_view name, uint64_t seed, double centre,
                           double spread);

/// `count` values for the parameter `name`, uniform with the given centre and
/// standard deviation.
std::vector<float> parameterValues(int64_t count, std::string_view name,
                                   uint64_t seed, double centre, double spread);

/// `NAME=SHAPE[:CENTRE,SPREAD[,LOW,HIGH]]`, the shape's extents separated by
/// commas: a number, or one of B, T, H, G for the call's sizes. `k=B,T,H,128`.
/// Values are cut off at LOW and HIGH.
struct TensorRequest {
  std::string name;
  std::vector<int64_t> shape;
  bool perToken = false; // begins B,T: an activation; else a parameter
  double centre = 0;
  double spread = 1;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

struct CallSizes {
  int64_t batch = 1, tokens = 0, heads = 1, groups = 1;
};

/// Reads a request; on failure sets `error` to what is wrong with `text`.
bool parseRequest(std::string_view text, const CallSizes &sizes,
                  TensorRequest &request, std::string &error);

/// The values of `request`, in its layout. Sequence b reads the text from byte
/// b * tokens on; needs batch * tokens <= text.size().
std::vector<float> makeTensor(const TensorRequest &request,
                              std::string_view text, const CallSizes &sizes,
                              uint64_t seed);

} // namespace trowel

#endif // TROWEL_TOOLS_TEXT_ACTIVATIONS_ACTIVATIONS_H
