// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States and carries on their way between the caller's memory, the code's and
// the next part of a sequence.
#include "runtime/Library/Run.h"

#include "runtime/Library/Elements.h"

#include <cstring>

namespace trowel::library {

int64_t Run::stateOffset(const ArgumentInfo &argument, const View &view,
                         int64_t row, int64_t head) const {
  int64_t offset = row * view.strides[0];
  if (argument.sharing != Sharing::Shared)
    offset += call.unitOf(argument.sharing, head) * view.strides[1];
  return offset;
}

/// Where the declared axes of a state begin.
static int64_t firstAxis(const ArgumentInfo &argument) {
  return argument.sharing == Sharing::Shared ? 1 : 2;
}

/// Slices that all have the whole state would write it several times.
bool Run::isInPlace(const ArgumentInfo &argument, const View &view) const {
  bool hasOwn = division->parts == 1 || isDivided(argument);
  return hasOwn && isDirect(view.type) && view.isDense(firstAxis(argument));
}

void *Run::stateBefore(const ArgumentInfo &argument, const Part &part,
                       char *thread) {
  char *held = thread + layout.state(argument.state);
  if (!part.isFirst)
    return held;
  if (part.entry)
    return const_cast<char *>(part.entry) + layout.stateInEntry(argument.state);
  if (argument.tensor < 0)
    return nullptr;
  View view = columnsOf(argument, part, argument.tensor);
  if (!view.data || part.from < 0)
    return nullptr;
  int64_t offset = stateOffset(argument, view, part.from, part.head);
  if (isInPlace(argument, view))
    return view.at(offset);
  load(held, view, firstAxis(argument), offset);
  return held;
}

View Run::targetOf(const ArgumentInfo &argument, const Part &part) const {
  int64_t tensor = part.isLast          ? argument.tensor
                   : part.boundary >= 0 ? argument.at
                                        : -1;
  if (tensor < 0 || part.to < 0 || !call.isFirst(argument.sharing, part.head))
    return View();
  return columnsOf(argument, part, tensor);
}

void *Run::stateAfter(const ArgumentInfo &argument, const Part &part,
                      char *thread) {
  char *held = thread + layout.state(argument.state);
  if (!part.isLast)
    return held;
  View view = targetOf(argument, part);
  if (!view.data)
    return nullptr;
  return isInPlace(argument, view)
             ? view.at(stateOffset(argument, view, part.to, part.head))
             : held;
}

/// Takes the states to where the code could not put them.
void Run::storeStates(const Part &part, char *thread, bool divided) {
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (argument.role != Role::FinalState || isDivided(argument) != divided)
      continue;
    View view = targetOf(argument, part);
    if (!view.data || (part.isLast && isInPlace(argument, view)))
      continue;
    int64_t row = part.isLast ? part.to : part.boundary;
    store(view, firstAxis(argument),
          stateOffset(argument, view, row, part.head),
          thread + layout.state(argument.state));
  }
}

/// Where a head's carry of this phase lies.
char *Run::carryOf(const View &view, int64_t row, int64_t head) const {
  return view.at(row * view.strides[0] + head * view.strides[1] +
                 phase->carryPlace);
}

/// Calls `copy(bytes of the whole carry, bytes of the slice's own, how many)`.
template <typename Copy>
static void forEachCarried(const CarriedInfo &carried,
                           const DivisionInfo &division, int64_t slice,
                           Copy copy) {
  int64_t pitch = carried.rowBytes, first = carried.whole;
  if (carried.divided) {
    first += slice * pitch;
    pitch *= division.parts;
  }
  for (int64_t i = 0; i < carried.rows; ++i)
    copy(first + i * pitch, carried.own + i * carried.rowBytes,
         static_cast<size_t>(carried.rowBytes));
}

void Run::loadCarry(const Part &part, char *thread) {
  char *own = thread + layout.carry();
  const View &view = call.carryIn();
  if (!view.data || part.from < 0) {
    std::memset(own, 0, static_cast<size_t>(phase->carryBytes));
    return;
  }
  const char *whole = carryOf(view, part.from, part.head);
  for (int64_t i = 0; i < division->carriedCount; ++i)
    forEachCarried(division->carried[i], *division, part.slice,
                   [&](int64_t from, int64_t to, size_t bytes) {
                     std::memcpy(own + to, whole + from, bytes);
                   });
}

void Run::storeCarry(const Part &part, char *thread, bool divided) {
  const View &view = part.isLast ? call.carryOut() : call.carryAt();
  int64_t row = part.isLast ? part.to : part.boundary;
  if (!view.data || row < 0)
    return;
  const char *own = thread + layout.carry();
  char *whole = carryOf(view, row, part.head);
  for (int64_t i = 0; i < division->carriedCount; ++i)
    if ((division->carried[i].divided != 0) == divided)
      forEachCarried(division->carried[i], *division, part.slice,
                     [&](int64_t to, int64_t from, size_t bytes) {
                       std::memcpy(whole + to, own + from, bytes);
                     });
}

void Run::roundStates(char *thread) {
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (argument.role == Role::InitialState)
      roundTo(program.tensors[argument.tensor].type,
              thread + layout.state(argument.state),
              program.stateElements[argument.state]);
  }
}

} // namespace trowel::library
