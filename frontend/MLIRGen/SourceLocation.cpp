// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "frontend/MLIRGen/SourceLocation.h"

#include "frontend/MLIRGen/MLIRGen.h"

namespace trowel {

mlir::Location mlirLocation(mlir::StringAttr fileName, Location location) {
  if (!location.isKnown())
    return mlir::UnknownLoc::get(fileName.getContext());
  int last = location.column + std::max(location.length, 1) - 1;
  return mlir::FileLineColRange::get(fileName, location.line, location.column,
                                     last);
}

Location sourceLocation(mlir::Location location) {
  Location found;
  location->walk([&](mlir::Location inner) {
    auto range = llvm::dyn_cast<mlir::FileLineColRange>(inner);
    if (!range)
      return mlir::WalkResult::advance();
    int columns = range.getEndLine() == range.getStartLine()
                      ? int(range.getEndColumn()) - int(range.getStartColumn())
                      : 0;
    found.line = static_cast<int>(range.getStartLine());
    found.column = static_cast<int>(range.getStartColumn());
    found.length = std::max(columns, 0) + 1;
    return mlir::WalkResult::interrupt();
  });
  return found;
}

} // namespace trowel
