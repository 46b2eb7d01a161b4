// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linking without a linker on the user's machine: LLVM's, in process.
#ifndef TROWEL_CODEGEN_LIBRARY_LINK_H
#define TROWEL_CODEGEN_LIBRARY_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace trowel::library {

/// A shared library of the objects and of what they need of the runtime, which
/// depends on the C library of this machine alone. `name` is its soname.
llvm::Expected<std::string> linkLibrary(llvm::ArrayRef<std::string> objects,
                                        const std::string &name);

/// The same as one relocatable object. What is hidden becomes local, so that
/// several such objects fit into one program.
llvm::Expected<std::string> linkObject(llvm::ArrayRef<std::string> objects);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_LINK_H
