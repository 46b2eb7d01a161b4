// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `rec` program that a checked program becomes, as text.
#include "ProgramBuilder.h"

#include "dialect/Rec/Axes.h"
#include "frontend/MLIRGen/MLIRGen.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace trowel;
using Kind = Expr::Kind;
using Scalar = Expr::Scalar;

namespace {

class MLIRGen : public ::testing::Test {
protected:
  test::ProgramBuilder p;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  std::string generated() {
    if (p.program.name.empty())
      p.program.name = "p";
    module = generate(context, p.program, "a.trowel");
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
  std::shared_ptr<Expr> expr(Kind kind, std::vector<ExprPtr> operands = {},
                             Scalar scalar = Scalar::Real) {
    auto made = std::make_shared<Expr>(*p.map(MapOp::Add, std::move(operands)));
    made->kind = kind;
    made->scalar = scalar;
    return made;
  }
  ExprPtr number(double value, Scalar scalar = Scalar::Real) {
    std::shared_ptr<Expr> made = expr(Kind::Number, {}, scalar);
    made->number = value;
    return made;
  }
  ExprPtr let(ExprPtr value) {
    int index = static_cast<int>(p.program.lets.size());
    p.program.lets.push_back({"l" + std::to_string(index), value, {}});
    p.program.body.push_back({Statement::Kind::Let, index, value, {}});
    std::shared_ptr<Expr> made = expr(Kind::Let, {}, value->scalar);
    made->axes = value->axes;
    made->index = index;
    return made;
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
  p.program.name = "rule";
  AxisId K = p.axis("K", 4), V = p.axis("V", 2);
  ExprPtr k = p.input("k", {K}), v = p.input("v", {V}, Sharing::Grouped);
  ExprPtr S = p.state("S", {V, K});
  ExprPtr read = let(p.contract(k, S));
  p.update(S, p.map(MapOp::Add, {S, p.map(MapOp::Mul, {k, v})}));
  p.output("o", {V}, p.map(MapOp::Sub, {p.contract(k, S), read}));
  expectLines(
      generated(),
      {R"(rec.program @rule axes ["K", "V"] sizes [4, 2] {)",
       R"(%0 = rec.input "k" head f32 ["K"] : tensor<4xf32)",
       R"(%1 = rec.input "v" grouped f32 ["V"] : tensor<2xf32)",
       R"(%2 = rec.state "S" head f32 ["V", "K"] : tensor<4x2xf32, )"
       R"(#rec.axes<K, V>>)",
       R"(%3 = rec.contract %0, %2 over ["K"])", "%4 = rec.map mul(%0, %1)",
       "%5 = rec.map add(%2, %4)", R"(%6 = rec.contract %0, %5 over ["K"])",
       "%7 = rec.map sub(%6, %3)", R"(rec.output "o" head f32 ["V"], %7)",
       R"(rec.update "S", %5)"});
}

TEST_F(MLIRGen, NumbersFillAndKeepTheirDigits) {
  AxisId K = p.axis("K", 4);
  ExprPtr S = p.state("S", {K});
  p.program.states[0].initial = number(0.1);
  ExprPtr unused = p.input("unused", {K});
  p.program.inputs[0].range = Interval{-HUGE_VAL, 0, true, false};
  p.state("kept", {});
  p.update(S, number(0));
  expectLines(
      generated(),
      {R"("unused" head f32 ["K"] range [0xFFF0000000000000 : f64, 0.0)",
       "dense<1.000000e-01> : tensor<4xf64",
       R"(rec.state "S" head f32 ["K"] initial %1)", R"(rec.state "kept")"});
}

TEST_F(MLIRGen, PrefixSumsAreHiddenStates) {
  AxisId K = p.axis("K", 4);
  std::shared_ptr<Expr> sum =
      expr(Kind::PrefixSum, {p.input("g", {K}, Sharing::Shared)});
  p.output("o", {K}, sum);
  expectLines(generated(),
              {R"(%1 = rec.state "prefix_sum.0" shared f32 ["K"] hidden)",
               "%2 = rec.map add(%1, %0)", R"(rec.output "o")",
               R"(rec.update "prefix_sum.0", %2)"});
}

TEST_F(MLIRGen, IntegersMeetReals) {
  ExprPtr x = p.input("x", {});
  ExprPtr t = expr(Kind::Position, {}, Scalar::Integer);
  auto integer = [&](MapOp op, std::vector<ExprPtr> operands) {
    auto made = std::make_shared<Expr>(*p.map(op, std::move(operands)));
    made->scalar = Scalar::Integer;
    return made;
  };
  ExprPtr rest = integer(MapOp::Mod, {t, number(16, Scalar::Integer)});
  auto first = std::make_shared<Expr>(*p.map(MapOp::Eq, {rest, x}));
  first->scalar = Scalar::Boolean;
  p.output("o", {},
           p.map(MapOp::Where, {first, number(2, Scalar::Integer),
                                p.map(MapOp::Div, {rest, t})}));
  expectLines(generated(),
              {"rec.position : tensor<i32", "dense<16> : tensor<i32",
               "rec.map mod(", "(tensor<i32", "-> tensor<i32",
               "rec.map to_real(", "-> tensor<f32", "rec.map eq(",
               "-> tensor<i1", "rec.map to_real(", "rec.map div(",
               "dense<2.000000e+00> : tensor<f64", "rec.map where("});
}

TEST_F(MLIRGen, EveryOtherKindHasItsOperation) {
  AxisId K = p.axis("K", 4), J = p.axis("J", 4), N = p.axis("N", 2);
  std::shared_ptr<Expr> pick = expr(Kind::Pick, {p.input("x", {K, N})});
  pick->axes = {K};
  pick->from = N;
  pick->index = 1;
  ExprPtr x = let(pick);
  std::shared_ptr<Expr> rename = expr(Kind::Rename, {x});
  rename->axes = {J};
  rename->from = K;
  rename->to = J;
  std::shared_ptr<Expr> cast = expr(Kind::Cast, {rename});
  cast->dtype = DType::E4M3;
  std::shared_ptr<Expr> repeat = expr(Kind::Repeat, {p.input("s", {N})});
  repeat->axes = {J};
  repeat->from = N;
  repeat->to = J;
  std::shared_ptr<Expr> delay = expr(Kind::Delay, {x});
  delay->amount = 3;
  std::shared_ptr<Expr> reduce =
      expr(Kind::Reduce, {expr(Kind::Stop, {delay})});
  reduce->axes = {};
  reduce->over = {K};
  reduce->reduceOp = ReduceOp::Max;
  std::shared_ptr<Expr> heads = expr(Kind::ReduceHeads, {reduce});
  heads->sharing = Sharing::Grouped;
  heads->reduceOp = ReduceOp::Mean;
  p.output("o", {J},
           p.map(MapOp::Add, {p.map(MapOp::Mul, {cast, repeat}), heads}));
  expectLines(generated(),
              {R"(rec.pick %0 "N" at 1)", R"("K" to "J")", "to e4m3",
               R"(rec.repeat %1 "N" to "J")", "rec.delay %2 by 3", "rec.stop",
               R"(rec.reduce max %8 over ["K"])",
               "rec.reduce_heads mean %9 to grouped"});
}

TEST_F(MLIRGen, DebugValuesAreOutputs) {
  AxisId K = p.axis("K", 4);
  p.program.debugs = {"t < x"};
  auto condition = std::make_shared<Expr>(
      *p.map(MapOp::Lt, {expr(Kind::Position, {}, Scalar::Integer),
                         p.input("x", {K}, Sharing::Shared)}));
  condition->scalar = Scalar::Boolean;
  p.program.body.push_back({Statement::Kind::Debug, 0, condition, {}});
  expectLines(generated(), {R"(rec.output "debug.0" shared f32 ["K"] debug, )",
                            R"({text = "t < x"} : tensor<4xf32)"});
}

TEST_F(MLIRGen, LocationsAndRangesComeAlong) {
  auto made = std::make_shared<Expr>(*p.map(MapOp::Exp, {p.input("x", {})}));
  made->location = {7, 5, 6};
  made->range.low = 0;
  p.output("o", {}, made);
  expectLines(generated(), {"rec.map exp(%0) {range = [0.0"});
  module->walk([](rec::MapOp op) {
    Location place = sourceLocation(op.getLoc());
    EXPECT_EQ(rec::rangeOf(op)->second, HUGE_VAL);
    EXPECT_EQ(place.line, 7);
    EXPECT_EQ(place.column, 5);
    EXPECT_EQ(place.length, 6);
    mlir::Location fused = mlir::FusedLoc::get(
        op.getContext(), {mlir::UnknownLoc::get(op.getContext()), op.getLoc()});
    EXPECT_EQ(sourceLocation(fused).line, 7);
  });
}

} // namespace
