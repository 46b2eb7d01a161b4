// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What of a chunk has tokens and at most one more axis is computed in registers
// (Tile.h): elementwise operations, sums over the axis, running products and
// Gram matrices of decays. What other operations read of it is stored first;
// those that are not known here go through memory, as all do without tiles.
// EmitTiles, EmitTileDecay, EmitTileGram.
#ifndef TROWEL_CODEGEN_CUDA_TILEEMITTER_H
#define TROWEL_CODEGEN_CUDA_TILEEMITTER_H

#include "codegen/CPU/Emitter.h"
#include "codegen/CUDA/Block.h"
#include "codegen/CUDA/Tile.h"
#include "codegen/CUDA/Warp.h"

namespace trowel::cuda {

/// So many elements from row to row, at least `size`, that the lanes of a warp
/// find a product's operands in different banks: 64 bits each where those are
/// next to each other along the rows, which are the depth; else 32, of four
/// rows.
int64_t pitchOf(int64_t size, bool alongDepth);

class TileEmitter : public cpu::Emitter {
public:
  TileEmitter(chunk::ProgramOp program, cpu::Output &output, Block &block,
              std::string name);

protected:
  void emitOperation(mlir::Operation *op) override;
  cpu::View viewOf(Value value) override;
  /// To be called where the kernel begins.
  void findThread();
  /// A value has become a tile.
  virtual void tileMade(Value value) {}

  std::optional<Tile> tileOf(Value value);

  /// A place of an element of a tile: `inside` is null if it always is, else
  /// says that the token is present and the channel within its axis. Places
  /// that are not inside are moved to the last one that is.
  struct TilePlace {
    Value token, channel; // null if the tile has none
    cpu::Point point;
    Value inside;
  };
  TilePlace placeOf(const Tile &tile, int64_t token, int64_t channel);
  /// Visits all of a thread's elements. What several threads have, the first of
  /// them visits.
  void storeTile(const Tile &tile,
                 llvm::function_ref<void(Value element, TilePlace &)> store);

  /// Where a product's operands lie in shared memory, rounded, and what that
  /// leaves of them if products are to be double.
  struct Rounded {
    cpu::View high, low;
  };
  void storeRounded(const Rounded &place, const cpu::Point &point,
                    Value element);

  Block &block;
  Warp warp;
  bool usesTiles; // in the chunks of this program
  llvm::DenseMap<Value, Tile> tiles;

private:
  //===--- EmitTiles.cpp
  std::optional<Tile> shapeOf(mlir::Type type) const;
  std::optional<Tile> makeTile(mlir::Operation *op);
  std::optional<Tile> evaluateTile(mlir::Operation *op);
  std::optional<Tile> sumOf(mlir::Operation *op);
  Tile loadTile(const cpu::View &view, Tile shape);
  Value presentAt(int64_t token);
  Value firstLaneOf(const Tile &tile);
  Value shuffle(Value value, int64_t mask);
  /// For each token of the group the sum of its threads' values.
  cpu::Values sumOverGroup(cpu::Values values);

  //===--- EmitTileDecay.cpp
  /// One state's factors, and the products of each group's.
  struct Decay {
    Tile factors; // one where a token is absent
    llvm::SmallVector<Tile> groups;
  };
  /// At each token the product of the group's earlier or later ones.
  Tile productWithin(const Decay &decay, bool later);
  Tile renewed(Tile tile);
  const Decay *decayOf(mlir::ValueRange phi, llvm::ArrayRef<int64_t> blocks);
  Tile times(const Tile &a, const Tile &b);
  /// The product over groups for which the condition, on numbers, holds.
  Tile productOver(const Decay &decay,
                   llvm::function_ref<Value(int64_t other)> holds);
  std::optional<Tile> carried(mlir::Operation *op);
  void makeIdentity();
  llvm::DenseMap<Value, Decay> decays;
  Decay identity;

  //===--- EmitTileGram.cpp
  struct Side;
  struct Level;
  bool gramOfTiles(chunk::GramOp op);
  void storeLevel(const Level &level, const Decay &decay);
  void multiplyLevels(const Level &level, const cpu::View &out);

  Value group, groupLane;                  // the thread's
  llvm::DenseMap<Value, cpu::View> inputs; // where they lie
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_TILEEMITTER_H
