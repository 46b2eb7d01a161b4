// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Branches. The values they pass are moved all at once.
#include "codegen/Emulator/Decoder.h"
#include "codegen/Emulator/Machine.h"

using namespace mlir;

namespace trowel::emulator {

namespace {

struct Move {
  Slot from, to;
  uint32_t count;
  Slot held = 0; // in between, where moves are not in order
};

struct Edge {
  uint32_t block = 0, target = 0;
  std::vector<Move> moves;
  bool inOrder = true; // no move overwrites what a later one takes
};

/// The ways on; the last one is taken if no case fits.
struct Branch : Details {
  std::vector<Edge> edges;
  std::vector<uint64_t> cases;
};

} // namespace

/// Through other slots, where a move overwrites what a later one takes.
static bool moveAtOnce(Thread &thread, const Instruction &at,
                       const Edge &edge) {
  for (const Move &move : edge.moves)
    if (!thread.move(at, move.from, move.held, move.count))
      return false;
  for (const Move &move : edge.moves)
    if (!thread.move(at, move.held, move.to, move.count))
      return false;
  if (thread.registers)
    for (const Move &move : edge.moves)
      thread.registers->forget(move.held, move.count);
  return true;
}

static Step follow(Thread &thread, const Instruction &at, const Edge &edge) {
  thread.pc = edge.target;
  if (!edge.inOrder)
    return moveAtOnce(thread, at, edge) ? Step::Jump : Step::Failed;
  for (const Move &move : edge.moves)
    if (move.count == 1 && !thread.registers)
      thread[move.to] = thread[move.from];
    else if (!thread.move(at, move.from, move.to, move.count))
      return Step::Failed;
  return Step::Jump;
}

static Step branch(Thread &thread, const Instruction &at) {
  return follow(thread, at, at.as<Branch>().edges.back());
}

static Step branchByCase(Thread &thread, const Instruction &at) {
  const Branch &branch = at.as<Branch>();
  for (size_t i = 0; i < branch.cases.size(); ++i)
    if (branch.cases[i] == thread[at.a])
      return follow(thread, at, branch.edges[i]);
  return follow(thread, at, branch.edges.back());
}

static Step leave(Thread &, const Instruction &) { return Step::Exit; }

static Step unreachable(Thread &thread, const Instruction &at) {
  return thread.fail(at, Problem::Value, "is reached");
}

static void addEdge(Decoder &decoder, Branch *branch, uint32_t block,
                    ValueRange passed, ValueRange received) {
  size_t number = branch->edges.size();
  Edge &edge = branch->edges.emplace_back();
  edge.block = block;
  for (auto [from, to] : llvm::zip(passed, received))
    edge.moves.push_back(
        {decoder.slot(from), decoder.slot(to), slotsOf(to.getType())});
  for (auto [i, later] : llvm::enumerate(edge.moves))
    for (const Move &earlier : llvm::ArrayRef(edge.moves).take_front(i))
      if (earlier.to < later.from + later.count &&
          later.from < earlier.to + earlier.count)
        edge.inOrder = false;
  if (!edge.inOrder)
    for (Move &move : edge.moves)
      move.held = decoder.allocate(move.count);
  decoder.whenPlaced([&decoder, branch, number] {
    Edge &edge = branch->edges[number];
    edge.target = decoder.blockStart(edge.block);
  });
}

static void addEdge(Decoder &decoder, Branch *branch, Block *block,
                    ValueRange passed) {
  addEdge(decoder, branch, decoder.blockNumber(block), passed,
          block->getArguments());
}

static Branch *emitBranch(Decoder &decoder, Operation *op, Handler run,
                          std::vector<SlotRange> read = {}) {
  auto details = std::make_unique<Branch>();
  Branch *branch = details.get();
  Instruction &instruction = decoder.emit(op, run);
  decoder.hasOwnUses(instruction, std::move(read));
  instruction.details = std::move(details);
  return branch;
}

static llvm::Error always(Decoder &decoder, Operation *op) {
  auto jump = cast<LLVM::BrOp>(op);
  addEdge(decoder, emitBranch(decoder, op, branch), jump.getDest(),
          jump.getDestOperands());
  return llvm::Error::success();
}

static llvm::Error conditional(Decoder &decoder, Operation *op) {
  auto jump = cast<LLVM::CondBrOp>(op);
  Branch *details =
      emitBranch(decoder, op, branchByCase, {decoder.range(op->getOperand(0))});
  details->cases.push_back(1);
  addEdge(decoder, details, jump.getTrueDest(), jump.getTrueDestOperands());
  addEdge(decoder, details, jump.getFalseDest(), jump.getFalseDestOperands());
  return llvm::Error::success();
}

static llvm::Error selection(Decoder &decoder, Operation *op) {
  auto jump = cast<LLVM::SwitchOp>(op);
  Branch *details =
      emitBranch(decoder, op, branchByCase, {decoder.range(op->getOperand(0))});
  if (auto cases = jump.getCaseValues())
    for (APInt value : cases->getValues<APInt>())
      details->cases.push_back(value.getZExtValue());
  for (auto [number, block] : llvm::enumerate(jump.getCaseDestinations()))
    addEdge(decoder, details, block, jump.getCaseOperands(number));
  addEdge(decoder, details, jump.getDefaultDestination(),
          jump.getDefaultOperands());
  return llvm::Error::success();
}

/// Calls become the body of the function, anew at each place: registers need no
/// stack then, and threads that meet inside came by the same call.
static llvm::Error call(Decoder &decoder, Operation *op) {
  auto site = cast<LLVM::CallOp>(op);
  auto name = site.getCalleeAttr();
  auto function =
      name ? SymbolTable::lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(op, name)
           : LLVM::LLVMFuncOp();
  if (!function || function.isExternal() || function.isVarArg())
    return refuse(op, "only functions with a body in the module are called");
  return decoder.expand(site, function, [&] {
    addEdge(decoder, emitBranch(decoder, op, branch),
            &function.getBody().front(), site.getArgOperands());
  });
}

static llvm::Error goBack(Decoder &decoder, Operation *op) {
  const Decoder::Expansion *expansion = decoder.expansion();
  if (!expansion) {
    decoder.emit(op, leave);
    return llvm::Error::success();
  }
  LLVM::CallOp site = expansion->call;
  addEdge(decoder, emitBranch(decoder, op, branch), expansion->behind,
          op->getOperands(), site->getResults());
  return llvm::Error::success();
}

template <Handler run>
static llvm::Error plain(Decoder &decoder, Operation *op) {
  decoder.emit(op, run);
  return llvm::Error::success();
}

void addControlFlow(Table &table) {
  table["llvm.br"] = always;
  table["llvm.cond_br"] = conditional;
  table["llvm.switch"] = selection;
  table["llvm.call"] = call;
  table["llvm.return"] = goBack;
  table["llvm.unreachable"] = plain<unreachable>;
}

} // namespace trowel::emulator
