// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A checked call, run: phase by phase, in each an item of work for every
// sequence and head.
#ifndef TROWEL_RUNTIME_LIBRARY_RUN_H
#define TROWEL_RUNTIME_LIBRARY_RUN_H

#include "runtime/Library/Layout.h"

#include <atomic>

namespace trowel::library {

class Run {
public:
  Run(const ProgramInfo &program, const Call &call, int64_t machine);

  /// The workspace that serves as many threads as the call may use.
  int32_t workspaceBytes(size_t &bytes) const;
  int32_t run();

private:
  /// What lies between two boundaries of one head's sequence. Tokens count
  /// through all rows.
  struct Part {
    int64_t sequence, head, begin, end;
    bool isFirst, isLast;
    int64_t boundary; // the one at its end, if it is not the last
  };
  using Work = void (Run::*)(int64_t item, char *thread);

  int64_t wantedThreads() const;
  int32_t findMemory(void *&own);
  void runPhase();
  void findStrides();
  /// Calls `work` for every item in [0, count).
  void forEach(int64_t count, Work work);
  static void takeItems(void *run, int32_t thread);

  void runHead(int64_t item, char *thread);
  void runPart(const Part &part, char *thread);
  void *addressOf(const ArgumentInfo &argument, const Part &part, char *thread);
  void *betweenOf(const ArgumentInfo &argument, const Part &part);
  void *stateBefore(const ArgumentInfo &argument, const Part &part,
                    char *thread);
  void *stateAfter(const ArgumentInfo &argument, const Part &part,
                   char *thread);
  void storeStates(const Part &part, char *thread);
  /// Where a state goes at the part's end; null if nobody wants it there.
  const View *targetOf(const ArgumentInfo &argument, const Part &part) const;
  int64_t stateOffset(const ArgumentInfo &argument, const View &view,
                      int64_t row, int64_t head) const;
  void loadCarry(const Part &part, char *thread);
  void storeCarry(const View &view, int64_t row, int64_t head, char *thread);

  void reduceTokens(int64_t item, char *thread);
  void reduce(const BetweenInfo &between, int64_t index, int64_t begin,
              int64_t end);

  const ProgramInfo &program;
  const Call &call;
  int64_t machine;
  Layout layout;
  Buffer<int64_t> strides; // of the phase's arguments
  char *memory = nullptr;
  int64_t threads = 1;

  const PhaseInfo *phase = nullptr;
  int64_t carryBefore = 0; // bytes of earlier phases
  Work work = nullptr;
  int64_t items = 0;
  std::atomic<int64_t> next{0};
};

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_RUN_H
