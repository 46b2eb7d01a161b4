// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel: which sequence and head a block is for, and where their tensors
// lie; its two roles, if there is work by columns (Columns.h): 256 threads
// prepare what a chunk needs, in memory and in tiles, 128 others take it up.
// Between them is a channel of stages in shared memory. EmitChannel,
// EmitColumns.
#ifndef TROWEL_CODEGEN_CUDA_KERNELEMITTER_H
#define TROWEL_CODEGEN_CUDA_KERNELEMITTER_H

#include "codegen/CUDA/Columns.h"
#include "codegen/CUDA/Fragment.h"
#include "codegen/CUDA/TileEmitter.h"

namespace trowel::cuda {

class KernelEmitter : public TileEmitter {
public:
  KernelEmitter(chunk::ProgramOp program, cpu::Output &output, Block &block,
                std::string name);

  /// After `emit`: says where the workspace is, by its size.
  void placeWorkspace();
  bool isShared() const;
  int64_t workspaceBytes() const;
  int64_t threads() const;

protected:
  void makeEntry() override;
  void emitBody() override;
  void beforeChunks() override;
  void afterChunks() override;
  void beginChunk(Value first) override;
  void emitElsewhere() override;
  void tileMade(Value value) override;

private:
  Value shared();
  Value offsetBy(Value address, Value bytes);
  Value divide(Value a, Value b);
  Value number32(Value array, Value place);
  Value numberOr(Value array, Value place, Value other);
  Value isGiven(Value address, Value row);
  Value orNull(Value condition, Value address);

  //===--- Between the roles (EmitChannel.cpp)
  //-----------------------------------------===//
  /// Barriers of each stage.
  enum class Signal { Full, Empty };
  void wait(Signal signal, bool signalled);
  /// The chunk's stage may be filled again, if there is a chunk for it.
  void release(Value first);
  int64_t stageCount() const;
  int64_t stageBytes() const { return channel.extent() * 4; }
  /// What lies in the channel has no base of its own: that is the stage's.
  cpu::View inStage(cpu::View view) const;
  Rounded inStage(const Rounded &place) const;
  cpu::View layOutLike(mlir::Type type);
  void setChunk(Value first);
  void stage(rec::ContractOp op);
  /// A place for a matrix, padded so that tiles are whole.
  Rounded placeFor(rec::ContractOp op, const cpu::View &shape);
  void stageTile(rec::ContractOp op, const Tile &tile);
  /// Hands over what an operation reads beside fragments and matrices.
  void sendOperands(mlir::Operation *op);
  void sendOperand(Value value);
  bool isSeenThrough(mlir::Operation *op) const;
  void send(Value value);
  bool isTensor(Value value) const;

  //===--- Columns (EmitColumns.cpp)
  //-----------------------------------------===//
  llvm::SmallVector<rec::StateOp> columnStates();
  llvm::SmallVector<mlir::Operation *> columnOperations();
  void findLane();
  void renewLane();
  /// The values of fragments one after the other.
  cpu::Values flatten(llvm::ArrayRef<Fragment> parts);
  llvm::SmallVector<Fragment> unflatten(mlir::ValueRange values);

  /// A place of an element of a fragment; `inside` is null if it always is.
  struct Place {
    cpu::Point point;
    Value inside;
  };
  using ElementBody = llvm::function_ref<Value(int64_t number, Place &)>;
  /// Fills the fragment with what `body` returns for each element. Places
  /// behind an axis's end are moved to its last position.
  void visit(Fragment &fragment, ElementBody body);
  /// The lane's column, counted from the axis's beginning, at a tile's row.
  Value columnAt(int64_t tile, bool lower);
  /// Whether a position of the tile that begins at `first` is within the axis;
  /// null if it always is.
  Value isInside(mlir::StringAttr axis, int64_t size, int64_t first,
                 Value position);
  Fragment loadFragment(const cpu::View &view, mlir::Type type);
  Fragment zeroFragment(mlir::Type type);
  /// Of any value, repeated along what it lacks of the type's axes.
  Fragment fragmentOf(Value value, mlir::Type type);
  Fragment evaluateFragment(mlir::Operation *op, mlir::Type type);
  Fragment partOf(const Fragment &whole, mlir::StringAttr axis, int64_t index,
                  mlir::Type type);
  Fragment stackFragments(rec::StackOp op);
  class Factor;
  void emitProduct(rec::ContractOp op);
  Value termBefore(rec::ContractOp op);
  Value columnsOfProduct(rec::ContractOp op);
  void multiply(rec::ContractOp op, Fragment sums);
  rec::ContractOp productOf(Value value);
  bool isAddedLater(rec::ContractOp op);
  rec::ContractOp waitingProduct(Value value);
  void emitSum(rec::MapOp op);
  void storeFragment(const Fragment &fragment, const cpu::View &view);
  void emitColumns(mlir::Operation *op);

  Value matrixOf(rec::ContractOp op);
  cpu::Values beginColumns();
  cpu::Values columnsOfChunk(mlir::ValueRange carried);
  void endColumns(mlir::ValueRange carried);
  void emitColumnRole();

  Value blockNumber, globalWorkspace;
  Value outsideChunks; // the thread's number there

  mlir::StringAttr columns;
  Value firstColumn, laneRow, laneColumn; // of the lane in its warp's tiles
  llvm::DenseMap<Value, Fragment> fragments;

  cpu::Workspace channel; // of one stage
  llvm::DenseMap<Value, Rounded> staged;
  llvm::DenseMap<Value, cpu::View> sent;
  // Where the channel begins, how many stages it has and how large they are:
  // known when all is written.
  Value channelMemory, stages, stageSize;
  Value chunkNumber, stageNumber, stageMemory; // the current chunk's
};

} // namespace trowel::cuda

#endif // TROWEL_CODEGEN_CUDA_KERNELEMITTER_H
