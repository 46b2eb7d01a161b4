// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of the emulator share: kernels from text, run under several
// schedules.
#ifndef TROWEL_TEST_UNIT_EMULATED_H
#define TROWEL_TEST_UNIT_EMULATED_H

#include "codegen/CUDA/Ptx.h"
#include "codegen/CUDA/Ptxas.h"
#include "codegen/Emulator/Emulator.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

namespace emulated {

using namespace trowel::emulator;

constexpr uint64_t seeds = 8;

struct Outcome {
  std::optional<Problem> problem; // none: it ran to its end
  std::string text;
  Counters counters;
};

class EmulatorTest : public ::testing::Test {
protected:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  EmulatorTest() {
    context.loadDialect<mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect>();
  }

  void parse(const std::string &text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context, "k.mlir");
    ASSERT_TRUE(module);
  }

  /// A kernel @k whose arguments are buffers; %tid and some constants are there
  /// before `body`.
  void kernel(const std::string &arguments, const std::string &body,
              const std::string &globals = "") {
    parse(globals + "\nllvm.func @k(" + arguments +
          ") attributes {nvvm.kernel} {\n"
          "  %tid = nvvm.read.ptx.sreg.tid.x : i32\n"
          "  %c0 = llvm.mlir.constant(0 : i32) : i32\n"
          "  %c1 = llvm.mlir.constant(1 : i32) : i32\n"
          "  %c2 = llvm.mlir.constant(2 : i32) : i32\n"
          "  %c32 = llvm.mlir.constant(32 : i32) : i32\n"
          "  %c64 = llvm.mlir.constant(64 : i32) : i32\n"
          "  %all = llvm.mlir.constant(-1 : i32) : i32\n" +
          body + "\n  llvm.return\n}\n");
  }

  Outcome run(const Shape &shape, llvm::ArrayRef<Argument> arguments,
              Options options = {}) {
    Emulator emulator(*module, options);
    llvm::Expected<Counters> counters = emulator.launch("k", shape, arguments);
    Outcome outcome;
    if (counters) {
      outcome.counters = *counters;
      return outcome;
    }
    llvm::handleAllErrors(
        counters.takeError(),
        [&](const Failure &failure) {
          outcome.problem = failure.problem;
          outcome.text = failure.text;
        },
        [&](const llvm::ErrorInfoBase &other) {
          ADD_FAILURE() << other.message();
        });
    return outcome;
  }

  /// ptxas takes the kernel for a device, if there is one on this machine, and
  /// has nothing against it.
  void assembles() {
    llvm::Expected<std::string> ptx = trowel::cuda::emitPtx(*module);
    ASSERT_TRUE(static_cast<bool>(ptx)) << llvm::toString(ptx.takeError());
    if (!trowel::cuda::findPtxas())
      return;
    auto assembly = trowel::cuda::assemble(*ptx);
    ASSERT_TRUE(static_cast<bool>(assembly))
        << llvm::toString(assembly.takeError());
    EXPECT_TRUE(assembly->remarks.empty()) << assembly->log;
  }

  /// Why the kernel is refused before anything runs.
  std::string refusal() {
    Emulator emulator(*module);
    Shape shape;
    shape.block.x = 32;
    auto counters = emulator.launch("k", shape, {});
    EXPECT_FALSE(counters);
    return counters ? "" : llvm::toString(counters.takeError());
  }

  /// The kernel must fail this way under every schedule, and say all of these.
  void fails(Problem problem, const Shape &shape,
             llvm::ArrayRef<Argument> arguments,
             std::initializer_list<const char *> says) {
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      Options options;
      options.seed = seed;
      options.limit = 1 << 20;
      Outcome outcome = run(shape, arguments, options);
      ASSERT_TRUE(outcome.problem) << "seed " << seed;
      EXPECT_EQ(*outcome.problem, problem) << outcome.text;
      for (const char *part : says)
        EXPECT_NE(outcome.text.find(part), std::string::npos) << outcome.text;
    }
  }

  /// Without a problem under every schedule.
  void expectCleanRuns(const Shape &shape) {
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      Options options;
      options.seed = seed;
      Outcome outcome = run(shape, {}, options);
      EXPECT_FALSE(outcome.problem) << outcome.text;
    }
  }
};

inline Shape threads(uint32_t block, uint32_t grid = 1) {
  Shape shape;
  shape.block.x = block;
  shape.grid.x = grid;
  return shape;
}

inline const char *shared =
    "llvm.mlir.global internal @s() {addr_space = 3 : i32, "
    "alignment = 16 : i64} : !llvm.array<256 x i32>";

} // namespace emulated

#endif // TROWEL_TEST_UNIT_EMULATED_H
