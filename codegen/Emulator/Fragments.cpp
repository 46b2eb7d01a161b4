// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Emulator/Fragments.h"

#include "codegen/Emulator/Machine.h"

#include "dialect/Reference/Rounding.h"
#include "llvm/ADT/bit.h"

#include <cmath>

namespace trowel::emulator {

double valueOf(Element element, uint32_t bits) {
  switch (element) {
  case Element::F16:
    return trowel::decode(formats::f16, bits);
  case Element::BF16:
    return trowel::decode(formats::bf16, bits);
  case Element::TF32:
    return llvm::bit_cast<float>(bits);
  }
  return 0;
}

bool fits(Element element, uint32_t bits) {
  return element != Element::TF32 || (bits & 0x1fff) == 0 ||
         std::isnan(llvm::bit_cast<float>(bits));
}

uint32_t elementBits(Thread &lane, SlotRange where, unsigned part,
                     Element element) {
  if (where.count == 2)
    return lane[where.first + part];
  uint32_t bits = lane[where.first];
  return element == Element::TF32 ? bits : bits >> (16 * part) & 0xffff;
}

} // namespace trowel::emulator
