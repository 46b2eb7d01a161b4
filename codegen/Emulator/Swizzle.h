// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the asynchronous proxy permutes shared memory (PTX ISA 5.5.5).
#ifndef TROWEL_CODEGEN_EMULATOR_SWIZZLE_H
#define TROWEL_CODEGEN_EMULATOR_SWIZZLE_H

#include <cstdint>

namespace trowel::emulator {

/// In rows of `width` bytes (32, 64, 128; 0: nothing is permuted), chunks of 16
/// bytes change places with the number of the 128 bytes that they lie in: bits
/// from 7 on go into those from 4 on.
inline uint32_t swizzled(uint32_t address, unsigned width) {
  uint32_t mask = width ? width / 16 - 1 : 0;
  return address ^ (address >> 7 & mask) << 4;
}

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_SWIZZLE_H
