// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Libraries called as the meaning is: tensors by name in, tensors by name out.
// In between they are in memory, in their declared types.
#ifndef TROWEL_CODEGEN_LIBRARY_CALL_H
#define TROWEL_CODEGEN_LIBRARY_CALL_H

#include "codegen/Library/Tables.h"
#include "trowel/trowel.h"

#include <functional>
#include <memory>

namespace trowel::library {

struct CallOptions {
  int threads = 0; // 0: one for each processor
  int64_t segments = 0;
  /// What an earlier call left; empty: the sequences begin.
  std::string carry;
  std::vector<int32_t> boundaries;
  /// The code finds its memory full of NaN (for tests).
  bool poison = false;
};

struct CallResults {
  /// Outputs, debug values and final states. What was not written is NaN.
  TensorMap values;
  TensorMap statesAtBoundaries;
  std::string carry;  // [N, H, carry_bytes]
  double seconds = 0; // without the conversions before and after
};

/// The tensors of a call, for any number of calls. They take arguments of fewer
/// tokens or sequences than `batch` has, of the same heads and groups: these
/// are repeated. The tables must outlive it.
class PreparedCall {
public:
  PreparedCall(const Tables &tables, const Batch &batch,
               const TensorMap &arguments, const CallOptions &options);
  ~PreparedCall();

  /// Valid as long as this object.
  trowel_call raw();
  /// What the last call wrote.
  void unpack(CallResults &results) const;

  /// The bytes of all tensors of such a call, with every state given, and no
  /// boundaries.
  static double bytes(const Tables &tables, const Batch &batch);

private:
  class Tensors;
  std::unique_ptr<Tensors> tensors;
};

/// Calls `forward`, the function of a library with these tables, on arguments
/// that `validate` accepts. Returns its status.
int32_t call(const std::function<int32_t(const trowel_call &)> &forward,
             const Tables &tables, const Batch &batch,
             const TensorMap &arguments, const CallOptions &options,
             CallResults &results);

} // namespace trowel::library

#endif // TROWEL_CODEGEN_LIBRARY_CALL_H
