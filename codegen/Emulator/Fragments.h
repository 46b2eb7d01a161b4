// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the lanes of a warp hold matrices (PTX ISA 9.7.14 and 9.7.15, the figures
// of the fragments). Four lanes share a row of A and of the accumulators, and
// a column of B.
#ifndef TROWEL_CODEGEN_EMULATOR_FRAGMENTS_H
#define TROWEL_CODEGEN_EMULATOR_FRAGMENTS_H

#include "codegen/Emulator/Program.h"

namespace trowel::emulator {

enum class Element { F16, BF16, TF32 };

/// A register holds two elements of 16 bits or one of 32.
inline unsigned perRegister(Element element) {
  return element == Element::TF32 ? 1 : 2;
}
inline unsigned bytesOf(Element element) { return 4 / perRegister(element); }

double valueOf(Element element, uint32_t bits);
/// A device does not say what it does with more bits than tf32 has.
bool fits(Element element, uint32_t bits);

struct Position {
  unsigned row, column;
};

/// Of a part of a register of A, 16 rows high.
inline Position positionInA(Element element, unsigned lane, unsigned number,
                            unsigned part) {
  unsigned per = perRegister(element);
  return {lane / 4 + 8 * (number % 2),
          lane % 4 * per + part + 4 * per * (number / 2)};
}

/// Of a part of a register of B, 8 columns wide.
inline Position positionInB(Element element, unsigned lane, unsigned number,
                            unsigned part) {
  unsigned per = perRegister(element);
  return {lane % 4 * per + part + 4 * per * number, lane / 4};
}

/// Of an accumulator in f32, 16 rows high.
inline Position positionInC(unsigned lane, unsigned number) {
  return {lane / 4 + 8 * (number / 2 % 2),
          8 * (number / 4) + lane % 4 * 2 + number % 2};
}

/// The bits of a part of a register. A pair may have two slots.
uint32_t elementBits(Thread &lane, SlotRange where, unsigned part,
                     Element element);

} // namespace trowel::emulator

#endif // TROWEL_CODEGEN_EMULATOR_FRAGMENTS_H
