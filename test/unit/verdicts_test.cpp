// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler decides about every program as the table of verdicts says: which
// states become matrix products, which a scan, which run token by token.

#include "dialect/Chunk/Chunk.h"
#include "frontend/MLIRGen/MLIRGen.h"
#include "passes/Pipelines/Pipelines.h"
#include "test/unit/Verdicts.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace trowel;
using namespace trowel::test;

namespace {

using Classes = std::map<std::string, std::string>;

void record(mlir::ArrayAttr states, const std::string &decided,
            Classes &classes) {
  for (mlir::Attribute state : states)
    classes[mlir::cast<mlir::StringAttr>(state).getValue().str()] = decided;
}

/// Brings `program` to normal form and reads off the class of every state.
Classes decide(const Program &program) {
  mlir::MLIRContext context;
  context.loadDialect<rec::RecDialect, chunk::ChunkDialect>();
  auto module = generate(context, program);
  mlir::PassManager manager(&context);
  addNormalise(manager);
  Classes classes;
  if (mlir::failed(manager.run(*module))) {
    ADD_FAILURE() << "no normal form";
    return classes;
  }
  module->walk(
      [&](rec::StageOp stage) { record(stage.getStates(), "chunk", classes); });
  module->walk([&](rec::SequentialOp stage) {
    record(stage.getStates(), stage.getScan() ? "scan" : "token", classes);
    if (!stage.getScan()) {
      EXPECT_FALSE(stage.getReason().empty());
    }
  });
  return classes;
}

/// Whether `decided` is one of `allowed`, "a|b".
bool isAllowed(const std::string &decided, const std::string &allowed) {
  return ("|" + allowed + "|").find("|" + decided + "|") != std::string::npos;
}

class Verdicts : public testing::TestWithParam<Verdict> {};

TEST_P(Verdicts, AreTheCompilers) {
  const Verdict &verdict = GetParam();
  std::string path = std::string(TROWEL_SOURCE_DIR) + "/" + verdict.file;
  Checked checked = checkText(readFile(path), {}, verdict.file);
  ASSERT_TRUE(checked.program) << checked.messages();
  ASSERT_EQ(checked.program->states.size(), verdict.classes.size());
  Classes classes = decide(*checked.program);
  for (const Declaration &state : checked.program->states) {
    ASSERT_TRUE(verdict.classes.count(state.name)) << state.name;
    EXPECT_TRUE(isAllowed(classes[state.name], verdict.classes.at(state.name)))
        << state.name << " is '" << classes[state.name] << "', should be '"
        << verdict.classes.at(state.name) << "'";
  }
}

std::vector<Verdict> supported() {
  std::vector<Verdict> result;
  for (Verdict &verdict : readVerdicts(TROWEL_SOURCE_DIR))
    if (verdict.refused.empty())
      result.push_back(std::move(verdict));
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, Verdicts, testing::ValuesIn(supported()),
                         [](const auto &info) { return nameOf(info.param); });

} // namespace
