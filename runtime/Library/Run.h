// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A checked call, run: phase by phase, in each an item of work for every
// sequence and head, or for every slice of a head's columns, or for every
// segment of the sequence (Segments.cpp).
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
    int64_t sequence, head, slice, begin, end;
    int64_t from, to; // rows of the states' and carries' tensors; -1: none
    bool isFirst, isLast;
    int64_t boundary; // the one at its end, if it is not the last, or -1
    /// The states that it begins with, if these are not the call's.
    const char *entry = nullptr;
    bool statesOnly = false; // no outputs
  };
  using Work = void (Run::*)(int64_t item, char *thread);

  int64_t usefulThreads() const;
  int64_t wantedThreads() const;
  int32_t findMemory(void *&own);
  void runPhase();
  const DivisionInfo &bestDivision() const;
  void findStrides(int64_t *to, bool ofMap);
  /// Calls `work` for every item in [0, count).
  void forEach(int64_t count, Work work);
  static void takeItems(void *run, int32_t thread);

  int64_t headsPerItem() const;
  void runItem(int64_t item, char *thread);
  void runHead(int64_t unit, int64_t slice, char *thread);
  void runPart(const Part &part, char *thread);
  bool roundsStates() const;
  void roundStates(char *thread);
  /// The part's tokens but the last, one by one.
  void runTokens(Part &part, char *thread);
  /// Whether each slice has a part of the argument, not all of them the same.
  bool isDivided(const ArgumentInfo &argument) const {
    return division->parts > 1 && argument.columns >= 0;
  }
  /// Whether the part's slice is the last of its head to end. That one stores
  /// what all of them have for the next call: it may lie where this call's own
  /// beginning did.
  bool endsLast(const Part &part, int64_t count);
  /// What every item begins with: its memory and the carry.
  void beginItem(const Part &part, char *thread);
  /// The part from `part.begin` to `end`, boundary by boundary.
  void runSpan(Part &part, int64_t end, bool isLast, char *thread);
  Part partOf(int64_t unit) const;
  void storeShared(const Part &part, char *thread);
  View columnsOf(const ArgumentInfo &argument, const Part &part,
                 int64_t tensor) const;
  void *addressOf(const ArgumentInfo &argument, const Part &part, char *thread);
  void *betweenOf(const ArgumentInfo &argument, const Part &part);
  // States.cpp
  void *stateBefore(const ArgumentInfo &argument, const Part &part,
                    char *thread);
  void *stateAfter(const ArgumentInfo &argument, const Part &part,
                   char *thread);
  /// What is divided among the slices, or what is not.
  void storeStates(const Part &part, char *thread, bool divided);
  /// Where a state goes at the part's end; without data if nobody wants it
  /// there.
  View targetOf(const ArgumentInfo &argument, const Part &part) const;
  /// Whether the code may work in the caller's memory.
  bool isInPlace(const ArgumentInfo &argument, const View &view) const;
  int64_t stateOffset(const ArgumentInfo &argument, const View &view,
                      int64_t row, int64_t head) const;
  void loadCarry(const Part &part, char *thread);
  void storeCarry(const Part &part, char *thread, bool divided);
  char *carryOf(const View &view, int64_t row, int64_t head) const;

  // Segments.cpp
  void runSegments();
  int64_t segmentBegin(int64_t sequence, int64_t segment) const;
  /// Whether the code of maps has the argument.
  static bool isOfMap(const ArgumentInfo &argument);
  int64_t columnCount() const;
  void writeIdentity();
  Part segmentPart(int64_t unit, int64_t segment) const;
  void summarise(int64_t item, char *thread);
  void findMap(const Part &part, int64_t unit, int64_t segment, char *thread);
  int32_t *serialFlag(int64_t unit) const;
  void runSerially(int64_t unit);
  void join(int64_t item, char *thread);
  template <typename Row>
  void addRow(float *sums, int64_t first, int64_t count, const char *from,
              Row row) const;
  void runSegment(int64_t item, char *thread);
  void movePosition(int64_t tokens, char *thread);

  // Sums.cpp
  int64_t rowsOf(const SumInfo &info) const;
  float *termOf(int64_t index, int64_t part, int64_t row, int64_t head);
  float *resultOf(int64_t index, int64_t row, int64_t unit);
  void *sumOf(const ArgumentInfo &argument, const Part &part);
  void *savedOf(const ArgumentInfo &argument, const Part &part);
  void clearTotals();
  void addSums();
  void addSum(int64_t item, char *thread);
  void storeSum(int64_t row, int64_t unit, const float *values);
  void passToOperands(int64_t row, int64_t unit, const float *gradient);

  // HeadReductions.cpp
  void reduceHeads();
  void reduceTokens(int64_t item, char *thread);
  void reduce(const BetweenInfo &between, int64_t index, int64_t begin,
              int64_t end);

  const ProgramInfo &program;
  const Call &call;
  int64_t machine;
  Layout layout;
  Buffer<int64_t> strides, mapStrides; // of the phase's arguments
  int64_t segments;
  char *memory = nullptr;
  int64_t threads = 1;
  int64_t headsTogether; // in an item

  const PhaseInfo *phase = nullptr;
  const DivisionInfo *division = nullptr;
  int64_t currentSum = 0;
  Work work = nullptr;
  int64_t items = 0;
  std::atomic<int64_t> next{0};
};

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_RUN_H
