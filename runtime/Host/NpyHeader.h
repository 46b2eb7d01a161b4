// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header of an .npy: a Python dictionary in a fixed frame.
#ifndef TROWEL_RUNTIME_HOST_NPYHEADER_H
#define TROWEL_RUNTIME_HOST_NPYHEADER_H

#include "runtime/Host/Array.h"

#include <string_view>

namespace trowel::host {

struct NpyHeader {
  ElementType type = ElementType::F32;
  bool bigEndian = false;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
  size_t headerBytes = 0; // where the elements start
  size_t dataBytes = 0;
};

/// The header that `bytes` start with, or a message without a file name.
std::optional<NpyHeader> parseNpyHeader(std::string_view bytes,
                                        std::string &error);

/// The header of `array`, padded so that the elements start at a multiple
/// of 64.
std::string formatNpyHeader(const Array &array);

} // namespace trowel::host

#endif // TROWEL_RUNTIME_HOST_NPYHEADER_H
