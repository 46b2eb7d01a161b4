// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `rec` dialect's declarations.
#ifndef TROWEL_DIALECT_REC_REC_H
#define TROWEL_DIALECT_REC_REC_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/Rec/RecDialect.h.inc"
#include "dialect/Rec/RecEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/Rec/RecAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialect/Rec/RecOps.h.inc"

#endif // TROWEL_DIALECT_REC_REC_H
