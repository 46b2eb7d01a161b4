// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Runtime.h"

__asm__(".section .rodata\n"
        ".balign 16\n"
        "trowel_runtime_begin:\n"
        ".incbin \"" TROWEL_RUNTIME_ARCHIVE "\"\n"
        "trowel_runtime_end:\n"
        ".byte 0\n"
        ".previous\n");

extern "C" {
extern const char trowel_runtime_begin[], trowel_runtime_end[];
}

namespace trowel::library {

llvm::StringRef runtimeArchive() {
  return llvm::StringRef(
      trowel_runtime_begin,
      static_cast<size_t>(trowel_runtime_end - trowel_runtime_begin));
}

} // namespace trowel::library
