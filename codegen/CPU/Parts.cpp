// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two parts are equal if their operations are, up to the values from outside,
// which become arguments. Addresses at a fixed distance from a value from
// outside count as such values, so that equal parts may differ in their
// buffers.
#include "codegen/CPU/Parts.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace trowel::cpu {

/// Constants that went into addresses would keep parts apart.
static void eraseDead(func::FuncOp part) {
  part.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op))
      op->erase();
  });
}

void Parts::write(StringRef name, function_ref<void()> body) {
  if (inside || !code.hasVectors()) // kernels of a GPU are one function
    return body();
  func::FuncOp part =
      code.function((name + "_part_" + Twine(known.size())).str(), {});
  {
    OpBuilder::InsertionGuard guard(code.builder);
    code.builder.setInsertionPointToStart(&part.getBody().front());
    inside = true;
    body();
    inside = false;
  }
  if (part.getBody().front().empty())
    return part.erase();
  hoistAddresses(part);
  eraseDead(part);
  Shape shape = shapeOf(part);
  auto [entry, isNew] = known.try_emplace(std::move(shape.words), part);
  if (isNew)
    takeArguments(part, shape.captured);
  else
    part.erase();
  func::CallOp::create(code.builder, code.location, entry->second,
                       shape.captured);
}

static bool isOutside(Value value, func::FuncOp part) {
  return !part.getBody().isAncestor(value.getParentRegion());
}

/// Moves addresses that are known at the call there, equal ones once.
void Parts::hoistAddresses(func::FuncOp part) {
  DenseMap<std::pair<Value, Attribute>, Value> hoisted;
  part.walk([&](LLVM::GEPOp address) {
    if (address->getNumOperands() != 1 || !isOutside(address.getBase(), part))
      return;
    Value &place = hoisted[{address.getBase(), address->getAttrDictionary()}];
    if (place) {
      address.replaceAllUsesWith(place);
      return address.erase();
    }
    place = address;
    address->remove();
    code.builder.insert(address);
  });
}

/// Numbers values as they appear.
Parts::Shape Parts::shapeOf(func::FuncOp part) {
  Shape shape;
  auto word = [&](const void *pointer) {
    shape.words.push_back(reinterpret_cast<uintptr_t>(pointer));
  };
  part.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    word(op->getName().getAsOpaquePointer());
    word(op->getAttrDictionary().getAsOpaquePointer());
    shape.words.push_back(op->getNumOperands());
    for (Value operand : op->getOperands()) {
      auto [known, isNew] =
          shape.numbers.try_emplace(operand, shape.numbers.size());
      shape.words.push_back(known->second);
      if (isNew) {
        shape.captured.push_back(operand);
        word(operand.getType().getAsOpaquePointer());
      }
    }
    for (Value result : op->getResults()) {
      shape.numbers.try_emplace(result, shape.numbers.size());
      word(result.getType().getAsOpaquePointer());
    }
    shape.words.push_back(op->getNumRegions());
    for (Region &region : op->getRegions()) {
      shape.words.push_back(region.getBlocks().size());
      for (BlockArgument argument : region.getArguments())
        shape.numbers.try_emplace(argument, shape.numbers.size());
    }
  });
  return shape;
}

void Parts::takeArguments(func::FuncOp part, ValueRange captured) {
  Block &block = part.getBody().front();
  IRMapping arguments;
  for (Value value : captured)
    arguments.map(value, block.addArgument(value.getType(), code.location));
  part.setType(
      code.builder.getFunctionType(block.getArgumentTypes(), TypeRange()));
  part.walk([&](Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      operand.set(arguments.lookupOrDefault(operand.get()));
  });
  OpBuilder::InsertionGuard guard(code.builder);
  code.builder.setInsertionPointToEnd(&block);
  func::ReturnOp::create(code.builder, code.location);
}

} // namespace trowel::cpu
