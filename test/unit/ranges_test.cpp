// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inferred ranges against the meaning: every subexpression of every shipped
// program, and of a list of expressions, stays where Sema says.

#include "test/unit/Checked.h"

#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

using namespace trowel;
using namespace trowel::test;
namespace fs = std::filesystem;

namespace {

const fs::path root = TROWEL_SOURCE_DIR;

void collect(const ExprPtr &expr, std::vector<ExprPtr> &found,
             std::set<const Expr *> &seen) {
  if (!seen.insert(expr.get()).second)
    return;
  for (const ExprPtr &operand : expr->operands)
    collect(operand, found, seen);
  if (expr->scalar != Expr::Scalar::Boolean)
    found.push_back(expr);
}

/// The program with a debug statement for every subexpression, where its
/// statement stands. The values are returned in the order of the statements.
std::vector<ExprPtr> instrument(Program &program) {
  std::vector<ExprPtr> values;
  std::vector<Statement> body;
  program.debugs.clear();
  for (const Statement &statement : program.body) {
    std::vector<ExprPtr> found;
    std::set<const Expr *> seen;
    collect(statement.value, found, seen);
    for (const ExprPtr &expr : found) {
      Statement debug;
      debug.kind = Statement::Kind::Debug;
      debug.target = static_cast<int>(program.debugs.size());
      debug.value = expr;
      body.push_back(debug);
      program.debugs.push_back("value");
      values.push_back(expr);
    }
    if (statement.kind != Statement::Kind::Debug)
      body.push_back(statement);
  }
  program.body = std::move(body);
  return values;
}

void expectInside(const Expr &expr, const Tensor &tensor,
                  const std::string &where) {
  for (double x : tensor.data) {
    bool isInside =
        std::isnan(x) || (x >= expr.range.low && x <= expr.range.high);
    if (isInside)
      continue;
    ADD_FAILURE() << where << ":" << expr.location.line << ":"
                  << expr.location.column << ": " << x << " is not in ["
                  << expr.range.low << ", " << expr.range.high << "]";
    return;
  }
}

void checkRanges(Program program, const std::string &where) {
  std::vector<ExprPtr> values = instrument(program);
  Batch batch;
  batch.tokens = 6;
  batch.heads = 2;
  batch.groups = 1;
  for (Regime regime : allRegimes()) {
    InputOptions options;
    options.regime = regime;
    options.initialStates = regime == Regime::Huge;
    TensorMap arguments = generateInputs(program, batch, options);
    ASSERT_EQ(validate(program, batch, arguments), "") << where;
    TensorMap results = evaluate(program, batch, arguments);
    for (size_t i = 0; i < values.size(); ++i)
      expectInside(*values[i], results.at("debug." + std::to_string(i)),
                   where + " " + nameOf(regime));
  }
}

/// Small sizes, where the program allows them.
std::optional<Program> smallProgram(const std::string &file) {
  SourceFile source{file, readFile(root / file)};
  ParseResult parsed = parse(source);
  if (parsed.file.attentions.empty())
    return std::nullopt;
  const syntax::Attention &attention = parsed.file.attentions[0];
  CheckOptions options;
  for (const syntax::Size &size : attention.sizes)
    options.sizes.emplace_back(size.name.text,
                               std::min<int64_t>(size.value, 8));
  return check(parsed.file, attention, options).program;
}

TEST(Ranges, HoldInEveryShippedProgram) {
  int count = 0;
  for (const char *folder : {"examples", "test/language"})
    for (const fs::directory_entry &entry :
         fs::directory_iterator(root / folder)) {
      if (entry.path().extension() != ".trowel")
        continue;
      std::string file =
          std::string(folder) + "/" + entry.path().filename().string();
      if (std::optional<Program> program = smallProgram(file)) {
        checkRanges(std::move(*program), file);
        ++count;
      }
    }
  EXPECT_GT(count, 40);
}

TEST(Ranges, HoldInEveryExpression) {
  const char *declarations =
      "in x, y : f32[K]\nin g : f32[K] <= 0\nin b : f32 in [0, 1]\n"
      "in d : f32 in [-2, 3]\nin p : f32 in (0, 4]\nin e : e4m3[K]\n"
      "in h : f16[K] >= -5\nin i, j : i32\nparam w : f32[2, K]\n"
      "let u = d * x\n";
  for (const char *expression :
       {"exp(x) - exp(-x) * b",
        "log(p) + log(b)",
        "log1p(d) * expm1(d)",
        "sqrt(abs(d)) * rsqrt(p)",
        "sign(x) * sigmoid(d)",
        "softplus(d) - d",
        "tanh(d) * sin(x) + cos(x)",
        "floor(d * 2) + round(d * 3)",
        "d % 3 + d % -2 + x % p",
        "i % 3 - j % -2 + t % 5",
        "i * j * 100000",
        "x^2 - y^4 + x^3 + p^-1.5 + p^0.5 + 2^d",
        "max(d, b) / min(p, 2)",
        "clamp(x, -1, d)",
        "logaddexp(d, p) + logaddexp(g, 0)",
        "where(x > y, d, b) + where(b > 0.5, p, g)",
        "silu(x) + silu(d)",
        "gelu(x) + gelu(d) + elu(d)",
        "relu(d) + logsigmoid(d)",
        "1 / (1 + exp(-x)) + 1 / d + b / p",
        "softmax(x) @ y",
        "normalize(x) * rmsnorm(y)",
        "norm(x) + norm(x * 0) + norm(d)",
        "sum(g) + mean(h) + max(x)",
        "x @ y + x @ x + u @ u + g @ g",
        "x[t - 1] + b[t - 2] + p[t - 1]",
        "prefix_sum(g) + prefix_sum(b)",
        "sum[heads](b) + mean[heads](d) + max[heads](d)",
        "bf16(d) + e4m3(x * 1000) + f16(p * 0.001) + e5m2(g) + i32(d)",
        "e4m3(b * 0.001) + e4m3(d * 0.01) + bf16(1 - b)",
        "e * 0.1 + e @ e",
        "w[0] * w[1] + stop(d)",
        "(b - 0.3) * (d + 0.7) * (p - 0.1)",
        "-(d - 1) * -(b - 2)",
        "erf_like(d) + gelu(p)"}) {
    Checked checked =
        checkText("fn erf_like(x) = 2 / (1 + exp(-x)) - 1\nattention a(K = 5) "
                  "{\n" +
                  std::string(declarations) + "let z = " + expression +
                  "\nout o : f32 = 1\n}\n");
    ASSERT_EQ(checked.messages(), "");
    checkRanges(*checked.program, expression);
  }
}

} // namespace
