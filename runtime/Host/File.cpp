// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/File.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace trowel::host {

static std::string because(const char *what, const std::string &path,
                           int code) {
  return std::string("cannot ") + what + " `" + path + "`" +
         (code ? std::string(": ") + std::strerror(code) : std::string());
}

bool isReadable(const std::string &path, std::string &error) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    error = because("read", path, EISDIR);
    return false;
  }
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) {
    error = because("read", path, errno);
    return false;
  }
  std::fclose(file);
  return true;
}

std::optional<std::string> readFile(const std::string &path,
                                    std::string &error) {
  if (!isReadable(path, error))
    return std::nullopt;
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) {
    error = because("read", path, errno);
    return std::nullopt;
  }
  std::string bytes;
  char chunk[1 << 16];
  while (size_t got = std::fread(chunk, 1, sizeof chunk, file))
    bytes.append(chunk, got);
  bool failed = std::ferror(file);
  int code = errno;
  std::fclose(file);
  if (!failed)
    return bytes;
  error = because("read", path, code);
  return std::nullopt;
}

std::string partialName(const std::string &path) {
  // A device or pipe is written to, never replaced.
  std::error_code code;
  if (std::filesystem::exists(path, code) &&
      !std::filesystem::is_regular_file(path, code))
    return path;
  return path + ".partial-" + std::to_string(getpid());
}

void discardFile(const std::string &partial, const std::string &path) {
  if (partial != path)
    std::remove(partial.c_str());
}

std::string replaceFile(const std::string &partial, const std::string &path) {
  if (partial == path || std::rename(partial.c_str(), path.c_str()) == 0)
    return "";
  int code = errno;
  discardFile(partial, path);
  return because("write", path, code);
}

std::string writeFile(const std::string &path, const std::string &bytes) {
  std::string partial = partialName(path);
  std::FILE *file = std::fopen(partial.c_str(), "wb");
  if (!file)
    return because("write", path, errno);
  errno = 0;
  bool written =
      std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  int code = errno;
  if (std::fclose(file) != 0) {
    code = written ? errno : code;
    written = false;
  }
  if (written)
    return replaceFile(partial, path);
  discardFile(partial, path);
  return because("write", path, code);
}

} // namespace trowel::host
