// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Compare.h"

#include "frontend/Reference/Layout.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace trowel {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The root of the mean square of finite numbers, safe from overflow.
static double rootMeanSquare(const std::vector<double> &values) {
  double largest = 0;
  for (double x : values)
    largest = std::max(largest, std::fabs(x));
  if (largest == 0)
    return 0;
  double sum = 0;
  for (double x : values)
    sum += (x / largest) * (x / largest);
  return largest * std::sqrt(sum / static_cast<double>(values.size()));
}

/// The first element that is no number where the reference has one, or the
/// other way round; -1 if there is none.
static int64_t firstOutOfPlace(const Tensor &actual, const Tensor &reference) {
  for (size_t i = 0; i < reference.data.size(); ++i) {
    double expected = reference.data[i], found = actual.data[i];
    bool matches = std::isfinite(expected) ? std::isfinite(found)
                   : std::isnan(expected)  ? std::isnan(found)
                                           : found == expected;
    if (!matches)
      return static_cast<int64_t>(i);
  }
  return -1;
}

double errorRatio(const Tensor &actual, const Tensor &reference,
                  const Tensor &magnitude) {
  if (actual.shape != reference.shape ||
      actual.data.size() != reference.data.size() ||
      firstOutOfPlace(actual, reference) >= 0)
    return infinity;
  std::vector<double> errors, references, magnitudes;
  for (size_t i = 0; i < reference.data.size(); ++i) {
    if (!std::isfinite(reference.data[i]))
      continue;
    errors.push_back(actual.data[i] - reference.data[i]);
    references.push_back(reference.data[i]);
    if (i < magnitude.data.size() && std::isfinite(magnitude.data[i]))
      magnitudes.push_back(magnitude.data[i]);
  }
  double error = rootMeanSquare(errors);
  if (error == 0)
    return 0;
  double scale =
      std::max(rootMeanSquare(references), 1e-3 * rootMeanSquare(magnitudes));
  return error / scale; // infinite if the scale is zero
}

/// Why two tensors have no finite ratio.
static std::string describeBreach(const Tensor &actual,
                                  const Tensor &reference) {
  if (actual.shape != reference.shape)
    return "shape " + describeShape(actual.shape) + ", not " +
           describeShape(reference.shape);
  int64_t at = firstOutOfPlace(actual, reference);
  if (at < 0)
    return "not zero where everything is zero";
  return std::to_string(actual.data[at]) + " where " +
         std::to_string(reference.data[at]) + " is expected, at " +
         describePosition(reference.shape, at);
}

Comparison compare(const TensorMap &actual, const TensorMap &reference,
                   const TensorMap &magnitudes) {
  Comparison worst;
  const Tensor none;
  for (const auto &[name, expected] : reference) {
    auto found = actual.find(name);
    if (found == actual.end())
      return {infinity, name, "missing"};
    auto magnitude = magnitudes.find(name);
    double ratio =
        errorRatio(found->second, expected,
                   magnitude == magnitudes.end() ? none : magnitude->second);
    if (ratio <= worst.ratio)
      continue;
    worst = {ratio, name, ""};
    if (std::isinf(ratio))
      worst.reason = describeBreach(found->second, expected);
  }
  return worst;
}

double largestMagnitude(const TensorMap &tensors) {
  double largest = 0;
  for (const auto &[name, tensor] : tensors)
    for (double x : tensor.data) {
      if (!std::isfinite(x))
        return infinity;
      largest = std::max(largest, std::fabs(x));
    }
  return largest;
}

} // namespace trowel
