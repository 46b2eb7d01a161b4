// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An array as files hold it: typed bytes with a shape.
#ifndef TROWEL_RUNTIME_HOST_ARRAY_H
#define TROWEL_RUNTIME_HOST_ARRAY_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"

#include <map>
#include <optional>
#include <string>

namespace trowel::host {

enum class ElementType {
  Bool,
  I8,
  U8,
  I16,
  U16,
  I32,
  U32,
  I64,
  U64,
  F16,
  F32,
  F64
};

/// Bytes of one element.
int sizeOf(ElementType type);
/// NumPy's name: "float32".
const char *nameOf(ElementType type);

/// Contiguous, last axis fastest, in this machine's byte order.
struct Array {
  ElementType type = ElementType::F32;
  std::vector<int64_t> shape;
  std::string bytes;
};

using ArrayMap = std::map<std::string, Array>;

/// Element `index` of an array of integers.
int64_t integerAt(const Array &array, int64_t index);

/// The values of `array` as a tensor of the declared type, rounded to it.
/// float16, float32 and float64 hold values; uint16 holds the bits of a bf16 or
/// f16, uint8 those of an 8-bit float. i32 takes integers that fit. Nothing,
/// and a message without a name, if `array` is none of these.
std::optional<Tensor> toTensor(const Array &array, DType dtype,
                               std::string &error);

/// The values of `tensor` as float32 (i32: int32), or with `raw` in the bits of
/// the declared type: float16, uint16 for bf16, uint8 for 8-bit floats.
Array fromTensor(const Tensor &tensor, DType dtype, bool raw);

/// Bytes of one element of `dtype` in memory.
int sizeOf(DType dtype);

/// The elements of `tensor` in the memory format of `dtype`, and back.
std::string pack(const Tensor &tensor, DType dtype);
Tensor unpack(const void *bytes, std::vector<int64_t> shape, DType dtype);

} // namespace trowel::host

#endif // TROWEL_RUNTIME_HOST_ARRAY_H
