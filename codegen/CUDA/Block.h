// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The threads of a block (CTA) that share the work of a kernel, or of the part
// of it that is done by the first 256 of them.
#ifndef TROWEL_CODEGEN_CUDA_BLOCK_H
#define TROWEL_CODEGEN_CUDA_BLOCK_H

#include "codegen/CPU/Team.h"

namespace trowel::cuda {

using mlir::Value;

class Block : public cpu::Team {
public:
  static constexpr int64_t threads = 256;

  /// To be called where the kernel begins; `alone` if there are no others.
  void begin(cpu::Code &code, bool alone);

  void share(Value count, llvm::function_ref<void(Value)> body) override;
  void single(llvm::function_ref<void()> body) override;

  /// To be called before a thread reads what others may have written, or writes
  /// what others may read, other than in shared loops: a barrier comes between
  /// if none has since.
  void beforeRead();
  void beforeWrite();
  void barrier();
  /// A barrier if there was a read or write since the last one.
  void settle();
  Value threadNumber() const { return thread; }
  /// The thread's number as if it were another one in each turn of a loop:
  /// what is computed of it then takes no registers beyond the turn. Returns
  /// the number before.
  Value renewThreadNumber();
  /// The same number, of 32 bits, but to the compiler another one: what was
  /// computed of it is computed again, not kept in registers.
  Value renew(Value number);
  void setThreadNumber(Value number) { thread = number; }

private:
  cpu::Code *code = nullptr;
  Value thread;
  bool alone = true, inside = false, read = false, written = false;
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_BLOCK_H
