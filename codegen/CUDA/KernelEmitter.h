// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The beginning of a kernel: which sequence and head the block is for, and
// where their tensors lie.
#ifndef TROWEL_CODEGEN_CUDA_KERNELEMITTER_H
#define TROWEL_CODEGEN_CUDA_KERNELEMITTER_H

#include "codegen/CPU/Emitter.h"
#include "codegen/CUDA/Block.h"

namespace trowel::cuda {

class KernelEmitter : public cpu::Emitter {
public:
  KernelEmitter(chunk::ProgramOp program, cpu::Output &output, Block &block,
                std::string name)
      : Emitter(program, output, std::move(name)), block(block) {}

  /// After `emit`: says where the workspace is, by its size.
  void placeWorkspace();
  bool isShared() const;
  int64_t workspaceBytes() const { return workspace.extent() * 4; }

protected:
  void makeEntry() override;

private:
  Value shared();
  Value offsetBy(Value address, Value bytes);
  Value divide(Value a, Value b);
  Value number32(Value array, Value place);
  Value numberOr(Value array, Value place, Value other);
  Value isGiven(Value address, Value row);
  Value orNull(Value condition, Value address);

  Block &block;
  Value blockNumber, globalWorkspace;
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_KERNELEMITTER_H
