// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands of `trowel`: what each takes, and its exit status.
#ifndef TROWEL_TOOLS_TROWEL_COMMANDS_H
#define TROWEL_TOOLS_TROWEL_COMMANDS_H

#include "tools/trowel/Load.h"

#include <cstdint>
#include <string>
#include <vector>

namespace trowel::tool {

struct CheckArguments {
  ProgramRequest program;
  uint64_t seed = 0;
  bool fullSize = false;
  std::string target = "cpu";
  bool timing = false;
};
int runCheck(const CheckArguments &arguments);

struct BuildArguments {
  ProgramRequest program;
  std::string output;
  std::string emit;
  std::string target = "cpu";
  bool inferenceOnly = false; // no backward function
  bool timing = false;
};
int runBuild(const BuildArguments &arguments);

struct RunArguments {
  ProgramRequest program;
  std::vector<std::string> in, out; // "q=q.npy,k=k.npy" or "all.npz"
  bool raw = false;
  bool checkRanges = false;
  int threads = 0; // 0: one for each processor
  std::string target = "cpu";
  bool meaning = false;
  int64_t compare = 0; // tokens to compare with the meaning
  bool gradients = false;
  bool verbose = false;
  bool timing = false;
};
int runRun(const RunArguments &arguments);

struct BenchArguments {
  ProgramRequest program;
  std::string against; // another file; empty: none
  std::vector<int64_t> tokens = {2048}, heads = {8};
  int64_t batch = 1;
  std::vector<int> threads = {0}; // 0: one for each processor
  bool gradients = false;
};
int runBench(const BenchArguments &arguments);

struct ExplainArguments {
  ProgramRequest program;
};
int runExplain(const ExplainArguments &arguments);

/// Kernels of a GPU, run by the emulator.
extern const std::string emulatedTarget;

/// Why nothing runs on a target here; empty if something does.
std::string refuseTarget(const std::string &target);

int runList();
int runShow(const std::string &name);
int runNew(const std::string &name);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_COMMANDS_H
