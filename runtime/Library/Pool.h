// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The library's threads: made when they are first asked for, shared by all
// callers.
#ifndef TROWEL_RUNTIME_LIBRARY_POOL_H
#define TROWEL_RUNTIME_LIBRARY_POOL_H

#include <cstdint>

namespace trowel::library {

/// However many a call asks for.
constexpr int32_t mostThreads = 1024;

/// How many processors this process may use.
int32_t processors();

/// Calls `body(context, 0)` in this thread and `body(context, i)` for other i
/// in [0, count), each at most once, in threads that are free meanwhile.
/// Returns when all calls that were begun have returned. What is to be done
/// must not depend on how many are made: calls hand out the work among
/// themselves.
void share(int32_t count, void (*body)(void *context, int32_t index),
           void *context);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_POOL_H
