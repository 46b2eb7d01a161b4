// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads take items one by one. An item belongs to one thread from its first
// token to its last, so that bits do not depend on how many there are.
#include "runtime/Library/Run.h"

#include "runtime/Library/Elements.h"
#include "runtime/Library/Message.h"
#include "runtime/Library/Pool.h"

#include <cstring>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace trowel::library {
namespace {

constexpr int64_t tokensPerItem = 64; // of a reduction over heads

/// Rounding to nearest even, denormal numbers as they are, whatever the host
/// has set for its own threads.
class PlainArithmetic {
#if defined(__x86_64__)
public:
  PlainArithmetic() : before(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~PlainArithmetic() { _mm_setcsr(before); }

private:
  unsigned before;
#endif
};

int64_t strideCount(const ProgramInfo &program) {
  int64_t most = 0;
  for (int64_t i = 0; i < program.phaseCount; ++i) {
    const PhaseInfo &phase = program.phases[i];
    int64_t count = 0;
    for (int64_t j = 0; j < phase.argumentCount; ++j) {
      const ArgumentInfo &argument = phase.arguments[j];
      count +=
          1 + (argument.between >= 0  ? program.betweens[argument.between].rank
               : argument.tensor >= 0 ? program.tensors[argument.tensor].rank
                                      : 0);
    }
    if (count > most)
      most = count;
  }
  return most;
}

} // namespace

Run::Run(const ProgramInfo &program, const Call &call, int64_t machine)
    : program(program), call(call), machine(machine),
      layout(program, call, machine), strides(strideCount(program)) {}

//===--- Memory and threads -----------------------------------------------===//

int64_t Run::wantedThreads() const {
  int64_t wanted = call.arguments().threads;
  if (wanted == 0)
    wanted = processors();
  int64_t most = call.size(N) * call.size(H);
  if (most > mostThreads)
    most = mostThreads;
  if (wanted > most)
    wanted = most;
  return wanted < 1 ? 1 : wanted;
}

int32_t Run::workspaceBytes(size_t &bytes) const {
  if (!layout.hasMemory())
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  Checked needed = layout.bytes(wantedThreads());
  if (needed.overflows())
    return fail(TROWEL_ERROR_WORKSPACE,
                "the workspace would be larger than what can be addressed");
  bytes = static_cast<size_t>(needed.get());
  return TROWEL_OK;
}

/// The caller's workspace, or one of our own, for which `own` is to be freed.
int32_t Run::findMemory(void *&own) {
  void *given = call.arguments().workspace;
  size_t bytes = call.arguments().workspace_size, wanted;
  if (int32_t status = workspaceBytes(wanted))
    return status;
  if (!strides.data)
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  if (!given) {
    bytes = wanted;
    given = own = std::malloc(bytes);
    if (!given)
      return fail(TROWEL_ERROR_MEMORY,
                  "there is no memory for a workspace of %zu bytes", bytes);
  }
  threads = layout.threadsIn(bytes, wantedThreads());
  if (threads == 0)
    return fail(TROWEL_ERROR_WORKSPACE,
                "the workspace has %zu bytes; the least is %lld", bytes,
                static_cast<long long>(layout.bytes(1).get()));
  uintptr_t address = reinterpret_cast<uintptr_t>(given);
  memory = static_cast<char *>(given) + ((address + 63) / 64 * 64 - address);
  return TROWEL_OK;
}

void Run::takeItems(void *run, int32_t thread) {
  Run &self = *static_cast<Run *>(run);
  if (thread < 0 || thread >= self.threads)
    return;
  PlainArithmetic arithmetic;
  char *part = self.memory + self.layout.thread(thread);
  for (;;) {
    int64_t item = self.next.fetch_add(1, std::memory_order_relaxed);
    if (item >= self.items)
      return;
    (self.*self.work)(item, part);
  }
}

void Run::forEach(int64_t count, Work what) {
  work = what;
  items = count;
  next.store(0, std::memory_order_relaxed);
  int32_t most = static_cast<int32_t>(threads < count ? threads : count);
  const trowel_call &raw = call.arguments();
  if (most > 1 && raw.parallel_for) {
    raw.parallel_for(raw.parallel_for_host, most, takeItems, this);
    takeItems(this, 0); // what a host left out
  } else if (count > 0) {
    share(most, takeItems, this);
  }
}

int32_t Run::run() {
  void *own = nullptr;
  int32_t status = findMemory(own);
  for (int64_t i = 0; status == TROWEL_OK && i < program.phaseCount; ++i) {
    phase = &program.phases[i];
    runPhase();
    carryBefore += phase->carryBytes;
  }
  std::free(own);
  return status;
}

void Run::runPhase() {
  findStrides();
  forEach(call.size(N) * call.size(H), &Run::runHead);
  int64_t tokens = call.size(B) * call.size(T);
  int64_t index = phase - program.phases;
  for (int64_t i = 0; i < program.betweenCount; ++i)
    if (program.betweens[i].phase == index)
      return forEach((tokens + tokensPerItem - 1) / tokensPerItem,
                     &Run::reduceTokens);
}

//===--- A head on a sequence ---------------------------------------------===//

void Run::findStrides() {
  int64_t *to = strides.data;
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    bool perToken =
        argument.role == Role::Input || argument.role == Role::Output;
    if (!perToken && argument.role != Role::Param)
      continue;
    if (argument.between >= 0) {
      const BetweenInfo &between = program.betweens[argument.between];
      int64_t units = argument.role == Role::Output    ? call.size(H)
                      : between.to == Sharing::Grouped ? call.size(G)
                                                       : 1;
      *to++ = units * between.elements;
      int64_t dense = between.elements;
      for (int64_t j = 0; j + 1 < between.rank; ++j)
        *to++ = dense /= between.sizes[j];
      continue;
    }
    const View &view = call.tensor(argument.tensor);
    int64_t rank = program.tensors[argument.tensor].rank;
    if (perToken)
      *to++ = view.given ? view.strides[1] : 0;
    for (int64_t j = 0; j + 1 < rank; ++j)
      *to++ = view.given ? view.strides[view.rank - rank + j] : 0;
  }
}

void Run::runHead(int64_t item, char *thread) {
  int64_t sequence = item / call.size(H), head = item % call.size(H);
  int64_t begin = call.begin(sequence), end = call.end(sequence);
  int64_t i = call.boundariesBefore(begin), last = call.boundariesBefore(end);
  Part part{sequence, head, begin, end, true, false, i};
  if (call.arguments().flags & TROWEL_POISON_WORKSPACE)
    std::memset(thread, 0xff, static_cast<size_t>(layout.threadBytes()));
  loadCarry(part, thread);
  for (; i < last; ++i) {
    part.boundary = i;
    part.end = call.boundary(i);
    runPart(part, thread);
    storeCarry(call.carryAt(), i, head, thread);
    part.begin = part.end;
    part.isFirst = false;
  }
  part.end = end;
  part.isLast = true;
  runPart(part, thread);
  storeCarry(call.carryOut(), sequence, head, thread);
}

void Run::runPart(const Part &part, char *thread) {
  auto *addresses = reinterpret_cast<void **>(thread + layout.addresses());
  for (int64_t i = 0; i < phase->argumentCount; ++i)
    addresses[i] = addressOf(phase->arguments[i], part, thread);
  phase->codes[machine].entry(addresses, strides.data, thread + layout.carry(),
                              part.end - part.begin, thread);
  storeStates(part, thread);
}

void *Run::addressOf(const ArgumentInfo &argument, const Part &part,
                     char *thread) {
  if (argument.role == Role::InitialState)
    return stateBefore(argument, part, thread);
  if (argument.role == Role::FinalState)
    return stateAfter(argument, part, thread);
  if (argument.between >= 0)
    return betweenOf(argument, part);
  const View &view = call.tensor(argument.tensor);
  bool unwanted = argument.role == Role::Output &&
                  !call.isFirst(argument.sharing, part.head);
  if (!view.data || unwanted)
    return nullptr;
  int64_t axis = 0, offset = 0;
  if (argument.role != Role::Param) {
    int64_t row = call.rowOf(part.sequence);
    offset = row * view.strides[0] +
             (part.begin - row * call.size(T)) * view.strides[1];
    axis = 2;
  }
  if (argument.sharing != Sharing::Shared)
    offset += call.unitOf(argument.sharing, part.head) * view.strides[axis];
  return view.at(offset);
}

void *Run::betweenOf(const ArgumentInfo &argument, const Part &part) {
  const BetweenInfo &between = program.betweens[argument.between];
  bool isOperand = argument.role == Role::Output;
  Sharing sharing = isOperand ? Sharing::Head : between.to;
  int64_t place = isOperand ? layout.operand(argument.between)
                            : layout.reduced(argument.between);
  int64_t units = sharing == Sharing::Head      ? call.size(H)
                  : sharing == Sharing::Grouped ? call.size(G)
                                                : 1;
  int64_t unit = part.begin * units + call.unitOf(sharing, part.head);
  return memory + place + unit * between.elements * 4;
}

//===--- States and the carry ---------------------------------------------===//

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

/// Whether the code may work in the caller's memory.
static bool isInPlace(const ArgumentInfo &argument, const View &view) {
  return isDirect(view.type) && view.isDense(firstAxis(argument));
}

void *Run::stateBefore(const ArgumentInfo &argument, const Part &part,
                       char *thread) {
  char *held = thread + layout.state(argument.state);
  if (!part.isFirst)
    return held;
  const View &view = call.tensor(argument.tensor);
  if (!view.data)
    return nullptr;
  int64_t offset = stateOffset(argument, view, part.sequence, part.head);
  if (isInPlace(argument, view))
    return view.at(offset);
  load(held, view, firstAxis(argument), offset);
  return held;
}

const View *Run::targetOf(const ArgumentInfo &argument,
                          const Part &part) const {
  int64_t tensor = part.isLast ? argument.tensor : argument.at;
  if (tensor < 0 || !call.isFirst(argument.sharing, part.head))
    return nullptr;
  const View &view = call.tensor(tensor);
  return view.data ? &view : nullptr;
}

void *Run::stateAfter(const ArgumentInfo &argument, const Part &part,
                      char *thread) {
  char *held = thread + layout.state(argument.state);
  if (!part.isLast)
    return held;
  const View *view = targetOf(argument, part);
  if (!view)
    return nullptr;
  return isInPlace(argument, *view)
             ? view->at(stateOffset(argument, *view, part.sequence, part.head))
             : held;
}

/// Takes the states to where the code could not put them.
void Run::storeStates(const Part &part, char *thread) {
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (argument.role != Role::FinalState)
      continue;
    const View *view = targetOf(argument, part);
    if (!view || (part.isLast && isInPlace(argument, *view)))
      continue;
    int64_t row = part.isLast ? part.sequence : part.boundary;
    store(*view, firstAxis(argument),
          stateOffset(argument, *view, row, part.head),
          thread + layout.state(argument.state));
  }
}

void Run::loadCarry(const Part &part, char *thread) {
  size_t bytes = static_cast<size_t>(phase->carryBytes);
  char *to = thread + layout.carry();
  const View &view = call.carryIn();
  if (view.data)
    std::memcpy(to,
                view.at(part.sequence * view.strides[0] +
                        part.head * view.strides[1] + carryBefore),
                bytes);
  else
    std::memset(to, 0, bytes);
}

void Run::storeCarry(const View &view, int64_t row, int64_t head,
                     char *thread) {
  if (view.data)
    std::memcpy(
        view.at(row * view.strides[0] + head * view.strides[1] + carryBefore),
        thread + layout.carry(), static_cast<size_t>(phase->carryBytes));
}

//===--- Reductions over heads --------------------------------------------===//

namespace {

/// One element over the members of a group, `stride` apart, in their order.
template <typename Element>
double reduceMembers(const BetweenInfo &between, const Element *first,
                     int64_t members, int64_t stride) {
  double value = static_cast<double>(*first);
  for (int64_t i = 1; i < members; ++i) {
    double other = static_cast<double>(first[i * stride]);
    if (between.kind != BetweenInfo::Kind::Max)
      value += other;
    else if (other > value || other != other)
      value = other;
  }
  if (between.kind == BetweenInfo::Kind::Mean)
    value /= static_cast<double>(members);
  return value;
}

void reduceElement(const BetweenInfo &between, const char *first, char *to,
                   int64_t members) {
  if (between.isInteger) {
    double value =
        reduceMembers(between, reinterpret_cast<const int32_t *>(first),
                      members, between.elements);
    int32_t wrapped = static_cast<int32_t>(static_cast<int64_t>(value));
    std::memcpy(to, &wrapped, sizeof(wrapped));
    return;
  }
  float value = static_cast<float>(
      reduceMembers(between, reinterpret_cast<const float *>(first), members,
                    between.elements));
  std::memcpy(to, &value, sizeof(value));
}

} // namespace

void Run::reduceTokens(int64_t item, char *) {
  int64_t tokens = call.size(B) * call.size(T), index = phase - program.phases;
  int64_t begin = item * tokensPerItem, end = begin + tokensPerItem;
  if (end > tokens)
    end = tokens;
  for (int64_t i = 0; i < program.betweenCount; ++i)
    if (program.betweens[i].phase == index)
      reduce(program.betweens[i], i, begin, end);
}

void Run::reduce(const BetweenInfo &between, int64_t index, int64_t begin,
                 int64_t end) {
  int64_t units = between.to == Sharing::Grouped ? call.size(G) : 1;
  int64_t members = call.size(H) / units;
  const char *from = memory + layout.operand(index);
  char *to = memory + layout.reduced(index);
  for (int64_t unit = begin * units; unit < end * units; ++unit)
    for (int64_t i = 0; i < between.elements; ++i)
      reduceElement(between, from + (unit * members * between.elements + i) * 4,
                    to + (unit * between.elements + i) * 4, members);
}

} // namespace trowel::library
