// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arguments of every command and the texts that explain them.
#ifndef TROWEL_TOOLS_TROWEL_COMMANDLINE_H
#define TROWEL_TOOLS_TROWEL_COMMANDLINE_H

#include <functional>

namespace trowel::tool {

/// What to do, or what to end with where there is nothing to do (help was
/// asked for, or the arguments are wrong; it is printed already).
struct Request {
  std::function<int()> command;
  int status = 0;
};

Request parseCommandLine(int argc, char **argv);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_COMMANDLINE_H
