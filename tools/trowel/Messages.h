// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the command line says when something is wrong, and how it ends.
#ifndef TROWEL_TOOLS_TROWEL_MESSAGES_H
#define TROWEL_TOOLS_TROWEL_MESSAGES_H

#include <string>

namespace trowel::tool {

/// The exit status of an error of ours; 1 is an error of the user's.
constexpr int internalErrorStatus = 70;

/// Prints "trowel: error: MESSAGE" and returns 1, the exit status.
int fail(const std::string &message);

/// Prints "trowel: warning: MESSAGE".
void warn(const std::string &message);

/// Ends the process with "internal error: WHAT … please report".
[[noreturn]] void internalError(const std::string &what);

/// Makes a crash end like an internal error, without a stack trace.
void installCrashHandler();

/// `names` as "`a`, `b`, `c`".
template <typename Names> std::string quoteAll(const Names &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "`" : ", `") + name + "`";
  return text;
}

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_MESSAGES_H
