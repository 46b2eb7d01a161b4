// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Messages.h"

#include "llvm/Support/ErrorHandling.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

namespace trowel::tool {

int fail(const std::string &message) {
  std::cerr << "trowel: error: " << message << '\n';
  return 1;
}

void warn(const std::string &message) {
  std::cerr << "trowel: warning: " << message << '\n';
}

void internalError(const std::string &what) {
  std::cout.flush();
  std::cerr << "trowel: internal error: " << what
            << "; please report this, with the program and the command\n";
  std::cerr.flush();
  std::_Exit(internalErrorStatus);
}

namespace {

/// Only what a signal handler may call.
void onCrash(int) {
  const char text[] = "trowel: internal error: the compiler crashed; please "
                      "report this, with the program and the command\n";
  if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
    _exit(internalErrorStatus);
  _exit(internalErrorStatus);
}

} // namespace

void installCrashHandler() {
  llvm::install_fatal_error_handler(
      [](void *, const char *reason, bool) { internalError(reason); });
  // A stack of its own: an overflow of the usual one is a crash as well.
  static char stack[1 << 16];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof(stack);
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = onCrash;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGABRT, &action, nullptr);
  // The sanitizers have more to say about the others.
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP})
    sigaction(signal, &action, nullptr);
#endif
}

} // namespace trowel::tool
