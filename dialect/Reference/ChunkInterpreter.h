// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs `chunk` and `rec` programs in float64, every operation by its
// definition: what derived programs are checked with. Slow and plain; shares no
// code with the passes or with code generation.
#ifndef TROWEL_DIALECT_REFERENCE_CHUNKINTERPRETER_H
#define TROWEL_DIALECT_REFERENCE_CHUNKINTERPRETER_H

#include "dialect/Chunk/Chunk.h"
#include "dialect/Reference/Tensor.h"

#include "mlir/IR/BuiltinOps.h"

namespace trowel {

/// Runs `program` over every sequence of the batch, chunk after chunk; the last
/// chunk of a sequence may be short. `arguments` holds every input and param
/// and any initial states, in the layouts of Batch; the result every output,
/// `debug` ones included, and the final value of every state that is not
/// hidden. What is never written is NaN, and so are the absent rows of a short
/// chunk's tiles.
///
/// f32 values are computed in double; only `rec.cast` rounds. All heads run;
/// what a group or all heads share is written by the first of them.
/// An operation that has no meaning here ends the process with its name.
TensorMap evaluateChunks(chunk::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments);

/// The chunk programs of a module in order, with the reductions over heads that
/// stand between them.
TensorMap evaluateChunks(mlir::ModuleOp module, const Batch &batch,
                         const TensorMap &arguments);

/// The gradients of the sum of `seeds` times results, by the forward programs
/// of a module and the backward program behind each. `seeds` holds "d<name>" of
/// outputs and final states, zero if it is not there; the result "d<name>" of
/// inputs and params and "d<name>0" of initial states.
TensorMap evaluateGradients(mlir::ModuleOp module, const Batch &batch,
                            const TensorMap &arguments, const TensorMap &seeds);

/// `evaluateChunks` for a token program, before or after its stages were formed
/// (`rec.stage`, `rec.sequential`), token after token.
TensorMap evaluateTokens(rec::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments);

} // namespace trowel

#endif // TROWEL_DIALECT_REFERENCE_CHUNKINTERPRETER_H
