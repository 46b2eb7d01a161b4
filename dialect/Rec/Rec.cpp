// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration, printing and verification of the `rec` dialect.

#include "dialect/Rec/Rec.h"
#include "dialect/Rec/Axes.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialect/Rec/RecDialect.cpp.inc"
#include "dialect/Rec/RecEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/Rec/RecAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/Rec/RecOps.cpp.inc"

namespace trowel::rec {

void RecDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/Rec/RecAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/Rec/RecOps.cpp.inc"
      >();
}

Attribute AxesAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  auto parseName = [&]() -> ParseResult {
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseName))
    return {};
  return AxesAttr::get(parser.getContext(), names);
}

void AxesAttr::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(getNames(), printer,
                        [&](StringAttr name) { printer << name.getValue(); });
  printer << '>';
}

LogicalResult ProgramOp::verify() {
  if (getAxes().size() != getSizes().size())
    return emitOpError("has ")
           << getAxes().size() << " axes and " << getSizes().size() << " sizes";
  return success();
}

/// The union of the operands' axes as a set equals the result's.
static bool sameAxes(ArrayRef<StringAttr> a, ArrayRef<StringAttr> b) {
  return a.size() == b.size() && llvm::all_of(a, [&](StringAttr x) {
           return llvm::is_contained(b, x);
         });
}

static SmallVector<StringAttr> unionOf(ValueRange values) {
  SmallVector<StringAttr> axes;
  for (Value value : values)
    for (StringAttr axis : axesOf(value))
      if (!llvm::is_contained(axes, axis))
        axes.push_back(axis);
  return axes;
}

static unsigned operandCount(MapKind kind) {
  if (kind == MapKind::Where)
    return 3;
  return kind <= MapKind::Not || kind == MapKind::ToReal ? 1 : 2;
}

LogicalResult MapOp::verify() {
  if (getNumOperands() != operandCount(getKind())) // constraint 2
    return emitOpError("takes ") << operandCount(getKind()) << " operands";
  if (!sameAxes(unionOf(getOperands()), axesOf(getResult()))) // constraint 1
    return emitOpError("has a result whose axes are not the operands' union");
  return success();
}

LogicalResult ContractOp::verify() {
  SmallVector<StringAttr> kept = unionOf(getOperands());
  for (StringAttr axis : stringsOf(getAxes())) {
    if (!hasAxis(getLhs(), axis) || !hasAxis(getRhs(), axis)) // constraint 1
      return emitOpError("sums over an axis that an operand lacks: ") << axis;
    llvm::erase(kept, axis);
  }
  if (!sameAxes(kept, axesOf(getResult()))) // constraint 2
    return emitOpError("has a result with the wrong axes");
  return success();
}

LogicalResult ReduceOp::verify() {
  SmallVector<StringAttr> kept(axesOf(getOperand()));
  for (StringAttr axis : stringsOf(getAxes())) {
    if (!llvm::is_contained(kept, axis))
      return emitOpError("reduces over an axis that the operand lacks: ")
             << axis;
    llvm::erase(kept, axis);
  }
  if (!sameAxes(kept, axesOf(getResult())))
    return emitOpError("has a result with the wrong axes");
  return success();
}

LogicalResult RenameOp::verify() {
  if (!hasAxis(getOperand(), getFromAttr()) ||
      hasAxis(getOperand(), getToAttr()))
    return emitOpError("renames an axis that is not there or to one that is");
  return success();
}

LogicalResult PickOp::verify() {
  if (!hasAxis(getOperand(), getAxisAttr()))
    return emitOpError("picks along an axis that is not there");
  int64_t size = axisSize(getOperand(), getAxisAttr());
  if (static_cast<int64_t>(getIndex()) < 0 ||
      static_cast<int64_t>(getIndex()) >= size)
    return emitOpError("picks outside of the axis");
  return success();
}

LogicalResult StackOp::verify() {
  if (static_cast<int64_t>(getValues().size()) !=
      axisSize(getResult(), getAxisAttr())) // constraint 1
    return emitOpError("has a value too many or too few for its axis");
  for (Value value : getValues()) {
    SmallVector<StringAttr> axes(axesOf(value));
    axes.push_back(getAxisAttr());
    if (hasAxis(value, getAxisAttr()) ||
        !sameAxes(axes, axesOf(getResult()))) // constraint 2
      return emitOpError("has a result with the wrong axes");
  }
  return success();
}

LogicalResult StageOp::verify() {
  for (Operation &op : getBody().front().without_terminator())
    if (!isa<RowOp, ScalarRowOp, WriteOp, TransitionOp, ValueDecayOp, AcrossOp>(
            op))
      return emitOpError("holds an operation that is not of its normal form");
  return success();
}

} // namespace trowel::rec
