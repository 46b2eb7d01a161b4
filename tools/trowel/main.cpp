// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// trowel: the compiler's command line.
#include "tools/trowel/CommandLine.h"
#include "tools/trowel/Messages.h"

#include <cstdlib>
#include <new>

using namespace trowel::tool;

int main(int argc, char **argv) {
  installCrashHandler();
  std::set_new_handler([] { std::_Exit(fail("there is not enough memory")); });
  Request request = parseCommandLine(argc, argv);
  return request.command ? request.command() : request.status;
}
