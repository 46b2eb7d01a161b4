// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The entry function and the order in which its parts are written.
#include "codegen/CPU/Emitter.h"

#include "codegen/CPU/TeamKernels.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace trowel::cpu {

Emitter::Emitter(chunk::ProgramOp program, Output &output, std::string name)
    : program(program), name(std::move(name)), code(output.code),
      kernels(*output.kernels), parts(output.parts), liveness(program),
      order(rec::AxisOrder::around(program)), chunkTokens(program.getTokens()),
      isBackward(program->hasAttr("backward")) {
  MLIRContext *context = program.getContext();
  token = StringAttr::get(context, "t");
  rowAxis = StringAttr::get(context, "t.r");
  earlier = StringAttr::get(context, "t.s");
  writeAxis = StringAttr::get(context, "t.w");
  columnAxis = StringAttr::get(context, "t.s.w");
}

Output::Output(ModuleOp module, std::unique_ptr<Team> workers)
    : code(module, module.getLoc(), /*width=*/1), team(std::move(workers)),
      kernels(std::make_unique<TeamKernels>(code)), parts(code) {
  code.team = team.get();
}

void Emitter::refuse(Operation *op, const Twine &why) {
  if (error.empty())
    error = (op->getName().getStringRef() + ": " + why).str();
}

bool Emitter::emit() {
  program.walk([&](rec::ReduceHeadsOp op) {
    refuse(op, "a reduction over heads needs a program of several parts");
  });
  program.walk([&](rec::DelayOp op) {
    if (isa<chunk::SequentialOp>(op->getParentOp()))
      refuse(op, "a delay within a sequential stage");
    else if (!rec::hasAxis(op.getResult(), "t"))
      refuse(op, "a delay of a value without tokens");
  });
  if (!error.empty())
    return false;
  declareArguments();
  makeEntry();
  emitBody();
  func::ReturnOp::create(code.builder, code.location);
  return error.empty();
}

void Emitter::emitBody() {
  layOutSaved();
  emitBeforeChunks();
  emitCarryIn();
  beforeChunks();
  emitChunks();
  afterChunks();
  emitCarryOut();
  Block &block = program.getBody().front();
  for (auto state : block.getOps<rec::StateOp>())
    if (!isElsewhere(state))
      emitStateEnd(state);
  for (auto total : block.getOps<rec::TotalOp>())
    emitTotalEnd(total);
}

//===--- Arguments --------------------------------------------------------===//

/// True if the caller wants the sum over several heads, or, as the attribute
/// `summed` says, of several programs.
bool Emitter::isSummed(Operation *op) {
  return op->hasAttr("summed") ||
         (op->hasAttr("partial") &&
          op->getAttrOfType<rec::SharingKindAttr>("sharing").getValue() !=
              rec::SharingKind::Head);
}

void Emitter::declare(Argument::Role role, Operation *op) {
  Argument argument;
  argument.role = role;
  argument.name = op->getAttrOfType<StringAttr>("name").str();
  argument.dtype = op->getAttrOfType<rec::DTypeKindAttr>("dtype").getValue();
  argument.sharing =
      op->getAttrOfType<rec::SharingKindAttr>("sharing").getValue();
  for (StringAttr axis : rec::stringsOf(op->getAttrOfType<ArrayAttr>("layout")))
    argument.sizes.push_back(order.size(axis));
  argument.debug = op->hasAttr("debug");
  argument.isGradient = op->hasAttr("partial") || role == Argument::Role::Total;
  if (role == Argument::Role::Output && isSummed(op))
    argument.dtype = rec::DTypeKind::F32;
  arguments.push_back(argument);
}

void Emitter::declareArguments() {
  Block &block = program.getBody().front();
  for (auto op : block.getOps<rec::InputOp>())
    declare(Argument::Role::Input, op);
  for (auto op : block.getOps<rec::ParamOp>())
    declare(Argument::Role::Param, op);
  for (Argument::Role role :
       {Argument::Role::InitialState, Argument::Role::FinalState})
    for (auto op : block.getOps<rec::StateOp>())
      if (!op.getHidden() && !op.getSaved())
        declare(role, op);
  for (auto op : block.getOps<rec::OutputOp>())
    declare(Argument::Role::Output, op);
  for (auto op : block.getOps<rec::TotalOp>())
    declare(Argument::Role::Total, op);
  if (isBackward || program->hasAttr("saves")) {
    Argument saved;
    saved.role = Argument::Role::Saved;
    saved.name = savedName;
    saved.dtype = rec::DTypeKind::F32;
    saved.sharing = rec::SharingKind::Head;
    arguments.push_back(saved);
  }
}

const Emitter::Tensor &Emitter::tensorOf(Argument::Role role,
                                         StringRef name) const {
  for (auto [argument, tensor] : llvm::zip(arguments, tensors))
    if (argument.role == role && argument.name == name)
      return tensor;
  llvm_unreachable("every tensor is declared");
}

//===--- Entry ------------------------------------------------------------===//

void Emitter::makeEntry() {
  Type p = code.pointerType, i = code.indexType;
  code.builder.setInsertionPointToEnd(code.module.getBody());
  auto entry =
      func::FuncOp::create(code.builder, code.location, name,
                           code.builder.getFunctionType({p, p, p, i, p}, {}));
  Block *block = entry.addEntryBlock();
  code.builder.setInsertionPointToStart(block);
  Value data = block->getArgument(0), strides = block->getArgument(1);
  carriedIn = carriedOut = block->getArgument(2);
  length = block->getArgument(3);
  memory = block->getArgument(4);
  auto element = [&](Type type, Value array, size_t n) {
    Value place = code.op<LLVM::GEPOp>(
        p, type, array, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(n)});
    return code.op<LLVM::LoadOp>(type, place);
  };
  size_t next = 0;
  for (auto [n, argument] : llvm::enumerate(arguments)) {
    Tensor &tensor = tensors.emplace_back();
    tensor.address = element(p, data, n);
    for (int64_t k = 0; k < argument.strideCount(); ++k)
      tensor.strides.push_back(element(i, strides, next++));
  }
}

/// True if a tree reads the state's elements only where it writes them.
static bool readsInPlace(Value value, Value state, const Liveness &liveness,
                         bool root) {
  Operation *op = value.getDefiningOp();
  Operation *source = Liveness::rootOf(value).getDefiningOp();
  bool product = source && liveness.isAbsorbed(source);
  bool node = op && isa<rec::MapOp, rec::CastOp>(op) &&
              (root || liveness.isInlined(op));
  if (node)
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return readsInPlace(operand, state, liveness, false);
    });
  if (!product)
    return value == state || Liveness::rootOf(value) != state;
  // A product is added when the place is written already.
  return llvm::none_of(source->getOperands(), [&](Value operand) {
    return Liveness::rootOf(operand) == state;
  });
}

/// The state that may hold `value` from where it is computed on: nobody reads
/// the state's old content later, and the operation itself reads each element
/// before it writes the same.
static rec::StateOp homeOf(rec::UpdateOp update, const Liveness &liveness) {
  Value value = update.getValue();
  Operation *op = value.getDefiningOp();
  if (!op || isViewOperation(op) || liveness.isInlined(op) ||
      liveness.isInvariant(op) ||
      isa<rec::InputOp, rec::ParamOp, rec::StateOp>(op))
    return {};
  for (auto state : update->getBlock()->getOps<rec::StateOp>()) {
    if (state.getName() != update.getName() ||
        state.getType() != value.getType())
      continue;
    int64_t last = liveness.lastUse(state.getResult()),
            here = liveness.stepOf(op);
    if (last < here && state->isBeforeInBlock(op))
      return state;
    if (last == here && isa<rec::MapOp, rec::CastOp>(op) &&
        state->isBeforeInBlock(op) &&
        readsInPlace(value, state.getResult(), liveness, true))
      return state;
    auto sequential = dyn_cast<chunk::SequentialOp>(op);
    if (last == here && sequential && state.getResult().hasOneUse()) {
      unsigned result = cast<OpResult>(value).getResultNumber();
      if (result < sequential.getStates().size() &&
          sequential.getStates()[result] == state.getResult())
        return state;
    }
  }
  return {};
}

void Emitter::emitBeforeChunks() {
  Block &block = program.getBody().front();
  for (Operation &op : block)
    if (liveness.isInvariant(&op) && !liveness.isInlined(&op))
      emitPart(&op);
  for (auto state : block.getOps<rec::StateOp>())
    if (!state.getSaved() && !isElsewhere(state))
      emitStateBegin(state);
  for (auto total : block.getOps<rec::TotalOp>())
    emitTotalBegin(total);
  for (auto update : block.getOps<rec::UpdateOp>())
    if (rec::StateOp state = homeOf(update, liveness))
      if (!isElsewhere(update) && !homes.count(update.getValue()))
        homes[update.getValue()] = stateBuffers[state.getNameAttr()];
  for (auto delay : block.getOps<rec::DelayOp>()) {
    if (isBackward && delay.getSaved())
      continue;
    int64_t total;
    View tail = tailLayout(delay, total);
    tail.offset = workspace.allocate(total);
    tails[delay] = tail;
    if (isBackward) // nothing lies behind the sequence's end
      fill(tail, 0);
  }
}

void Emitter::emitChunks() {
  Value size = code.index(chunkTokens), last;
  if (isBackward) { // no last chunk, no turn
    Value before = code.sub(length, code.index(1));
    last = code.sub(before, code.op<arith::RemSIOp>(before, size));
  }
  code.loop(code.index(0), length, chunkTokens, [&](Value first) {
    beginChunk(isBackward ? code.sub(last, first) : first);
    emitSave();
    emitBlock(program.getBody().front());
    emitElsewhere();
    emitUpdates();
  });
}

void Emitter::beginChunk(Value first) {
  chunkBegin = first;
  tokens = code.min(code.sub(length, first), code.index(chunkTokens));
}

void Emitter::emitBlock(Block &block) {
  for (Operation &op : block) {
    bool before =
        liveness.isInvariant(&op) && isa<chunk::ProgramOp>(block.getParentOp());
    if (!error.empty() || before || liveness.isInlined(&op) ||
        isViewOperation(&op) || isElsewhere(&op))
      continue;
    emitPart(&op);
    // One at a time, so that the loads find room beside the arithmetic.
    if (!prefetches.empty() && block.getParentOp() == program &&
        !isa<rec::InputOp, rec::StateOp, rec::ParamOp>(op))
      emitPrefetch(prefetches.pop_back_val());
    auto past = expiring.upper_bound(liveness.stepOf(&op));
    for (auto it = expiring.begin(); it != past; ++it)
      workspace.release(it->second);
    expiring.erase(expiring.begin(), past);
  }
}

/// An operation's code is a part, so that equal operations share theirs. The
/// places of inputs and states are addresses that others use; a Gram matrix has
/// parts.
void Emitter::emitPart(Operation *op) {
  if (isViewOperation(op))
    return;
  if (isa<rec::InputOp, rec::StateOp, chunk::GramOp>(op))
    return emitOperation(op);
  parts.write(op->getName().stripDialect(), [&] { emitOperation(op); });
}

void Emitter::emitOperation(Operation *op) {
  size_t mark = scratchPlaces.size();
  llvm::TypeSwitch<Operation *>(op)
      .Case<rec::InputOp>([&](auto x) { emitInput(x); })
      .Case<rec::ParamOp>([&](auto x) { emitParam(x); })
      .Case<rec::StateOp>([&](auto x) {
        views[x.getResult()] = x.getSaved() ? savedView(x.getNameAttr())
                                            : stateBuffers[x.getNameAttr()];
      })
      .Case<rec::UpdateOp>([](auto) {}) // at the chunk's end
      .Case<chunk::YieldOp>([&](auto x) { emitYield(x); })
      .Case<rec::OutputOp>([&](auto x) { emitOutput(x); })
      .Case<rec::TotalOp>([&](auto x) { emitTotalOver(x); })
      .Case<rec::MapOp, rec::CastOp>([&](auto x) {
        View out = define(x.getResult());
        evaluate(out, x.getResult());
      })
      .Case<rec::PositionOp>([&](auto x) { emitPosition(x); })
      .Case<rec::RepeatOp>([&](auto x) { emitRepeat(x); })
      .Case<rec::ContractOp>([&](auto x) { emitContract(x); })
      .Case<rec::ReduceOp>([&](auto x) { emitReduce(x); })
      .Case<rec::DelayOp>([&](auto x) { emitDelay(x); })
      .Case<rec::StackOp>([&](auto x) { emitStack(x); })
      .Case<chunk::PullOp>([&](auto x) { emitPull(x); })
      .Case<chunk::PushOp>([&](auto x) { emitPush(x); })
      .Case<chunk::TotalOp>([&](auto x) { emitTotal(x); })
      .Case<chunk::GramOp>([&](auto x) { emitGram(x); })
      .Case<chunk::SolveOp>([&](auto x) { emitSolve(x); })
      .Case<chunk::InverseOp>([&](auto x) { emitInverse(x); })
      .Case<chunk::ApplyOp>([&](auto x) { emitApply(x); })
      .Case<chunk::SequentialOp>([&](auto x) { emitSequential(x); })
      .Case<chunk::ReverseOp>([&](auto x) { emitReverse(x); })
      .Case<chunk::TransitionGradientOp>(
          [&](auto x) { emitTransitionGradient(x); })
      .Case<rec::TransitionGradientOp>(
          [&](auto x) { emitTransitionByTokens(x); })
      .Default([&](Operation *x) {
        refuse(x, "this target does not have the operation");
      });
  releaseScratch(mark);
}

} // namespace trowel::cpu
