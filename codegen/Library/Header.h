// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The texts beside a library: its C header and its description.
#ifndef TROWEL_CODEGEN_LIBRARY_HEADER_H
#define TROWEL_CODEGEN_LIBRARY_HEADER_H

#include "codegen/Library/Tables.h"

namespace trowel::library {

/// The first line of every generated header.
extern const char *const headerMark;

std::string makeHeader(const Program &program, const Tables &tables,
                       const std::string &version);

/// What NAME_describe returns: JSON.
std::string makeDescription(const Program &program, const Tables &tables,
                            const std::string &version);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_HEADER_H
