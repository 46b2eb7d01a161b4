// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a module of our dialects, runs passes on it and prints it: any compile
// can be repeated pass by pass.
#include "dialect/Chunk/Chunk.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<trowel::rec::RecDialect, trowel::chunk::ChunkDialect>();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  trowel::registerTrowelPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "The passes of Trowel\n", registry));
}
