// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A library that lives in this process: compiled for this machine, called as
// every library is.
#ifndef TROWEL_CODEGEN_LIBRARY_INPROCESS_H
#define TROWEL_CODEGEN_LIBRARY_INPROCESS_H

#include "codegen/Library/Call.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>

namespace trowel::library {

class InProcess {
public:
  /// Compiles the chunk programs of the module, which were made of `program`.
  /// An error says which operation the target does not do. With `step`, the
  /// same with one token a chunk, there are step, verify and commit; with
  /// `gradient`, the programs of --rec-to-gradient, there is backward.
  static llvm::Expected<std::unique_ptr<InProcess>>
  create(const Program &program, mlir::ModuleOp module,
         const cpu::CpuOptions &options = {}, cpu::Timings *timings = nullptr,
         mlir::ModuleOp step = {}, mlir::ModuleOp gradient = {});

  /// The same with what compiles a module of one chunk program.
  using Compile =
      llvm::function_ref<llvm::Expected<std::unique_ptr<cpu::Kernel>>(
          mlir::ModuleOp)>;
  static llvm::Expected<std::unique_ptr<InProcess>>
  create(const Program &program, mlir::ModuleOp module, Compile compile,
         mlir::ModuleOp step = {}, mlir::ModuleOp gradient = {});

  /// What went wrong within the code, if it is emulated; else empty.
  std::string failure() const;
  const Tables &tables() const { return *content; }
  /// Null without a gradient.
  const Tables *gradientTables() const { return gradient.get(); }
  int32_t forward(const trowel_call &call) const;
  int32_t step(const trowel_call &call) const;
  int32_t verify(const trowel_call &call) const;
  int32_t commit(const trowel_call &call) const;
  int32_t backward(const trowel_call &call) const;
  /// The same with tensors by name.
  int32_t call(const Batch &batch, const TensorMap &arguments,
               const CallOptions &options, CallResults &results) const;
  /// The gradients of the sum of `seeds` times results, as `differentiate`
  /// (frontend/Reference/Gradient.h) has them. Carries are those of the forward
  /// call; what is missing of the seeds is zero.
  int32_t callBackward(const Batch &batch, const TensorMap &arguments,
                       const TensorMap &seeds, const CallOptions &options,
                       CallResults &results) const;
  /// What was wrong with this thread's last call.
  const char *lastError() const;

private:
  std::vector<std::unique_ptr<cpu::Kernel>> kernels;
  std::unique_ptr<Tables> content, gradient;
};

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_INPROCESS_H
