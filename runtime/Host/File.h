// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole files in and out, with messages that name them and say why.
#ifndef TROWEL_RUNTIME_HOST_FILE_H
#define TROWEL_RUNTIME_HOST_FILE_H

#include <optional>
#include <string>

namespace trowel::host {

/// The bytes of a file, or nothing and a message.
std::optional<std::string> readFile(const std::string &path,
                                    std::string &error);

/// Whether `path` is a file that can be opened; else a message.
bool isReadable(const std::string &path, std::string &error);

/// Writes `bytes` beside `path`, then renames: the file is complete or not
/// there. The result is empty, or says what went wrong.
std::string writeFile(const std::string &path, const std::string &bytes);

/// The name under which `path` is written until it is complete.
std::string partialName(const std::string &path);

/// Renames the complete `partial` to `path`; removes it if that fails.
std::string replaceFile(const std::string &partial, const std::string &path);

/// Removes what was written of a file that will not be complete.
void discardFile(const std::string &partial, const std::string &path);

} // namespace trowel::host

#endif // TROWEL_RUNTIME_HOST_FILE_H
