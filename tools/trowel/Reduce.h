// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a program to the same at sizes that float64 trials can bear.
#ifndef TROWEL_TOOLS_TROWEL_REDUCE_H
#define TROWEL_TOOLS_TROWEL_REDUCE_H

#include "tools/trowel/Load.h"

namespace trowel::tool {

/// The program with the header's larger sizes made small: 12, 10, 8, …, so that
/// no two agree by chance; or halved, all or those that can be, where it needs
/// equal or divisible ones. As it is if it cannot be had smaller.
Loaded reduce(const Loaded &loaded);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_REDUCE_H
