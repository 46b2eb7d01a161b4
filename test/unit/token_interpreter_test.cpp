// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The token program of every shipped program, as generated and in normal form,
// in float64, against the meaning: what generation and the forming of stages
// may not change.
#include "Derived.h"

#include "dialect/Reference/ChunkInterpreter.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"

#include "gtest/gtest.h"

using namespace trowel;
using namespace trowel::test;

namespace {

rec::ProgramOp tokenProgram(mlir::ModuleOp module) {
  return *module.getOps<rec::ProgramOp>().begin();
}

class TokenInterpreter : public ::testing::TestWithParam<std::string> {
protected:
  Batch batch;
  InputOptions options;

  void expectMeaning(const Program &program, rec::ProgramOp op,
                     const char *form) {
    TensorMap arguments = generateInputs(program, batch, options);
    TensorMap meaning = evaluate(program, batch, arguments);
    if (!(largestMagnitude(meaning) < 1e6))
      return;
    Comparison comparison =
        compare(evaluateTokens(op, batch, arguments), meaning,
                evaluateMagnitudes(program, batch, arguments));
    EXPECT_LT(comparison.ratio, 1e-11)
        << program.name << ", " << form << ", regime " << nameOf(options.regime)
        << ": " << comparison.name << " " << comparison.reason;
  }

  void expectBothForms(const Program &program) {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    mlir::OwningOpRef<mlir::ModuleOp> module = generate(context, program);
    expectMeaning(program, tokenProgram(*module), "as generated");
    Derived derived = derive(program);
    ASSERT_TRUE(derived.succeeded) << program.name;
    expectMeaning(program, tokenProgram(*derived.module), "in normal form");
  }
};

TEST_P(TokenInterpreter, MeansWhatTheProgramMeans) {
  for (const Program &program : checkedPrograms(GetParam()))
    for (Regime regime : allRegimes()) {
      batch.batch = 2;
      batch.heads = 4;
      batch.groups = 2;
      batch.tokens = 21;
      options.regime = regime;
      options.initialStates = !options.initialStates;
      expectBothForms(program);
    }
}

TEST_P(TokenInterpreter, BeginsEverySequenceAnew) {
  for (const Program &program : checkedPrograms(GetParam())) {
    batch.heads = 2;
    batch.tokens = 20;
    batch.cuSeqlens = {0, 0, 7, 8, 8, 20};
    expectBothForms(program);
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, TokenInterpreter,
                         ::testing::ValuesIn(allPrograms()),
                         [](const ::testing::TestParamInfo<std::string> &info) {
                           std::string name = info.param;
                           for (char &c : name)
                             c = std::isalnum(static_cast<unsigned char>(c))
                                     ? c
                                     : '_';
                           return name;
                         });

} // namespace
