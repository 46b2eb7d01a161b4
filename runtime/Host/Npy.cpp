// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/Npy.h"

#include "runtime/Host/File.h"
#include "runtime/Host/NpyHeader.h"

#include <algorithm>

namespace trowel::host {

static std::string inQuotes(const std::string &name) {
  return "`" + name + "`";
}

/// Reverses the bytes of every element.
static void swapByteOrder(std::string &bytes, size_t size) {
  for (size_t at = 0; at + size <= bytes.size(); at += size)
    std::reverse(bytes.begin() + at, bytes.begin() + at + size);
}

/// From the first axis fastest to the last axis fastest.
static std::string reorder(const std::string &bytes,
                           const std::vector<int64_t> &shape, size_t size) {
  std::string result(bytes.size(), '\0');
  std::vector<size_t> strides, index(shape.size(), 0);
  size_t stride = size;
  for (int64_t extent : shape) {
    strides.push_back(stride);
    stride *= static_cast<size_t>(extent);
  }
  size_t source = 0;
  for (size_t at = 0; at < bytes.size(); at += size) {
    std::copy_n(&bytes[source], size, &result[at]);
    for (size_t axis = shape.size(); axis-- > 0;) {
      source += strides[axis];
      if (++index[axis] < static_cast<size_t>(shape[axis]))
        break;
      source -= strides[axis] * index[axis];
      index[axis] = 0;
    }
  }
  return result;
}

std::optional<uint64_t> npySize(std::string_view start, const std::string &name,
                                std::string &error) {
  std::optional<NpyHeader> header = parseNpyHeader(start, error);
  if (!header) {
    error = inQuotes(name) + " " + error;
    return std::nullopt;
  }
  return uint64_t(header->headerBytes) + header->dataBytes;
}

std::optional<Array> parseNpy(std::string_view bytes, const std::string &name,
                              std::string &error) {
  std::optional<NpyHeader> header = parseNpyHeader(bytes, error);
  if (!header) {
    error = inQuotes(name) + " " + error;
    return std::nullopt;
  }
  size_t present = bytes.size() - header->headerBytes;
  if (present != header->dataBytes) {
    error = inQuotes(name) + " is " +
            (present < header->dataBytes ? "truncated" : "too long") + ": " +
            std::to_string(present) + " bytes of elements, " +
            std::to_string(header->dataBytes) + " expected";
    return std::nullopt;
  }
  Array array{header->type, header->shape,
              std::string(bytes.substr(header->headerBytes))};
  size_t size = sizeOf(array.type);
  if (header->bigEndian)
    swapByteOrder(array.bytes, size);
  if (header->fortranOrder)
    array.bytes = reorder(array.bytes, array.shape, size);
  return array;
}

std::string formatNpy(const Array &array) {
  return formatNpyHeader(array) + array.bytes;
}

std::optional<Array> readNpy(const std::string &path, std::string &error) {
  std::optional<std::string> bytes = readFile(path, error);
  if (!bytes)
    return std::nullopt;
  return parseNpy(*bytes, path, error);
}

std::string writeNpy(const std::string &path, const Array &array) {
  return writeFile(path, formatNpy(array));
}

} // namespace trowel::host
