// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef TROWEL_PASSES_NORMALIZE_PASSES_TD
#define TROWEL_PASSES_NORMALIZE_PASSES_TD

include "mlir/Pass/PassBase.td"

def DelaysToStates : Pass<"rec-delays-to-states", "::trowel::rec::ProgramOp"> {
  let summary = "Make a delay that a state's own update reads a hidden state";
  let description = [{
    `x[t - 1]`, where x reads a state whose update reads `x[t - 1]`, is part of
    the recurrence: it becomes a hidden state that takes the value of x at the
    end of each token. So does a delayed matrix state. Other delays outside of
    every recurrence stay as they are.
  }];
}

def SplitHeads : Pass<"rec-split-heads", "::mlir::ModuleOp"> {
  let summary = "Cut a program where heads are reduced";
  let description = [{
    What a `rec.reduce_heads` reduces becomes an output of a program of its own,
    which runs before; its result becomes an input. The programs of the module
    then run in order, and the attribute `heads` of a program says which of its
    outputs are reduced over heads before the next one runs.
  }];
}

def FormStages : Pass<"rec-form-stages", "::trowel::rec::ProgramOp"> {
  let summary = "Split a token program into stages and bring each to normal form";
  let description = [{
    Stages are the strongly connected components of "the update of state X reads
    state Y". Each becomes a `rec.stage` (rows, writes and a transition, from
    which chunks of matrix products follow) or, where that form does not exist,
    a `rec.sequential` that runs token after token and says why.
  }];
}

#endif // TROWEL_PASSES_NORMALIZE_PASSES_TD
