// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk copies of contiguous bytes and of boxes of tensors (PTX ISA 9.7.9,
// `cp.async.bulk`, `cp.async.bulk.tensor`), through the asynchronous proxy.
// What arrives in shared memory is announced at an mbarrier, at a time that the
// seed picks; what leaves it is waited for by groups. Nobody may touch the
// bytes before, so it makes no difference when they really move.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Mbarriers.h"
#include "codegen/Emulator/Swizzle.h"

using namespace mlir;

namespace trowel::emulator {

namespace {

struct Copy : Details {
  Slot shared; // the pointer, and its space
  unsigned space = 3;
  Slot global = 0; // a pointer, or a tensor map
  Slot size = 0;   // bytes
  std::vector<Slot> coordinates;
  std::optional<Slot> barrier; // of copies to shared memory
  std::optional<Slot> multicast, predicate;

  bool toShared() const { return barrier.has_value(); }
};

constexpr uint64_t chunkBytes = 16, tensorAlignment = 128;

/// Contiguous bytes, or a row of a box. What lies outside of the tensor, before
/// and behind, is zeros.
struct Row {
  uint64_t inShared; // the bytes from the start of the copy
  uint64_t inGlobal; // the address of the first byte inside
  uint64_t before, inside, behind;
};

/// A copy between shared memory and rows of global memory.
struct Transfer {
  std::vector<Row> rows;
  unsigned swizzle = 0;
  uint64_t bytes = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// What is copied
//===----------------------------------------------------------------------===//

static std::optional<Transfer> contiguous(Thread &thread,
                                          const Instruction &at) {
  const Copy &copy = at.as<Copy>();
  uint64_t size = thread[copy.size], global = thread[copy.global];
  if (size % chunkBytes || global % chunkBytes ||
      thread[copy.shared] % chunkBytes) {
    thread.fail(at, Problem::Address,
                "addresses and sizes of bulk copies are multiples of 16");
    return std::nullopt;
  }
  return Transfer{{{0, global, 0, size, 0}}, 0, size};
}

/// The part of a row of the box that lies in the tensor.
static Row rowOf(const TensorMap &map, uint64_t buffer, int64_t first,
                 llvm::ArrayRef<int64_t> outer, uint64_t inShared) {
  int64_t length = map.box[0], size = map.sizes[0];
  int64_t from = std::clamp<int64_t>(first, 0, size);
  int64_t to = std::clamp<int64_t>(first + length, 0, size);
  uint64_t address = buffer + map.offset + from * map.elementBytes;
  for (auto [i, position] : llvm::enumerate(outer)) {
    if (position < 0 || position >= int64_t(map.sizes[i + 1]))
      to = from;
    address += position * map.strides[i];
  }
  uint64_t before = to > from ? (from - first) * map.elementBytes : 0;
  uint64_t inside = (to - from) * map.elementBytes;
  return {inShared, address, before, inside,
          length * map.elementBytes - before - inside};
}

static std::optional<Transfer> box(Thread &thread, const Instruction &at) {
  const Copy &copy = at.as<Copy>();
  const Machine::Map *found = thread.machine->tensorMap(thread[copy.global]);
  if (!found || found->map.sizes.size() != copy.coordinates.size()) {
    thread.fail(at, Problem::Value,
                found ? "the tensor map has another number of dimensions"
                      : "the address is not that of a tensor map");
    return std::nullopt;
  }
  if (thread[copy.shared] % tensorAlignment) {
    thread.fail(at, Problem::Address,
                "a box starts at a multiple of 128 in shared memory");
    return std::nullopt;
  }
  const TensorMap &map = found->map;
  size_t rank = map.sizes.size();
  std::vector<int64_t> origin;
  for (Slot slot : copy.coordinates)
    origin.push_back(int32_t(thread[slot]));
  Transfer transfer;
  transfer.swizzle = map.swizzle;
  if (origin[0] * int64_t(map.elementBytes) % int64_t(chunkBytes)) {
    thread.fail(at, Problem::Address,
                "the rows of a box start at a multiple of 16 bytes");
    return std::nullopt;
  }
  bool isBefore = llvm::any_of(origin, [](int64_t at) { return at < 0; });
  if (isBefore && !copy.toShared()) {
    thread.fail(at, Problem::Address,
                "a box that is stored starts before the tensor");
    return std::nullopt;
  }
  uint64_t rowBytes = uint64_t(map.box[0]) * map.elementBytes;
  // A row of a swizzled box takes up a row of the pattern.
  uint64_t pitch = map.swizzle ? map.swizzle : rowBytes;
  std::vector<int64_t> outer(rank - 1);
  uint64_t rows = 1;
  for (size_t i = 1; i < rank; ++i)
    rows *= map.box[i];
  for (uint64_t row = 0; row < rows; ++row) {
    uint64_t rest = row;
    for (size_t i = 1; i < rank; ++i) {
      outer[i - 1] = origin[i] + rest % map.box[i];
      rest /= map.box[i];
    }
    transfer.rows.push_back(
        rowOf(map, found->buffer, origin[0], outer, row * pitch));
  }
  transfer.bytes = rows * rowBytes;
  return transfer;
}

//===----------------------------------------------------------------------===//
// Copying
//===----------------------------------------------------------------------===//

namespace {

/// One copy that a thread starts: `reader` and `writer` may be one party.
struct Action {
  Thread &thread;
  const Instruction &at;
  const Transfer &transfer;
  uint64_t shared; // address
  unsigned space;

  Step load(unsigned from, uint64_t address, uint8_t *to, uint64_t bytes,
            const Party &party) {
    return bytes ? thread.machine->load(thread, at, from, address, to, bytes,
                                        party)
                 : Step::Next;
  }
  Step store(unsigned to, uint64_t address, const uint8_t *from, uint64_t bytes,
             const Party &party) {
    return bytes ? thread.machine->store(thread, at, to, address, from, bytes,
                                         party)
                 : Step::Next;
  }
  /// Calls `act` with the address of each chunk of a row, and its bytes.
  template <typename F> Step eachChunk(const Row &row, F act) {
    uint64_t bytes = row.before + row.inside + row.behind;
    for (uint64_t done = 0; done < bytes; done += chunkBytes) {
      uint64_t address =
          swizzled(shared + row.inShared + done, transfer.swizzle);
      Step step = act(address, done, std::min(chunkBytes, bytes - done));
      if (step != Step::Next)
        return step;
    }
    return Step::Next;
  }
  Step toShared(const Party &party);
  Step toGlobal(const Party &reader, const Party &writer);
};

} // namespace

Step Action::toShared(const Party &party) {
  for (const Row &row : transfer.rows) {
    std::vector<uint8_t> bytes(row.before + row.inside + row.behind, 0);
    thread.machine->traffic.noteBulk(row.inGlobal, row.inside, false);
    Step step = load(1, row.inGlobal, &bytes[row.before], row.inside, party);
    if (step == Step::Next)
      step = eachChunk(row, [&](uint64_t address, uint64_t done, uint64_t n) {
        return store(space, address, &bytes[done], n, party);
      });
    if (step != Step::Next)
      return step;
  }
  return Step::Next;
}

Step Action::toGlobal(const Party &reader, const Party &writer) {
  for (const Row &row : transfer.rows) {
    std::vector<uint8_t> bytes(row.before + row.inside + row.behind, 0);
    Step step =
        eachChunk(row, [&](uint64_t address, uint64_t done, uint64_t n) {
          return load(space, address, &bytes[done], n, reader);
        });
    thread.machine->traffic.noteBulk(row.inGlobal, row.inside, true);
    if (step == Step::Next)
      step = store(1, row.inGlobal, &bytes[row.before], row.inside, writer);
    if (step != Step::Next)
      return step;
  }
  return Step::Next;
}

/// To the shared memory of one CTA, and its mbarrier.
static Step copyToShared(Thread &thread, const Instruction &at,
                         const Transfer &transfer, uint64_t shared,
                         unsigned space, uint64_t barrierAt,
                         unsigned barrierSpace) {
  Machine &machine = *thread.machine;
  Party party = machine.asyncParty(thread, at);
  Mbarrier *barrier = findForCopy(thread, at, barrierSpace, barrierAt, party);
  if (!barrier)
    return Step::Failed;
  Step step = Action{thread, at, transfer, shared, space}.toShared(party);
  machine.completeLater({barrier, transfer.bytes, party.number, party.tick});
  return step;
}

static Step copyToCtas(Thread &thread, const Instruction &at,
                       const Transfer &transfer, uint64_t mask) {
  const Copy &copy = at.as<Copy>();
  if (!mask || mask >> thread.machine->ctas.size())
    return thread.fail(at, Problem::Value,
                       "the mask names CTAs that are not in the cluster");
  for (uint32_t rank = 0; mask >> rank; ++rank) {
    if (!(mask >> rank & 1))
      continue;
    Step step = copyToShared(thread, at, transfer,
                             address::inCta(rank, thread[copy.shared]), 7,
                             address::inCta(rank, thread[*copy.barrier]), 7);
    if (step != Step::Next)
      return step;
  }
  return Step::Next;
}

template <std::optional<Transfer> (*what)(Thread &, const Instruction &)>
static Step copy(Thread &thread, const Instruction &at) {
  const Copy &copy = at.as<Copy>();
  if (copy.predicate && !thread[*copy.predicate])
    return Step::Next;
  std::optional<Transfer> transfer = what(thread, at);
  if (!transfer)
    return Step::Failed;
  uint64_t shared = thread[copy.shared];
  if (copy.multicast)
    return copyToCtas(thread, at, *transfer, thread[*copy.multicast]);
  if (copy.toShared())
    return copyToShared(thread, at, *transfer, shared, copy.space,
                        thread[*copy.barrier], 3);
  Machine &machine = *thread.machine;
  Party reader = machine.asyncParty(thread, at);
  Party writer = machine.asyncParty(thread, at);
  thread.bulk.started.push_back(
      {reader.number, reader.tick, writer.number, writer.tick});
  return Action{thread, at, *transfer, shared, copy.space}.toGlobal(reader,
                                                                    writer);
}

static Step commit(Thread &thread, const Instruction &) {
  thread.bulk.groups.push_back(std::move(thread.bulk.started));
  thread.bulk.started.clear();
  return Step::Next;
}

/// All but the last `immediate` groups are complete, or have read all.
template <bool onlyReads>
static Step wait(Thread &thread, const Instruction &at) {
  auto &groups = thread.bulk.groups;
  size_t complete =
      groups.size() - std::min<size_t>(groups.size(), at.immediate);
  for (size_t i = 0; i < complete; ++i)
    for (BulkCopy &copy : groups[i]) {
      thread.known.seen.raise(copy.reader, copy.readerTick);
      if (!onlyReads)
        thread.known.seen.raise(copy.writer, copy.writerTick);
    }
  if (onlyReads) {
    thread.bulk.groupsRead = std::max(thread.bulk.groupsRead, complete);
    return Step::Next;
  }
  groups.erase(groups.begin(), groups.begin() + complete);
  thread.bulk.groupsRead -= std::min(thread.bulk.groupsRead, complete);
  return Step::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static Copy &emitCopy(Decoder &decoder, Operation *op, Handler run,
                      Value shared, Value global) {
  Instruction &instruction = decoder.emit(op, run);
  instruction.alignment = 1; // checked above
  auto details = std::make_unique<Copy>();
  Copy &copy = *details;
  copy.shared = decoder.slot(shared);
  copy.space = spaceOf(shared.getType());
  copy.global = decoder.slot(global);
  instruction.details = std::move(details);
  return copy;
}

static std::optional<Slot> slotIfAny(Decoder &decoder, Value value) {
  return value ? std::optional(decoder.slot(value)) : std::nullopt;
}

static llvm::Error decodeBulkLoad(Decoder &decoder, Operation *op) {
  auto load = cast<NVVM::CpAsyncBulkGlobalToSharedClusterOp>(op);
  Copy &details = emitCopy(decoder, op, copy<contiguous>, load.getDstMem(),
                           load.getSrcMem());
  details.size = decoder.slot(load.getSize());
  details.barrier = decoder.slot(load.getMbar());
  details.multicast = slotIfAny(decoder, load.getMulticastMask());
  return llvm::Error::success();
}

static llvm::Error decodeBulkStore(Decoder &decoder, Operation *op) {
  auto store = cast<NVVM::CpAsyncBulkSharedCTAToGlobalOp>(op);
  if (store.getByteMask())
    return refuse(op, "masks of bytes do not run");
  Copy &details = emitCopy(decoder, op, copy<contiguous>, store.getSrcMem(),
                           store.getDstMem());
  details.size = decoder.slot(store.getSize());
  return llvm::Error::success();
}

static llvm::Error decodeTensorLoad(Decoder &decoder, Operation *op) {
  auto load = cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op);
  if (load.getMode() != NVVM::TMALoadMode::TILE || load.getGroup() ||
      !load.getIm2colOffsets().empty())
    return refuse(op, "only boxes are copied");
  Copy &details = emitCopy(decoder, op, copy<box>, load.getDstMem(),
                           load.getTmaDescriptor());
  for (Value coordinate : load.getCoordinates())
    details.coordinates.push_back(decoder.slot(coordinate));
  details.barrier = decoder.slot(load.getMbar());
  details.multicast = slotIfAny(decoder, load.getMulticastMask());
  details.predicate = slotIfAny(decoder, load.getPredicate());
  return llvm::Error::success();
}

static llvm::Error decodeTensorStore(Decoder &decoder, Operation *op) {
  auto store = cast<NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp>(op);
  if (store.getMode() != NVVM::TMAStoreMode::TILE)
    return refuse(op, "only boxes are copied");
  Copy &details = emitCopy(decoder, op, copy<box>, store.getSrcMem(),
                           store.getTmaDescriptor());
  for (Value coordinate : store.getCoordinates())
    details.coordinates.push_back(decoder.slot(coordinate));
  details.predicate = slotIfAny(decoder, store.getPredicate());
  return llvm::Error::success();
}

static llvm::Error decodeCommit(Decoder &decoder, Operation *op) {
  decoder.emit(op, commit);
  return llvm::Error::success();
}

static llvm::Error decodeWait(Decoder &decoder, Operation *op) {
  auto waiting = cast<NVVM::CpAsyncBulkWaitGroupOp>(op);
  decoder.emit(op, waiting.getRead() ? wait<true> : wait<false>).immediate =
      waiting.getGroup();
  return llvm::Error::success();
}

void addBulkCopies(Table &table) {
  table["nvvm.cp.async.bulk.shared.cluster.global"] = decodeBulkLoad;
  table["nvvm.cp.async.bulk.global.shared.cta"] = decodeBulkStore;
  table["nvvm.cp.async.bulk.tensor.shared.cluster.global"] = decodeTensorLoad;
  table["nvvm.cp.async.bulk.tensor.global.shared.cta"] = decodeTensorStore;
  table["nvvm.cp.async.bulk.commit.group"] = decodeCommit;
  table["nvvm.cp.async.bulk.wait_group"] = decodeWait;
}

} // namespace trowel::emulator
