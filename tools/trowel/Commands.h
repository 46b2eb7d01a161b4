// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands of `trowel`: what each takes, and its exit status.
#ifndef TROWEL_TOOLS_TROWEL_COMMANDS_H
#define TROWEL_TOOLS_TROWEL_COMMANDS_H

#include "tools/trowel/Load.h"

#include <string>
#include <vector>

namespace trowel::tool {

struct BuildArguments {
  ProgramRequest program;
  std::string output;
  std::string emit;
  std::string target = "cpu";
  bool timing = false;
};
int runBuild(const BuildArguments &arguments);

int runList();
int runShow(const std::string &name);
int runNew(const std::string &name);

/// Empty if code can be made for `target`, else a message.
std::string checkTarget(const std::string &target);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_COMMANDS_H
