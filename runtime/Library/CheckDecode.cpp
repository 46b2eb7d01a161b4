// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What decoding asks of a call beside what forward does: which tensors have a
// meaning, how many tokens a sequence has, and which slots it reads and writes.
#include "runtime/Library/Check.h"

#include "runtime/Library/Message.h"

namespace trowel::library {

using Long = long long; // what printf has a letter for

static const char *nameOf(Function function) {
  switch (function) {
  case Function::Forward:
    return "forward";
  case Function::Step:
    return "step";
  case Function::Verify:
    return "verify";
  case Function::Commit:
    return "commit";
  case Function::Backward:
    return "backward";
  case Function::Asked:
    break;
  }
  return "";
}

int32_t Call::checkFunction() const {
  auto refuse = [&](const View &view) {
    return fail(TROWEL_ERROR_CALL, "%s has no meaning to %s", view.label,
                nameOf(called));
  };
  bool keeps = called == Function::Step || called == Function::Commit;
  for (int64_t i = 0; i < program.tensorCount; ++i) {
    Role role = program.tensors[i].role;
    bool hasMeaning = role == Role::FinalState ? keeps || !isDecode()
                      : role == Role::StateAt  ? !isDecode()
                                               : true;
    if (views.data[i].given && !hasMeaning)
      return refuse(views.data[i]);
  }
  const struct {
    Extra extra;
    bool hasMeaning;
  } list[] = {{Boundaries, called == Function::Forward},
              {CarryAt, called == Function::Forward},
              {CarryOut, keeps || called == Function::Forward},
              {StateIn, isDecode()},
              {StateOut, keeps},
              {Accepted, called == Function::Commit}};
  for (const auto &item : list)
    if (extra(item.extra).given && !item.hasMeaning)
      return refuse(extra(item.extra));
  if (called == Function::Commit && !extra(Accepted).given)
    return fail(TROWEL_ERROR_MISSING, "%s is missing: [N]",
                extra(Accepted).label);
  return TROWEL_OK;
}

int32_t Call::checkTokens() const {
  if (!isDecode())
    return TROWEL_OK;
  for (int64_t i = 0; i < sizes[N]; ++i) {
    int64_t tokens = end(i) - begin(i);
    if (called == Function::Step && tokens != 1)
      return fail(TROWEL_ERROR_TOKENS,
                  "step takes one token of each sequence, but sequence %lld "
                  "has %lld",
                  Long(i), Long(tokens));
    if (tokens > TROWEL_DRAFT_TOKENS)
      return fail(TROWEL_ERROR_TOKENS,
                  "%s takes at most %d tokens of each sequence, but sequence "
                  "%lld has %lld",
                  nameOf(called), TROWEL_DRAFT_TOKENS, Long(i), Long(tokens));
    if (called == Function::Commit && (tokensOf(i) < 0 || tokensOf(i) > tokens))
      return fail(
          TROWEL_ERROR_TOKENS, "%s has %lld, but sequence %lld has %lld tokens",
          extra(Accepted).label, Long(tokensOf(i)), Long(i), Long(tokens));
  }
  return TROWEL_OK;
}

/// `slots` is below zero if there is no tensor to take from or give to.
int32_t Call::checkSlotsOf(Extra which, Size slots) const {
  if (sizes[slots] < 0)
    return TROWEL_OK;
  if (!extra(which).given && sizes[slots] < sizes[N])
    return fail(TROWEL_ERROR_SLOTS,
                "%s has %lld slots for %lld sequences: give %s", from[slots],
                Long(sizes[slots]), Long(sizes[N]), extra(which).label);
  bool isKnown = extra(which).given && !isOnDevice();
  for (int64_t i = 0; isKnown && i < sizes[N]; ++i)
    if (slot(which, i) < -1 || slot(which, i) >= sizes[slots])
      return fail(TROWEL_ERROR_SLOTS, "%s has %lld, but there are %lld slots",
                  extra(which).label, Long(slot(which, i)), Long(sizes[slots]));
  return TROWEL_OK;
}

/// Whether a tensor that is written is the one that is read.
bool Call::writesWhereItReads() const {
  int64_t count = program.tensorCount + extraCount;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = i + 1; j < count; ++j)
      if (views.data[i].high && mayCoincide(views.data[i], views.data[j]))
        return true;
  return false;
}

int32_t Call::checkSlots() const {
  if (!isDecode())
    return TROWEL_OK;
  if (int32_t status = checkSlotsOf(StateIn, SlotsIn))
    return status;
  if (int32_t status = checkSlotsOf(StateOut, SlotsOut))
    return status;
  if (sizes[SlotsOut] < 0)
    return TROWEL_OK;
  bool named = extra(StateOut).given;
  Buffer<bool> written(named ? sizes[SlotsOut] : 0);
  if (!written.data)
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  for (int64_t i = 0; named && i < sizes[N]; ++i) {
    int64_t to = slotOut(i);
    if (to >= 0 && written.data[to])
      return fail(TROWEL_ERROR_SLOTS, "%s has %lld twice",
                  extra(StateOut).label, Long(to));
    if (to >= 0)
      written.data[to] = true;
  }
  if (!writesWhereItReads())
    return TROWEL_OK;
  // Then both have as many slots.
  for (int64_t i = 0; i < sizes[N]; ++i) {
    int64_t from = slotIn(i);
    bool other = from >= 0 && from != slotOut(i);
    if (other && (named ? written.data[from] : from < sizes[N]))
      return fail(TROWEL_ERROR_SLOTS,
                  "sequence %lld reads slot %lld, which another one writes",
                  Long(i), Long(from));
  }
  return TROWEL_OK;
}

} // namespace trowel::library
