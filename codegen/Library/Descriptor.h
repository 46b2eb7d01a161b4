// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The object file that ties the compiled code to the runtime: the tables as
// constants, and the four functions of the library.
#ifndef TROWEL_CODEGEN_LIBRARY_DESCRIPTOR_H
#define TROWEL_CODEGEN_LIBRARY_DESCRIPTOR_H

#include "codegen/Library/Tables.h"

#include "llvm/Support/Error.h"

namespace trowel::library {

/// What the code of a phase for a machine is called.
std::string codeSymbol(const std::string &program, Direction direction,
                       int64_t phase, Machine machine, bool isStep = false);

/// The object's bytes. `gradient` is null if there is no backward function;
/// `description` is what NAME_describe returns.
llvm::Expected<std::string> emitDescriptor(const Tables &tables,
                                           const Tables *gradient,
                                           const std::string &description);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_DESCRIPTOR_H
