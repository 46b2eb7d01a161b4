// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How places in a source file stand in MLIR locations: as a range of columns
// of one line, its last column included.
#ifndef TROWEL_FRONTEND_MLIRGEN_SOURCELOCATION_H
#define TROWEL_FRONTEND_MLIRGEN_SOURCELOCATION_H

#include "frontend/AST/Location.h"

#include "mlir/IR/Location.h"

namespace trowel {

/// The inverse of `sourceLocation`; an unknown place is an UnknownLoc.
mlir::Location mlirLocation(mlir::StringAttr fileName, Location location);

} // namespace trowel

#endif // TROWEL_FRONTEND_MLIRGEN_SOURCELOCATION_H
