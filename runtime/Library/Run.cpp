// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads take items one by one. An item belongs to one thread from its first
// token to its last, and a column's arithmetic is the same in every slice, so
// that bits do not depend on how many threads there are.
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
          1 + (argument.sum >= 0       ? program.sums[argument.sum].rank
               : argument.between >= 0 ? program.betweens[argument.between].rank
               : argument.tensor >= 0  ? program.tensors[argument.tensor].rank
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
      layout(program, call, machine), strides(strideCount(program)),
      mapStrides(strideCount(program)), segments(segmentsOf(program, call)),
      headsTogether(headsPerItem()) {}

//===--- Memory and threads -----------------------------------------------===//

/// As many as there can be items.
int64_t Run::usefulThreads() const {
  int64_t parts = 1;
  for (int64_t i = 0; !call.isDecode() && i < program.phaseCount; ++i) {
    const PhaseInfo &phase = program.phases[i];
    for (int64_t j = 0; j < phase.divisionCount; ++j)
      if (phase.divisions[j].parts > parts)
        parts = phase.divisions[j].parts;
  }
  if (2 * segments - 3 > parts)
    parts = 2 * segments - 3;
  Checked items = Checked(call.size(N)) * call.size(H) * parts;
  bool isLess = !items.overflows() && items.get() < mostThreads;
  return isLess ? items.get() : mostThreads;
}

int64_t Run::wantedThreads() const {
  int64_t wanted = call.arguments().threads;
  if (wanted == 0)
    wanted = processors();
  int64_t most = usefulThreads();
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
  if (!strides.data || !mapStrides.data)
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
  }
  std::free(own);
  return status;
}

/// Slices do again what all columns need: the division that takes the least
/// time if a thread does one item after the other. Less than a chunk for each
/// sequence is not worth a thread.
const DivisionInfo &Run::bestDivision() const {
  const DivisionInfo *best = phase->divisions;
  if (call.isDecode())
    return *phase->step;
  if (call.size(B) * call.size(T) < call.size(N) * program.chunkTokens)
    return *best;
  double least = 0;
  for (int64_t i = 0; i < phase->divisionCount; ++i) {
    const DivisionInfo &candidate = phase->divisions[i];
    int64_t items = call.size(N) * call.size(H) * candidate.parts;
    double time = static_cast<double>((items + threads - 1) / threads) *
                  static_cast<double>(candidate.work);
    if (i == 0 || time < least) {
      best = &candidate;
      least = time;
    }
  }
  return *best;
}

void Run::runPhase() {
  findStrides(strides.data, false);
  bool hasSegments = segments > 1 && phase->map;
  division = hasSegments ? phase->divisions : &bestDivision();
  int64_t heads = call.size(N) * call.size(H);
  if (phase->isOverSequences) {
    clearTotals();
    heads = call.size(N) > 0 ? call.size(H) : 0;
  }
  std::memset(memory + layout.ended(), 0, static_cast<size_t>(heads) * 4);
  if (hasSegments) {
    findStrides(mapStrides.data, true);
    runSegments();
  } else {
    forEach(heads / headsTogether * division->parts, &Run::runItem);
  }
  reduceHeads();
  addSums();
}

//===--- A head on a sequence ---------------------------------------------===//

void Run::findStrides(int64_t *to, bool ofMap) {
  // Of what lies in the workspace, token after token for so many units.
  auto addDense = [&](int64_t units, const auto &info) {
    *to++ = units * info.elements;
    int64_t dense = info.elements;
    for (int64_t j = 0; j + 1 < info.rank; ++j)
      *to++ = dense /= info.sizes[j];
  };
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (ofMap && !isOfMap(argument))
      continue;
    bool perToken =
        argument.role == Role::Input || argument.role == Role::Output;
    if (!perToken && argument.role != Role::Param)
      continue;
    bool isOfHead = argument.role == Role::Output;
    if (argument.sum >= 0) {
      const SumInfo &info = program.sums[argument.sum];
      isOfHead |= info.between >= 0;
      addDense(isOfHead ? call.size(H) : call.units(info.to), info);
      continue;
    }
    if (argument.between >= 0) {
      const BetweenInfo &info = program.betweens[argument.between];
      addDense(isOfHead ? call.size(H) : call.units(info.to), info);
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

/// In decoding, a state of several heads may be read where it is written: one
/// thread does these heads.
int64_t Run::headsPerItem() const {
  int64_t most = 1;
  for (int64_t i = 0; call.isDecode() && i < program.tensorCount; ++i) {
    const TensorInfo &info = program.tensors[i];
    if (info.role != Role::InitialState || info.sharing == Sharing::Head)
      continue;
    int64_t units = call.units(info.sharing);
    if (call.size(H) / units > most)
      most = call.size(H) / units;
  }
  return most;
}

/// The first head of those that share a state writes it, after the others.
void Run::runItem(int64_t item, char *thread) {
  int64_t slice = item % division->parts;
  int64_t first = item / division->parts * headsTogether;
  for (int64_t i = headsTogether; i-- > 0;)
    runHead(first + i, slice, thread);
}

void Run::beginItem(const Part &part, char *thread) {
  if (call.arguments().flags & TROWEL_POISON_WORKSPACE)
    std::memset(thread, 0xff, static_cast<size_t>(layout.threadBytes()));
  loadCarry(part, thread);
  movePosition(part.begin - call.begin(part.sequence), thread);
}

void Run::runSpan(Part &part, int64_t end, bool isLast, char *thread) {
  int64_t i = call.boundariesBefore(part.begin);
  for (int64_t last = call.boundariesBefore(end); i < last; ++i) {
    part.boundary = i;
    part.end = call.boundary(i);
    runPart(part, thread);
    if (part.slice == 0)
      storeShared(part, thread);
    part.begin = part.end;
    part.isFirst = false;
  }
  part.boundary = -1;
  part.end = end;
  if (call.isDecode() && roundsStates())
    runTokens(part, thread);
  part.end = end;
  part.isLast = isLast;
  runPart(part, thread);
}

void Run::runHead(int64_t unit, int64_t slice, char *thread) {
  Part part = partOf(unit);
  part.slice = slice;
  part.begin = call.begin(part.sequence);
  beginItem(part, thread);
  int64_t tokens =
      phase->isOverSequences ? call.size(N) : call.tokensOf(part.sequence);
  runSpan(part, part.begin + tokens, true, thread);
  if (endsLast(part, division->parts))
    storeShared(part, thread);
}

/// A head's on a sequence, without its tokens.
Run::Part Run::partOf(int64_t unit) const {
  Part part{};
  part.sequence = unit / call.size(H);
  part.head = unit % call.size(H);
  part.from = call.slotIn(part.sequence);
  part.to = call.slotOut(part.sequence);
  part.isFirst = true;
  part.boundary = -1;
  return part;
}

/// A step leaves its states in the declared types: whoever takes several tokens
/// at once does the same in between.
bool Run::roundsStates() const {
  for (int64_t i = 0; i < program.tensorCount; ++i)
    if (program.tensors[i].role == Role::InitialState &&
        !isDirect(program.tensors[i].type))
      return true;
  return false;
}

void Run::runTokens(Part &part, char *thread) {
  for (int64_t last = part.end - 1; part.begin < last; ++part.begin) {
    part.end = part.begin + 1;
    runPart(part, thread);
    roundStates(thread);
    part.isFirst = false;
  }
}

void Run::runPart(const Part &part, char *thread) {
  auto *addresses = reinterpret_cast<void **>(thread + layout.addresses());
  for (int64_t i = 0; i < phase->argumentCount; ++i)
    addresses[i] = addressOf(phase->arguments[i], part, thread);
  division->codes[machine].entry(addresses, strides.data,
                                 thread + layout.carry(), part.end - part.begin,
                                 thread);
  storeStates(part, thread, true);
  storeCarry(part, thread, true);
}

void Run::storeShared(const Part &part, char *thread) {
  storeStates(part, thread, false);
  storeCarry(part, thread, false);
}

bool Run::endsLast(const Part &part, int64_t count) {
  if (count == 1)
    return true;
  auto *ended = reinterpret_cast<int32_t *>(memory + layout.ended());
  int64_t unit = part.sequence * call.size(H) + part.head;
  return __atomic_add_fetch(ended + unit, 1, __ATOMIC_ACQ_REL) == count;
}

/// A tensor as the part's slice sees it.
View Run::columnsOf(const ArgumentInfo &argument, const Part &part,
                    int64_t tensor) const {
  const View &view = call.tensor(tensor);
  if (!view.data || !isDivided(argument))
    return view;
  int64_t axis = view.rank - program.tensors[tensor].rank + argument.columns;
  int64_t count = view.extents[axis] / division->parts;
  return view.slice(axis, part.slice * count, count);
}

void *Run::addressOf(const ArgumentInfo &argument, const Part &part,
                     char *thread) {
  if (argument.role == Role::Saved)
    return savedOf(argument, part);
  if (argument.sum >= 0)
    return sumOf(argument, part);
  if (argument.isPartial && !call.isFirst(argument.sharing, part.head))
    return nullptr;
  if (argument.role == Role::InitialState)
    return stateBefore(argument, part, thread);
  if (argument.role == Role::FinalState)
    return stateAfter(argument, part, thread);
  bool isAnothers = part.statesOnly || (part.slice > 0 && !isDivided(argument));
  if (argument.role == Role::Output && isAnothers)
    return nullptr;
  if (argument.between >= 0)
    return betweenOf(argument, part);
  View view = columnsOf(argument, part, argument.tensor);
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
  int64_t unit =
      part.begin * call.units(sharing) + call.unitOf(sharing, part.head);
  int64_t element = unit * between.elements;
  if (isDivided(argument)) {
    int64_t columns = 1;
    for (int64_t i = argument.columns; i < between.rank; ++i)
      columns *= between.sizes[i];
    element += columns / division->parts * part.slice;
  }
  return memory + place + element * 4;
}

} // namespace trowel::library
