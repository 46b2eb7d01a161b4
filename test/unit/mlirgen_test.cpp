// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `rec` program that a checked program becomes, as text.
#include "Checked.h"

#include "dialect/Rec/Axes.h"
#include "frontend/MLIRGen/MLIRGen.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace trowel;

namespace {

class MLIRGen : public ::testing::Test {
protected:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  /// The module of `attention p(K = 4, V = 2) { body }`, which must verify and
  /// parse again.
  std::string generated(const std::string &body) {
    Program program =
        test::checkedProgram("attention p(K = 4, V = 2) {\n" + body + "\n}\n");
    module = generate(context, program, "a.trowel");
    EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    EXPECT_EQ(reprinted(text), text);
    return text;
  }
  /// The text after parsing it.
  std::string reprinted(const std::string &text) {
    auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    std::string again;
    llvm::raw_string_ostream stream(again);
    if (parsed)
      parsed->print(stream);
    return again;
  }
};

/// Each of `lines` stands in `text`, in this order.
void expectLines(const std::string &text, std::vector<std::string> lines) {
  size_t at = 0;
  for (const std::string &line : lines) {
    size_t found = text.find(line, at);
    ASSERT_NE(found, std::string::npos)
        << "not found in order: " << line << "\n"
        << text;
    at = found + line.size();
  }
}

TEST_F(MLIRGen, StatementsFollowEachOther) {
  expectLines(
      generated(R"(
    in k : f32[K]
    in v : bf16[V] grouped
    state S : f32[V, K]
    let r = k @ S
    S += k * v
    out o : f32[V] = k @ S - r)"),
      {R"(rec.program @p axes ["K", "V"] sizes [4, 2] {)",
       R"(%0 = rec.input "k" head f32 ["K"] : tensor<4xf32)",
       R"(%1 = rec.input "v" grouped bf16 ["V"] : tensor<2xf32)",
       R"(%2 = rec.state "S" head f32 ["V", "K"] : tensor<4x2xf32, )"
       R"(#rec.axes<K, V>>)",
       R"(%3 = rec.contract %0, %2 over ["K"])", "%4 = rec.map mul(%0, %1)",
       "%5 = rec.map add(%2, %4)", R"(%6 = rec.contract %0, %5 over ["K"])",
       "%7 = rec.map sub(%6, %3)", R"(rec.output "o" head f32 ["V"], %7)",
       R"(rec.update "S", %5)"});
}

TEST_F(MLIRGen, NumbersFillAndKeepTheirDigits) {
  expectLines(
      generated(R"(
    in unused : f32[K] <= 0
    state S : f32[K] = 0.1
    state kept : f32
    S = 0
    out o : f32 = 1)"),
      {R"("unused" head f32 ["K"] range [0xFFF0000000000000 : f64, 0.0)",
       "dense<1.000000e-01> : tensor<4xf64",
       R"(rec.state "S" head f32 ["K"] initial %1)", R"(%3 = rec.state "kept")",
       R"(%4 = rec.constant dense<0.0)", R"(rec.update "S", %4)",
       R"(rec.update "kept", %3)"});
}

TEST_F(MLIRGen, PrefixSumsAreHiddenStates) {
  expectLines(generated(R"(
    in g : f32[K] shared
    out o : f32[K] = prefix_sum(g))"),
              {R"(%1 = rec.state "prefix_sum.0" shared f32 ["K"] hidden)",
               "%2 = rec.map add(%1, %0)", R"(rec.output "o")",
               R"(rec.update "prefix_sum.0", %2)"});
}

TEST_F(MLIRGen, IntegersMeetReals) {
  expectLines(generated(R"(
    in x : f32
    out o : f32 = where(t % 16 == x, 2, t / 16))"),
              {"rec.position", "tensor<i32", "dense<16> : tensor<i32",
               "rec.map mod(", "-> tensor<i32", "rec.map to_real(",
               "-> tensor<f32", "rec.map eq(", "-> tensor<i1",
               "dense<2.000000e+00> : tensor<f64",
               "dense<1.600000e+01> : tensor<f64", "rec.map to_real(",
               "rec.map div(", "rec.map where("});
}

TEST_F(MLIRGen, EveryOtherKindHasItsOperation) {
  std::string text = generated(R"(
    dim J = K
    in x : f32[K, V]
    in s : e4m3[J] scale f32[J/2]
    let y = x[V = 1]
    let h = mean[group](max(stop(y[t - 3])))
    out o : f32[J] = e4m3(y[K -> J]) * s + h)");
  expectLines(text, {R"(rec.pick %0 "V" at 1)", "rec.delay", "by 3", "rec.stop",
                     "rec.reduce max", R"(over ["K"])", "rec.reduce_heads mean",
                     "to grouped", R"("K" to "J")", "to e4m3"});
  expectLines(text,
              {R"(rec.input "s_scale")", R"({scales = "s"})", "rec.repeat"});
}

TEST_F(MLIRGen, DebugValuesAreOutputs) {
  expectLines(generated(R"(
    in x : f32[K] shared
    debug(t + x)
    debug(t)
    out o : f32 = 1)"),
              {R"(rec.output "debug.0" shared f32 ["K"] debug, )",
               R"({text = "t + x"} : tensor<4xf32)",
               R"("debug.1" shared i32 [] debug, )", ": tensor<i32"});
}

TEST_F(MLIRGen, LocationsAndRangesComeAlong) {
  expectLines(generated("in x : f32\nout o : f32 = exp(x)"),
              {"rec.map exp(%0) {range = [0.0"});
  module->walk([](rec::MapOp op) {
    Location place = sourceLocation(op.getLoc());
    EXPECT_EQ(place.line, 3);
    EXPECT_EQ(place.column, 15);
    EXPECT_EQ(place.length, 6);
    EXPECT_EQ(rec::rangeOf(op)->second, HUGE_VAL);
    mlir::Location fused = mlir::FusedLoc::get(
        op.getContext(), {mlir::UnknownLoc::get(op.getContext()), op.getLoc()});
    EXPECT_EQ(sourceLocation(fused).line, 3);
  });
}

} // namespace
