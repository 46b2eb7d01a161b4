// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What Sema makes of right programs: axes, kinds of numbers, sharing, ranges,
// and what it writes out.

#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace trowel;
using namespace trowel::test;

namespace {

const double infinity = std::numeric_limits<double>::infinity();

/// A right program; fails the test and stops when it is none.
Program programOf(const std::string &body, const std::string &sizes = "",
                  const std::string &before = "",
                  const CheckOptions &options = {}) {
  std::string text =
      before + "\nattention test(" + sizes + ") {\n" + body + "\n}\n";
  Checked checked = checkText(text, options);
  EXPECT_EQ(checked.messages(), "");
  return checked.program ? *checked.program : Program();
}

std::string messagesOf(const std::string &body, const std::string &sizes = "",
                       const std::string &before = "") {
  return checkText(before + "\nattention test(" + sizes + ") {\n" + body +
                   "\n}\n")
      .messages();
}

const char *name(MapOp op) {
  static const char *names[] = {
      "neg",   "exp",  "log",       "log1p", "expm1", "sqrt", "rsqrt", "abs",
      "sign",  "sigm", "softplus",  "tanh",  "sin",   "cos",  "erf",   "floor",
      "round", "not",  "+",         "-",     "*",     "/",    "%",     "^",
      "max",   "min",  "logaddexp", "<",     "<=",    ">",    ">=",    "==",
      "!=",    "and",  "or",        "where"};
  return names[static_cast<int>(op)];
}

std::string show(const Program &program, const Expr &expr);

std::string showOperands(const Program &program, const Expr &expr) {
  std::string text;
  for (const ExprPtr &operand : expr.operands)
    text += " " + show(program, *operand);
  return text;
}

/// An expression as one line: `(* k (- v (@ k S)))`.
std::string show(const Program &program, const Expr &expr) {
  using Kind = Expr::Kind;
  auto axis = [&](AxisId id) { return program.axes[id].name; };
  std::ostringstream os;
  switch (expr.kind) {
  case Kind::Number:
    os << expr.number << (expr.scalar == Expr::Scalar::Integer ? "i" : "");
    return os.str();
  case Kind::Position:
    return "t";
  case Kind::Input:
    return program.inputs[expr.index].name;
  case Kind::Param:
    return program.params[expr.index].name;
  case Kind::State:
    return program.states[expr.index].name;
  case Kind::Let:
    return program.lets[expr.index].name;
  case Kind::Map:
    os << name(expr.mapOp);
    break;
  case Kind::Contract:
    os << "@";
    break;
  case Kind::Reduce:
    os << (expr.reduceOp == ReduceOp::Sum ? "sum" : "max");
    for (AxisId over : expr.over)
      os << ":" << axis(over);
    break;
  case Kind::ReduceHeads:
    os << (expr.reduceOp == ReduceOp::Sum    ? "sum"
           : expr.reduceOp == ReduceOp::Mean ? "mean"
                                             : "max")
       << (expr.sharing == Sharing::Shared ? ":heads" : ":group");
    break;
  case Kind::Delay:
    os << "delay:" << expr.amount;
    break;
  case Kind::Rename:
    os << "rename:" << axis(expr.from) << ":" << axis(expr.to);
    break;
  case Kind::Pick:
    os << "pick:" << axis(expr.from) << ":" << expr.index;
    break;
  case Kind::Repeat:
    os << "repeat:" << axis(expr.from) << ":" << axis(expr.to);
    break;
  case Kind::Cast:
    os << "cast:" << static_cast<int>(expr.dtype);
    break;
  case Kind::PrefixSum:
    os << "prefix_sum";
    break;
  case Kind::Stop:
    os << "stop";
    break;
  }
  return "(" + os.str() + showOperands(program, expr) + ")";
}

const Let *letNamed(const Program &program, const std::string &name) {
  for (const Let &let : program.lets)
    if (let.name == name)
      return &let;
  return nullptr;
}

std::string showLet(const Program &program, const std::string &name) {
  const Let *let = letNamed(program, name);
  return let ? show(program, *let->value) : "no such let";
}

/// The statements, one a line: `S = (+ S (* k v))`.
std::string showBody(const Program &program) {
  std::string text;
  for (const Statement &statement : program.body) {
    switch (statement.kind) {
    case Statement::Kind::Let:
      text += "let " + program.lets[statement.target].name;
      break;
    case Statement::Kind::Update:
      text += program.states[statement.target].name;
      break;
    case Statement::Kind::Output:
      text += "out " + program.outputs[statement.target].name;
      break;
    case Statement::Kind::Debug:
      text += "debug " + program.debugs[statement.target];
      break;
    }
    text += " = " + show(program, *statement.value) + "\n";
  }
  return text;
}

std::vector<std::string> axesOf(const Program &program, const Expr &expr) {
  std::vector<std::string> names;
  for (AxisId axis : expr.axes)
    names.push_back(program.axes[axis].name);
  return names;
}

using Names = std::vector<std::string>;

//===--- Axes -------------------------------------------------------------===//

const char *const matrix = "in q, k : bf16[K]\nin v : bf16[V]\n"
                           "state S : f32[K, V]\nS += k * v\n";

Expr valueOf(const std::string &expression) {
  Program program = programOf(std::string(matrix) + "let x = " + expression +
                                  "\nout o : f32 = 1",
                              "K = 4, V = 8");
  const Let *let = letNamed(program, "x");
  return let ? *let->value : Expr();
}

TEST(Axes, OfElementwiseOperationsAreTheUnion) {
  Program program = programOf(
      std::string(matrix) + "let a = k * v\nlet b = k + q\nlet c = max(v, k)\n"
                            "let d = where(k > 0, v, 1)\nout o : f32 = 1",
      "K = 4, V = 8");
  EXPECT_EQ(axesOf(program, *letNamed(program, "a")->value), (Names{"K", "V"}));
  EXPECT_EQ(axesOf(program, *letNamed(program, "b")->value), (Names{"K"}));
  EXPECT_EQ(axesOf(program, *letNamed(program, "c")->value), (Names{"K", "V"}));
  EXPECT_EQ(axesOf(program, *letNamed(program, "d")->value), (Names{"K", "V"}));
}

TEST(Axes, OfContractionsLackTheSharedOnes) {
  EXPECT_EQ(valueOf("k @ S").axes, (std::vector<AxisId>{1}));
  EXPECT_EQ(valueOf("S @ v").axes, (std::vector<AxisId>{0}));
  EXPECT_TRUE(valueOf("q @ k").axes.empty());
  EXPECT_TRUE(valueOf("k @ S @ v").axes.empty());
  EXPECT_TRUE(valueOf("S @ S").axes.empty());
  EXPECT_EQ(valueOf("S @ S").over, (std::vector<AxisId>{0, 1}));
}

TEST(Axes, OfReductions) {
  EXPECT_EQ(valueOf("sum[K](S)").axes, (std::vector<AxisId>{1}));
  EXPECT_TRUE(valueOf("sum[K, V](S)").axes.empty());
  EXPECT_TRUE(valueOf("norm(k)").axes.empty());
  EXPECT_EQ(valueOf("softmax[V](S)").axes, (std::vector<AxisId>{0, 1}));
}

TEST(Axes, AreRenamedAndPicked) {
  Program program = programOf("dim J = K\nin k : bf16[K]\nin x : f32[N, K]\n"
                              "let a = k * k[K -> J]\nlet b = x[N = 1]\n"
                              "let c = x[N = 1][K -> J]\nlet d = x[t - 2]\n"
                              "out o : f32 = 1",
                              "K = 4, N = 2");
  EXPECT_EQ(showLet(program, "a"), "(* k (rename:K:J k))");
  EXPECT_EQ(axesOf(program, *letNamed(program, "a")->value), (Names{"K", "J"}));
  EXPECT_EQ(showLet(program, "b"), "(pick:N:1 x)");
  EXPECT_EQ(axesOf(program, *letNamed(program, "b")->value), (Names{"K"}));
  EXPECT_EQ(showLet(program, "c"), "(rename:K:J (pick:N:1 x))");
  EXPECT_EQ(showLet(program, "d"), "(delay:2 x)");
}

TEST(Axes, OfPlainNumbersAreIndexedInOrder) {
  Program program =
      programOf("in x : f32[K]\nparam w : f32[4, K, 3]\nlet a = w[2, 1]\n"
                "let b = w[2][1]\nlet c = w[K = 0][3, 0]\nout o : f32 = 1",
                "K = 4");
  EXPECT_EQ(program.axes.size(), 3u);
  EXPECT_TRUE(program.axes[1].isPlainNumber);
  EXPECT_EQ(program.axes[1].name, "w.0");
  EXPECT_EQ(program.axes[2].name, "w.2");
  EXPECT_EQ(showLet(program, "a"), "(pick:w.2:1 (pick:w.0:2 w))");
  EXPECT_EQ(showLet(program, "b"), showLet(program, "a"));
  EXPECT_EQ(showLet(program, "c"), "(pick:w.2:0 (pick:w.0:3 (pick:K:0 w)))");
  EXPECT_EQ(program.params[0].shape, (std::vector<AxisId>{1, 0, 2}));
}

//===--- Chains -----------------------------------------------------------===//

TEST(Chains, GroupFromTheLeft) {
  Program program = programOf(
      std::string(matrix) +
          "let a = K^-0.5 * q @ S\nlet b = q * k / 2 * v\nlet c = k - q - 1\n"
          "let d = -q^2\nlet e = 2^3^2\nlet f = q * (k @ S)\nlet g = (q * k) "
          "@ S\nout o : f32 = 1",
      "K = 4, V = 8");
  EXPECT_EQ(showLet(program, "a"), "(@ (* 0.5 q) S)");
  EXPECT_EQ(showLet(program, "b"), "(* (/ (* q k) 2) v)");
  EXPECT_EQ(showLet(program, "c"), "(- (- k q) 1)");
  EXPECT_EQ(showLet(program, "d"), "(neg (* q q))");
  EXPECT_EQ(showLet(program, "e"), "512");
  EXPECT_EQ(showLet(program, "f"), "(* q (@ k S))");
  EXPECT_EQ(showLet(program, "g"), "(@ (* q k) S)");
}

TEST(Chains, AllowSharedAxesWithoutContraction) {
  EXPECT_EQ(valueOf("q * v * k").axes, (std::vector<AxisId>{0, 1}));
}

TEST(Chains, RefuseNonNeighboursThatShareAnAxis) {
  for (const char *chain : {"q * k @ S", "q @ k @ q", "q @ k * v * k"})
    EXPECT_NE(messagesOf(std::string(matrix) + "let x = " + chain +
                             "\nout o : f32 = 1",
                         "K = 4, V = 8")
                  .find("not neighbours"),
              std::string::npos)
        << chain;
}

//===--- Statements -------------------------------------------------------===//

TEST(Statements, AreWrittenOut) {
  Program program = programOf("in k : bf16[K]\nin v : bf16[V]\n"
                              "state S : f32[K, V]\nstate n : f32\nS *= 0.5\n"
                              "S += k * v\nS -= 1\nn = 2\n"
                              "debug(k @ S)\nout o : f32[V] = k @ S\n"
                              "out p : f32[V] = 2 * o\nout r : f32[K] = 0",
                              "K = 4, V = 8");
  EXPECT_EQ(showBody(program), "S = (* S 0.5)\n"
                               "S = (+ S (* k v))\n"
                               "S = (- S 1)\n"
                               "n = 2\n"
                               "debug k @ S = (@ k S)\n"
                               "let o = (@ k S)\n"
                               "out o = o\n"
                               "out p = (* 2 o)\n"
                               "out r = 0\n");
}

TEST(Statements, UnrollLoops) {
  Program program =
      programOf("in k : bf16[N, K]\nparam w : f32[3, K]\nstate S : f32[K]\n"
                "for i in N {\n  let y = k[i] * i\n  S += y\n}\n"
                "for i in 1..3 { S *= w[i] * k[t - i][N = 0] }\n"
                "for i in 0..2 { for j in N { S += w[i + 1] * k[j] } }\n"
                "out o : f32[K] = S",
                "K = 4, N = 2");
  EXPECT_EQ(showBody(program),
            "let y.0 = (* (pick:N:0 k) 0)\n"
            "S = (+ S y.0)\n"
            "let y.1 = (* (pick:N:1 k) 1)\n"
            "S = (+ S y.1)\n"
            "S = (* S (* (pick:w.0:1 w) (pick:N:0 (delay:1 k))))\n"
            "S = (* S (* (pick:w.0:2 w) (pick:N:0 (delay:2 k))))\n"
            "S = (+ S (* (pick:w.0:1 w) (pick:N:0 k)))\n"
            "S = (+ S (* (pick:w.0:1 w) (pick:N:1 k)))\n"
            "S = (+ S (* (pick:w.0:2 w) (pick:N:0 k)))\n"
            "S = (+ S (* (pick:w.0:2 w) (pick:N:1 k)))\n"
            "out o = S\n");
}

TEST(Statements, SumsOverConstantsAreExpressions) {
  Program program =
      programOf("in x : bf16[N, K]\nparam w : f32[3, K]\n"
                "let a = sum(i in 0..3 : w[i] * x[N = 0][t - i])\n"
                "let b = mean(i in N : x[i])\nlet c = max(i in N : x[i])\n"
                "let d = sum(i in N, j in 0..2 : i * j * x[i])\n"
                "let e = sum(i in 0..0 : x[i])\nout o : f32 = 1",
                "K = 4, N = 2");
  EXPECT_EQ(showLet(program, "a"),
            "(+ (+ (* (pick:w.0:0 w) (pick:N:0 x)) "
            "(* (pick:w.0:1 w) (pick:N:0 (delay:1 x)))) "
            "(* (pick:w.0:2 w) (pick:N:0 (delay:2 x))))");
  EXPECT_EQ(showLet(program, "b"), "(/ (+ (pick:N:0 x) (pick:N:1 x)) 2)");
  EXPECT_EQ(showLet(program, "c"), "(max (pick:N:0 x) (pick:N:1 x))");
  EXPECT_EQ(showLet(program, "d"),
            "(+ (+ (+ (* 0 (pick:N:0 x)) (* 0 (pick:N:0 x))) "
            "(* 0 (pick:N:1 x))) (* 1 (pick:N:1 x)))");
  EXPECT_EQ(showLet(program, "e"), "0");
}

TEST(Statements, KeepWhatALetNames) {
  Program program =
      programOf("in x : f32\nstate S : f32\nlet P = S\nS += x\nlet d = P[t - 1]"
                "\nlet e = P[t - 1][t - 2]\nout o : f32 = S - P - d - e");
  EXPECT_EQ(showBody(program), "let P = S\nS = (+ S x)\nlet d = (delay:1 P)\n"
                               "let e = (delay:3 P)\n"
                               "out o = (- (- (- S P) d) e)\n");
}

TEST(Statements, StatesHaveInitialValues) {
  Program program =
      programOf("param p : f32[K]\nstate m : f32 = -inf\n"
                "state a : f32[K] = exp(p) + 1\nstate b : f32[K] = 2\n"
                "m += 1\na += 1\nb += 1\nout o : f32[K] = a + b + m",
                "K = 4");
  EXPECT_EQ(program.states[0].initial->number, -infinity);
  EXPECT_EQ(show(program, *program.states[1].initial), "(+ (exp p) 1)");
  EXPECT_EQ(show(program, *program.states[2].initial), "2");
}

//===--- Sizes ------------------------------------------------------------===//

TEST(Sizes, AreBoundAndDerived) {
  CheckOptions options;
  options.sizes = {{"K", 6}, {"K", 12}};
  Program program = programOf("dim J = K\ndim N = 2 * K + V / 4 - 1\n"
                              "in x : f32[N, J]\nlet a = K / 5\nlet b = K^2\n"
                              "out o : f32[N, J] = x",
                              "K = 4, V = 8", "", options);
  std::vector<std::pair<std::string, int64_t>> sizes = {
      {"K", 12}, {"V", 8}, {"J", 12}, {"N", 25}};
  EXPECT_EQ(program.sizes, sizes);
  EXPECT_EQ(showLet(program, "a"), "2.4");
  EXPECT_EQ(showLet(program, "b"), "144");
}

//===--- Kinds of numbers -------------------------------------------------===//

Expr::Scalar scalarOf(const std::string &expression) {
  Program program = programOf(
      "in i, j : i32\nin x : f32\nlet y = " + expression + "\nout o : f32 = 1");
  const Let *let = letNamed(program, "y");
  return let ? let->value->scalar : Expr::Scalar::Boolean;
}

TEST(Kinds, IntegersStayIntegers) {
  for (const char *integer :
       {"i + j", "i - 1", "2 * i", "i % 4", "t % 16 + 1", "-i", "max(i, 0)",
        "where(x > 0, i, 0)", "i32(x)", "i32(x) * 3", "i % 2^3", "abs(i)",
        "i[t - 1]", "prefix_sum(i)", "stop(i)"})
    EXPECT_EQ(scalarOf(integer), Expr::Scalar::Integer) << integer;
}

TEST(Kinds, EverythingElseIsReal) {
  for (const char *real :
       {"i / j", "i / 2", "i + x", "i * 0.5", "i + 1 / 2", "exp(i)", "i^2.5",
        "where(x > 0, i, 0.5)", "f32(i)", "1 + 2", "7 % 4", "K * 2",
        "sigmoid(i)", "where(i > 0, 1, 0)"}) {
    if (std::string(real) == "K * 2")
      continue;
    EXPECT_EQ(scalarOf(real), Expr::Scalar::Real) << real;
  }
}

TEST(Kinds, ConditionsAreBoolean) {
  for (const char *boolean :
       {"i < j", "i < j <= 3", "x > 0 and i != j", "not (i == 1) or x < 2"})
    EXPECT_EQ(scalarOf(boolean), Expr::Scalar::Boolean) << boolean;
}

TEST(Kinds, WholeNumbersAreIntegersBesideIntegersOnly) {
  Program program = programOf("in i : i32\nin x : f32\nlet a = i + 3\n"
                              "let b = x + 3\nlet c = i < 3\nlet d = x < 3\n"
                              "let n = 3\nlet e = i % n\nout o : i32 = a\n"
                              "out p : f32 = i\nout r : i32 = 7");
  EXPECT_EQ(showLet(program, "a"), "(+ i 3i)");
  EXPECT_EQ(showLet(program, "b"), "(+ x 3)");
  EXPECT_EQ(showLet(program, "c"), "(< i 3i)");
  EXPECT_EQ(showLet(program, "d"), "(< x 3)");
  EXPECT_EQ(showLet(program, "n"), "3");
  EXPECT_EQ(showLet(program, "e"), "(% i 3i)");
}

TEST(Kinds, ComparisonsChain) {
  Program program = programOf("in x, y : f32\nlet c = x < y <= 1\n"
                              "out o : f32 = where(c, x, y)");
  EXPECT_EQ(showLet(program, "c"), "(and (< x y) (<= y 1))");
}

//===--- Sharing and time -------------------------------------------------===//

TEST(Sharing, IsTheFinestOfTheOperands) {
  Program program = programOf(
      "in a : f32 shared\nin b : f32 grouped\nin c : f32\nparam p : f32\n"
      "let s = a + t\nlet g = s * b\nlet h = g * c\nlet m = sum[group](h)\n"
      "let n = mean[heads](h)\nlet w = max[heads](g)\nlet k = exp(p)\n"
      "out o : f32 shared = n\nout r : f32 grouped = m");
  auto sharing = [&](const char *name) {
    return letNamed(program, name)->value->sharing;
  };
  EXPECT_EQ(sharing("s"), Sharing::Shared);
  EXPECT_EQ(sharing("g"), Sharing::Grouped);
  EXPECT_EQ(sharing("h"), Sharing::Head);
  EXPECT_EQ(sharing("m"), Sharing::Grouped);
  EXPECT_EQ(sharing("n"), Sharing::Shared);
  EXPECT_EQ(sharing("w"), Sharing::Shared);
  EXPECT_TRUE(letNamed(program, "s")->value->perToken);
  EXPECT_FALSE(letNamed(program, "k")->value->perToken);
  EXPECT_EQ(showLet(program, "n"), "(mean:heads h)");
}

TEST(Sharing, ReducesNamedAxesBeforeHeads) {
  Program program = programOf("in x : f32[K]\nlet a = sum[K, heads](x)\n"
                              "out o : f32 shared = a",
                              "K = 4");
  EXPECT_EQ(showLet(program, "a"), "(sum:heads (sum:K x))");
}

//===--- Scales -----------------------------------------------------------===//

TEST(Scales, MultiplyWhenRead) {
  Program program = programOf(
      "in k : e4m3[H, D] shared scale f32[H, D/128]\nin q : e5m2[D] scale f32\n"
      "let a = k\nlet b = k[t - 1]\nlet c = q[t - 2]\n"
      "let d = k[H = 1][t - 1]\nout o : f32 = q @ q",
      "H = 2, D = 256");
  ASSERT_EQ(program.inputs.size(), 4u);
  EXPECT_EQ(program.inputs[1].name, "k_scale");
  EXPECT_EQ(program.inputs[1].scales, 0);
  EXPECT_EQ(program.inputs[1].sharing, Sharing::Shared);
  EXPECT_EQ(program.axes[program.inputs[1].shape[1]].size, 2);
  EXPECT_EQ(showLet(program, "a"), "(* k (repeat:k_scale.1:D k_scale))");
  EXPECT_EQ(showLet(program, "b"),
            "(* (delay:1 k) (repeat:k_scale.1:D (delay:1 k_scale)))");
  EXPECT_EQ(showLet(program, "c"), "(* (delay:2 q) (delay:2 q_scale))");
  EXPECT_EQ(
      showLet(program, "d"),
      "(pick:H:1 (* (delay:1 k) (repeat:k_scale.1:D (delay:1 k_scale))))");
}

//===--- Macros -----------------------------------------------------------===//

TEST(Macros, SeeTheirParametersOnly) {
  Program program =
      programOf("in x : f32[K]\nin y : f32[V]\nlet a = centre[K](x)\n"
                "let b = twice(centre[V](y)) * K\nlet c = past(x)\n"
                "param w : f32[2]\nlet e = first(w)\nout o : f32 = 1",
                "K = 4, V = 8",
                "fn centre[A](x) = x - mean[A](x) / A^0\nfn twice(y) = y + y\n"
                "fn past(y) = y - y[t - 1]\nfn first(w) = w[0] - w[1]");
  EXPECT_EQ(showLet(program, "a"), "(- x (/ (/ (sum:K x) 4) 1))");
  EXPECT_EQ(showLet(program, "c"), "(- x (delay:1 x))");
  EXPECT_EQ(showLet(program, "e"), "(- (pick:w.0:0 w) (pick:w.0:1 w))");
}

//===--- Functions --------------------------------------------------------===//

std::string written(const std::string &expression) {
  Program program = programOf(
      "in x, y : f32[K]\nlet z = " + expression + "\nout o : f32 = 1", "K = 4");
  return showLet(program, "z");
}

TEST(Functions, AreWrittenOut) {
  EXPECT_EQ(written("relu(x)"), "(max 0 x)");
  EXPECT_EQ(written("silu(x)"), "(* x (sigm x))");
  EXPECT_EQ(written("clamp(x, 0, y)"), "(min (max x 0) y)");
  EXPECT_EQ(written("logsigmoid(x)"), "(neg (softplus (neg x)))");
  EXPECT_EQ(written("elu(x)"), "(where (> x 0) x (expm1 (min x 0)))");
  EXPECT_EQ(written("mean(x)"), "(/ (sum:K x) 4)");
  EXPECT_EQ(written("norm(x)"),
            "(where (== (sum:K (* x x)) 0) 0 (sqrt (where (== (sum:K (* x x)) "
            "0) 1 (sum:K (* x x)))))");
  EXPECT_EQ(written("norm(y @ x)"), "(abs (@ y x))");
  EXPECT_EQ(written("normalize(x)"), "(/ x (sqrt (+ (sum:K (* x x)) 1e-06)))");
  EXPECT_EQ(written("rmsnorm[K](x, eps = 0.5)"),
            "(/ x (sqrt (+ (/ (sum:K (* x x)) 4) 0.5)))");
  EXPECT_EQ(written("softmax(x)"),
            "(/ (exp (- x (stop (max:K x)))) (sum:K (exp (- x (stop (max:K "
            "x))))))");
  EXPECT_EQ(written("max(x)"), "(max:K x)");
  EXPECT_EQ(written("max(x, y)"), "(max x y)");
  EXPECT_EQ(written("x^2"), "(* x x)");
  EXPECT_EQ(written("x^4"), "(* (* x x) (* x x))");
  EXPECT_EQ(written("x^3"), "(^ x 3)");
  EXPECT_EQ(written("bf16(x)"), "(cast:2 x)");
  EXPECT_EQ(written("where(K == 4, x, 0)"), "x");
  EXPECT_EQ(written("where(K < 4, x, 1)"), "(where 0 x 1)");
  EXPECT_EQ(written("-(2 + 3) * max(4, 5) % 7"), "3");
  EXPECT_EQ(written("x[t]"), "x");
}

//===--- Ranges -----------------------------------------------------------===//

Interval rangeOf(const std::string &expression) {
  Program program = programOf(
      "in x, y : f32[K]\nin g : f32 <= 0\nin b : f32 in [0, 1]\n"
      "in d : f32 in [-2, 3]\nin p : f32 > 0\nin e : e4m3\nin i : i32\n"
      "param a : f32\nlet u = x\nlet z = " +
          expression + "\nout o : f32 = 1",
      "K = 4");
  const Let *let = letNamed(program, "z");
  return let ? let->value->range : Interval();
}

void expectRange(const char *expression, double low, double high) {
  Interval range = rangeOf(expression);
  EXPECT_EQ(range.low, low) << expression;
  EXPECT_EQ(range.high, high) << expression;
}

TEST(Ranges, OfDecays) {
  expectRange("-exp(a) * softplus(x)", -infinity, 0);
  expectRange("exp(g)", 0, 1);
  expectRange("exp(-exp(a) * softplus(x))", 0, 1);
  expectRange("sigmoid(x)", 0, 1);
  expectRange("logsigmoid(x)", -infinity, 0);
  expectRange("1 - b", 0, 1);
  expectRange("1 - sigmoid(x)", 0, 1);
  expectRange("b * exp(g)", 0, 1);
  expectRange("g - b", -infinity, 0);
}

TEST(Ranges, OfArithmetic) {
  expectRange("d + b", -2, 4);
  expectRange("d * d", 0, 9);
  expectRange("d^2", 0, 9);
  expectRange("d * b", -2, 3);
  expectRange("-d", -3, 2);
  expectRange("abs(d)", 0, 3);
  expectRange("1 / p", 0, infinity);
  expectRange("1 / (1 + b)", 0.5, 1);
  expectRange("1 / d", -infinity, infinity);
  expectRange("x * x", 0, infinity);
  expectRange("u * u", 0, infinity);
  expectRange("x * y", -infinity, infinity);
  expectRange("where(x > 0, d, 5)", -2, 5);
  expectRange("max(d, 0)", 0, 3);
  expectRange("min(d, b)", -2, 1);
  expectRange("clamp(x, -5, 5)", -5, 5);
  expectRange("d % 4", 0, 4);
  expectRange("sqrt(x)", 0, infinity);
  expectRange("b^0.5", 0, 1);
  expectRange("2^b", 1, 2 + std::ldexp(2.0, -20));
  expectRange("tanh(x)", -1, 1);
  expectRange("sign(d)", -1, 1);
  expectRange("floor(d / 2)", -1, 1);
  expectRange("relu(x)", 0, infinity);
  expectRange("e", -448, 448);
  expectRange("t", 0, 2147483647);
  expectRange("i + 1", -2147483648.0, 2147483647);
}

TEST(Ranges, OfReductions) {
  expectRange("x @ x", 0, infinity);
  expectRange("x @ y", -infinity, infinity);
  expectRange("norm(x)", 0, infinity);
  expectRange("normalize(x)", -1, 1);
  expectRange("softmax(x)", 0, 1);
  expectRange("sum(x^2) + 1", 1, infinity);
  expectRange("prefix_sum(g)", -infinity, 0);
  expectRange("sum[heads](b)", 0, infinity);
  expectRange("mean[heads](b)", 0, 1);
  expectRange("max(sigmoid(x))", 0, 1);
  Interval sum = rangeOf("sum(sigmoid(x))");
  EXPECT_EQ(sum.low, 0);
  EXPECT_NEAR(sum.high, 4, 1e-4);
  EXPECT_GE(sum.high, 4);
}

TEST(Ranges, OfDelaysHoldTheZeroBeforeTheStart) {
  Program program = programOf("in b : f32 in [2, 3]\nlet z = b[t - 1]\n"
                              "out o : f32 = z");
  EXPECT_EQ(letNamed(program, "z")->value->range.low, 0);
  EXPECT_EQ(letNamed(program, "z")->value->range.high, 3);
}

TEST(Ranges, OfConstantsHoldTheirF32Neighbours) {
  Interval range = rangeOf("b * 0.1");
  EXPECT_EQ(range.low, 0);
  EXPECT_GE(range.high, static_cast<double>(0.1f));
  EXPECT_LT(range.high, 0.1000001);
  EXPECT_EQ(rangeOf("b * 1e39").high, infinity);
}

TEST(Ranges, OfCasts) {
  expectRange("e4m3(x)", -448, 448);
  expectRange("bf16(b)", 0, 1);
  Interval range = rangeOf("e4m3(d * 10)");
  EXPECT_LE(range.low, -20);
  EXPECT_GE(range.high, 30);
}

TEST(Ranges, AreDeclared) {
  Program program = programOf(
      "in a : f32 in (0, K]\nin b : f32 < 1\nin c : f32 >= -0.5\n"
      "state s : f32 in [0, 1]\ns *= 0.5\nout o : f32 = a * b * c * s",
      "K = 8");
  ASSERT_EQ(program.inputs.size(), 3u);
  Interval a = *program.inputs[0].range;
  EXPECT_TRUE(a.lowOpen);
  EXPECT_FALSE(a.highOpen);
  EXPECT_EQ(a.low, 0);
  EXPECT_EQ(a.high, 8);
  EXPECT_TRUE(program.inputs[1].range->highOpen);
  EXPECT_EQ(program.inputs[1].range->low, -infinity);
  EXPECT_EQ(program.inputs[2].range->low, -0.5);
  EXPECT_EQ(program.states[0].range->high, 1);
  EXPECT_FALSE(program.outputs[0].range);
}

//===--- One mistake, one message -----------------------------------------===//

size_t errorsIn(const std::string &body, const std::string &sizes = "K = 4") {
  size_t count = 0;
  std::string messages = messagesOf(body, sizes);
  for (size_t at = 0; (at = messages.find("error: ", at)) != std::string::npos;
       ++at)
    ++count;
  return count;
}

TEST(Errors, DoNotCascade) {
  EXPECT_EQ(errorsIn("in x : f32[Q]\nlet a = x * 2\nlet b = norm[K](a) @ x\n"
                     "state S : f32[K]\nS += b\nS *= x\nout o : f32[K] = S"),
            1u);
  EXPECT_EQ(errorsIn("let a = foo(1)\nlet b = a[t - 1][N = 3] and a\n"
                     "out o : f32[K] = where(b, a, a[0])"),
            1u);
  EXPECT_EQ(errorsIn("for i in 0..4 { let a = nothing * i }\n"
                     "out o : f32[K] = 1"),
            1u);
  EXPECT_EQ(errorsIn("state S : f33[K]\nS += 1\nS -= S @ S\n"
                     "out o : f32[K] = S"),
            1u);
  EXPECT_EQ(errorsIn("out o : f32[K] = missing\nout p : f32[K] = o + missing"),
            1u);
}

TEST(Errors, OfHugeProgramsEnd) {
  std::string body = "in x : f32\nlet y = ";
  for (int i = 0; i < 900; ++i)
    body += "x + ";
  EXPECT_EQ(messagesOf(body + "1\nout o : f32 = y"), "");
  std::string nested = "in x : f32\nout o : f32 = ";
  for (int i = 0; i < 200; ++i)
    nested += "exp(";
  nested += "x" + std::string(200, ')');
  EXPECT_EQ(messagesOf(nested), "");
  std::string functions = "fn d0(x) = x + x\n";
  for (int i = 1; i < 40; ++i)
    functions += "fn d" + std::to_string(i) + "(x) = d" +
                 std::to_string(i - 1) + "(x) + d" + std::to_string(i - 1) +
                 "(x)\n";
  EXPECT_NE(messagesOf("in x : f32\nout o : f32 = d39(x)", "", functions)
                .find("too large"),
            std::string::npos);
  EXPECT_NE(messagesOf("in x : f32\nout o : f32 = sum(i in 0..4096, j in "
                       "0..4096 : x)")
                .find("too many terms"),
            std::string::npos);
}

} // namespace
