// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers in shared memory, for those that use them besides their own
// operations.
#ifndef TROWEL_CODEGEN_EMULATOR_MBARRIERS_H
#define TROWEL_CODEGEN_EMULATOR_MBARRIERS_H

#include "codegen/Emulator/Machine.h"

namespace trowel::emulator {

/// The barrier that `party`, which `thread` starts, will tell of its end: the
/// asynchronous proxy has to see it. Null: the launch has failed.
Mbarrier *findForCopy(Thread &thread, const Instruction &at, unsigned space,
                      uint64_t pointer, const Party &party);

/// `bytes` are there; who waits learns of what `party` did until then.
void completeTransaction(Mbarrier &barrier, uint64_t bytes, uint32_t party,
                         uint32_t tick);

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_MBARRIERS_H
