// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a checked program to each level of the compiler, with the time each
// phase takes. No message of MLIR's gets out: a program that Sema accepted
// compiles, or it is an internal error.
#ifndef TROWEL_TOOLS_TROWEL_COMPILE_H
#define TROWEL_TOOLS_TROWEL_COMPILE_H

#include "codegen/Library/Build.h"
#include "codegen/Library/InProcess.h"
#include "passes/Pipelines/Pipelines.h"
#include "tools/trowel/Load.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace trowel::tool {

enum class Level { Rec, NormalForm, Chunk };

/// How a state is computed.
enum class StateClass { Chunk, Scan, TokenByToken };

struct StateInfo {
  std::string name;
  StateClass stateClass;
};

class Compiler {
public:
  explicit Compiler(Timings &timings);

  /// The module of `level`. `tokens` in a chunk; 0 chooses, such that a solve
  /// has at most so many rows.
  mlir::OwningOpRef<mlir::ModuleOp> lower(const Loaded &loaded, Level level,
                                          int64_t tokens = 0,
                                          int64_t rows = usualRows);

  /// The chunk programs of the program and of its gradient, `tokens` in a
  /// chunk. Nothing if the gradient is not supported; then `why` says so.
  mlir::OwningOpRef<mlir::ModuleOp>
  differentiate(const Loaded &loaded, int64_t tokens, Diagnostic &why);

  /// Code in this process. Null if the target cannot do the program; then
  /// `why` says so.
  std::unique_ptr<library::InProcess>
  compileCpu(const Loaded &loaded, Diagnostic &why, bool gradient = false);

  /// The same with kernels of sm_90a that the emulator runs.
  std::unique_ptr<library::InProcess> compileEmulated(const Loaded &loaded,
                                                      Diagnostic &why);

  /// Code for each of `targets`, ready to be linked; with `gradient`, a
  /// backward function among it, unless `why` says why there is none.
  std::optional<library::Built> build(const Loaded &loaded,
                                      const library::Targets &targets,
                                      bool gradient, Diagnostic &why);

  /// The same as LLVM IR in text.
  std::optional<std::string> emitLlvm(const Loaded &loaded, Diagnostic &why);

  /// The kernels of sm_90a as PTX: NAME_forward, and NAME_step with one token a
  /// chunk, which decodes.
  std::optional<std::string> emitPtx(const Loaded &loaded, Diagnostic &why);

  /// What was derived, in one line: "S chunk; m token by token; 32 tokens a
  /// chunk".
  std::string describe(const Loaded &loaded);

  /// The same with a line for each state: "  S: matrix products over chunks of
  /// 32 tokens".
  std::string describeStates(const Loaded &loaded);

private:
  Timings &times;
  mlir::MLIRContext context;

  struct Derived {
    std::vector<StateInfo> states;
    int64_t tokens = 0; // in a chunk
  };
  Derived derive(const Loaded &loaded);
};

/// The states of a module in normal form, hidden ones left out.
std::vector<StateInfo> classify(mlir::ModuleOp normalForm);

/// "S chunk; m token by token", for one line.
std::string describe(const std::vector<StateInfo> &states);

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_COMPILE_H
