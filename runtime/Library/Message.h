// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words behind a status.
#ifndef TROWEL_RUNTIME_LIBRARY_MESSAGE_H
#define TROWEL_RUNTIME_LIBRARY_MESSAGE_H

#include <cstdint>

namespace trowel::library {

/// Keeps the message for this thread and returns `status`.
int32_t fail(int32_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// The message of the last call that failed in this thread; "" without one.
const char *lastMessage();

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_MESSAGE_H
