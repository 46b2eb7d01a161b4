// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether columns are apart is asked of every operation; an operation that is
// not known to keep them apart does not.
#include "passes/Chunk/Slices.h"

#include "dialect/Rec/Axes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace trowel {
namespace {

bool isNamed(ArrayAttr axes, StringAttr axis) {
  return llvm::is_contained(axes.getValue(), Attribute(axis));
}

bool keepsApart(Operation *op, StringAttr axis) {
  auto hasAxis = [&](Value value) { return rec::hasAxis(value, axis); };
  if (llvm::none_of(op->getOperands(), hasAxis) &&
      llvm::none_of(op->getResults(), hasAxis))
    return true;
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<rec::InputOp, rec::ParamOp, rec::StateOp, rec::UpdateOp,
            rec::OutputOp, rec::MapOp, rec::CastOp, rec::StopOp, rec::DelayOp,
            rec::ReduceHeadsOp>([](auto) { return true; })
      .Case<rec::ConstantOp>([](auto x) {
        auto elements = dyn_cast<DenseElementsAttr>(x.getValue());
        return elements && elements.isSplat();
      })
      .Case<rec::ContractOp, rec::ReduceOp>(
          [&](auto x) { return !isNamed(x.getAxes(), axis); })
      .Case<rec::RenameOp, rec::RepeatOp>([&](auto x) {
        return x.getFromAttr() != axis && x.getToAttr() != axis;
      })
      .Case<rec::PickOp, rec::StackOp>(
          [&](auto x) { return x.getAxisAttr() != axis; })
      // Channel by channel; a Gram matrix sums over channels.
      .Case<chunk::PullOp, chunk::PushOp, chunk::TotalOp, chunk::TokenOp,
            chunk::YieldOp, chunk::SequentialOp>([](auto) { return true; })
      .Case<chunk::ApplyOp, chunk::SolveOp>(
          [&](auto x) { return !hasAxis(x.getMatrix()); })
      .Default(false);
}

RankedTensorType sliced(RankedTensorType type, StringAttr axis, int64_t size) {
  int position = rec::axisPosition(type, axis);
  if (position < 0)
    return type;
  SmallVector<int64_t> shape(type.getShape());
  shape[position] = size;
  return type.clone(shape);
}

void sliceValue(Value value, StringAttr axis, int64_t size) {
  value.setType(sliced(cast<RankedTensorType>(value.getType()), axis, size));
}

/// A constant's own type may have more digits than its result's.
void sliceConstant(rec::ConstantOp op) {
  auto elements = cast<DenseElementsAttr>(op.getValue());
  auto result = cast<RankedTensorType>(op.getType());
  auto type = cast<RankedTensorType>(elements.getType());
  if (type.getShape() != result.getShape())
    op.setValueAttr(cast<TypedAttr>(
        Attribute(elements.resizeSplat(type.clone(result.getShape())))));
}

StringAttr mostSaving(chunk::ProgramOp program, int64_t columns) {
  StringAttr best;
  int64_t least = workOf(program);
  for (auto [axis, size] :
       llvm::zip(rec::stringsOf(program.getAxes()), program.getSizes())) {
    if (size % (2 * columns) != 0 || !isSeparable(program, axis))
      continue;
    chunk::ProgramOp half = sliceOf(program, axis, size / 2);
    int64_t work = workOf(half);
    half.erase();
    if (work < least) {
      best = axis;
      least = work;
    }
  }
  return best;
}

} // namespace

bool isSeparable(chunk::ProgramOp program, StringAttr axis) {
  WalkResult result = program.getBody().walk([&](Operation *op) {
    return keepsApart(op, axis) ? WalkResult::advance()
                                : WalkResult::interrupt();
  });
  return !result.wasInterrupted();
}

int64_t workOf(chunk::ProgramOp program) {
  int64_t work = 0;
  program.getBody().walk([&](Operation *op) {
    llvm::SmallDenseMap<StringAttr, int64_t> extents;
    auto visit = [&](Value value) {
      auto type = cast<RankedTensorType>(value.getType());
      for (auto [axis, size] : llvm::zip(rec::axesOf(type), type.getShape()))
        extents[axis] = size;
    };
    llvm::for_each(op->getOperands(), visit);
    llvm::for_each(op->getResults(), visit);
    bool perToken = isa<chunk::SequentialOp>(op->getParentOp());
    int64_t points = perToken ? program.getTokens() : 1;
    for (auto [axis, size] : extents)
      points *= size;
    work += points;
  });
  return work;
}

chunk::ProgramOp sliceOf(chunk::ProgramOp program, StringAttr axis,
                         int64_t size) {
  OpBuilder builder(program);
  builder.setInsertionPointAfter(program);
  auto slice = cast<chunk::ProgramOp>(builder.clone(*program));
  SmallVector<int64_t> sizes(program.getSizes());
  for (auto [name, extent] :
       llvm::zip(rec::stringsOf(program.getAxes()), sizes))
    if (name == axis)
      extent = size;
  slice.setSizes(sizes);
  slice.walk([&](Block *block) {
    for (BlockArgument argument : block->getArguments())
      sliceValue(argument, axis, size);
  });
  slice.getBody().walk([&](Operation *op) {
    for (Value result : op->getResults())
      sliceValue(result, axis, size);
    if (auto constant = dyn_cast<rec::ConstantOp>(op))
      sliceConstant(constant);
  });
  return slice;
}

SmallVector<Slice> addSlices(ModuleOp module, int64_t columns) {
  chunk::ProgramOp program = *module.getOps<chunk::ProgramOp>().begin();
  SmallVector<Slice> slices;
  StringAttr axis = mostSaving(program, columns);
  if (!axis)
    return slices;
  int64_t whole = rec::AxisOrder::around(program).size(axis);
  std::string name = program.getSymName().str();
  chunk::ProgramOp last = program;
  for (int64_t parts : {2, 4}) {
    if (whole % (parts * columns) != 0)
      break;
    chunk::ProgramOp slice = sliceOf(program, axis, whole / parts);
    // Else the parts do what is the same for all again for little.
    if (workOf(slice) * 5 > workOf(last) * 4) {
      slice.erase();
      break;
    }
    slice.setSymName((name + "_of_" + Twine(parts)).str());
    slice->moveAfter(last);
    slices.push_back({axis, parts, slice});
    last = slice;
  }
  return slices;
}

} // namespace trowel
