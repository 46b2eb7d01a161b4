// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A chunk's value in the registers of a block: a group of 64 threads has some
// tokens that follow one another, a thread of it every 64th channel of these.
#ifndef TROWEL_CODEGEN_CUDA_TILE_H
#define TROWEL_CODEGEN_CUDA_TILE_H

#include "codegen/CUDA/Block.h"

#include "mlir/IR/BuiltinAttributes.h"

#include "llvm/ADT/SmallVector.h"

namespace trowel::cuda {

struct Tile {
  static constexpr int64_t groupThreads = 64;
  static constexpr int64_t groups = Block::threads / groupThreads;

  /// Null: all channels have the same.
  mlir::StringAttr channel;
  int64_t size = 1; // of the channel axis
  /// How many tokens and channels a thread has; one of what the value has not.
  int64_t tokens = 1, channels = 1;
  bool hasTokens = false;
  /// Channel by channel for each token.
  llvm::SmallVector<mlir::Value, 0> elements;

  /// Channels of a thread for an axis of this size.
  static int64_t channelsFor(int64_t size) {
    return (size + groupThreads - 1) / groupThreads;
  }
  int64_t elementCount() const { return tokens * channels; }
  /// The element of a token and channel, of the first if there is one only.
  const mlir::Value &at(int64_t token, int64_t channelNumber) const {
    return elements[(hasTokens ? token : 0) * channels +
                    (channel ? channelNumber : 0)];
  }
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_TILE_H
