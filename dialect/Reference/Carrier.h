// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The transition of a stage's states over a chunk, for one head, as the chunk
// operations take it: carries keys forwards and rows backwards, one token at a
// time.
#ifndef TROWEL_DIALECT_REFERENCE_CARRIER_H
#define TROWEL_DIALECT_REFERENCE_CARRIER_H

#include "dialect/Reference/Nest.h"

namespace trowel::interpreter {

/// The key axes of a stage's states: those of any operand or result given for a
/// state, of the blocks that lead to it, and of the states that these come
/// from.
class StateAxes {
public:
  StateAxes(const rec::AxisOrder &order,
            llvm::ArrayRef<mlir::StringAttr> ownAxes)
      : order(order), own(ownAxes) {}

  /// Takes the tile's axes into account, but for the dialect's own.
  void add(int64_t state, mlir::Value tile);
  /// Makes the state known, even without a tile.
  void add(int64_t state);
  /// Lets the axes flow along the blocks; call it last.
  void close(mlir::ValueRange phi, llvm::ArrayRef<int64_t> blocks);

  unsigned size() const { return static_cast<unsigned>(axes.size()); }
  llvm::ArrayRef<mlir::StringAttr> of(int64_t state) const {
    return axes[state];
  }
  /// A dense block on these axes behind the given leading ones.
  View view(int64_t state, llvm::ArrayRef<View::Axis> leading = {}) const;
  int64_t elements(int64_t state) const { return view(state).elements(); }

private:
  const rec::AxisOrder &order;
  llvm::SmallVector<mlir::StringAttr, 4> own; // t, t.r, t.s, t.w
  llvm::SmallVector<llvm::SmallVector<mlir::StringAttr>> axes;
  llvm::DenseMap<mlir::StringAttr, int64_t> sizes;
};

/// Numbers on a state's key axes, for each state; empty: zero.
using PerState = std::vector<std::vector<double>>;

class Carrier {
public:
  explicit Carrier(const StateAxes &axes) : axes(axes) {}

  /// Adds the block from state `from` to state `to`: a factor for each token
  /// and each element of `to`.
  void addBlock(int64_t to, int64_t from, std::vector<double> factors);

  /// x becomes Phi_t x.
  void forwards(int64_t token, PerState &x) const;
  /// f becomes f Phi_t.
  void backwards(int64_t token, PerState &f) const;

private:
  struct Block {
    int64_t to, from;
    std::vector<double> factors; // [token, element of `to`]
    std::vector<int64_t> source; // the element of `from` for each of `to`
  };
  const StateAxes &axes;
  std::vector<Block> blocks; // none: the identity
  mutable PerState next;     // what a step makes, kept to save allocations
};

} // namespace trowel::interpreter

#endif // TROWEL_DIALECT_REFERENCE_CARRIER_H
