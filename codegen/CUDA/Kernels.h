// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chunk programs as CUDA kernels: a module of the LLVM and NVVM dialects, which
// becomes PTX (Ptx.h) or runs on the CPU (Emulated.h).
//
// A kernel's grid is one-dimensional, a block for each pair (sequence, head),
// the heads of a sequence next to each other. Its parameters, all of 64 bits:
//
//   heads, tokens             of each sequence, unless there is
//   cu_seqlens                null, or int32 [N + 1] on the device
//   rows_in, rows_out         null: a sequence's number; or int32 [N], of the
//                             states and carries: with which row it begins, and
//                             which one gets what it leaves; below 0: none
//   accepted                  null: all; or int32 [N]: how many of its tokens a
//                             sequence takes
//   carry_in, carry_out       null, or bytes; each with two strides in bytes,
//                             from row to row and from head to head
//   workspace                 null, or workspaceBytes for each block
//
// and for each of the program's tensors, in the order of its arguments
//
//   address                   null where TrowelKernel (runtime/Host/Kernel.h)
//                             may be given null
//   row_stride                in bytes: of states from one row to the next, of
//                             others from one row of [B, T] to the next
//   head_stride               in bytes, from one unit to the next
//   heads_per_unit            1, or how many heads share an element; the first
//                             of them stores results
//   strides                   as TrowelKernel is given them
#ifndef TROWEL_CODEGEN_CUDA_KERNELS_H
#define TROWEL_CODEGEN_CUDA_KERNELS_H

#include "codegen/CPU/CPU.h"

namespace trowel::cuda {

/// What a launch of a kernel has to know.
struct KernelInfo {
  std::string name;
  cpu::Interface interface;
  int64_t threads = 0;
  int64_t sharedBytes = 0; // dynamic
  /// Of global memory for each block; 0 if shared memory is enough.
  int64_t workspaceBytes = 0;
};

struct Kernels {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<KernelInfo> kernels; // in the order of the chunk programs
};

/// The most dynamic shared memory that a block of sm_90 may have, in bytes.
constexpr int64_t mostSharedBytes = 227 * 1024;

/// Kernels keep states in registers if a chunk has no more rows than this, and
/// a token one.
constexpr int64_t mostChunkRows = 16;

/// An error says which operation this target does not do.
llvm::Expected<Kernels> emitKernels(mlir::ModuleOp module,
                                    cpu::Timings *timings = nullptr);

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_KERNELS_H
