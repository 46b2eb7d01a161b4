// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the function that does a chunk program's work for one head on one
// sequence: a loop over chunks, in it the program's operations one after the
// other on buffers in the workspace. One file an emitter: EmitMap (elementwise
// trees), EmitContract, EmitReduce, EmitDecay (pull, push, total), EmitGram,
// EmitStacks (a token's rows and writes side by side), EmitApply, EmitSolve,
// EmitSequential, EmitTensors (inputs, states, outputs), EmitCarry, EmitSaved,
// EmitGradient, EmitTransitionGradient and EmitTransitionByTokens (what only
// backward programs have).
//
// With vectors, one thread does it all; with a team (Team.h), every nest is
// shared out among its threads and all values are single elements: decision 19.
#ifndef TROWEL_CODEGEN_CPU_EMITTER_H
#define TROWEL_CODEGEN_CPU_EMITTER_H

#include "codegen/CPU/CPU.h"
#include "codegen/CPU/Code.h"
#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/Liveness.h"
#include "codegen/CPU/Parts.h"
#include "codegen/CPU/Team.h"
#include "codegen/CPU/VectorKernels.h"
#include "codegen/CPU/Workspace.h"

namespace trowel::cpu {

using mlir::StringAttr;
using Views = llvm::SmallVector<View, 4>;
using Axes = llvm::ArrayRef<StringAttr>;

/// The matrices of one token's transition: `phi` at `blocks` (to, from).
struct Transition {
  /// No `phi`: the identity.
  bool identity = true;
  int64_t states = 1;
  llvm::SmallVector<std::pair<int64_t, int64_t>> blocks;
  Views phi;

  /// Makes room for the states that an operation names.
  void include(llvm::ArrayRef<int64_t> named);
  /// The pairs (to, from) at which a product of transitions may not be zero,
  /// (i, i) included.
  llvm::SmallVector<std::pair<int64_t, int64_t>> reached() const;
  /// The axes but `t` of the factors: none if all channels have the same.
  llvm::SmallVector<StringAttr> axes(StringAttr token) const;
  /// The states that transitions join, component by component.
  llvm::SmallVector<llvm::SmallVector<int64_t>> components() const;
  /// The transition of these states, counted from zero.
  Transition restrictedTo(llvm::ArrayRef<int64_t> component) const;
};

/// One of a token's rows or writes: its coefficients on one state.
struct Coefficient {
  int64_t index, state;
  View view;
};
using Coefficients = llvm::SmallVector<Coefficient>;

/// What the programs of a module write their code to.
struct Output {
  Output(mlir::ModuleOp module, bool wide, bool fewRows)
      : code(module, module.getLoc()),
        kernels(std::make_unique<VectorKernels>(code, wide, fewRows)),
        parts(code) {}
  /// Code of a thread among those of a team.
  Output(mlir::ModuleOp module, std::unique_ptr<Team> team);

  Code code;
  std::unique_ptr<Team> team;
  std::unique_ptr<Kernels> kernels;
  Parts parts;
};

class Emitter {
  friend class TransitionByTokens;

public:
  virtual ~Emitter() = default;
  /// `name`: the entry function's.
  Emitter(chunk::ProgramOp program, Output &output, std::string name);

  /// Writes the entry function; false leaves the reason in `error`.
  bool emit();

  static constexpr llvm::StringLiteral savedName = "saved";

  std::string error;
  Interface interface() const {
    return {arguments, workspace.extent() * 4, carrySize, savedSize, carried};
  }

protected:
  /// One of the caller's tensors.
  struct Tensor {
    Value address;
    Values strides;
  };
  /// The entry function's beginning: sets `tensors`, `carriedIn`, `carriedOut`,
  /// `length` and `memory`.
  virtual void makeEntry();
  Value notNull(Value pointer);

  /// All but the entry and the return.
  virtual void emitBody();
  virtual void beforeChunks() {}
  virtual void afterChunks() {}
  /// A chunk's first token is known.
  virtual void beginChunk(Value first);
  /// Hands on to where the rest is done (Liveness.h), behind all else of a
  /// chunk but the states' updates.
  virtual void emitElsewhere() {}

  //===--- The program (Emitter.cpp)
  //----------------------------------------===//
  void declareArguments();
  void declare(Argument::Role role, mlir::Operation *op);
  static bool isSummed(mlir::Operation *op);
  void emitBeforeChunks();
  void emitChunks();
  void emitBlock(mlir::Block &block);
  void emitPart(mlir::Operation *op);
  virtual void emitOperation(mlir::Operation *op);
  void refuse(mlir::Operation *op, const llvm::Twine &why);

  //===--- Buffers and views (EmitViews.cpp)
  //--------------------------------===//
  /// Axes of `type` in a new place of the workspace, row by row, the innermost
  /// padded.
  View allocate(mlir::Type type);
  /// Such a place at the workspace's beginning, with its size in elements.
  View layOut(Axes axes, llvm::ArrayRef<int64_t> sizes, mlir::Type element,
              int64_t &total) const;
  View allocate(Axes axes, llvm::ArrayRef<int64_t> sizes, mlir::Type element);
  /// The same, taken back when the operation has been written.
  View scratch(Axes axes, llvm::ArrayRef<int64_t> sizes);
  View scratch(mlir::Type type);
  void releaseScratch(size_t mark);
  /// Where a value lies. Renamed, picked, stopped values are their operand's.
  virtual View viewOf(Value value);
  View constantView(rec::ConstantOp op);
  View splatView(double number, mlir::Type element);
  /// The result's place: a state's own if it may be written there.
  View define(Value result);
  bool isToken(StringAttr axis) const {
    return axis == token || axis == earlier || axis == columnAxis;
  }
  Value boundOf(StringAttr axis, int64_t size);
  /// How many columns the work on a matrix takes along its last axis.
  Value columnsOf(const View &view);

  //===--- Elementwise (EmitMap.cpp)
  //----------------------------------------===//
  using PointBody = llvm::function_ref<void(Point &)>;
  /// Loops over `axes` of the given sizes, the vector's axis last; `outer` runs
  /// ahead of the loop over vectors.
  void nest(Axes axes, llvm::ArrayRef<int64_t> sizes, StringAttr vector,
            PointBody outer, PointBody inner);
  /// Visits all points, one after the other, whoever shares the work at each.
  void forEach(Axes axes, llvm::ArrayRef<int64_t> sizes, PointBody visit);
  void shareNest(Axes axes, llvm::ArrayRef<int64_t> sizes, PointBody outer,
                 PointBody inner);
  /// Visits the chunk's tokens, which have nothing to do with one another: a
  /// team shares them out.
  void forTokens(llvm::function_ref<void(Value)> visit);
  using Compute = llvm::function_ref<Values(mlir::ArrayRef<Value>, Point &)>;
  /// For every element of the first of `outs`: stores what `compute` makes of
  /// the elements of `ins`, spread over the axes that they lack.
  void pointwise(llvm::ArrayRef<View> outs, llvm::ArrayRef<View> ins,
                 Compute compute);
  void copy(const View &to, const View &from);
  void addTo(const View &to, const View &from);
  void fill(const View &to, double number);
  /// Stores a value, computing the tree of elementwise operations that has no
  /// place of its own.
  void evaluate(const View &to, Value root);
  void collectLeaves(Value value, bool root,
                     llvm::SmallVectorImpl<Value> &leaves,
                     llvm::SmallVectorImpl<rec::ContractOp> &products);
  Value evaluateTree(Value value, bool root,
                     const llvm::DenseMap<Value, Value> &leaves, Point &point);
  Value splat(double number, mlir::Type element);
  void emitPosition(rec::PositionOp op);
  void emitRepeat(rec::RepeatOp op);
  void emitStack(rec::StackOp op);

  //===--- Contractions and reductions
  //--------------------------------------===//
  void emitContract(rec::ContractOp op);
  void contract(const View &out, View a, View b,
                llvm::SmallVector<StringAttr> axes, bool accumulate = false);
  bool contractByProduct(const View &out, const View &a, const View &b,
                         Axes axes, bool accumulate);
  bool contractCausal(const View &out, const View &a, const View &b, Axes axes,
                      bool accumulate);
  void contractByNest(const View &out, const View &a, const View &b, Axes axes,
                      bool accumulate);
  /// A copy in which `axis` is innermost.
  View withInnermost(const View &view, StringAttr axis);
  void emitReduce(rec::ReduceOp op);
  using Combine = llvm::function_ref<Value(Value sum, Point &, Value mask)>;
  using Finish = llvm::function_ref<Value(Value)>;
  /// For every element of `out`: `initial` combined with every point along
  /// `axes`; `across` says that the lanes run along the last of these.
  void reduceNest(const View &out, Axes axes, llvm::ArrayRef<int64_t> sizes,
                  bool across, mlir::vector::CombiningKind kind, Value initial,
                  Combine combine, Finish finish);

  //===--- Decays (EmitDecay.cpp and its neighbours)
  //-------------------------===//
  Transition transition(mlir::ValueRange phi, llvm::ArrayRef<int64_t> blocks);
  /// The product of no transitions: vectors for `phi.reached()`.
  Values identityProducts(const Transition &phi);
  /// One token's transition times the products, or with `onRight` the products
  /// times it; at a point that knows the token.
  Values stepProducts(const Transition &phi, mlir::ValueRange products,
                      Point &point, bool onRight);
  /// The axes but `t`, `t.r`, `t.s`, `t.w` of any of the views, in order.
  View spaceOf(llvm::ArrayRef<View> views);
  /// The view with the space's axes, repeated along those that it lacks.
  View spreadOver(const View &view, const View &space);
  using ScanBody = llvm::function_ref<Values(Point &, mlir::ValueRange)>;
  /// For every vector of the space: carries values from token to token.
  void scan(const View &space, mlir::ValueRange initial, bool backwards,
            ScanBody body,
            llvm::function_ref<void(Point &, mlir::ValueRange)> after);
  void emitPull(chunk::PullOp op);
  void emitPush(chunk::PushOp op);
  void emitTotal(chunk::TotalOp op);

  //===--- Gram matrices (EmitGram.cpp, EmitGramBlocks.cpp, EmitStacks.cpp)
  //-------------------------===//
  Coefficients coefficients(mlir::ValueRange tiles,
                            llvm::ArrayRef<int64_t> pairs);
  /// Those of a component's states, the states counted from zero.
  static Coefficients within(llvm::ArrayRef<int64_t> component,
                             const Coefficients &all);
  View spaceOf(const Transition &phi, const Coefficients &tiles,
               llvm::ArrayRef<View> more);
  /// The tiles of one state along `axis` behind `t`, zero where there is none;
  /// in place if they lie so. No axes at all if the state has no tile.
  View stack(const Coefficients &tiles, int64_t state, StringAttr axis,
             int64_t count, const View &space);
  /// `t.s` and `t.w` as one axis, the columns of a matrix: `t.s` itself if a
  /// token has one write. A copy unless they lie so.
  View asColumns(const View &tile);

  void emitGram(chunk::GramOp op);
  /// What the states of one component contribute, to all elements of `out`.
  struct GramPart {
    Transition phi;
    Coefficients rows, keys;
    int64_t rowCount, keyCount;
  };
  void emitGramPart(const GramPart &part, const View &out);
  void gramByFactors(const GramPart &part, const View &out);
  void gramByColumns(const GramPart &part, const View &out);
  bool gramByBlocks(const GramPart &part, const View &out);
  bool gramByHalves(const GramPart &part, const View &out);
  void gramDiagonal(chunk::GramOp op, const View &out);
  /// At row t the factors between the columns s < t and t, for `phi.reached()`;
  /// `use` gets them with the condition s < t. Each token has `width` columns.
  void scanFactors(
      const Transition &phi, int64_t width,
      llvm::function_ref<void(Point &, mlir::ValueRange factors, Value before)>
          use);
  /// For every token s and every write of its `count`: the keys set out, one
  /// buffer of `travellers` a state; for every later token t, first `visit`,
  /// then t's transition.
  void travel(const Transition &phi, const Views &travellers, const Views &keys,
              int64_t count,
              llvm::function_ref<void(Value s, Value w, Value t)> visit);
  void moveTravellers(const Transition &phi, const Views &travellers, Value t);

  void emitApply(chunk::ApplyOp op);
  struct ApplyPart {
    Transition phi;
    View matrix;
    Coefficients keys;
    llvm::SmallVector<std::pair<int64_t, View>> outs; // by state
  };
  void applyByFactors(const ApplyPart &part);
  bool applyByBlocks(const ApplyPart &part);
  void applyByColumns(const ApplyPart &part);
  void emitSolve(chunk::SolveOp op);
  void emitInverse(chunk::InverseOp op);
  void invertByHalves(const View &matrix, const View &out, Value rows,
                      int64_t mostRows);
  Stride rowStride(const View &view) const;
  View flatMatrix(const View &matrix);
  void solveByTriangle(View matrix, const View &out);
  void solveByColumns(const View &matrix, const View &out, const View *decay,
                      llvm::StringRef inclusive);

  //===--- Tokens and tensors
  //-----------------------------------------------===//
  void emitSequential(chunk::SequentialOp op);
  void emitYield(chunk::YieldOp op);
  void emitDelay(rec::DelayOp op);
  /// Where the chunk's tokens of an input lie.
  View inputView(rec::InputOp op);
  void emitInput(rec::InputOp op);
  void emitPrefetch(const View &input);
  void emitParam(rec::ParamOp op);
  void emitOutput(rec::OutputOp op);
  void storeOutput(Value value, const View &tensor);
  /// The program's own beginning.
  void beginState(rec::StateOp op, const View &buffer);
  View placeState(rec::StateOp op);
  void emitStateBegin(rec::StateOp op);
  void emitStateEnd(rec::StateOp op);
  void emitUpdates();
  const Tensor &tensorOf(Argument::Role role, llvm::StringRef name) const;
  /// Dense elements at `base` in the order of `layout`, seen as `type`.
  View denseView(Value base, mlir::Type type, mlir::ArrayAttr layout);
  /// A tensor without tokens, and the chunk's tokens of one that has them.
  View stridedView(const Tensor &tensor, mlir::Type type,
                   mlir::ArrayAttr layout, rec::DTypeKind dtype);
  View tokensView(const Tensor &tensor, mlir::Type type, mlir::ArrayAttr layout,
                  rec::DTypeKind dtype);
  bool isReadInPlace(const View &tensor) const;

  //===--- From call to call (EmitCarry.cpp)
  //---------------------------------===//
  void emitCarryIn();
  void emitCarryOut();
  View carry(const View &buffer);
  Value loadPosition();

  //===--- From the forward program to the backward one (EmitSaved.cpp)
  //---------------------------------===//
  void layOutSaved();
  /// What a delay hands from chunk to chunk.
  View tailLayout(rec::DelayOp delay, int64_t &total);
  /// A value's place among what the current chunk begins with.
  View savedView(StringAttr name);
  void emitSave();

  //===--- Backward programs (EmitGradient.cpp, EmitTransitionGradient.cpp,
  //===--- EmitTransitionByTokens.cpp)
  //-------------------------------------===//
  void emitReverse(chunk::ReverseOp op);
  void emitTotalBegin(rec::TotalOp op);
  void emitTotalOver(rec::TotalOp op);
  void emitTotalEnd(rec::TotalOp op);
  void emitTransitionGradient(chunk::TransitionGradientOp op);
  void addBetween(chunk::TransitionGradientOp op, const View &phi,
                  const View &out, const View &space);
  void emitTransitionByTokens(rec::TransitionGradientOp op);

  chunk::ProgramOp program;
  std::string name;
  Code &code;
  std::vector<Argument> arguments;
  std::vector<Tensor> tensors; // as `arguments`
  Workspace workspace;
  // Values of the entry function. `length` counts the call's tokens; `position`
  // is its first one in the sequence.
  Value carriedIn, carriedOut, length, memory, position;

  Kernels &kernels;
  Parts &parts;
  Liveness liveness;
  rec::AxisOrder order;
  int64_t chunkTokens;
  StringAttr token, rowAxis, earlier, writeAxis, columnAxis;

  /// The chunk's first token counted from the call's first, its number of
  /// tokens, and the token that a sequential stage is at.
  Value chunkBegin, tokens, currentToken;

  llvm::DenseMap<Value, View> views;
  llvm::DenseMap<mlir::StringAttr, View> stateBuffers;
  llvm::DenseMap<Value, View> homes; // results that are written to a state
  llvm::DenseMap<mlir::Operation *, View> tails;
  /// Buffers and where their content lies in the carry.
  std::vector<std::pair<View, View>> kept;
  std::vector<Carried> carried;
  int64_t carrySize = 0;
  bool isBackward;
  /// What chunks begin with, each where it lies at the first chunk's.
  llvm::DenseMap<mlir::StringAttr, View> savedPlaces;
  int64_t savedSize = 0;
  Value record; // the current chunk's
  llvm::DenseMap<mlir::Operation *, View> totals;
  Views prefetches; // not yet written
  llvm::SmallVector<int64_t> scratchPlaces;
  /// Places by the step of the program after which nobody needs them.
  std::multimap<int64_t, int64_t> expiring;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_EMITTER_H
