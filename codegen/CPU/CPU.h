// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chunk programs as machine code that computes in f32: in this process, or as
// an object file.
#ifndef TROWEL_CODEGEN_CPU_CPU_H
#define TROWEL_CODEGEN_CPU_CPU_H

#include "codegen/Timing.h"
#include "dialect/Chunk/Chunk.h"
#include "runtime/Host/Kernel.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace trowel::cpu {

/// Whose instructions the code may use: this machine's, or those of every
/// machine of a level of x86-64, v3 or v4.
enum class Machine { Host, Avx2, Avx512 };

/// True if such code can run in this process.
bool runsHere(Machine machine);

struct CpuOptions {
  Machine machine = Machine::Host;
  /// LLVM's optimisation level, 0 to 3.
  unsigned optimisation = 3;
  /// Leave the second half of the machine's vector registers alone even if it
  /// has 32 of 512 bits. The bits of the results are the same.
  bool narrow = false;
  /// Run MLIR's verifier over the generated code.
  bool verify = true;
};

using codegen::Timing;
using codegen::Timings;

/// One of the caller's tensors, of which TrowelKernel takes one head's part.
struct Argument {
  enum class Role {
    Input,
    Param,
    InitialState,
    FinalState,
    Output,
    Total, // of a backward program: the gradient of a param
    Saved  // what each chunk begins with
  };
  Role role;
  std::string name;
  rec::DTypeKind dtype;
  rec::SharingKind sharing;
  std::vector<int64_t> sizes;
  bool debug = false;
  /// Of a backward program. What the caller gives is for the first head of
  /// those that share it; null is zero. What it gets is the sum over them: then
  /// an output has floats here, whatever its type.
  bool isGradient = false;

  bool isState() const {
    return role == Role::InitialState || role == Role::FinalState;
  }
  bool hasTokens() const { return role == Role::Input || role == Role::Output; }
  /// Written by a program that runs forward.
  bool isResult() const {
    return role == Role::FinalState || role == Role::Output;
  }
  /// How many strides the code is given for it.
  int64_t strideCount() const;
  /// Bytes of one element in memory.
  int64_t elementBytes() const;
};

/// A buffer that goes from call to call, and where its dense elements of 4
/// bytes lie in the carry.
struct Carried {
  int64_t offset; // in bytes
  std::vector<int64_t> sizes;
};

/// What callers of a program's code have to know.
struct Interface {
  std::vector<Argument> arguments;
  int64_t workspaceBytes = 0, carryBytes = 0;
  /// Of a program that saves its states and of its backward program: bytes for
  /// each chunk of a sequence.
  int64_t savedBytes = 0;
  std::vector<Carried> carried; // all of the carry
};

/// Compiled programs; the code lives as long as the object.
class Kernel {
public:
  virtual ~Kernel() = default;

  /// In the order of the module.
  const std::vector<Interface> &programs() const { return interfaces; }
  const std::vector<TrowelKernel *> &entries() const { return functions; }

  // Of the first program.
  const std::vector<Argument> &arguments() const {
    return interfaces.front().arguments;
  }
  int64_t workspaceBytes() const { return interfaces.front().workspaceBytes; }
  int64_t carryBytes() const { return interfaces.front().carryBytes; }
  int64_t savedBytes() const { return interfaces.front().savedBytes; }
  TrowelKernel *entry() const { return functions.front(); }

  /// What went wrong when the code ran: empty but for code that is emulated.
  virtual std::string failure() const { return {}; }

protected:
  std::vector<Interface> interfaces;
  std::vector<TrowelKernel *> functions;
};

/// Compiles the module's chunk programs, which share what is equal. An error
/// says which operation this target does not do, or that this machine is not of
/// the kind asked for. Phases are appended to `timings` if given.
///
/// A program that `saves` its states has one more argument, `Saved`. The code
/// writes what chunk i begins with `savedBytes` times i behind its address; the
/// code of the backward program reads that. Both have the attribute `kept` if a
/// pass may have dropped what one of them has no use for (EmitSaved.cpp).
llvm::Expected<std::unique_ptr<Kernel>>
compileForCpu(mlir::ModuleOp module, const CpuOptions &options = {},
              Timings *timings = nullptr);

/// Compiled programs as an object file.
struct Object {
  std::string bytes;
  std::vector<Interface> programs; // in the order of the module
};

/// The name of a program's entry in an object file.
std::string entrySymbol(llvm::StringRef symbol, size_t program);

/// The same as position-independent code, the entries under names made of
/// `symbol`, with hidden visibility: what links the object may call them,
/// nobody else.
llvm::Expected<Object> emitObject(mlir::ModuleOp module,
                                  const CpuOptions &options,
                                  llvm::StringRef symbol);

/// The optimised LLVM IR of the same, as text.
llvm::Expected<std::string> emitLlvmIr(mlir::ModuleOp module,
                                       const CpuOptions &options = {});

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_CPU_H
