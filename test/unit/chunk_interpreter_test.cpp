// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The chunk interpreter against loops over tokens: programs written in chunk
// operations must compute the recurrence that the operations' definitions add
// up to, whatever the chunk size.
#include "ChunkText.h"

using namespace trowel;
using namespace trowel::test;

namespace {

constexpr int64_t K = 3, V = 2, T = 23, H = 2;
constexpr int64_t chunkSizes[] = {1, 7, 16, T};

class ChunkInterpreter : public ::testing::TestWithParam<int64_t> {
protected:
  int64_t C = GetParam();
  Modules modules;
  Batch batch;
  TensorMap in;
  std::mt19937 generator{7};

  void SetUp() override {
    batch.tokens = T;
    batch.heads = H;
  }

  /// An input [1, T, H, …] of the program.
  void input(std::string name, std::vector<int64_t> axes, double low = -1,
             double high = 1, double zeros = 0) {
    std::vector<int64_t> shape{1, T, H};
    shape.insert(shape.end(), axes.begin(), axes.end());
    in[name] = random(generator, shape, low, high, zeros);
  }
  void state(std::string name, std::vector<int64_t> axes) {
    std::vector<int64_t> shape{batch.sequences(), H};
    shape.insert(shape.end(), axes.begin(), axes.end());
    in[name] = random(generator, shape, -1, 1);
  }
  TensorMap run(const std::string &body, int64_t rows = 1) {
    Sizes sizes{{"t", C},      {"t.s", C}, {"t.r", rows},
                {"t.w", rows}, {"K", K},   {"V", V}};
    std::string text = R"(chunk.program @p tokens )" + std::to_string(C) +
                       R"( axes ["K", "V"] sizes [3, 2] {)" + body + "}";
    auto program = modules.parse<chunk::ProgramOp>(withTypes(text, sizes));
    return evaluateChunks(program, batch, in);
  }
  /// An input's element i at a token of a head.
  double x(const std::string &name, int64_t t, int64_t head, int64_t i = 0) {
    const Tensor &tensor = in.at(name);
    int64_t width = tensor.elementCount() / (T * H);
    return tensor.data[(t * H + head) * width + i];
  }
};

//===----------------------------------------------------------------------===//
// One state
//===----------------------------------------------------------------------===//

/// o_t = q_t @ S + c_t v_t with S as token t begins; then S = phi_t S + k_t
/// v_t.
struct OneState {
  Tensor o{{1, T, H, V}}, S;

  template <class X>
  OneState(X x, const Tensor &initial, bool channels) : S(initial) {
    for (int64_t h = 0; h < H; ++h)
      for (int64_t t = 0; t < T; ++t)
        for (int64_t v = 0; v < V; ++v) {
          double sum = x("c", t, h, 0) * x("v", t, h, v);
          for (int64_t k = 0; k < K; ++k) {
            double &s = S.data[(h * K + k) * V + v];
            sum += x("q", t, h, k) * s;
            double phi = x("phi", t, h, channels ? k : 0);
            s = phi * s + x("k", t, h, k) * x("v", t, h, v);
          }
          o.data[(t * H + h) * V + v] = sum;
        }
  }
};

std::string oneState(const std::string &phi) {
  std::string inputPhi = phi == "t" ? "[]" : "[\"K\"]";
  std::string total = phi == "t" ? "{}" : "{K}";
  return R"(
    %q = rec.input "q" head f32 ["K"] : {t K}
    %k = rec.input "k" head f32 ["K"] : {t K}
    %v = rec.input "v" head f32 ["V"] : {t V}
    %c = rec.input "c" head f32 [] : {t}
    %phi = rec.input "phi" head f32 )" +
         inputPhi + " : {" + phi + R"(}
    %S = rec.state "S" head f32 ["K", "V"] : {K V}
    %F = chunk.pull phi(%phi : {)" +
         phi + R"(}) [0, 0] row(%q : {t K}) [0] to [0] -> {t K}
    %Kh = chunk.push phi(%phi : {)" +
         phi + R"(}) [0, 0] key(%k : {t K}) [0] to [0] -> {t K}
    %P = chunk.total phi(%phi : {)" +
         phi + R"(}) [0, 0] to [0, 0] -> )" + total + R"(
    %G = chunk.gram phi(%phi : {)" +
         phi + R"(}) [0, 0] rows(%q : {t K}) [0, 0]
      keys(%k : {t K}) [0, 0] within(%c : {t}) [0, 0] -> {t t.r t.s t.w}
    %G0 = rec.pick %G "t.r" at 0 : {t t.r t.s t.w} -> {t t.s t.w}
    %G1 = rec.pick %G0 "t.w" at 0 : {t t.s t.w} -> {t t.s}
    %vs = rec.rename %v "t" to "t.s" : {t V} -> {t.s V}
    %o0 = rec.contract %F, %S over ["K"] : ({t K}, {K V}) -> {t V}
    %o1 = rec.contract %G1, %vs over ["t.s"] : ({t t.s}, {t.s V}) -> {t V}
    %o = rec.map add(%o0, %o1) : ({t V}, {t V}) -> {t V}
    %S0 = rec.map mul(%P, %S) : ()" +
         total + R"(, {K V}) -> {K V}
    %S1 = rec.contract %Kh, %v over ["t"] : ({t K}, {t V}) -> {K V}
    %S2 = rec.map add(%S0, %S1) : ({K V}, {K V}) -> {K V}
    rec.output "o" head f32 ["V"], %o : {t V}
    rec.update "S", %S2 : {K V})";
}

TEST_P(ChunkInterpreter, OneStateWithAFactorForEachChannel) {
  for (const char *name : {"q", "k"})
    input(name, {K});
  input("v", {V});
  input("c", {});
  input("phi", {K}, -1.1, 1.1, 0.2);
  state("S", {K, V});
  TensorMap out = run(oneState("t K"));
  auto at = [&](auto... a) { return x(a...); };
  OneState expected(at, in["S"], /*channels=*/true);
  expectNear(out["o"], expected.o);
  expectNear(out["S"], expected.S);
}

TEST_P(ChunkInterpreter, OneStateWithOneFactor) {
  for (const char *name : {"q", "k"})
    input(name, {K});
  input("v", {V});
  input("c", {});
  input("phi", {}, -1.1, 1.1, 0.2);
  state("S", {K, V});
  TensorMap out = run(oneState("t"));
  auto at = [&](auto... a) { return x(a...); };
  OneState expected(at, in["S"], /*channels=*/false);
  expectNear(out["o"], expected.o);
  expectNear(out["S"], expected.S);
}

//===----------------------------------------------------------------------===//
// Two states
//===----------------------------------------------------------------------===//

/// The transition is ((a, b), (c, 0)): a and c on t, b on channels.
const char *const twoStates = R"(
    %q = rec.input "q" head f32 ["K"] : {t K}
    %p = rec.input "p" head f32 ["K"] : {t K}
    %k = rec.input "k" head f32 ["K"] : {t K}
    %j = rec.input "j" head f32 ["K"] : {t K}
    %v = rec.input "v" head f32 ["V"] : {t V}
    %a = rec.input "a" head f32 [] : {t}
    %b = rec.input "b" head f32 ["K"] : {t K}
    %c = rec.input "c" head f32 [] : {t}
    %S = rec.state "S" head f32 ["K", "V"] : {K V}
    %Z = rec.state "Z" head f32 ["K", "V"] : {K V}
    %F:2 = chunk.pull phi(%a, %b, %c : {t}, {t K}, {t}) [0, 0, 0, 1, 1, 0]
      row(%q, %p : {t K}, {t K}) [0, 1] to [0, 1] -> {t K}, {t K}
    %Kh:2 = chunk.push phi(%a, %b, %c : {t}, {t K}, {t}) [0, 0, 0, 1, 1, 0]
      key(%k, %j : {t K}, {t K}) [0, 1] to [0, 1] -> {t K}, {t K}
    %P:4 = chunk.total phi(%a, %b, %c : {t}, {t K}, {t}) [0, 0, 0, 1, 1, 0]
      to [0, 0, 0, 1, 1, 0, 1, 1] -> {K}, {K}, {K}, {K}
    %G = chunk.gram phi(%a, %b, %c : {t}, {t K}, {t}) [0, 0, 0, 1, 1, 0]
      rows(%q, %p : {t K}, {t K}) [0, 0, 0, 1]
      keys(%k, %j : {t K}, {t K}) [0, 0, 0, 1] within() [] -> {t t.r t.s t.w}
    %G0 = rec.pick %G "t.r" at 0 : {t t.r t.s t.w} -> {t t.s t.w}
    %G1 = rec.pick %G0 "t.w" at 0 : {t t.s t.w} -> {t t.s}
    %vs = rec.rename %v "t" to "t.s" : {t V} -> {t.s V}
    %o0 = rec.contract %F#0, %S over ["K"] : ({t K}, {K V}) -> {t V}
    %o1 = rec.contract %F#1, %Z over ["K"] : ({t K}, {K V}) -> {t V}
    %o2 = rec.contract %G1, %vs over ["t.s"] : ({t t.s}, {t.s V}) -> {t V}
    %o3 = rec.map add(%o0, %o1) : ({t V}, {t V}) -> {t V}
    %o = rec.map add(%o2, %o3) : ({t V}, {t V}) -> {t V}
    rec.output "o" head f32 ["V"], %o : {t V}
    %S0 = rec.map mul(%P#0, %S) : ({K}, {K V}) -> {K V}
    %S1 = rec.map mul(%P#1, %Z) : ({K}, {K V}) -> {K V}
    %S2 = rec.contract %Kh#0, %v over ["t"] : ({t K}, {t V}) -> {K V}
    %S3 = rec.map add(%S0, %S1) : ({K V}, {K V}) -> {K V}
    %S4 = rec.map add(%S2, %S3) : ({K V}, {K V}) -> {K V}
    rec.update "S", %S4 : {K V}
    %Z0 = rec.map mul(%P#2, %S) : ({K}, {K V}) -> {K V}
    %Z1 = rec.map mul(%P#3, %Z) : ({K}, {K V}) -> {K V}
    %Z2 = rec.contract %Kh#1, %v over ["t"] : ({t K}, {t V}) -> {K V}
    %Z3 = rec.map add(%Z0, %Z1) : ({K V}, {K V}) -> {K V}
    %Z4 = rec.map add(%Z2, %Z3) : ({K V}, {K V}) -> {K V}
    rec.update "Z", %Z4 : {K V})";

TEST_P(ChunkInterpreter, TwoStatesThatExchange) {
  for (const char *name : {"q", "p", "k", "j", "b"})
    input(name, {K}, -1, 1, 0.1);
  input("v", {V});
  input("a", {}, -1, 1, 0.2);
  input("c", {});
  state("S", {K, V});
  state("Z", {K, V});
  TensorMap out = run(twoStates);
  Tensor o({1, T, H, V}), S = in["S"], Z = in["Z"];
  for (int64_t h = 0; h < H; ++h)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t v = 0; v < V; ++v)
        for (int64_t k = 0; k < K; ++k) {
          double &s = S.data[(h * K + k) * V + v];
          double &z = Z.data[(h * K + k) * V + v];
          o.data[(t * H + h) * V + v] +=
              x("q", t, h, k) * s + x("p", t, h, k) * z;
          double write = x("v", t, h, v), old = s;
          s = x("a", t, h) * s + x("b", t, h, k) * z + x("k", t, h, k) * write;
          z = x("c", t, h) * old + x("j", t, h, k) * write;
        }
  expectNear(out["o"], o);
  expectNear(out["S"], S);
  expectNear(out["Z"], Z);
}

//===----------------------------------------------------------------------===//
// Solves
//===----------------------------------------------------------------------===//

/// Two rows a token, the second reading the first:
///   u0 = v - k0 @ S, u1 = v + m u0 - k1 @ S; S += k0 u0 + k1 u1;
/// u1 also as z by the inverse.
TEST_P(ChunkInterpreter, SolvesForTheRowsOfAToken) {
  for (const char *name : {"k0", "k1"})
    input(name, {K}, -0.7, 0.7);
  input("v", {V});
  input("m", {});
  state("S", {K, V});
  TensorMap out = run(R"(
    %k0 = rec.input "k0" head f32 ["K"] : {t K}
    %k1 = rec.input "k1" head f32 ["K"] : {t K}
    %v = rec.input "v" head f32 ["V"] : {t V}
    %m = rec.input "m" head f32 [] : {t}
    %S = rec.state "S" head f32 ["K", "V"] : {K V}
    %b0 = rec.map neg(%k0) : ({t K}) -> {t K}
    %b1 = rec.map neg(%k1) : ({t K}) -> {t K}
    %M = chunk.gram phi() [] rows(%b0, %b1 : {t K}, {t K}) [0, 0, 1, 0]
      keys(%k0, %k1 : {t K}, {t K}) [0, 0, 1, 0] within(%m : {t}) [1, 0]
      -> {t t.r t.s t.w}
    %r0 = rec.contract %b0, %S over ["K"] : ({t K}, {K V}) -> {t V}
    %r1 = rec.contract %b1, %S over ["K"] : ({t K}, {K V}) -> {t V}
    %x0 = rec.map add(%v, %r0) : ({t V}, {t V}) -> {t V}
    %x1 = rec.map add(%v, %r1) : ({t V}, {t V}) -> {t V}
    %X = rec.stack "t.r" %x0, %x1 : {t V}, {t V} -> {t t.r V}
    %U = chunk.solve %M, %X : {t t.r t.s t.w}, {t t.r V} -> {t t.r V}
    %u0 = rec.pick %U "t.r" at 0 : {t t.r V} -> {t V}
    %u1 = rec.pick %U "t.r" at 1 : {t t.r V} -> {t V}
    rec.output "u0" head f32 ["V"], %u0 : {t V}
    rec.output "u1" head f32 ["V"], %u1 : {t V}
    %T = chunk.inverse %M : {t t.r t.s t.w} -> {t t.r t.s t.w}
    %y0 = rec.rename %x0 "t" to "t.s" : {t V} -> {t.s V}
    %y1 = rec.rename %x1 "t" to "t.s" : {t V} -> {t.s V}
    %T1 = rec.pick %T "t.r" at 1 : {t t.r t.s t.w} -> {t t.s t.w}
    %T10 = rec.pick %T1 "t.w" at 0 : {t t.s t.w} -> {t t.s}
    %T11 = rec.pick %T1 "t.w" at 1 : {t t.s t.w} -> {t t.s}
    %z0 = rec.contract %T10, %y0 over ["t.s"] : ({t t.s}, {t.s V}) -> {t V}
    %z1 = rec.contract %T11, %y1 over ["t.s"] : ({t t.s}, {t.s V}) -> {t V}
    %z = rec.map add(%z0, %z1) : ({t V}, {t V}) -> {t V}
    rec.output "z" head f32 ["V"], %z : {t V}
    %S0 = rec.contract %k0, %u0 over ["t"] : ({t K}, {t V}) -> {K V}
    %S1 = rec.contract %k1, %u1 over ["t"] : ({t K}, {t V}) -> {K V}
    %S2 = rec.map add(%S, %S0) : ({K V}, {K V}) -> {K V}
    %S3 = rec.map add(%S2, %S1) : ({K V}, {K V}) -> {K V}
    rec.update "S", %S3 : {K V})",
                      /*rows=*/2);
  Tensor u0({1, T, H, V}), u1({1, T, H, V}), S = in["S"];
  for (int64_t h = 0; h < H; ++h)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t v = 0; v < V; ++v) {
        double &first = u0.data[(t * H + h) * V + v];
        double &second = u1.data[(t * H + h) * V + v];
        first = x("v", t, h, v);
        second = x("v", t, h, v);
        for (int64_t k = 0; k < K; ++k) {
          first -= x("k0", t, h, k) * S.data[(h * K + k) * V + v];
          second -= x("k1", t, h, k) * S.data[(h * K + k) * V + v];
        }
        second += x("m", t, h) * first;
        for (int64_t k = 0; k < K; ++k)
          S.data[(h * K + k) * V + v] +=
              x("k0", t, h, k) * first + x("k1", t, h, k) * second;
      }
  expectNear(out["u0"], u0, 1e-10);
  expectNear(out["u1"], u1, 1e-10);
  expectNear(out["z"], u1, 1e-10);
  expectNear(out["S"], S, 1e-10);
}

/// u = v - (g if `row`) (k @ S); S = g S + k (g if `column`) u; g on V.

std::string decayedSolve(const std::string &inclusive) {
  bool row = inclusive == "row", column = inclusive == "column";
  std::string scaled = row ? "rec.map mul(%r0, %g) : ({t V}, {t V}) -> {t V}"
                           : "rec.map mul(%r0, %one) : ({t V}, {}) -> {t V}";
  std::string later = column ? "rec.map mul(%u, %g) : ({t V}, {t V}) -> {t V}"
                             : "rec.map mul(%u, %one) : ({t V}, {}) -> {t V}";
  return R"(
    %k = rec.input "k" head f32 ["K"] : {t K}
    %v = rec.input "v" head f32 ["V"] : {t V}
    %g = rec.input "g" head f32 ["V"] : {t V}
    %S = rec.state "S" head f32 ["K", "V"] : {K V}
    %one = rec.constant dense<1.0> : tensor<f64, #rec.axes<>> : {}
    %ones = rec.map add(%v, %v) : ({t V}, {t V}) -> {t V}
    %unit = rec.map div(%ones, %ones) : ({t V}, {t V}) -> {t V}
    %b = rec.map neg(%k) : ({t K}) -> {t K}
    %M = chunk.gram phi() [] rows(%b : {t K}) [0, 0] keys(%k : {t K}) [0, 0]
      within() [] -> {t t.r t.s t.w}
    %D = chunk.pull phi(%g : {t V}) [0, 0] row(%unit : {t V}) [0] to [0] -> {t V}
    %r = rec.contract %b, %S over ["K"] : ({t K}, {K V}) -> {t V}
    %r0 = rec.map mul(%r, %D) : ({t V}, {t V}) -> {t V}
    %r1 = )" +
         scaled + R"(
    %x = rec.map add(%v, %r1) : ({t V}, {t V}) -> {t V}
    %X = rec.stack "t.r" %x : {t V} -> {t t.r V}
    %U = chunk.solve %M, %X decay %g : {t V} {inclusive = ")" +
         inclusive +
         R"("} : {t t.r t.s t.w}, {t t.r V} -> {t t.r V}
    %u = rec.pick %U "t.r" at 0 : {t t.r V} -> {t V}
    rec.output "u" head f32 ["V"], %u : {t V}
    %later = )" +
         later + R"(
    %P = chunk.total phi(%g : {t V}) [0, 0] to [0, 0] -> {V}
    %W = chunk.push phi(%g : {t V}) [0, 0] key(%later : {t V}) [0] to [0] -> {t V}
    %S0 = rec.map mul(%P, %S) : ({V}, {K V}) -> {K V}
    %S1 = rec.contract %k, %W over ["t"] : ({t K}, {t V}) -> {K V}
    %S2 = rec.map add(%S0, %S1) : ({K V}, {K V}) -> {K V}
    rec.update "S", %S2 : {K V})";
}

TEST_P(ChunkInterpreter, SolvesWithADecayOfTheValues) {
  input("k", {K}, -0.7, 0.7);
  input("v", {V}, 0.1, 1);
  input("g", {V}, -1, 1, 0.1);
  state("S", {K, V});
  for (const std::string inclusive : {"none", "row", "column"}) {
    SCOPED_TRACE(inclusive);
    TensorMap out = run(decayedSolve(inclusive));
    Tensor u({1, T, H, V}), S = in["S"];
    for (int64_t h = 0; h < H; ++h)
      for (int64_t t = 0; t < T; ++t)
        for (int64_t v = 0; v < V; ++v) {
          double read = 0, g = x("g", t, h, v);
          for (int64_t k = 0; k < K; ++k)
            read += x("k", t, h, k) * S.data[(h * K + k) * V + v];
          double &row = u.data[(t * H + h) * V + v];
          row = x("v", t, h, v) - (inclusive == "row" ? g : 1) * read;
          for (int64_t k = 0; k < K; ++k) {
            double &s = S.data[(h * K + k) * V + v];
            s = g * s + x("k", t, h, k) * (inclusive == "column" ? g : 1) * row;
          }
        }
    expectNear(out["u"], u, 1e-10);
    expectNear(out["S"], S, 1e-10);
  }
}

/// Y_t = sum over earlier tokens of the chunk of (p_t . v_s) phi... k_s.
TEST_P(ChunkInterpreter, AppliesAMatrixToCarriedKeys) {
  for (const char *name : {"p", "v"})
    input(name, {V});
  input("k", {K});
  input("phi", {K}, -1, 1, 0.2);
  TensorMap out = run(R"(
    %p = rec.input "p" head f32 ["V"] : {t V}
    %v = rec.input "v" head f32 ["V"] : {t V}
    %k = rec.input "k" head f32 ["K"] : {t K}
    %phi = rec.input "phi" head f32 ["K"] : {t K}
    %G = chunk.gram phi() [] rows(%p : {t V}) [0, 0] keys(%v : {t V}) [0, 0]
      within() [] -> {t t.r t.s t.w}
    %Y = chunk.apply phi(%phi : {t K}) [0, 0] %G : {t t.r t.s t.w}
      keys(%k : {t K}) [0, 0] to [0] -> {t t.r K}
    %y = rec.pick %Y "t.r" at 0 : {t t.r K} -> {t K}
    rec.output "y" head f32 ["K"], %y : {t K})");
  Tensor y({1, T, H, K});
  for (int64_t h = 0; h < H; ++h)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t s = t / C * C; s < t; ++s)
        for (int64_t k = 0; k < K; ++k) {
          double factor = 0;
          for (int64_t v = 0; v < V; ++v)
            factor += x("p", t, h, v) * x("v", s, h, v);
          factor *= x("k", s, h, k);
          for (int64_t between = s + 1; between < t; ++between)
            factor *= x("phi", between, h, k);
          y.data[(t * H + h) * K + k] += factor;
        }
  expectNear(out["y"], y);
}

//===----------------------------------------------------------------------===//
// Loops, delays, positions, heads
//===----------------------------------------------------------------------===//

TEST_P(ChunkInterpreter, RunsALoopOverTheTokens) {
  input("x", {V});
  state("h", {V});
  TensorMap out = run(R"(
    %x = rec.input "x" head f32 ["V"] : {t V}
    %h = rec.state "h" head f32 ["V"] : {V}
    %r:2 = chunk.sequential %h : {V} -> {V}, {t V} {
    ^bb0(%s: {V}):
      %y = chunk.token %x : {t V} -> {V}
      %z = rec.map add(%s, %y) : ({V}, {V}) -> {V}
      %n = rec.map tanh(%z) : ({V}) -> {V}
      chunk.yield %n, %z : {V}, {V}
    }
    rec.output "z" head f32 ["V"], %r#1 : {t V}
    rec.update "h", %r#0 : {V})");
  Tensor z({1, T, H, V}), state = in["h"];
  for (int64_t h = 0; h < H; ++h)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t v = 0; v < V; ++v) {
        double sum = state.data[h * V + v] + x("x", t, h, v);
        z.data[(t * H + h) * V + v] = sum;
        state.data[h * V + v] = std::tanh(sum);
      }
  expectNear(out["z"], z);
  expectNear(out["h"], state);
}

const char *const delays = R"(
    %x = rec.input "x" head f32 [] : {t}
    %p = rec.position : {i32 t}
    %r = rec.map to_real(%p) : ({i32 t}) -> {t}
    %d1 = rec.delay %x by 1 : {t}
    %d9 = rec.delay %r by 9 : {t}
    %h = rec.state "sum" head f32 [] hidden : {}
    %s = rec.reduce sum %x over ["t"] : {t} -> {}
    %n = rec.map add(%h, %s) : ({}, {}) -> {}
    rec.update "sum", %n : {}
    rec.output "d1" head f32 [], %d1 : {t}
    rec.output "d9" head f32 [], %d9 : {t}
    %b = rec.map add(%h, %x) : ({}, {t}) -> {t}
    rec.output "b" head f32 [], %b : {t})";

/// Sequences start anew: delays, positions and hidden states, one sequence
/// being empty.
TEST_P(ChunkInterpreter, BeginsEverySequenceAnew) {
  input("x", {});
  batch.cuSeqlens = {0, 12, 12, T};
  TensorMap out = run(delays);
  for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 12}, {12, T}})
    for (int64_t h = 0; h < H; ++h) {
      double sum = 0; // as the chunk begins
      for (int64_t t = begin; t < end; ++t) {
        int64_t at = t * H + h, position = t - begin;
        EXPECT_EQ(out["d1"].data[at], position < 1 ? 0 : x("x", t - 1, h));
        EXPECT_EQ(out["d9"].data[at], position < 9 ? 0 : position - 9);
        if (position % C == 0) {
          sum = 0;
          for (int64_t s = begin; s < t; ++s)
            sum += x("x", s, h);
        }
        EXPECT_NEAR(out["b"].data[at], sum + x("x", t, h), 1e-12);
      }
    }
  EXPECT_EQ(out.count("sum"), 0u);
}

/// An empty sequence ends with the state that it began with.
TEST_P(ChunkInterpreter, KeepsTheStateOfAnEmptySequence) {
  batch.cuSeqlens = {0, 0, T};
  input("x", {V});
  in["p"] = random(generator, {H, V}, -1, 1);
  const char *text = R"(
    %x = rec.input "x" head f32 ["V"] : {t V}
    %p = rec.param "p" head f32 ["V"] : {V}
    %i = rec.map neg(%p) : ({V}) -> {V}
    %h = rec.state "h" head f32 ["V"] initial %i : {V} : {V}
    %s = rec.reduce sum %x over ["t"] : {t V} -> {V}
    %n = rec.map add(%h, %s) : ({V}, {V}) -> {V}
    rec.update "h", %n : {V})";
  TensorMap out = run(text);
  Tensor expected({2, H, V});
  for (int64_t i = 0; i < H * V; ++i) {
    expected.data[i] = expected.data[H * V + i] = -in["p"].data[i];
    for (int64_t t = 0; t < T; ++t)
      expected.data[H * V + i] += in["x"].data[t * H * V + i];
  }
  expectNear(out["h"], expected);
  state("h", {V});
  out = run(text);
  EXPECT_TRUE(std::equal(in["h"].data.begin(), in["h"].data.begin() + H * V,
                         out["h"].data.begin()));
}

/// Four heads in two groups; layouts in the order that the caller has.
TEST_P(ChunkInterpreter, KnowsGroupsAndLayouts) {
  batch.batch = 2;
  batch.heads = 4;
  batch.groups = 2;
  in["a"] = random(generator, {2, T, 2, V, K}, -1, 1);
  in["w"] = random(generator, {K}, -1, 1);
  in["b"] = random(generator, {2, T, 4, V}, -1, 1);
  TensorMap out = run(R"(
    %a = rec.input "a" grouped f32 ["V", "K"] : {t K V}
    %w = rec.param "w" shared f32 ["K"] : {K}
    %b = rec.input "b" head f32 ["V"] : {t V}
    %S = rec.state "S" grouped f32 ["V", "K"] : {K V}
    %s = rec.reduce sum %a over ["t"] : {t K V} -> {K V}
    %n = rec.map add(%S, %s) : ({K V}, {K V}) -> {K V}
    rec.update "S", %n : {K V}
    %y = rec.contract %w, %a over ["K"] : ({K}, {t K V}) -> {t V}
    %z = rec.map mul(%y, %b) : ({t V}, {t V}) -> {t V}
    rec.output "z" head f32 ["V"], %z : {t V}
    %h = rec.reduce_heads sum %b to grouped : {t V}
    rec.output "h" grouped f32 ["V"], %h : {t V})");
  Tensor z({2, T, 4, V}), h({2, T, 2, V}), S({2, 2, V, K});
  for (int64_t n = 0; n < 2 * T * 4; ++n)
    for (int64_t v = 0; v < V; ++v) {
      int64_t group = n / 2;
      for (int64_t k = 0; k < K; ++k) {
        double a = in["a"].data[(group * V + v) * K + k];
        z.data[n * V + v] += in["w"].data[k] * a * in["b"].data[n * V + v];
        if (n % 2 == 0)
          S.data[((n / (T * 4) * 2 + group % 2) * V + v) * K + k] += a;
      }
      h.data[group * V + v] += in["b"].data[n * V + v];
    }
  expectNear(out["z"], z);
  expectNear(out["h"], h);
  expectNear(out["S"], S);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ChunkInterpreter,
                         ::testing::ValuesIn(chunkSizes));

} // namespace
