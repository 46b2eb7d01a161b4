// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// DLPack tensors with memory of their own, and calls made of them.
#ifndef TROWEL_TEST_UNIT_HOSTTENSORS_H
#define TROWEL_TEST_UNIT_HOSTTENSORS_H

#include "trowel/trowel.h"

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

namespace trowel::test {

constexpr DLDataType f32Type{kDLFloat, 32, 1}, bf16Type{kDLBfloat, 16, 1},
    i32Type{kDLInt, 32, 1}, u8Type{kDLUInt, 8, 1};

/// Memory is 0xff everywhere (NaN) until it is written.
class HostTensor {
public:
  HostTensor(DLDataType type, std::vector<int64_t> shape)
      : shape(std::move(shape)), tensor{} {
    strides.resize(this->shape.size());
    int64_t dense = 1;
    for (size_t i = this->shape.size(); i-- > 0; dense *= this->shape[i])
      strides[i] = dense;
    bytes.assign(static_cast<size_t>(dense) * type.bits / 8, '\xff');
    tensor.dtype = type;
    tensor.device = {kDLCPU, 0};
    update();
    tensor.data = bytes.data();
    tensor.strides = nullptr;
  }
  HostTensor(const HostTensor &other)
      : shape(other.shape), strides(other.strides), bytes(other.bytes),
        tensor(other.tensor) {
    update();
    tensor.data = bytes.data();
    if (tensor.strides)
      tensor.strides = strides.data();
  }
  HostTensor &operator=(const HostTensor &) = delete;

  /// The same elements with a distance of `gap` more between the rows of the
  /// first axis.
  HostTensor spread(int64_t gap) const {
    HostTensor result(*this);
    size_t size = tensor.dtype.bits / 8, row = size, rows = 1;
    for (size_t i = 1; i < shape.size(); ++i)
      row *= static_cast<size_t>(shape[i]);
    rows = static_cast<size_t>(shape[0]);
    size_t step = row + static_cast<size_t>(gap) * size;
    result.bytes.assign(rows * step, '\xff');
    for (size_t i = 0; i < rows; ++i)
      std::memcpy(&result.bytes[i * step], &bytes[i * row], row);
    result.strides[0] = static_cast<int64_t>(step / size);
    result.tensor.data = result.bytes.data();
    result.tensor.strides = result.strides.data();
    return result;
  }

  template <typename T> T *as() { return reinterpret_cast<T *>(bytes.data()); }
  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(bytes.data());
  }
  int64_t count() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    return count;
  }
  bool operator==(const HostTensor &other) const {
    return shape == other.shape && bytes == other.bytes;
  }

  std::vector<int64_t> shape, strides;
  std::vector<char> bytes;
  DLTensor tensor;

private:
  void update() {
    tensor.shape = shape.data();
    tensor.ndim = static_cast<int32_t>(shape.size());
  }
};

/// A call with places for so many tensors.
struct HostCall {
  explicit HostCall(size_t tensorCount) : tensors(tensorCount) {
    call.tensors = tensors.data();
    call.tensor_count = static_cast<int32_t>(tensorCount);
  }
  HostCall(const HostCall &) = delete;

  trowel_call call = trowel_new_call();
  std::vector<const DLTensor *> tensors;
};

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_HOSTTENSORS_H
