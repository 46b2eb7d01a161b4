// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/Array.h"

#include "frontend/Reference/Types.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

namespace trowel::host {

int sizeOf(ElementType type) {
  switch (type) {
  case ElementType::Bool:
  case ElementType::I8:
  case ElementType::U8:
    return 1;
  case ElementType::I16:
  case ElementType::U16:
  case ElementType::F16:
    return 2;
  case ElementType::I32:
  case ElementType::U32:
  case ElementType::F32:
    return 4;
  case ElementType::I64:
  case ElementType::U64:
  case ElementType::F64:
    return 8;
  }
  return 0;
}

const char *nameOf(ElementType type) {
  switch (type) {
  case ElementType::Bool:
    return "bool";
  case ElementType::I8:
    return "int8";
  case ElementType::U8:
    return "uint8";
  case ElementType::I16:
    return "int16";
  case ElementType::U16:
    return "uint16";
  case ElementType::I32:
    return "int32";
  case ElementType::U32:
    return "uint32";
  case ElementType::I64:
    return "int64";
  case ElementType::U64:
    return "uint64";
  case ElementType::F16:
    return "float16";
  case ElementType::F32:
    return "float32";
  case ElementType::F64:
    return "float64";
  }
  return "";
}

int sizeOf(DType dtype) {
  if (dtype == DType::I32)
    return 4;
  // tf32 is kept as f32.
  return dtype == DType::TF32 ? 4 : formatOf(dtype).bits() / 8;
}

template <class T> static T load(const void *bytes, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(bytes) + index * sizeof(T),
              sizeof(T));
  return value;
}

int64_t integerAt(const Array &array, int64_t index) {
  const char *bytes = array.bytes.data();
  switch (array.type) {
  case ElementType::Bool:
  case ElementType::U8:
    return load<uint8_t>(bytes, index);
  case ElementType::I8:
    return load<int8_t>(bytes, index);
  case ElementType::I16:
    return load<int16_t>(bytes, index);
  case ElementType::U16:
    return load<uint16_t>(bytes, index);
  case ElementType::I32:
    return load<int32_t>(bytes, index);
  case ElementType::U32:
    return load<uint32_t>(bytes, index);
  case ElementType::I64:
    return load<int64_t>(bytes, index);
  case ElementType::U64: // what exceeds an int64 fits nowhere else either
    return static_cast<int64_t>(std::min<uint64_t>(
        load<uint64_t>(bytes, index), std::numeric_limits<int64_t>::max()));
  case ElementType::F16:
  case ElementType::F32:
  case ElementType::F64:
    break;
  }
  assert(false && "no integers");
  return 0;
}

static double numberAt(const Array &array, int64_t index) {
  const char *bytes = array.bytes.data();
  switch (array.type) {
  case ElementType::F16:
    return decode(formats::f16, load<uint16_t>(bytes, index));
  case ElementType::F32:
    return load<float>(bytes, index);
  case ElementType::F64:
    return load<double>(bytes, index);
  default:
    return static_cast<double>(integerAt(array, index));
  }
}

static bool isFloat(ElementType type) { return type >= ElementType::F16; }

/// Whether `array` holds bits of `dtype` rather than values.
static bool holdsBits(const Array &array, DType dtype) {
  if (array.type == ElementType::U16)
    return dtype == DType::BF16 || dtype == DType::F16;
  if (array.type == ElementType::U8)
    return dtype == DType::E4M3 || dtype == DType::E5M2;
  return false;
}

static const char *expectedTypes(DType dtype) {
  switch (dtype) {
  case DType::I32:
    return "int32 or another integer type";
  case DType::BF16:
    return "float32, or uint16 with the bits of bf16";
  case DType::F16:
    return "float16, or uint16 with its bits, or float32";
  case DType::E4M3:
    return "float32, or uint8 with the bits of e4m3";
  case DType::E5M2:
    return "float32, or uint8 with the bits of e5m2";
  case DType::F32:
  case DType::TF32:
    break;
  }
  return "float32";
}

std::optional<Tensor> toTensor(const Array &array, DType dtype,
                               std::string &error) {
  bool bits = holdsBits(array, dtype);
  bool accepted = dtype == DType::I32
                      ? !isFloat(array.type) && array.type != ElementType::Bool
                      : bits || isFloat(array.type);
  if (!accepted) {
    error = std::string("holds ") + nameOf(array.type) + ", not " +
            expectedTypes(dtype);
    return std::nullopt;
  }
  Tensor tensor(array.shape);
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    double x = numberAt(array, static_cast<int64_t>(i));
    if (dtype == DType::I32 && (x < INT32_MIN || x > INT32_MAX)) {
      error = "holds an integer that does not fit i32";
      return std::nullopt;
    }
    tensor.data[i] =
        bits ? decode(formatOf(dtype), static_cast<uint32_t>(x)) : x;
  }
  if (!bits)
    roundToType(tensor, dtype);
  return tensor;
}

template <class T>
static void store(std::string &bytes, size_t index, T value) {
  std::memcpy(&bytes[index * sizeof(T)], &value, sizeof(T));
}

std::string pack(const Tensor &tensor, DType dtype) {
  std::string bytes(tensor.data.size() * sizeOf(dtype), '\0');
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    double x = tensor.data[i];
    if (dtype == DType::I32)
      store(bytes, i, static_cast<int32_t>(nearestWithin({}, dtype, x)));
    else if (dtype == DType::F32 || dtype == DType::TF32)
      store(bytes, i, static_cast<float>(roundTo(formatOf(dtype), x)));
    else if (sizeOf(dtype) == 2)
      store(bytes, i, static_cast<uint16_t>(encode(formatOf(dtype), x)));
    else
      store(bytes, i, static_cast<uint8_t>(encode(formatOf(dtype), x)));
  }
  return bytes;
}

Tensor unpack(const void *bytes, std::vector<int64_t> shape, DType dtype) {
  Tensor tensor(std::move(shape));
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    double &x = tensor.data[i];
    int64_t at = static_cast<int64_t>(i);
    if (dtype == DType::I32)
      x = load<int32_t>(bytes, at);
    else if (dtype == DType::F32 || dtype == DType::TF32)
      x = load<float>(bytes, at);
    else if (sizeOf(dtype) == 2)
      x = decode(formatOf(dtype), load<uint16_t>(bytes, at));
    else
      x = decode(formatOf(dtype), load<uint8_t>(bytes, at));
  }
  return tensor;
}

static ElementType rawType(DType dtype) {
  switch (dtype) {
  case DType::I32:
    return ElementType::I32;
  case DType::F16:
    return ElementType::F16;
  case DType::BF16:
    return ElementType::U16;
  case DType::E4M3:
  case DType::E5M2:
    return ElementType::U8;
  case DType::F32:
  case DType::TF32:
    break;
  }
  return ElementType::F32;
}

Array fromTensor(const Tensor &tensor, DType dtype, bool raw) {
  DType stored = raw || dtype == DType::I32 ? dtype : DType::F32;
  return {rawType(stored), tensor.shape, pack(tensor, stored)};
}

} // namespace trowel::host
