// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The threads of a block (CTA), which share the work of a kernel.
#ifndef TROWEL_CODEGEN_CUDA_BLOCK_H
#define TROWEL_CODEGEN_CUDA_BLOCK_H

#include "codegen/CPU/Team.h"

namespace trowel::cuda {

using mlir::Value;

class Block : public cpu::Team {
public:
  static constexpr int64_t threads = 256;

  /// To be called where the kernel begins.
  void begin(cpu::Code &code);

  void share(Value count, llvm::function_ref<void(Value)> body) override;
  void single(llvm::function_ref<void()> body) override;

private:
  cpu::Code *code = nullptr;
  Value thread;
  bool inside = false;
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_BLOCK_H
