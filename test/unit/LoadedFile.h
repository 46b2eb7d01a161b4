// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A library that was built in this process, loaded from a file that is gone
// afterwards.
#ifndef TROWEL_TEST_UNIT_LOADEDFILE_H
#define TROWEL_TEST_UNIT_LOADEDFILE_H

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <fstream>
#include <string>
#include <unistd.h>

namespace trowel::test {

class LoadedFile {
public:
  void load(const std::string &bytes) {
    char path[] = "/tmp/trowel-test-XXXXXX";
    int file = mkstemp(path);
    std::ofstream(path) << bytes;
    close(file);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    EXPECT_TRUE(handle) << dlerror();
    unlink(path);
  }

  template <typename Function>
  void find(Function *&function, const std::string &name) const {
    void *symbol = handle ? dlsym(handle, name.c_str()) : nullptr;
    EXPECT_TRUE(symbol) << name;
    function = reinterpret_cast<Function *>(symbol);
  }

private:
  void *handle = nullptr;
};

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_LOADEDFILE_H
