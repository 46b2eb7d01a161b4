// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef TROWEL_PASSES_GRADIENT_PASSES_TD
#define TROWEL_PASSES_GRADIENT_PASSES_TD

include "mlir/Pass/PassBase.td"

def Differentiate : Pass<"rec-differentiate", "::mlir::ModuleOp"> {
  let summary = "Derive the backward program of each token program";
  let description = [{
    Behind a program in normal form comes one with the attribute `backward`: it
    computes the values of each token again, from the states as its chunk began,
    and from the gradients of outputs and final states those of inputs, params
    and initial states. A stage's adjoint is a stage in normal form that runs
    from the last token to the first. The program itself gets the attribute
    `saves`.

    Where declared initial values depend on params, one more program follows,
    with the attribute `beginning`. Its tokens are the call's sequences: from
    the gradients of states that begin with their declared values, inputs
    "d<state>0", it has the totals that the params get beside the others.
  }];
  let dependentDialects = ["::trowel::rec::RecDialect"];
}

#endif // TROWEL_PASSES_GRADIENT_PASSES_TD
