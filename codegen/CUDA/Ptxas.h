// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From PTX to a cubin, by NVIDIA's assembler: a program of the CUDA toolkit.
#ifndef TROWEL_CODEGEN_CUDA_PTXAS_H
#define TROWEL_CODEGEN_CUDA_PTXAS_H

#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace trowel::cuda {

struct PtxasOptions {
  std::string chip = "sm_90a";
  /// The program; the one that findPtxas finds if empty.
  std::string program;
  /// After so many seconds it is ended.
  unsigned seconds = 600;
};

/// What one kernel uses, functions that it calls included.
struct KernelUse {
  std::string name;
  int64_t registers = 0, barriers = 0;
  int64_t spillStoreBytes = 0, spillLoadBytes = 0, stackBytes = 0;
  int64_t sharedBytes = 0; // without what a launch adds
};

/// A remark that the code is not what was meant (waits added, wgmma one after
/// the other, setmaxnreg ignored), or a warning.
struct Remark {
  std::string code; // as C7517; empty if it has none
  std::string text; // the whole line
};

struct Assembly {
  std::string cubin;
  std::vector<KernelUse> kernels;
  std::vector<Remark> remarks;
  std::string log; // all that ptxas said
};

/// There is no ptxas on this machine.
class PtxasMissing : public llvm::ErrorInfo<PtxasMissing> {
public:
  static char ID;
  void log(llvm::raw_ostream &stream) const override;
  std::error_code convertToErrorCode() const override;
};

/// Where it is: in PATH, in bin of $CUDA_HOME or $CUDA_PATH, among NVIDIA's
/// packages in the Python environment $VIRTUAL_ENV, or in /usr/local/cuda/bin.
std::optional<std::string> findPtxas();

/// An error is PtxasMissing, or has ptxas's words if it refuses the text.
llvm::Expected<Assembly> assemble(llvm::StringRef ptx,
                                  const PtxasOptions &options = {});

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_PTXAS_H
