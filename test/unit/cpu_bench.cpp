// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times the CPU's code: cpu_bench FILE TOKENS HEADS THREADS CHUNK [NAME=SIZE…].

#include "frontend/Reference/Inputs.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"

#include <cstdio>
#include <cstring>
#include <ctime>

using namespace trowel;
using namespace trowel::test;

/// Milliseconds of the CPU, which a busy machine does not stretch.
static double now() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

int main(int argc, char **argv) {
  if (argc < 6)
    return 1;
  CheckOptions options;
  for (int i = 6; i < argc; ++i)
    if (const char *equals = std::strchr(argv[i], '='))
      options.sizes.push_back(
          {std::string(argv[i], static_cast<size_t>(equals - argv[i])),
           std::atoll(equals + 1)});
  Checked checked = checkText(readFile(argv[1]), options);
  if (!checked.program) {
    std::fputs(checked.messages().c_str(), stderr);
    return 1;
  }
  double start = now();
  Derived derived = derive(*checked.program, std::atoll(argv[5]));
  std::printf("derive %.1f ms\n", now() - start);
  if (std::getenv("SHOW_CHUNK"))
    derived.module->dump();
  if (std::getenv("SHOW_LLVM"))
    std::puts(llvm::cantFail(cpu::emitLlvmIr(*derived.module)).c_str());
  start = now();
  cpu::Timings timings;
  auto code = llvm::cantFail(library::InProcess::create(
      *checked.program, *derived.module, {}, &timings));
  std::printf("compile %.1f ms:", now() - start);
  for (const cpu::Timing &timing : timings)
    std::printf(" %s %.1f", timing.name.c_str(), timing.milliseconds);
  std::printf(
      "\nworkspace %lld KB\n",
      static_cast<long long>(
          code->tables().info().phases->divisions->codes->workspaceBytes /
          1024));
  Batch batch;
  batch.tokens = std::atoll(argv[2]);
  batch.heads = std::atoll(argv[3]);
  InputOptions inputs;
  inputs.regime = Regime::Gentle;
  TensorMap values = generateInputs(*checked.program, batch, inputs);
  library::CallOptions call;
  call.threads = std::atoi(argv[4]);
  double best = 1e9;
  auto timed = [&](const trowel_call &raw) {
    int32_t status = TROWEL_OK;
    for (int i = 0; i < 7 && status == TROWEL_OK; ++i) {
      start = now();
      status = code->forward(raw);
      best = std::min(best, now() - start);
    }
    return status;
  };
  library::CallResults results;
  if (library::call(timed, code->tables(), batch, values, call, results) !=
      TROWEL_OK) {
    std::fprintf(stderr, "%s\n", code->lastError());
    return 1;
  }
  std::printf("run %.2f ms\n", best);
  return 0;
}
