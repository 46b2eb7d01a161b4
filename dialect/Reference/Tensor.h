// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The float64 tensors that references take and return, and the shape of a call.
#ifndef TROWEL_DIALECT_REFERENCE_TENSOR_H
#define TROWEL_DIALECT_REFERENCE_TENSOR_H

#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace trowel {

/// A dense float64 tensor, last axis fastest. Integers are held exactly.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> data;

  Tensor() = default;
  explicit Tensor(std::vector<int64_t> shape, double fill = 0)
      : shape(std::move(shape)), data(elementCount(), fill) {}

  int64_t elementCount() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<int64_t>());
  }
};

/// The run-time sizes of one call. Layouts are those of docs/language.md:
/// inputs and outputs [B, T, H | G | -, axes], params [H | G | -, axes],
/// states [N, H | G | -, axes].
struct Batch {
  int64_t batch = 1;              // B
  int64_t tokens = 0;             // T
  int64_t heads = 1;              // H
  int64_t groups = 1;             // G; divides H
  std::vector<int64_t> cuSeqlens; // empty, or N + 1 offsets into T with B = 1

  int64_t sequences() const {
    return cuSeqlens.empty() ? batch
                             : static_cast<int64_t>(cuSeqlens.size()) - 1;
  }
};

/// A call's tensors by name. Going in: inputs, params and (optionally) initial
/// states. Coming out: outputs, final states and `debug` values.
using TensorMap = std::map<std::string, Tensor>;

} // namespace trowel

#endif // TROWEL_DIALECT_REFERENCE_TENSOR_H
