// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Normalize/SequentialStage.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel {

/// Affine in the operands for which `dependent` holds, element by element.
static bool isAffineMap(rec::MapOp op, function_ref<bool(Value)> dependent) {
  auto depends = [&](int i) { return dependent(op.getOperand(i)); };
  switch (op.getKind()) {
  case MapKind::Neg:
  case MapKind::Add:
  case MapKind::Sub:
    return true;
  case MapKind::Mul:
    return !(depends(0) && depends(1));
  case MapKind::Div:
    return !depends(1);
  case MapKind::Where:
    return !depends(0);
  default:
    return false;
  }
}

bool isScan(const StateGraph &graph, const llvm::BitVector &stage) {
  auto dependent = [&](Value v) { return graph.dependsOn(v, stage); };
  return llvm::all_of(graph.updateSlice(stage), [&](Operation *op) {
    if (isa<rec::StateOp>(op) || !llvm::any_of(usedValues(op), dependent))
      return true;
    auto map = dyn_cast<rec::MapOp>(op);
    return map && isAffineMap(map, dependent);
  });
}

namespace {

class SequentialEmitter {
public:
  SequentialEmitter(rec::ProgramOp program, const StateGraph &graph,
                    const llvm::BitVector &stage)
      : program(program), graph(graph), stage(stage) {}

  void emit(bool scan, const Obstacle &obstacle);

private:
  void chooseOperations();
  void addOperands();
  bool isWhole(Value value) const;
  SmallVector<Value> exports();

  rec::ProgramOp program;
  const StateGraph &graph;
  const llvm::BitVector &stage;
  llvm::SetVector<Operation *> inside; // without the rec.state operations
  llvm::DenseMap<Value, unsigned>
      entry; // of each state's value as the token begins
};

/// As large as one of the stage's matrix states: better not kept for each
/// token.
bool SequentialEmitter::isWhole(Value value) const {
  for (unsigned i : stage.set_bits()) {
    ArrayRef<StringAttr> axes = rec::axesOf(graph.state(i).getResult());
    if (axes.size() >= 2 && llvm::all_of(axes, [&](StringAttr axis) {
          return rec::hasAxis(value, axis);
        }))
      return true;
  }
  return false;
}

void SequentialEmitter::chooseOperations() {
  llvm::BitVector others = stage;
  others.flip();
  auto dependent = [&](Value v) { return graph.dependsOn(v, stage); };
  llvm::DenseSet<Operation *> slice;
  for (Operation *op : graph.updateSlice(stage))
    slice.insert(op);
  for (Operation &op : program.getBody().front()) {
    if (isa<rec::StateOp, rec::UpdateOp, rec::OutputOp, rec::DelayOp>(op) ||
        op.getNumRegions())
      continue;
    SmallVector<Value> used = usedValues(&op);
    if (!llvm::any_of(used, dependent))
      continue;
    bool needsWhole =
        llvm::any_of(used,
                     [&](Value v) {
                       return dependent(v) && isWhole(v) &&
                              (entry.count(v) ||
                               inside.contains(v.getDefiningOp()));
                     }) &&
        llvm::none_of(used,
                      [&](Value v) { return graph.dependsOn(v, others); });
    if (slice.contains(&op) || needsWhole)
      inside.insert(&op);
  }
  addOperands();
}

/// What an operation inside takes from the states is inside, too.
void SequentialEmitter::addOperands() {
  for (unsigned i = 0; i < inside.size(); ++i)
    for (Value used : usedValues(inside[i])) {
      Operation *op = used.getDefiningOp();
      if (!entry.count(used) && graph.dependsOn(used, stage) && op)
        inside.insert(op);
    }
  SmallVector<Operation *> ordered = inside.takeVector();
  llvm::sort(ordered,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  inside.insert(ordered.begin(), ordered.end());
}

/// Values of the region that operations outside of it use.
SmallVector<Value> SequentialEmitter::exports() {
  SmallVector<Value> result;
  auto usedOutside = [&](Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      Operation *top = program.getBody().front().findAncestorOpInBlock(*user);
      if (auto update = dyn_cast<rec::UpdateOp>(top)) {
        for (unsigned i : stage.set_bits())
          if (graph.update(i) == update)
            return false;
        return true;
      }
      return !inside.contains(top);
    });
  };
  for (unsigned i : stage.set_bits()) {
    Value state = graph.state(i).getResult();
    if (usedOutside(state))
      result.push_back(state);
  }
  for (Operation *op : inside)
    for (Value value : op->getResults())
      if (usedOutside(value))
        result.push_back(value);
  return result;
}

void SequentialEmitter::emit(bool scan, const Obstacle &obstacle) {
  SmallVector<Attribute> names;
  for (auto [position, i] : llvm::enumerate(stage.set_bits())) {
    names.push_back(graph.state(i).getNameAttr());
    entry[graph.state(i).getResult()] = position;
  }
  chooseOperations();
  SmallVector<Value> exported = exports();
  SmallVector<Type> types =
      llvm::map_to_vector(exported, [](Value v) { return v.getType(); });

  OpBuilder builder(program.getContext());
  builder.setInsertionPointToEnd(&program.getBody().front());
  Location location = obstacle.location;
  auto sequential = rec::SequentialOp::create(
      builder, location, types, builder.getArrayAttr(names), scan,
      obstacle.message,
      obstacle.help.empty() ? StringAttr()
                            : builder.getStringAttr(obstacle.help));
  Block &block = sequential.getBody().emplaceBlock();
  IRMapping mapping;
  for (unsigned i : stage.set_bits()) {
    Value state = graph.state(i).getResult();
    mapping.map(state, block.addArgument(state.getType(), state.getLoc()));
  }
  builder.setInsertionPointToEnd(&block);
  for (Operation *op : inside)
    builder.clone(*op, mapping);
  SmallVector<Value> yielded;
  for (unsigned i : stage.set_bits())
    yielded.push_back(mapping.lookupOrDefault(graph.update(i)->getOperand(0)));
  for (Value value : exported)
    yielded.push_back(mapping.lookup(value));
  rec::YieldOp::create(builder, location, yielded);

  for (auto [value, result] : llvm::zip(exported, sequential.getResults()))
    value.replaceUsesWithIf(result, [&](OpOperand &use) {
      return program.getBody().front().findAncestorOpInBlock(*use.getOwner()) !=
             sequential.getOperation();
    });
}

} // namespace

void emitSequential(rec::ProgramOp program, const StateGraph &graph,
                    const llvm::BitVector &stage, bool scan,
                    const Obstacle &obstacle) {
  SequentialEmitter(program, graph, stage).emit(scan, obstacle);
}

} // namespace trowel
