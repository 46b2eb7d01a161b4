// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shapes first, each tensor alone and then against the others; then memory.
#include "runtime/Library/Check.h"

#include "runtime/Library/Message.h"

#include <cstdio>
#include <cstring>
#include <initializer_list>

namespace trowel::library {
namespace {

using Long = long long; // what printf has a letter for

constexpr const char *sizeNames[sizeCount] = {"B", "T", "H",     "G",
                                              "N", "M", "slots", "slots"};
constexpr int64_t mostTokens = INT32_MAX; // the position is an i32

const char *nameOf(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "f32";
  case ElementType::TF32:
    return "tf32 (in 32 bits)";
  case ElementType::BF16:
    return "bf16";
  case ElementType::F16:
    return "f16";
  case ElementType::E4M3:
    return "e4m3";
  case ElementType::E5M2:
    return "e5m2";
  case ElementType::I32:
    return "i32";
  case ElementType::U8:
    return "u8";
  }
  return "";
}

uint8_t codeOf(ElementType type) {
  switch (type) {
  case ElementType::F32:
  case ElementType::TF32:
  case ElementType::F16:
    return kDLFloat;
  case ElementType::BF16:
    return kDLBfloat;
  case ElementType::E4M3:
    return kDLFloat8_e4m3fn;
  case ElementType::E5M2:
    return kDLFloat8_e5m2;
  case ElementType::I32:
    return kDLInt;
  case ElementType::U8:
    return kDLUInt;
  }
  return kDLOpaqueHandle;
}

struct Words {
  char text[160];
};

Words describe(const DLDataType &type) {
  Words words;
  const char *letters = nullptr;
  if (type.code == kDLInt)
    letters = "i";
  else if (type.code == kDLUInt)
    letters = "u";
  else if (type.code == kDLFloat)
    letters = "f";
  else if (type.code == kDLBfloat)
    letters = "bf";
  if (letters && type.lanes == 1)
    std::snprintf(words.text, sizeof(words.text), "%s%u", letters, type.bits);
  else
    std::snprintf(words.text, sizeof(words.text),
                  "DLPack's code %u with %u bits and %u lanes", type.code,
                  type.bits, type.lanes);
  return words;
}

Words describeShape(const DLTensor &tensor) {
  Words words;
  constexpr int32_t shown = 6;
  size_t length = 0;
  auto add = [&](const char *format, Long number) {
    if (length < sizeof(words.text))
      length += static_cast<size_t>(std::snprintf(
          words.text + length, sizeof(words.text) - length, format, number));
  };
  add("[", 0);
  for (int32_t i = 0; i < tensor.ndim && i < shown; ++i)
    add(i ? ", %lld" : "%lld", tensor.shape[i]);
  add(tensor.ndim > shown ? ", ...]" : "]", 0);
  return words;
}

bool isState(Role role) {
  return role == Role::InitialState || role == Role::FinalState ||
         role == Role::StateAt;
}

bool isRequired(const TensorInfo &info) {
  bool isGiven = info.role == Role::Input || info.role == Role::Param;
  return isGiven && !info.isOptional;
}

bool isWritten(Role role) {
  return role == Role::Output || role == Role::FinalState ||
         role == Role::StateAt || role == Role::Total;
}

int64_t rankOf(const TensorInfo &info) {
  bool perToken = info.role == Role::Input || info.role == Role::Output;
  return info.rank + (info.sharing == Sharing::Shared ? 0 : 1) +
         (perToken                    ? 2
          : isForAllTokens(info.role) ? 0
                                      : 1);
}

int64_t mostRankOf(const ProgramInfo &program) {
  int64_t most = 3; // the carry's
  for (int64_t i = 0; i < program.tensorCount; ++i)
    if (int64_t rank = rankOf(program.tensors[i]); rank > most)
      most = rank;
  return most;
}

} // namespace

Call::Call(const ProgramInfo &program, Function function)
    : program(program), called(function),
      views(program.tensorCount + extraCount),
      dimensions((2 * (program.tensorCount + extraCount) + 1) *
                 mostRankOf(program)),
      given(program.tensorCount + extraCount), mostRank(mostRankOf(program)) {
  for (int64_t &size : sizes)
    size = -1;
}

//===--- The struct -------------------------------------------------------===//

int32_t Call::readStruct(const trowel_call *call) {
  // The first version's struct ended where the next one's fields begin.
  constexpr size_t least = offsetof(trowel_call, state_in);
  constexpr size_t known = sizeof(trowel_call), most = 4096;
  if (!call)
    return fail(TROWEL_ERROR_CALL, "the call is null");
  if (call->struct_size < least || call->struct_size > most)
    return fail(TROWEL_ERROR_CALL,
                "struct_size is %zu, but sizeof(trowel_call) is %zu",
                call->struct_size, known);
  const char *bytes = reinterpret_cast<const char *>(call);
  for (size_t i = known; i < call->struct_size; ++i)
    if (bytes[i])
      return fail(TROWEL_ERROR_CALL,
                  "the call uses a field that this library, which is older, "
                  "does not have");
  std::memcpy(&raw, call,
              call->struct_size < known ? call->struct_size : known);
  constexpr uint32_t flags = TROWEL_STATE_V_FIRST | TROWEL_POISON_WORKSPACE;
  if (raw.flags & ~flags)
    return fail(TROWEL_ERROR_CALL, "flags has unknown bits: %#x", raw.flags);
  if (raw.reserved || raw.reserved2)
    return fail(TROWEL_ERROR_CALL, "%s is not zero",
                raw.reserved ? "reserved" : "reserved2");
  if (raw.function > TROWEL_BACKWARD)
    return fail(TROWEL_ERROR_CALL, "function is %u", raw.function);
  if (called == Function::Asked)
    called = static_cast<Function>(raw.function);
  if (raw.threads < 0)
    return fail(TROWEL_ERROR_CALL, "threads is %d", raw.threads);
  if (raw.segments < 0)
    return fail(TROWEL_ERROR_CALL, "segments is %lld", Long(raw.segments));
  if (raw.tensor_count < 0 || raw.tensor_count > program.tensorCount)
    return fail(TROWEL_ERROR_CALL, "tensor_count is %d, but `%s` has %lld",
                raw.tensor_count, program.name, Long(program.tensorCount));
  if (raw.tensor_count > 0 && !raw.tensors)
    return fail(TROWEL_ERROR_CALL, "tensors is null");
  return TROWEL_OK;
}

//===--- Shapes -----------------------------------------------------------===//

int64_t Call::layoutOf(const TensorInfo &info, Layout *layout) const {
  int64_t rank = 0;
  auto add = [&](Size size) { layout[rank++] = -1 - size; };
  if (info.role == Role::Input || info.role == Role::Output) {
    add(B);
    add(T);
  } else if (info.role == Role::StateAt) {
    add(M);
  } else if (info.role == Role::InitialState) {
    add(isDecode() ? SlotsIn : N);
  } else if (info.role == Role::FinalState) {
    add(isDecode() ? SlotsOut : N);
  }
  if (info.sharing != Sharing::Shared)
    add(info.sharing == Sharing::Head ? H : G);
  for (int64_t i = 0; i < info.rank; ++i)
    layout[rank++] = info.sizes[i];
  return rank;
}

int32_t Call::unify(Size which, int64_t value, const char *label) {
  if (sizes[which] < 0) {
    sizes[which] = value;
    from[which] = label;
  } else if (sizes[which] != value) {
    return fail(TROWEL_ERROR_SHAPE, "%s has %s = %lld, but %s has %s = %lld",
                label, sizeNames[which], Long(value), from[which],
                sizeNames[which], Long(sizes[which]));
  }
  return TROWEL_OK;
}

int32_t Call::bindStrides(View &view, const DLTensor *tensor,
                          bool lastIsDeclared) {
  if (tensor->strides) {
    for (int64_t i = 0; i < view.rank; ++i)
      view.strides[i] = tensor->strides[i];
  } else {
    Checked dense = 1;
    for (int64_t i = view.rank; i-- > 0; dense *= view.extents[i])
      view.strides[i] = dense.get();
    if (dense.overflows() && !view.isEmpty())
      return fail(TROWEL_ERROR_SHAPE,
                  "%s has shape %s: more elements than can be addressed",
                  view.label, describeShape(*tensor).text);
  }
  int64_t last = view.rank - 1;
  if (lastIsDeclared && view.extents[last] > 1 && view.strides[last] != 1)
    return fail(TROWEL_ERROR_STRIDE,
                "%s has the stride %lld along its last axis, which must be "
                "contiguous",
                view.label, Long(view.strides[last]));
  return TROWEL_OK;
}

/// `words` begin with "[N" if the tensor has slots there in decoding.
int32_t Call::refuseShape(const View &view, const DLTensor &tensor,
                          const char *words, bool inSlots) const {
  return fail(TROWEL_ERROR_SHAPE, "%s has shape %s; expected %s%s", view.label,
              describeShape(tensor).text, inSlots ? "[slots" : "",
              words + (inSlots ? 2 : 0));
}

int32_t Call::bind(View &view, const DLTensor *tensor, ElementType type,
                   const Layout *layout, int64_t rank, const char *words,
                   bool inSlots) {
  if (int32_t status = checkPlace(view, tensor->device))
    return status;
  const DLDataType &has = tensor->dtype;
  if (has.code != codeOf(type) || has.bits != 8 * bytesOf(type) ||
      has.lanes != 1)
    return fail(TROWEL_ERROR_DTYPE, "%s has elements of type %s, not %s",
                view.label, describe(has).text, nameOf(type));
  if (tensor->ndim < 0 || (tensor->ndim > 0 && !tensor->shape))
    return fail(TROWEL_ERROR_SHAPE, "%s has no shape", view.label);
  bool fits = tensor->ndim == rank;
  for (int64_t i = 0; fits && i < rank; ++i)
    fits =
        layout[i] < 0 ? tensor->shape[i] >= 0 : tensor->shape[i] == layout[i];
  if (!fits)
    return refuseShape(view, *tensor, words, inSlots);
  view.given = true;
  view.type = type;
  view.rank = rank;
  for (int64_t i = 0; i < rank; ++i) {
    view.extents[i] = tensor->shape[i];
    if (layout[i] >= 0)
      continue;
    Size which = static_cast<Size>(-1 - layout[i]);
    if (int32_t status = unify(which, tensor->shape[i], view.label))
      return status;
  }
  return TROWEL_OK;
}

static void exchange(int64_t &a, int64_t &b) {
  int64_t held = a;
  a = b;
  b = held;
}

int32_t Call::bindTensors() {
  Layout *layout =
      dimensions.data + 2 * (program.tensorCount + extraCount) * mostRank;
  for (int64_t i = 0; i < program.tensorCount; ++i) {
    const TensorInfo &info = program.tensors[i];
    View &view = views.data[i];
    view.label = info.label;
    view.written = isWritten(info.role);
    bool isUsed = info.role != Role::Unused && i < raw.tensor_count;
    const DLTensor *tensor = isUsed ? raw.tensors[i] : nullptr;
    given.data[i] = tensor;
    bool exchanged = isState(info.role) && info.rank >= 2 &&
                     (raw.flags & TROWEL_STATE_V_FIRST);
    const char *words = exchanged ? info.layoutValueFirst : info.layout;
    if (!tensor && isRequired(info))
      return fail(TROWEL_ERROR_MISSING, "%s is missing: %s", info.label, words);
    if (!tensor)
      continue;
    int64_t rank = layoutOf(info, layout);
    if (exchanged)
      exchange(layout[rank - 1], layout[rank - 2]);
    bool inSlots = isDecode() && (info.role == Role::InitialState ||
                                  info.role == Role::FinalState);
    if (int32_t status =
            bind(view, tensor, info.type, layout, rank, words, inSlots))
      return status;
    if (int32_t status = bindStrides(view, tensor, info.rank > 0))
      return status;
    if (exchanged) {
      exchange(view.extents[rank - 1], view.extents[rank - 2]);
      exchange(view.strides[rank - 1], view.strides[rank - 2]);
    }
  }
  return TROWEL_OK;
}

int32_t Call::bindExtras() {
  const struct {
    const DLTensor *tensor;
    const char *label, *words;
    ElementType type;
    int64_t rank;
    Layout layout[3];
    bool written;
  } list[extraCount] = {
      {raw.cu_seqlens,
       "`cu_seqlens`",
       "[N + 1]",
       ElementType::I32,
       1,
       {-1 - N},
       false},
      {raw.boundaries,
       "`boundaries`",
       "[M]",
       ElementType::I32,
       1,
       {-1 - M},
       false},
      {raw.carry_in,
       "`carry_in`",
       "[N, H, carry_bytes]",
       ElementType::U8,
       3,
       {-1 - (isDecode() ? SlotsIn : N), -1 - H, program.carryBytes},
       false},
      {raw.carry_out,
       "`carry_out`",
       "[N, H, carry_bytes]",
       ElementType::U8,
       3,
       {-1 - (isDecode() ? SlotsOut : N), -1 - H, program.carryBytes},
       true},
      {raw.carry_at,
       "`carry_at`",
       "[M, H, carry_bytes]",
       ElementType::U8,
       3,
       {-1 - M, -1 - H, program.carryBytes},
       true},
      {raw.state_in, "`state_in`", "[N]", ElementType::I32, 1, {-1 - N}, false},
      {raw.state_out,
       "`state_out`",
       "[N]",
       ElementType::I32,
       1,
       {-1 - N},
       false},
      {raw.accepted, "`accepted`", "[N]", ElementType::I32, 1, {-1 - N}, false},
  };
  for (int i = 0; i < extraCount; ++i) {
    const auto &extra = list[i];
    View &view = extraView(static_cast<Extra>(i));
    view.label = extra.label;
    view.written = extra.written;
    given.data[program.tensorCount + i] = extra.tensor;
    if (!extra.tensor)
      continue;
    Layout layout[3] = {extra.layout[0], extra.layout[1], extra.layout[2]};
    DLTensor tensor = *extra.tensor;
    int64_t sequences = 0;
    if (i == CuSeqlens && tensor.ndim == 1 && tensor.shape) {
      if (tensor.shape[0] < 1)
        return refuseShape(view, tensor, extra.words, false);
      sequences = tensor.shape[0] - 1;
      tensor.shape = &sequences;
    }
    bool inSlots = isDecode() && (i == CarryIn || i == CarryOut);
    if (int32_t status = bind(view, &tensor, extra.type, layout, extra.rank,
                              extra.words, inSlots))
      return status;
    if (i == CuSeqlens)
      ++view.extents[0];
    if (int32_t status = bindStrides(view, &tensor, true))
      return status;
  }
  return TROWEL_OK;
}

/// What no tensor says follows from the rest.
int32_t Call::completeSizes() {
  bool packed = extra(CuSeqlens).given;
  if (packed && sizes[B] >= 0 && sizes[B] != 1)
    return fail(TROWEL_ERROR_SHAPE, "%s has B = %lld; with cu_seqlens it is 1",
                from[B], Long(sizes[B]));
  if (packed)
    sizes[B] = 1;
  else if (sizes[B] < 0)
    sizes[B] = sizes[N];
  if (sizes[B] < 0 || sizes[T] < 0)
    return fail(TROWEL_ERROR_MISSING,
                "no tensor says what %s is: give an output",
                sizes[B] < 0 ? "B" : "T");
  if (!packed && sizes[N] >= 0 && sizes[N] != sizes[B])
    return fail(TROWEL_ERROR_SHAPE, "%s has N = %lld, but B = %lld", from[N],
                Long(sizes[N]), Long(sizes[B]));
  if (!packed)
    sizes[N] = sizes[B];
  if (sizes[M] < 0)
    sizes[M] = 0;
  if (sizes[G] < 0)
    sizes[G] = 1;
  if (sizes[H] < 0)
    sizes[H] = sizes[G];
  for (Size which : {G, H})
    if (sizes[which] == 0)
      return fail(TROWEL_ERROR_SHAPE, "%s has %s = 0", from[which],
                  sizeNames[which]);
  if (sizes[H] % sizes[G] != 0)
    return fail(TROWEL_ERROR_SHAPE,
                "%s has H = %lld, which is no multiple of G = %lld", from[H],
                Long(sizes[H]), Long(sizes[G]));
  if (sizes[T] > mostTokens)
    return fail(TROWEL_ERROR_SHAPE, "%s has T = %lld, above %lld", from[T],
                Long(sizes[T]), Long(mostTokens));
  Checked tokens = Checked(sizes[B]) * sizes[T] * sizes[H];
  Checked items = Checked(sizes[N]) * sizes[H];
  if (tokens.overflows() || items.overflows())
    return fail(TROWEL_ERROR_SHAPE, "B * T * H is too large");
  if (!extra(Boundaries).given && sizes[M] > 0)
    return fail(TROWEL_ERROR_MISSING, "%s is given without boundaries",
                from[M]);
  return TROWEL_OK;
}

int32_t Call::checkShapes(const trowel_call *call) {
  if (!views.data || !dimensions.data || !given.data)
    return fail(TROWEL_ERROR_MEMORY, "there is no memory for the call");
  for (int64_t i = 0; i < program.tensorCount + extraCount; ++i) {
    views.data[i].extents = dimensions.data + 2 * i * mostRank;
    views.data[i].strides = views.data[i].extents + mostRank;
  }
  if (int32_t status = readStruct(call))
    return status;
  if (int32_t status = bindTensors())
    return status;
  if (int32_t status = bindExtras())
    return status;
  if (int32_t status = checkFunction())
    return status;
  if (int32_t status = completeSizes())
    return status;
  return checkDevice();
}

//===--- Memory -----------------------------------------------------------===//

int32_t Call::findRange(View &view) {
  const DLTensor &tensor = *given.data[&view - views.data];
  if (view.isEmpty())
    return TROWEL_OK;
  if (!tensor.data)
    return fail(TROWEL_ERROR_MISSING, "%s has no data", view.label);
  int64_t bytes = bytesOf(view.type);
  Checked below = 0, above = bytes;
  for (int64_t i = 0; i < view.rank; ++i) {
    if (view.extents[i] == 1)
      continue;
    Checked reach = Checked(view.extents[i] - 1) * view.strides[i] * bytes;
    (view.strides[i] < 0 ? below : above) += reach;
  }
  uintptr_t address = reinterpret_cast<uintptr_t>(tensor.data), first;
  uintptr_t low, high;
  bool fits =
      !below.overflows() && !above.overflows() &&
      !__builtin_add_overflow(address, tensor.byte_offset, &first) &&
      !__builtin_sub_overflow(first, 0 - uintptr_t(below.get()), &low) &&
      !__builtin_add_overflow(first, uintptr_t(above.get()), &high) &&
      high <= uintptr_t(INTPTR_MAX); // no process has more
  if (!fits)
    return fail(TROWEL_ERROR_STRIDE, "%s reaches beyond what can be addressed",
                view.label);
  if (first % static_cast<uintptr_t>(bytes) != 0)
    return fail(TROWEL_ERROR_ALIGNMENT,
                "%s begins at an address that is no multiple of %lld",
                view.label, Long(bytes));
  view.data = static_cast<char *>(tensor.data) + tensor.byte_offset;
  view.low = low;
  view.high = high;
  if (view.written && !hasDistinctElements(view))
    return fail(TROWEL_ERROR_STRIDE,
                "elements of %s share memory, but it is written", view.label);
  return TROWEL_OK;
}

int32_t Call::checkOffsets() {
  const View &view = extra(CuSeqlens);
  if (!view.given)
    return TROWEL_OK;
  if (begin(0) != 0)
    return fail(TROWEL_ERROR_CU_SEQLENS, "%s begins with %lld, not with 0",
                view.label, Long(begin(0)));
  for (int64_t i = 0; i < sizes[N]; ++i)
    if (end(i) < begin(i))
      return fail(TROWEL_ERROR_CU_SEQLENS, "%s decreases from %lld to %lld",
                  view.label, Long(begin(i)), Long(end(i)));
  if (begin(sizes[N]) != sizes[T])
    return fail(TROWEL_ERROR_CU_SEQLENS, "%s ends with %lld, but T = %lld",
                view.label, Long(begin(sizes[N])), Long(sizes[T]));
  return TROWEL_OK;
}

int32_t Call::checkBoundaries() {
  const View &view = extra(Boundaries);
  int64_t sequence = 0, tokens = sizes[B] * sizes[T];
  for (int64_t i = 0; i < sizes[M]; ++i) {
    int64_t token = boundary(i);
    if (token < 0 || token >= tokens)
      return fail(TROWEL_ERROR_BOUNDARIES,
                  "%s has %lld, but the tokens are 0 to %lld", view.label,
                  Long(token), Long(tokens - 1));
    if (i > 0 && token <= boundary(i - 1))
      return fail(TROWEL_ERROR_BOUNDARIES,
                  "%s does not increase from %lld to %lld", view.label,
                  Long(boundary(i - 1)), Long(token));
    while (end(sequence) <= token)
      ++sequence;
    if ((token - begin(sequence)) % program.chunkTokens != 0)
      return fail(TROWEL_ERROR_BOUNDARIES,
                  "%s has %lld, which is no multiple of %lld behind the "
                  "sequence's first token, %lld",
                  view.label, Long(token), Long(program.chunkTokens),
                  Long(begin(sequence)));
  }
  return TROWEL_OK;
}

static bool sameElements(const View &a, const View &b) {
  bool same = a.data == b.data && a.rank == b.rank;
  for (int64_t i = 0; same && i < a.rank; ++i)
    same = a.extents[i] == b.extents[i] &&
           (a.extents[i] == 1 || a.strides[i] == b.strides[i]);
  return same;
}

/// A head reads its initial state before it writes its final one; another head
/// may read a shared one later, but in decoding on a CPU, where the writer
/// comes last.
bool Call::mayCoincide(const View &a, const View &b) const {
  int64_t first = &a - views.data, second = &b - views.data;
  bool pair = first == program.tensorCount + CarryIn &&
              second == program.tensorCount + CarryOut;
  if (second < program.tensorCount) {
    const TensorInfo &x = program.tensors[first], &y = program.tensors[second];
    pair = x.role == Role::InitialState && y.role == Role::FinalState &&
           x.state == y.state &&
           (x.sharing == Sharing::Head || (isDecode() && !isOnDevice()));
  }
  return pair && sameElements(a, b);
}

int32_t Call::checkOverlaps() const {
  int64_t count = program.tensorCount + extraCount;
  View workspace;
  workspace.data = static_cast<char *>(raw.workspace);
  workspace.low = reinterpret_cast<uintptr_t>(raw.workspace);
  if (raw.workspace && __builtin_add_overflow(workspace.low, raw.workspace_size,
                                              &workspace.high))
    return fail(TROWEL_ERROR_WORKSPACE,
                "the workspace reaches beyond what can be addressed");
  for (int64_t i = 0; i < count; ++i) {
    const View &a = views.data[i];
    if (a.low < workspace.high && workspace.low < a.high)
      return fail(TROWEL_ERROR_OVERLAP, "%s and the workspace share memory",
                  a.label);
    for (int64_t j = i + 1; j < count; ++j) {
      const View &b = views.data[j];
      if (a.high && b.high && (a.written || b.written) && !areDisjoint(a, b) &&
          !mayCoincide(a, b))
        return fail(TROWEL_ERROR_OVERLAP, "%s and %s share memory", a.label,
                    b.label);
    }
  }
  return TROWEL_OK;
}

int32_t Call::checkMemory() {
  for (int64_t i = 0; i < program.tensorCount + extraCount; ++i)
    if (views.data[i].given)
      if (int32_t status = findRange(views.data[i]))
        return status;
  if (int32_t status = checkOverlaps())
    return status;
  if (isOnDevice())
    return checkCarryAlignment();
  if (int32_t status = checkOffsets())
    return status;
  if (int32_t status = checkBoundaries())
    return status;
  if (int32_t status = checkTokens())
    return status;
  return checkSlots();
}

//===--- What the call says -----------------------------------------------===//

int64_t Call::begin(int64_t sequence) const {
  if (!extra(CuSeqlens).given)
    return sequence * sizes[T];
  return integers(CuSeqlens)[sequence];
}

int64_t Call::tokensOf(int64_t sequence) const {
  return called == Function::Commit ? integers(Accepted)[sequence]
                                    : end(sequence) - begin(sequence);
}

int64_t Call::boundary(int64_t i) const { return integers(Boundaries)[i]; }

int64_t Call::boundariesBefore(int64_t token) const {
  int64_t low = 0, high = sizes[M];
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (boundary(middle) < token)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int64_t Call::unitOf(Sharing sharing, int64_t head) const {
  if (sharing == Sharing::Shared)
    return 0;
  return sharing == Sharing::Head ? head : head / (sizes[H] / sizes[G]);
}

bool Call::isFirst(Sharing sharing, int64_t head) const {
  if (sharing == Sharing::Shared)
    return head == 0;
  return sharing == Sharing::Head || head % (sizes[H] / sizes[G]) == 0;
}

} // namespace trowel::library
