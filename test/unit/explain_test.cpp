// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `trowel explain` prints, whole: for every line P of
// test/explain/programs.txt the text is test/explain/<name of P>.expected. With
// TROWEL_UPDATE=1 in the environment the tests write these files in place of
// comparing.
#include "Checked.h"

#include "dialect/Chunk/Chunk.h"
#include "frontend/MLIRGen/MLIRGen.h"
#include "passes/Pipelines/Pipelines.h"
#include "tools/trowel/explain/Costs.h"
#include "tools/trowel/explain/Explain.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

#include <cstdlib>

using namespace trowel;

namespace {

const std::string root = std::string(TROWEL_SOURCE_DIR) + "/";

/// The explanation of a program given as text.
std::string explained(const std::string &name, const std::string &text) {
  test::Checked checked = test::checkText(text, {}, name);
  if (!checked.program)
    return checked.messages();
  mlir::MLIRContext context;
  context.getOrLoadDialect<chunk::ChunkDialect>();
  auto normal = generate(context, *checked.program, name);
  mlir::PassManager normalise(&context);
  addNormalise(normalise);
  EXPECT_TRUE(mlir::succeeded(normalise.run(*normal)));
  mlir::OwningOpRef<mlir::ModuleOp> chunks = normal->clone();
  mlir::PassManager chunking(&context);
  addChunk(chunking);
  EXPECT_TRUE(mlir::succeeded(chunking.run(*chunks)));
  return explain(*checked.program, checked.source, *normal, *chunks);
}

std::vector<std::string> programs() {
  std::istringstream lines(test::readFile(root + "test/explain/programs.txt"));
  std::vector<std::string> result;
  std::string line;
  while (std::getline(lines, line))
    if (!line.empty() && line[0] != '#')
      result.push_back(line);
  return result;
}

std::string stemOf(const std::string &path) {
  size_t slash = path.rfind('/') + 1;
  return path.substr(slash, path.rfind('.') - slash);
}

class Explain : public ::testing::TestWithParam<std::string> {};

TEST_P(Explain, PrintsWhatIsExpected) {
  std::string text = test::readFile(root + GetParam());
  ASSERT_FALSE(text.empty()) << GetParam();
  std::string found = explained(GetParam(), text);
  std::string path = root + "test/explain/" + stemOf(GetParam()) + ".expected";
  if (std::getenv("TROWEL_UPDATE"))
    std::ofstream(path, std::ios::binary) << found;
  EXPECT_EQ(found, test::readFile(path));
}

TEST_P(Explain, FitsThePage) {
  std::istringstream lines(
      explained(GetParam(), test::readFile(root + GetParam())));
  std::string line;
  while (std::getline(lines, line)) {
    size_t width = 0;
    for (char c : line)
      width += (c & 0xc0) != 0x80;
    EXPECT_LE(width, 100u) << line;
    EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
  }
}

/// Matrix products and solves per token in chunks of 64, K = V = 128.
double productsOf(const std::string &update) {
  test::Checked checked =
      test::checkText("attention a(K = 128, V = 128) {\n  in q, k, a : "
                      "f32[K]\n  in v : f32[V]\n"
                      "  state S : f32[K, V]\n  " +
                      update + "\n  out o : f32[V] = q @ S\n}\n");
  EXPECT_TRUE(checked.program) << checked.messages();
  mlir::MLIRContext context;
  context.getOrLoadDialect<chunk::ChunkDialect>();
  auto module = generate(context, *checked.program);
  mlir::PassManager manager(&context);
  addNormalise(manager);
  addChunk(manager, 64);
  EXPECT_TRUE(mlir::succeeded(manager.run(*module)));
  explaining::Work work =
      explaining::workOfChunks(*module->getOps<chunk::ProgramOp>().begin());
  return work.products + work.solves;
}

// 2C(K + V) + 4KV without reads that feed writes; 2C(2K + 2V) + 6KV with one.
TEST(ExplainCosts, CountsDenseProducts) {
  EXPECT_EQ(productsOf("S = a * S + k * v"), 98304);
  EXPECT_EQ(productsOf("S *= a S += k * (v - k @ S)"), 163840);
}

/// `first`, then 60 times what was there combined with itself.
std::string doubled(const std::string &first, const std::string &sign,
                    const std::string &update) {
  std::string text = "attention a(K = 16, V = 16) {\n  in q, k : bf16[K]\n"
                     "  in v : bf16[V]\n  state S : f32[K, V]\n  let m0 = " +
                     first + "\n";
  for (int i = 0; i < 60; ++i) {
    std::string m = "m" + std::to_string(i);
    text += "  let m" + std::to_string(i + 1) + " = " + m + sign + m + "\n";
  }
  return text + "  " + update + "\n  out o : bf16[V] = q @ S\n}\n";
}

// Values share parts; whoever looks at a part once for each use never ends.
TEST(ExplainTime, EndsWhereValuesShareParts) {
  for (const std::string &text :
       {doubled("k * v", " * ", "S = m60 * S + k * v"),
        doubled("k * v", " + ", "S += m60"),
        doubled("S", " + ", "S = m60 + k * v")})
    EXPECT_NE(explained("a.trowel", text).find("  1  S  chunk"),
              std::string::npos)
        << text;
}

INSTANTIATE_TEST_SUITE_P(Programs, Explain, ::testing::ValuesIn(programs()),
                         [](const auto &info) { return stemOf(info.param); });

} // namespace
