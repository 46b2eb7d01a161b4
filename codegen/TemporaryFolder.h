// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder for the files of a program that reads and writes files: it lives as
// long as the object.
#ifndef TROWEL_CODEGEN_TEMPORARYFOLDER_H
#define TROWEL_CODEGEN_TEMPORARYFOLDER_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

namespace trowel::codegen {

class TemporaryFolder {
public:
  TemporaryFolder() {
    failure = llvm::sys::fs::createUniqueDirectory("trowel", path);
  }
  ~TemporaryFolder() {
    if (!failure)
      llvm::sys::fs::remove_directories(path);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  llvm::Error check() const {
    return failure ? llvm::createStringError(
                         failure, "cannot make a folder for temporary files: " +
                                      failure.message())
                   : llvm::Error::success();
  }
  std::string file(const std::string &name) const {
    llvm::SmallString<128> full(path);
    llvm::sys::path::append(full, name);
    return full.str().str();
  }

private:
  llvm::SmallString<128> path;
  std::error_code failure;
};

inline llvm::Error writeFile(const std::string &path, llvm::StringRef bytes) {
  std::error_code failure;
  llvm::raw_fd_ostream stream(path, failure);
  if (!failure) {
    stream << bytes;
    stream.close();
    failure = stream.error();
    stream.clear_error();
  }
  return failure
             ? llvm::createStringError(failure, "cannot write `" + path +
                                                    "`: " + failure.message())
             : llvm::Error::success();
}

inline llvm::Expected<std::string> readFile(const std::string &path) {
  auto bytes = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                           /*RequiresNullTerminator=*/false);
  if (!bytes)
    return llvm::createStringError(bytes.getError(),
                                   "cannot read `" + path +
                                       "`: " + bytes.getError().message());
  return (*bytes)->getBuffer().str();
}

} // namespace trowel::codegen

#endif // TROWEL_CODEGEN_TEMPORARYFOLDER_H
