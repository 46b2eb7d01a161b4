// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A buffer for each thread under a key: thread-local variables would tie the
// library to the loader's support for them.
#include "runtime/Library/Message.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>

namespace trowel::library {

static constexpr int messageBytes = 512;
static pthread_once_t keyOnce = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool hasKey = false;

static void makeKey() { hasKey = pthread_key_create(&key, std::free) == 0; }

/// This thread's buffer; null if there is no memory for one.
static char *buffer() {
  pthread_once(&keyOnce, makeKey);
  if (!hasKey)
    return nullptr;
  void *memory = pthread_getspecific(key);
  if (!memory) {
    memory = std::calloc(1, messageBytes);
    if (memory && pthread_setspecific(key, memory) != 0) {
      std::free(memory);
      return nullptr;
    }
  }
  return static_cast<char *>(memory);
}

int32_t fail(int32_t status, const char *format, ...) {
  char *message = buffer();
  if (!message)
    return status;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, messageBytes, format, arguments);
  va_end(arguments);
  return status;
}

const char *lastMessage() {
  const char *message = buffer();
  return message ? message : "there is no memory for a message";
}

} // namespace trowel::library
