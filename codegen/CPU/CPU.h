// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chunk programs as machine code in this process, in f32.
#ifndef TROWEL_CODEGEN_CPU_CPU_H
#define TROWEL_CODEGEN_CPU_CPU_H

#include "dialect/Chunk/Chunk.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace trowel::cpu {

struct CpuOptions {
  /// LLVM's optimisation level, 0 to 3.
  unsigned optimisation = 3;
  /// Leave the second half of the machine's vector registers alone even if it
  /// has 32 of 512 bits. The bits of the results are the same.
  bool narrow = false;
  /// Run MLIR's verifier over the generated code.
  bool verify = true;
};

/// How long a phase of the compilation took.
struct Timing {
  std::string name;
  double milliseconds;
};
using Timings = std::vector<Timing>;

/// One of the caller's tensors. Its shape is, with heads as `sharing` says
/// (H, G, or no such dimension):
///   Input, Output              [B, T, heads, sizes…]
///   Param                      [heads, sizes…]
///   InitialState, FinalState   [N, heads, sizes…]
/// dense, last axis fastest; the elements are int32_t where `dtype` is i32,
/// else float. An initial or final state may be null: the program's own
/// beginning, or not wanted.
struct Argument {
  enum class Role { Input, Param, InitialState, FinalState, Output };
  Role role;
  std::string name;
  rec::DTypeKind dtype;
  rec::SharingKind sharing;
  std::vector<int64_t> sizes;
  bool debug = false;
};

/// The work of one head on one sequence. `tensors` are in the order of
/// `Kernel::arguments`; [begin, end) are the sequence's tokens among all B * T;
/// `sequence` counts in [0, N). `workspace` is `Kernel::workspaceBytes` of
/// memory aligned to 64 bytes, of any content.
using Entry = void (*)(void *const *tensors, int64_t begin, int64_t end,
                       int64_t sequence, int64_t head, int64_t heads,
                       int64_t groups, void *workspace);

/// A compiled program; the code lives as long as the object.
class Kernel {
public:
  virtual ~Kernel() = default;

  const std::vector<Argument> &arguments() const { return argumentList; }
  int64_t workspaceBytes() const { return workspaceSize; }
  Entry entry() const { return function; }

protected:
  std::vector<Argument> argumentList;
  int64_t workspaceSize = 0;
  Entry function = nullptr;
};

/// Compiles the module's one `chunk.program`. An error says which operation
/// this target does not do. Phases are appended to `timings` if given.
llvm::Expected<std::unique_ptr<Kernel>>
compileForCpu(mlir::ModuleOp module, const CpuOptions &options = {},
              Timings *timings = nullptr);

/// The optimised LLVM IR of the same, as text.
llvm::Expected<std::string> emitLlvmIr(mlir::ModuleOp module,
                                       const CpuOptions &options = {});

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_CPU_H
