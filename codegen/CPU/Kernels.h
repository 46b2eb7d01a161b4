// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is done to matrices of floats everywhere: products, products and systems
// with a triangular matrix, and the transposed copy. Matrices are given by
// address and strides in elements. How it is done depends on whether code has
// vectors (VectorKernels.h) or a team of threads (TeamKernels.h).
#ifndef TROWEL_CODEGEN_CPU_KERNELS_H
#define TROWEL_CODEGEN_CPU_KERNELS_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

/// C[rows, columns] (+)= A[rows, depth] B[depth, columns]. Columns are next to
/// each other in B and C, in a multiple of 16 that may be read and written.
/// Every element of C is summed in the order of the depth.
struct Product {
  Value a, aRow, aDepth;
  Value b, bDepth;
  Value c, cRow;
  Value rows, depth, columns;
  bool accumulate = false;
};

/// C[i] += sum over j < (i + 1) * width of A[i, j] B[j]: A is causal, with
/// `width` columns a row.
struct Triangle {
  Value a, aRow, aDepth;
  Value b, bDepth;
  Value c, cRow;
  Value rows, width, columns;
};

/// Solves C' = C + A C' in place; A is strictly lower triangular, and what lies
/// above its diagonal is not read. The elements of a row are next to each
/// other.
struct System {
  Value a, aRow;
  Value c, cRow;
  Value rows, columns;
};

/// to[column, row] = from[row, column]. Columns are next to each other in
/// `from`, rows in `to`. Both sides are handled in blocks of 16: `from` is read
/// up to a multiple of 16 columns, `to` is written up to multiples of 16.
struct Transposition {
  Value from, fromRow;
  Value to, toRow;
  Value rows, columns;
};

class Kernels {
public:
  virtual ~Kernels() = default;
  virtual void product(const Product &product) = 0;
  virtual void triangle(const Triangle &triangle) = 0;
  virtual void solve(const System &system) = 0;
  virtual void transpose(const Transposition &transposition) = 0;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_KERNELS_H
