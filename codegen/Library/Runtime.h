// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime as an archive, part of the compiler.
#ifndef TROWEL_CODEGEN_LIBRARY_RUNTIME_H
#define TROWEL_CODEGEN_LIBRARY_RUNTIME_H

#include "llvm/ADT/StringRef.h"

namespace trowel::library {

/// The bytes of the archive that every library is linked with.
llvm::StringRef runtimeArchive();

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_RUNTIME_H
