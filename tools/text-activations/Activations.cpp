// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/text-activations/Activations.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace trowel {

static constexpr int64_t longestGram = 4;
static constexpr double sqrt3 = 1.7320508075688772;

/// The finaliser of splitmix64 (Steele, Lea, Flood, 2014).
static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

double seededUniform(uint64_t seed, uint64_t index) {
  uint64_t bits = mix(seed ^ mix(index)) >> 11; // 53 bits
  return static_cast<double>(bits) * (1.0 / (uint64_t(1) << 52)) - 1.0;
}

uint64_t seedOf(std::string_view name, uint64_t seed) {
  uint64_t hash = mix(seed);
  for (char c : name)
    hash = mix(hash ^ static_cast<unsigned char>(c));
  return mix(hash ^ (uint64_t(name.size()) << 32));
}

std::vector<double> embedText(std::string_view text, int64_t tokens,
                              uint64_t seed) {
  std::vector<double> result(tokens * embeddingSize, 0.0);
  for (int64_t t = 0; t < tokens; ++t) {
    double *row = &result[t * embeddingSize];
    for (int64_t length = 1; length <= std::min(longestGram, t + 1); ++length) {
      std::string_view gram = text.substr(t + 1 - length, length);
      uint64_t stream = seedOf(gram, seed);
      for (int64_t d = 0; d < embeddingSize; ++d)
        row[d] += seededUniform(stream, d);
    }
    // Each term has variance 1/3.
    for (int64_t d = 0; d < embeddingSize; ++d)
      row[d] *= sqrt3 / 2;
  }
  return result;
}

std::vector<float> project(const std::vector<double> &embeddings, int64_t width,
                           std::string_view name, uint64_t seed, double centre,
                           double spread) {
  uint64_t stream = seedOf(name, seed);
  std::vector<double> weights(embeddingSize * width);
  double scale = sqrt3 / 8; // 8 = sqrt(embeddingSize)
  static_assert(embeddingSize == 64, "scale assumes it");
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = scale * seededUniform(stream, i);

  int64_t tokens = static_cast<int64_t>(embeddings.size()) / embeddingSize;
  std::vector<float> result(tokens * width);
  std::vector<double> row(width);
  for (int64_t t = 0; t < tokens; ++t) {
    std::fill(row.begin(), row.end(), 0.0);
    for (int64_t d = 0; d < embeddingSize; ++d) {
      double e = embeddings[t * embeddingSize + d];
      const double *w = &weights[d * width];
      for (int64_t c = 0; c < width; ++c)
        row[c] += e * w[c];
    }
    for (int64_t c = 0; c < width; ++c)
      result[t * width + c] = static_cast<float>(centre + spread * row[c]);
  }
  return result;
}

std::vector<float> parameterValues(int64_t count, std::string_view name,
                                   uint64_t seed, double centre,
                                   double spread) {
  uint64_t stream = seedOf(name, seed);
  std::vector<float> result(count);
  for (int64_t i = 0; i < count; ++i)
    result[i] =
        static_cast<float>(centre + spread * sqrt3 * seededUniform(stream, i));
  return result;
}

static bool parseExtent(std::string_view text, const CallSizes &sizes,
                        int64_t &extent) {
  if (text.size() == 1) {
    switch (text[0]) {
    case 'B':
      extent = sizes.batch;
      return true;
    case 'T':
      extent = sizes.tokens;
      return true;
    case 'H':
      extent = sizes.heads;
      return true;
    case 'G':
      extent = sizes.groups;
      return true;
    default:
      break;
    }
  }
  auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), extent);
  return problem == std::errc() && end == text.data() + text.size() &&
         extent > 0 && extent <= (int64_t(1) << 24);
}

static bool parseReal(std::string_view text, double &value) {
  std::string copy(text);
  char *end = nullptr;
  value = std::strtod(copy.c_str(), &end);
  return !copy.empty() && *end == '\0';
}

static std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos)
      return parts;
    text.remove_prefix(comma + 1);
  }
}

bool parseRequest(std::string_view text, const CallSizes &sizes,
                  TensorRequest &request, std::string &error) {
  auto fail = [&](const std::string &why) {
    error = "'" + std::string(text) + "': " + why;
    return false;
  };
  size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail("expected NAME=SHAPE, such as k=B,T,H,128");
  request = TensorRequest();
  request.name = text.substr(0, equals);
  size_t colon = text.find(':', equals);
  std::string_view shape = text.substr(
      equals + 1, colon == std::string_view::npos ? colon : colon - equals - 1);
  std::vector<std::string_view> extents = split(shape);
  for (std::string_view part : extents) {
    int64_t extent = 0;
    if (!parseExtent(part, sizes, extent))
      return fail("'" + std::string(part) +
                  "' is no extent; use B, T, H, G or a positive number");
    request.shape.push_back(extent);
  }
  bool hasTokens = std::count(extents.begin(), extents.end(), "T") > 0;
  request.perToken =
      extents.size() >= 2 && extents[0] == "B" && extents[1] == "T";
  if (hasTokens && !request.perToken)
    return fail("a shape with tokens begins with B,T");
  if (colon == std::string_view::npos)
    return true;
  std::vector<std::string_view> numbers = split(text.substr(colon + 1));
  double *fields[] = {&request.centre, &request.spread, &request.low,
                      &request.high};
  if (numbers.size() != 2 && numbers.size() != 4)
    return fail("expected CENTRE,SPREAD or CENTRE,SPREAD,LOW,HIGH after ':'");
  for (size_t i = 0; i < numbers.size(); ++i)
    if (!parseReal(numbers[i], *fields[i]))
      return fail("'" + std::string(numbers[i]) + "' is no number");
  return true;
}

static void cutOff(const TensorRequest &request, std::vector<float> &values) {
  for (float &value : values)
    value = std::min(std::max(value, static_cast<float>(request.low)),
                     static_cast<float>(request.high));
}

std::vector<float> makeTensor(const TensorRequest &request,
                              std::string_view text, const CallSizes &sizes,
                              uint64_t seed) {
  int64_t count = 1;
  for (int64_t extent : request.shape)
    count *= extent;
  std::vector<float> result;
  if (!request.perToken) {
    result = parameterValues(count, request.name, seed, request.centre,
                             request.spread);
    cutOff(request, result);
    return result;
  }
  int64_t width = count / (sizes.batch * sizes.tokens);
  result.reserve(count);
  for (int64_t b = 0; b < sizes.batch; ++b) {
    std::vector<double> embeddings =
        embedText(text.substr(b * sizes.tokens), sizes.tokens, seed);
    std::vector<float> sequence = project(embeddings, width, request.name, seed,
                                          request.centre, request.spread);
    result.insert(result.end(), sequence.begin(), sequence.end());
  }
  cutOff(request, result);
  return result;
}

} // namespace trowel
