// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration of the `chunk` dialect.

#include "dialect/Chunk/Chunk.h"

using namespace mlir;

#include "dialect/Chunk/ChunkDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/Chunk/ChunkOps.cpp.inc"

namespace trowel::chunk {

void ChunkDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/Chunk/ChunkOps.cpp.inc"
      >();
}

} // namespace trowel::chunk
