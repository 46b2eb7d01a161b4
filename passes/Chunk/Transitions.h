// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stage's transition over a chunk, and what it makes of rows and keys.
#ifndef TROWEL_PASSES_CHUNK_TRANSITIONS_H
#define TROWEL_PASSES_CHUNK_TRANSITIONS_H

#include "dialect/Chunk/Chunk.h"
#include "dialect/Rec/ValueBuilder.h"

#include <optional>

namespace trowel {

/// A value for each of some states.
using PerState = llvm::SmallVector<std::pair<unsigned, mlir::Value>>;

/// Builds the chunk operations that carry rows and keys through one transition.
class Transitions {
public:
  /// `size` states; `axes[j]` are those on which the transition acts.
  Transitions(rec::ValueBuilder &values,
              llvm::SmallVector<llvm::SmallVector<mlir::StringAttr>> axes)
      : values(values), axes(std::move(axes)) {}

  /// Sets the block from state `from` to state `to`: a tile, or a value that
  /// is the same for all tokens.
  void set(unsigned to, unsigned from, mlir::Value factor);
  /// After the last block: recognises the identity.
  void finish();

  unsigned size() const { return axes.size(); }
  bool isIdentity() const { return identity; }

  PerState pull(const PerState &row);
  PerState push(const PerState &key);
  /// Pairs (to, from) with the whole chunk's factor; a null value is one.
  llvm::SmallVector<std::pair<std::pair<unsigned, unsigned>, mlir::Value>>
  total();

  struct Within {
    unsigned row, write;
    mlir::Value coupling;
  };
  mlir::Value gram(llvm::ArrayRef<PerState> rows, llvm::ArrayRef<PerState> keys,
                   llvm::ArrayRef<Within> within);
  PerState apply(mlir::Value matrix, llvm::ArrayRef<PerState> keys);

private:
  /// `pull` and `push`: the same, backwards and forwards.
  template <typename Op> PerState carry(const PerState &part, bool forward);
  llvm::SmallVector<unsigned> reachable(const PerState &from,
                                        bool forward) const;
  mlir::RankedTensorType tileType(const PerState &operands, unsigned state);

  rec::ValueBuilder &values;
  llvm::SmallVector<llvm::SmallVector<mlir::StringAttr>> axes;
  llvm::SmallVector<mlir::Value> factors;
  llvm::SmallVector<int64_t> blocks;
  bool identity = false;
};

/// The value with an axis for the tokens of the chunk.
mlir::Value perToken(rec::ValueBuilder &values, mlir::Value value);

} // namespace trowel

#endif // TROWEL_PASSES_CHUNK_TRANSITIONS_H
