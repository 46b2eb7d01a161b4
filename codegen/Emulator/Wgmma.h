// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of warpgroups (PTX ISA 9.7.15, `wgmma`), which operations of NVVM
// and inline assembly name.
#ifndef TROWEL_CODEGEN_EMULATOR_WGMMA_H
#define TROWEL_CODEGEN_EMULATOR_WGMMA_H

#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Fragments.h"

namespace trowel::emulator {

/// A matrix in shared memory, by a slot with its descriptor.
struct SharedMatrix {
  Slot descriptor;
  bool transposed; // not along K
};

/// D[64, N] = A[64, K] B[K, N] + D, of all rows 32 bytes along K.
struct Product : Details {
  Element element;
  unsigned columns;
  std::optional<SharedMatrix> sharedA; // else in registers
  std::vector<Slot> a;
  SharedMatrix b;
  bool negatesA, negatesB;
  std::optional<Slot> adds; // whether to add to D; it does without it
  std::vector<Slot> from, to;
};

bool haveSameShape(const Instruction &product, const Instruction &other);

/// An error if there is no such product.
llvm::Error emitProduct(Decoder &decoder, mlir::Operation *op,
                        std::unique_ptr<Product> product);
void emitWgmmaFence(Decoder &decoder, mlir::Operation *op);
void emitWgmmaCommit(Decoder &decoder, mlir::Operation *op);
/// Waits for all groups but the last `most`.
void emitWgmmaWait(Decoder &decoder, mlir::Operation *op, uint64_t most);

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_WGMMA_H
