// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `chunk` dialect's declarations.
#ifndef TROWEL_DIALECT_CHUNK_CHUNK_H
#define TROWEL_DIALECT_CHUNK_CHUNK_H

#include "dialect/Rec/Rec.h"

#include "dialect/Chunk/ChunkDialect.h.inc"

#define GET_OP_CLASSES
#include "dialect/Chunk/ChunkOps.h.inc"

#endif // TROWEL_DIALECT_CHUNK_CHUNK_H
