// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of an interpreter while it runs one program. Operations run for all
// heads before the next one does.
#ifndef TROWEL_DIALECT_REFERENCE_MACHINE_H
#define TROWEL_DIALECT_REFERENCE_MACHINE_H

#include "dialect/Chunk/Chunk.h"
#include "dialect/Reference/Carrier.h"
#include "dialect/Reference/Tensor.h"

#include "llvm/ADT/StringMap.h"

namespace trowel::interpreter {

using Numbers = std::vector<double>;

class Machine {
public:
  /// `program` is a `chunk.program` or a `rec.program`.
  Machine(mlir::Operation *program, const Batch &batch,
          const TensorMap &arguments);

  TensorMap run();

private:
  mlir::Block &body;
  const Batch &batch;
  const TensorMap &arguments;
  rec::AxisOrder order;
  mlir::StringAttr tokenAxis;                  // "t"
  llvm::SmallVector<mlir::StringAttr> bounded; // axes with absent rows
  int64_t capacity = 0;  // a chunk's tokens; 0: a program of one token
  bool saves = false;    // keeps states and delays as each chunk begins
  bool backward = false; // runs the chunks from the last to the first
  TensorMap results;

  // The chunk being run.
  int64_t sequence = 0;
  int64_t firstRow = 0; // in [0, B * T)
  int64_t position = 0; // of the first row, within the sequence
  int64_t rows = 0;     // tokens present
  int64_t tokenRow = 0; // the token that `chunk.sequential` is at
  int64_t chunk = 0;    // counted over all sequences

  llvm::DenseMap<mlir::Value, Numbers> values; // heads in front
  llvm::StringMap<Numbers> states, updates;    // heads in front
  llvm::DenseMap<mlir::Operation *, Numbers> delayed;
  std::map<std::pair<mlir::Operation *, unsigned>, Nest> nests;

  // The frame (Machine.cpp).
  void allocateResults();
  int64_t chunkCount() const;
  void runSequence(int64_t begin, int64_t end);
  void runChunk(int64_t first, int64_t count);
  bool initialises(mlir::Operation &op) const;
  void execute(mlir::Operation &op);
  bool executeBoundary(mlir::Operation &op);

  // At the boundary (Boundary.cpp).
  int64_t unitCount(rec::SharingKind sharing) const;
  int64_t unitOf(int64_t head, rec::SharingKind sharing) const;
  bool speaksForUnit(int64_t head, rec::SharingKind sharing) const;
  const Tensor &argument(llvm::StringRef name) const;
  View callerView(mlir::ArrayAttr layout, mlir::Type type) const;
  View withTokens(View view, rec::SharingKind sharing) const;
  std::vector<int64_t> shapeOf(mlir::ArrayAttr layout, mlir::Type type,
                               rec::SharingKind sharing,
                               std::vector<int64_t> leading) const;
  void input(rec::InputOp op);
  void param(rec::ParamOp op);
  void state(rec::StateOp op);
  void output(rec::OutputOp op);
  void positions(rec::PositionOp op);
  void total(rec::TotalOp op);
  void storeState(rec::StateOp op);
  void saveState(rec::StateOp op);
  void loadState(rec::StateOp op, Numbers &into);

  // Values (RecOps.cpp).
  void executeValue(mlir::Operation &op);
  void constant(rec::ConstantOp op);
  void map(rec::MapOp op);
  void contract(rec::ContractOp op);
  void reduce(rec::ReduceOp op);
  void reduceHeads(rec::ReduceHeadsOp op);
  void copy(mlir::Operation *op, View to, View from);
  void rename(rec::RenameOp op);
  void pick(rec::PickOp op);
  void stack(rec::StackOp op);
  void repeat(rec::RepeatOp op);
  void round(rec::CastOp op);
  void delay(rec::DelayOp op);
  void exchangeSaved(rec::DelayOp op, Numbers &memory);

  // Stages of a token program (StageOps.cpp).
  void stage(rec::StageOp op);
  void row(rec::RowOp op);
  void scalarRow(rec::ScalarRowOp op);
  void across(rec::AcrossOp op);
  void nextStates(rec::StageOp op);
  void sequential(rec::SequentialOp op);

  // Gradients (GradientOps.cpp).
  void reverse(chunk::ReverseOp op);
  void transitionGradient(rec::TransitionGradientOp op);
  void transitionGradient(chunk::TransitionGradientOp op);
  View rowOf(mlir::Value tile, int64_t token) const;

  // Chunks (ChunkOps.cpp).
  /// Where the elements of a tile on t, t.r, t.s, t.w lie.
  struct Square {
    int64_t t, r, s, w;
    int64_t at(int64_t token, int64_t row, int64_t earlier,
               int64_t write) const {
      return token * t + row * r + earlier * s + write * w;
    }
  };
  Square squareOf(mlir::Value tile) const;
  StateAxes
  stateAxes(mlir::ValueRange phi, llvm::ArrayRef<int64_t> blocks,
            llvm::ArrayRef<std::pair<int64_t, mlir::Value>> tiles) const;
  Numbers rowsOf(mlir::Value tile, int64_t head, const StateAxes &axes,
                 int64_t state) const;
  Carrier carrier(const StateAxes &axes, mlir::ValueRange phi,
                  llvm::ArrayRef<int64_t> blocks, int64_t head) const;
  void carryEach(mlir::Operation *op, mlir::ValueRange phi,
                 llvm::ArrayRef<int64_t> blocks, mlir::ValueRange tiles,
                 llvm::ArrayRef<int64_t> tileStates,
                 llvm::ArrayRef<int64_t> resultStates, bool isForwards);
  void forEachCarried(const Carrier &transition, const StateAxes &axes,
                      mlir::ValueRange keys, llvm::ArrayRef<int64_t> keyIndex,
                      int64_t head,
                      llvm::function_ref<void(int64_t t, int64_t s, int64_t w,
                                              const PerState &)>
                          visit);
  bool executeChunk(mlir::Operation &op);
  void pull(chunk::PullOp op);
  void push(chunk::PushOp op);
  void total(chunk::TotalOp op);
  void gram(chunk::GramOp op);
  void solve(chunk::SolveOp op);
  void inverse(chunk::InverseOp op);
  void apply(chunk::ApplyOp op);
  void chunkSequential(chunk::SequentialOp op);
  void token(chunk::TokenOp op);

  // Tensors.
  int64_t elements(mlir::Type type) const {
    return llvm::cast<mlir::RankedTensorType>(type).getNumElements();
  }
  /// The value's numbers, made anew and NaN.
  Numbers &define(mlir::Value value);
  const double *at(mlir::Value value, int64_t head) const;
  double *at(mlir::Value value, int64_t head);
  /// Rows that are present along `axis`, or its size.
  int64_t extent(mlir::StringAttr axis, int64_t size) const {
    return llvm::is_contained(bounded, axis) ? rows : size;
  }
  Nest makeNest(llvm::ArrayRef<View> views) const {
    return Nest(views, order, bounded, rows);
  }
  /// The nest numbered `which` of an operation, made once a chunk length.
  const Nest &nest(mlir::Operation *op, unsigned which,
                   llvm::ArrayRef<View> views);
  /// `to += product of values`, summed over the axes that `to` lacks.
  void accumulate(double *to, mlir::Type type,
                  llvm::ArrayRef<mlir::Value> factors, int64_t head);
  /// A value as a dense block of these axes and sizes, repeated along those
  /// that it lacks.
  Numbers spread(mlir::Value value, int64_t head, const View &view) const;
  /// The inverse: from a dense block into a value's absent-free part.
  void store(mlir::Value value, int64_t head, const Numbers &from,
             const View &view);
  void fail(mlir::Operation *op, const llvm::Twine &message) const;
};

} // namespace trowel::interpreter

#endif // TROWEL_DIALECT_REFERENCE_MACHINE_H
