// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States between the caller's memory and the code's: one head's, dense, in 32
// bits.
#ifndef TROWEL_RUNTIME_LIBRARY_ELEMENTS_H
#define TROWEL_RUNTIME_LIBRARY_ELEMENTS_H

#include "runtime/Library/View.h"

namespace trowel::library {

/// Whether elements in the caller's memory are as the code's.
inline bool isDirect(ElementType type) {
  return type == ElementType::F32 || type == ElementType::I32;
}

/// Copies the axes from `first` on of the part of `from` that begins at element
/// `offset` to dense memory, as floats (i32: as they are).
void load(void *to, const View &from, int64_t first, int64_t offset);

/// Rounds as `store` does what `load` has made of `count` elements.
void roundTo(ElementType type, void *elements, int64_t count);

/// The way back, rounding to nearest even; 8-bit types saturate.
void store(const View &to, int64_t first, int64_t offset, const void *from);

} // namespace trowel::library

#endif // TROWEL_RUNTIME_LIBRARY_ELEMENTS_H
