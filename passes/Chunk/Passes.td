// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef TROWEL_PASSES_CHUNK_PASSES_TD
#define TROWEL_PASSES_CHUNK_PASSES_TD

include "mlir/Pass/PassBase.td"

def ChunkPrograms : Pass<"rec-chunk-programs", "::mlir::ModuleOp"> {
  let summary = "Turn token programs in normal form into chunk programs";
  let description = [{
    Every value of a token becomes a tile with the tokens of a chunk in front;
    a stage's rows become one triangular solve and matrix products, its
    transition the decay of keys and of the states.
  }];
  let dependentDialects = ["::trowel::chunk::ChunkDialect"];
  let options = [
    Option<"tokens", "tokens", "int64_t", "0",
           "tokens in a chunk; 0: such that a solve has so many rows">,
    Option<"rows", "rows", "int64_t", "32", "rows of a solve, at most">
  ];
}

def SingleToken : Pass<"chunk-single-token", "::trowel::chunk::ProgramOp"> {
  let summary = "Simplify a chunk program whose chunks have one token";
  let description = [{
    Rows and keys are carried over no other token, sums over the token are
    products, and a system without products within the token is solved. Reads of
    one state become one matrix product.
  }];
}

#endif // TROWEL_PASSES_CHUNK_PASSES_TD
