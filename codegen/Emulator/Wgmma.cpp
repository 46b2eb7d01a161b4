// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of warpgroups (PTX ISA 9.7.15). What is multiplied is read, by the
// asynchronous proxy, when the product starts; nobody writes it until the
// warpgroup has waited, so it makes no difference when it is really read. The
// warps of a group start each product together, which orders no memory.
#include "codegen/Emulator/Wgmma.h"

#include "codegen/Emulator/Machine.h"
#include "codegen/Emulator/Swizzle.h"

#include "llvm/ADT/bit.h"

using namespace mlir;

namespace trowel::emulator {

namespace {

constexpr unsigned rows = 64, rowsOfWarp = 16;
constexpr unsigned mostColumns = 256, mostDepth = 16;
constexpr unsigned rowBytes = 32, chunkBytes = 16; // along K

/// PTX ISA 9.7.15.5, the matrix descriptor.
struct Descriptor {
  uint64_t bits;

  uint32_t start() const { return (bits & 0x3fff) << 4; }
  uint32_t leading() const { return (bits >> 16 & 0x3fff) << 4; }
  uint32_t stride() const { return (bits >> 32 & 0x3fff) << 4; }
  unsigned baseOffset() const { return bits >> 49 & 7; }
  /// Bytes of a row of the swizzled pattern; 0: there is none.
  unsigned width() const {
    const unsigned widths[] = {0, 128, 64, 32};
    return widths[bits >> 62];
  }
  bool hasUnknownBits() const { return bits & 0x3ff1c000c000c000; }

  /// The chunk `along` K of row `mn`.
  uint32_t chunkAlongK(unsigned mn, unsigned along) const {
    uint32_t row = mn % 8 * (width() ? width() : chunkBytes);
    uint32_t within = along * (width() ? chunkBytes : leading());
    return swizzled(start() + row + mn / 8 * stride() + within, width());
  }
  /// The chunk `along` M or N at depth `k`.
  uint32_t chunkAcrossK(unsigned k, unsigned along) const {
    if (!width())
      return start() + along * stride() + k % 8 * chunkBytes +
             k / 8 * leading();
    unsigned perRow = width() / chunkBytes;
    return swizzled(start() + along % perRow * chunkBytes +
                        along / perRow * leading() + k % 8 * width() +
                        k / 8 * stride(),
                    width());
  }
};

struct Operands {
  double a[rows][mostDepth], b[mostDepth][mostColumns];
};

/// The threads of a warpgroup at a product, with what all of them know.
struct Start {
  llvm::MutableArrayRef<Thread> threads;
  const Instruction &at;
  Knowledge common;
  Party party;

  Start(llvm::MutableArrayRef<Thread> threads, const Instruction &at)
      : threads(threads), at(at), common(threads.front().known),
        party{threads.front().machine->productsOf(threads.front()),
              threads.front().registers->lastIssued(), common} {
    for (Thread &thread : threads)
      common.meet(thread.known);
  }
  const Product &product() const { return at.as<Product>(); }
  Step fail(const llvm::Twine &text) {
    return threads.front().fail(at, Problem::Value, text);
  }
};

} // namespace

static unsigned depthOf(Element element) { return rowBytes / bytesOf(element); }

/// Reads a matrix of `extent` rows along K; `set` gets row, depth and value.
template <typename F>
static Step readShared(Start &start, const SharedMatrix &matrix,
                       unsigned extent, F set) {
  Descriptor descriptor{start.threads.front()[matrix.descriptor]};
  for (Thread &thread : start.threads)
    if (thread[matrix.descriptor] != descriptor.bits)
      return start.fail("the threads have different descriptors");
  if (descriptor.hasUnknownBits())
    return start.fail("the descriptor has bits that mean nothing");
  unsigned width = descriptor.width();
  bool inside = width && descriptor.start() % (8 * width) >= 128;
  if (descriptor.baseOffset() || inside)
    return start.fail("a swizzled pattern that does not start at a multiple of "
                      "its size does not run");
  Element element = start.product().element;
  unsigned each = bytesOf(element), inChunk = chunkBytes / each;
  unsigned outer = matrix.transposed ? depthOf(element) : extent;
  unsigned inner = matrix.transposed ? extent / inChunk : rowBytes / chunkBytes;
  for (unsigned i = 0; i < outer; ++i)
    for (unsigned j = 0; j < inner; ++j) {
      uint8_t bytes[chunkBytes];
      Thread &thread = start.threads.front();
      Step step =
          thread.machine->load(thread, start.at, 3,
                               matrix.transposed ? descriptor.chunkAcrossK(i, j)
                                                 : descriptor.chunkAlongK(i, j),
                               bytes, chunkBytes, start.party);
      if (step != Step::Next)
        return step;
      for (unsigned part = 0; part < inChunk; ++part) {
        uint32_t bits = 0;
        std::memcpy(&bits, bytes + part * each, each);
        if (!fits(element, bits))
          return start.fail("an operand has more bits than tf32: convert it");
        unsigned along = j * inChunk + part;
        set(matrix.transposed ? along : i, matrix.transposed ? i : along,
            valueOf(element, bits));
      }
    }
  return Step::Next;
}

static Step readRegisters(Start &start, Operands &to) {
  const Product &product = start.product();
  for (Thread &thread : start.threads)
    for (unsigned number = 0; number < product.a.size(); ++number)
      for (unsigned part = 0; part < perRegister(product.element); ++part) {
        uint32_t bits =
            elementBits(thread, {product.a[number], 1}, part, product.element);
        if (!fits(product.element, bits))
          return start.fail("an operand has more bits than tf32: convert it");
        Position at = positionInA(product.element, thread.lane(), number, part);
        unsigned first = thread.warp() % 4 * rowsOfWarp;
        to.a[first + at.row][at.column] = valueOf(product.element, bits);
      }
  return Step::Next;
}

/// The products are summed in double, and rounded once: a device rounds in
/// between, in an order that it does not tell.
static void accumulate(Start &start, const Operands &operands, bool adds) {
  const Product &product = start.product();
  unsigned depth = depthOf(product.element);
  double sign = product.negatesA != product.negatesB ? -1 : 1;
  static thread_local double sums[rows][mostColumns];
  for (unsigned row = 0; row < rows; ++row) {
    std::fill_n(sums[row], product.columns, 0.0);
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned column = 0; column < product.columns; ++column)
        sums[row][column] += sign * operands.a[row][k] * operands.b[k][column];
  }
  for (Thread &thread : start.threads)
    for (unsigned i = 0; i < product.to.size(); ++i) {
      Position at = positionInC(thread.lane(), i);
      double sum = sums[thread.warp() % 4 * rowsOfWarp + at.row][at.column];
      if (adds)
        sum += llvm::bit_cast<float>(uint32_t(thread[product.from[i]]));
      thread[product.to[i]] = llvm::bit_cast<uint32_t>(float(sum));
    }
}

static Step multiplyTogether(llvm::MutableArrayRef<Thread> threads,
                             const Instruction &at) {
  const Product &product = at.as<Product>();
  for (Thread &thread : threads)
    if (std::string wrong =
            thread.registers->multiply(at, product.from, product.to, product.a);
        !wrong.empty())
      return thread.fail(at, Problem::Registers, wrong);
  Start start(threads, at);
  bool adds = !product.adds || threads.front()[*product.adds];
  for (Thread &thread : threads)
    if (product.adds && bool(thread[*product.adds]) != adds)
      return start.fail("the threads do not agree whether to add");
  static thread_local Operands operands;
  Step step = product.sharedA
                  ? readShared(start, *product.sharedA, rows,
                               [](unsigned row, unsigned k, double value) {
                                 operands.a[row][k] = value;
                               })
                  : readRegisters(start, operands);
  if (step == Step::Next)
    step = readShared(start, product.b, product.columns,
                      [](unsigned column, unsigned k, double value) {
                        operands.b[k][column] = value;
                      });
  if (step == Step::Next)
    accumulate(start, operands, adds);
  return step;
}

static Step multiply(Thread &thread, const Instruction &at) {
  return thread.machine->meetInGroup(
      thread, at, [&](llvm::MutableArrayRef<Thread> threads) {
        return multiplyTogether(threads, at);
      });
}

/// What every lane of a warp does when all are there.
template <auto act>
static Step actTogether(Thread &thread, const Instruction &at) {
  auto together = [&](const Lanes &lanes) {
    for (Thread *lane : lanes)
      act(*lane, at);
    return Step::Next;
  };
  return thread.machine->meet(thread, at, ~0u, together);
}

static void fence(Thread &thread, const Instruction &) {
  thread.registers->fence();
}

static void commit(Thread &thread, const Instruction &) {
  thread.registers->commit();
}

static void wait(Thread &thread, const Instruction &at) {
  thread.registers->wait(at.immediate);
  thread.known.seen.raise(thread.machine->productsOf(thread),
                          thread.registers->lastDone());
}

bool haveSameShape(const Instruction &product, const Instruction &other) {
  const auto &a = product.as<Product>(), &b = other.as<Product>();
  return a.columns == b.columns && a.element == b.element;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

llvm::Error emitProduct(Decoder &decoder, Operation *op,
                        std::unique_ptr<Product> product) {
  if (product->columns % 8 || product->columns < 8 ||
      product->columns > mostColumns)
    return refuse(op, "a product has 8, 16 ... 256 columns");
  bool transposes = (product->sharedA && product->sharedA->transposed) ||
                    product->b.transposed;
  if (transposes && product->element == Element::TF32)
    return refuse(op, "only elements of 16 bits are transposed");
  size_t accumulators = product->columns / 2;
  if (product->from.size() != accumulators ||
      product->to.size() != accumulators ||
      product->a.size() != (product->sharedA ? 0u : 4u))
    return refuse(op, "the registers are not those of the shape");
  Instruction &instruction = decoder.emit(op, multiply);
  decoder.hasOwnUses(instruction);
  decoder.trackRegisters();
  instruction.alignment = chunkBytes;
  instruction.details = std::move(product);
  return llvm::Error::success();
}

static Instruction &emitForWarp(Decoder &decoder, Operation *op, Handler run) {
  Instruction &instruction = decoder.emit(op, run);
  decoder.hasOwnUses(instruction);
  decoder.trackRegisters();
  return instruction;
}

void emitWgmmaFence(Decoder &decoder, Operation *op) {
  emitForWarp(decoder, op, actTogether<fence>);
}

void emitWgmmaCommit(Decoder &decoder, Operation *op) {
  emitForWarp(decoder, op, actTogether<commit>);
}

void emitWgmmaWait(Decoder &decoder, Operation *op, uint64_t most) {
  emitForWarp(decoder, op, actTogether<wait>).immediate = most;
}

static std::optional<Element> elementOf(NVVM::WGMMATypes type) {
  switch (type) {
  case NVVM::WGMMATypes::f16:
    return Element::F16;
  case NVVM::WGMMATypes::bf16:
    return Element::BF16;
  case NVVM::WGMMATypes::tf32:
    return Element::TF32;
  default:
    return std::nullopt;
  }
}

static std::vector<Slot> each(SlotRange range) {
  std::vector<Slot> slots(range.count);
  for (uint32_t i = 0; i < range.count; ++i)
    slots[i] = range.first + i;
  return slots;
}

static llvm::Error decodeProduct(Decoder &decoder, Operation *op) {
  auto wgmma = cast<NVVM::WgmmaMmaAsyncOp>(op);
  auto element = elementOf(wgmma.getTypeA());
  if (!element || wgmma.getTypeA() != wgmma.getTypeB() ||
      wgmma.getTypeD() != NVVM::WGMMATypes::f32 || wgmma.getSatfinite())
    return refuse(op, "only products of f16, bf16 and tf32 in f32 run");
  if (wgmma.getShape().getM() != int(rows) ||
      wgmma.getShape().getK() != int(depthOf(*element)))
    return refuse(op, "there is no such shape");
  auto product = std::make_unique<Product>();
  product->element = *element;
  product->columns = wgmma.getShape().getN();
  product->sharedA = {decoder.slot(wgmma.getDescriptorA()),
                      wgmma.getLayoutA() == NVVM::MMALayout::col};
  product->b = {decoder.slot(wgmma.getDescriptorB()),
                wgmma.getLayoutB() == NVVM::MMALayout::row};
  product->negatesA = wgmma.getScaleA() == NVVM::WGMMAScaleIn::neg;
  product->negatesB = wgmma.getScaleB() == NVVM::WGMMAScaleIn::neg;
  if (wgmma.getScaleD() == NVVM::WGMMAScaleOut::zero)
    product->adds = decoder.constant(0);
  product->from = each(decoder.range(wgmma.getInouts()));
  product->to = each(decoder.range(op->getResult(0)));
  return emitProduct(decoder, op, std::move(product));
}

static llvm::Error decodeFence(Decoder &decoder, Operation *op) {
  emitWgmmaFence(decoder, op);
  return llvm::Error::success();
}

static llvm::Error decodeCommit(Decoder &decoder, Operation *op) {
  emitWgmmaCommit(decoder, op);
  return llvm::Error::success();
}

static llvm::Error decodeWait(Decoder &decoder, Operation *op) {
  emitWgmmaWait(decoder, op, cast<NVVM::WgmmaWaitGroupSyncOp>(op).getGroup());
  return llvm::Error::success();
}

void addWgmma(Table &table) {
  table["nvvm.wgmma.mma_async"] = decodeProduct;
  table["nvvm.wgmma.fence.aligned"] = decodeFence;
  table["nvvm.wgmma.commit.group.sync.aligned"] = decodeCommit;
  table["nvvm.wgmma.wait.group.sync.aligned"] = decodeWait;
}

} // namespace trowel::emulator
