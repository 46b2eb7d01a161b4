// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's files: .npy (one array; format 1, 2 and 3) and .npz (a zip archive of
// them). Files come from outside: whatever they hold, reading gives an array or
// one message that names the file.
//
// Both byte orders and both axis orders are read. Not read: objects, strings,
// records, complex numbers, and bytes behind the array.
#ifndef TROWEL_RUNTIME_HOST_NPY_H
#define TROWEL_RUNTIME_HOST_NPY_H

#include "runtime/Host/Array.h"

#include <string_view>

namespace trowel::host {

std::optional<Array> readNpy(const std::string &path, std::string &error);
std::optional<ArrayMap> readNpz(const std::string &path, std::string &error);

/// Write the whole file under another name and then rename it, so that a file
/// is complete or not there. The result is empty, or says what went wrong.
std::string writeNpy(const std::string &path, const Array &array);
std::string writeNpz(const std::string &path, const ArrayMap &arrays);

/// The same from and to memory. `name` is what messages call the bytes.
std::optional<Array> parseNpy(std::string_view bytes, const std::string &name,
                              std::string &error);
std::string formatNpy(const Array &array);

/// How many bytes an .npy has that starts with `start` (all of it, or 64 KiB).
std::optional<uint64_t> npySize(std::string_view start, const std::string &name,
                                std::string &error);

} // namespace trowel::host

#endif // TROWEL_RUNTIME_HOST_NPY_H
