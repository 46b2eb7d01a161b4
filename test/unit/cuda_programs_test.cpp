// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CUDA kernels for whole programs, run by the emulator, against the meaning in
// float64. A race, a deadlock, or memory that is read before it is written
// fails the test.

#include "codegen/CUDA/Emulated.h"
#include "codegen/CUDA/Ptx.h"
#include "codegen/CUDA/Ptxas.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

std::unique_ptr<library::InProcess>
compileEmulated(const Program &program, mlir::ModuleOp module, uint64_t seed) {
  emulator::Options options;
  options.seed = seed;
  auto code =
      library::InProcess::create(program, module, [&](mlir::ModuleOp single) {
        return cuda::compileForEmulator(single, options);
      });
  if (code)
    return std::move(*code);
  ADD_FAILURE() << program.name << ": " << llvm::toString(code.takeError());
  return nullptr;
}

class CudaPrograms : public testing::TestWithParam<std::string> {};

void expectMeaning(const Program &program, int64_t tokens,
                   int64_t mostTokens = 19, double most = 1e-4) {
  Derived derived = derive(program, tokens, false, cuda::mostChunkRows);
  if (!derived.succeeded || !derived.chunkProgram())
    return;
  uint64_t seed = 1;
  std::unique_ptr<library::InProcess> code =
      compileEmulated(program, *derived.module, seed);
  ASSERT_TRUE(code);
  for (Regime regime : allRegimes()) {
    Batch batch;
    batch.heads = 2;
    batch.groups = seed % 2 == 0 ? 2 : 1;
    batch.tokens = seed % 2 == 0 ? 9 : mostTokens;
    InputOptions options;
    options.regime = regime;
    options.seed = seed;
    options.initialStates = seed % 2 == 0;
    TensorMap arguments = generateInputs(program, batch, options);
    TensorMap meaning = evaluate(program, batch, arguments);
    roundResults(program, meaning);
    TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
    TensorMap actual = runCode(*code, batch, arguments);
    ASSERT_EQ(code->failure(), "") << program.name << ", C = " << tokens;
    Comparison comparison = compare(actual, meaning, magnitudes);
    EXPECT_LT(comparison.ratio, most)
        << program.name << ", C = " << tokens << ", T = " << batch.tokens
        << ", regime " << nameOf(options.regime) << ": " << comparison.name
        << " " << comparison.reason;
    ++seed;
  }
}

TEST_P(CudaPrograms, ComputeTheirMeaning) {
  for (const Program &program : checkedPrograms(GetParam()))
    for (int64_t tokens : {8, 1})
      expectMeaning(inF32(program), tokens);
}

CheckOptions sizesOf60And64(const syntax::Attention &attention) {
  CheckOptions options;
  for (const syntax::Size &size : attention.sizes)
    if (size.value >= 64)
      options.sizes.push_back(
          {size.name.text, size.name.text == "V" ? 60 : 64});
  return options;
}

/// The compiler's own choice of a chunk, and rows that are longer than warps.
TEST(CudaSizes, ComputeTheirMeaning) {
  for (const char *file :
       {"kimi_delta_attention", "gated_delta_net", "gated_linear_attention",
        "rwkv7", "gated_delta_product", "lightning_attention"})
    for (const Program &program : checkedPrograms(
             "examples/" + std::string(file) + ".trowel", sizesOf60And64))
      expectMeaning(inF32(program), 0, 40);
}

/// In the declared types, for which products of less precision do.
TEST(CudaTypes, ComputeTheirMeaning) {
  for (const char *file : {"kimi_delta_attention", "gated_delta_net", "mamba2",
                           "delta_net", "rwkv7"})
    for (const Program &program : checkedPrograms(
             "examples/" + std::string(file) + ".trowel", sizesOf60And64))
      expectMeaning(program, 0, 40, 5e-3);
}

CheckOptions declaredSizes(const syntax::Attention &) { return {}; }

/// Kernels at the sizes that matter, as ptxas sees them.
class CudaKernels : public testing::TestWithParam<std::string> {};

TEST_P(CudaKernels, AssembleWithoutSpills) {
  if (!cuda::findPtxas())
    GTEST_SKIP() << "there is no ptxas on this machine";
  for (const Program &program : checkedPrograms(GetParam(), declaredSizes))
    for (int64_t tokens : {0, 1}) {
      Derived derived = derive(program, tokens, false, cuda::mostChunkRows);
      if (!derived.succeeded || !derived.chunkProgram())
        continue;
      auto kernels = cuda::emitKernels(*derived.module);
      ASSERT_TRUE(bool(kernels)) << llvm::toString(kernels.takeError());
      auto ptx = cuda::emitPtx(*kernels->module);
      ASSERT_TRUE(bool(ptx)) << llvm::toString(ptx.takeError());
      auto assembly = cuda::assemble(*ptx);
      ASSERT_TRUE(bool(assembly)) << llvm::toString(assembly.takeError());
      EXPECT_EQ(assembly->kernels.size(), kernels->kernels.size());
      for (const cuda::KernelUse &kernel : assembly->kernels) {
        EXPECT_EQ(kernel.spillStoreBytes + kernel.spillLoadBytes, 0)
            << kernel.name << ", " << kernel.registers << " registers";
      }
      for (const cuda::Remark &remark : assembly->remarks)
        ADD_FAILURE() << program.name << ": " << remark.text;
    }
}

INSTANTIATE_TEST_SUITE_P(Examples, CudaKernels,
                         testing::ValuesIn(programFiles("examples")),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

INSTANTIATE_TEST_SUITE_P(Programs, CudaPrograms,
                         testing::ValuesIn(allPrograms()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

} // namespace
