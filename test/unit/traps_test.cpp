// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs on which a natural reading of the derivation gives wrong numbers:
// each must be right, in the form named here, or refused.

#include "dialect/Reference/ChunkInterpreter.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

using namespace trowel;
using namespace trowel::test;

namespace {

struct Trap {
  const char *name;
  const char *expected; // class of S, or "refused"
  const char *body;
  std::map<std::string, double> fixed = {}; // inputs held at one value
};

const char *declarations = "in q, k, b, kk : f32[K]\n"
                           "in v, vv, bv : f32[V]\n"
                           "in a, c, beta, g, gate : f32\n"
                           "in ak : f32[K]\n"
                           "in gk : f32[K] <= 0\n"
                           "in gv : f32[V] <= 0\n"
                           "in cv : f32[V]\n"
                           "in j : f32[J]\n"
                           "in kn : f32[N, K]\n"
                           "in vn : f32[N, V]\n"
                           "in bn : f32[N]\n";

const Trap traps[] = {
    {"GrowingState",
     "chunk",
     "state S : f32[K, V]\n S *= exp(g)\n S += k * v\n out o : f32[V] = q @ S",
     {{"g", 0.05}}},
    {"FactorIsZero",
     "chunk",
     "state S : f32[K, V]\n S *= 1 - beta\n S += k * (v - 0.3 * (k @ S))\n"
     "out o : f32[V] = q @ S",
     {{"beta", 1}}},
    {"FactorIsNegative", "chunk",
     "state S : f32[K, V]\n S *= tanh(ak)\n S += k * v\n out o : f32[V] = q @ "
     "S"},
    {"ResetByWhere", "chunk",
     "state S : f32[K, V]\n S *= where(g > 0.5, 0, 1)\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"StateBeginsLearned", "chunk",
     "param s0 : f32[K, V]\n state S : f32[K, V] = 0.5 * tanh(s0)\n"
     "S *= exp(-abs(g))\n S += k * (v - k @ S)\n out o : f32[V] = q @ S"},
    {"SharedParamBeginsTwoStates", "chunk",
     "param s0 : f32 shared\n state m : f32 = -exp(s0)\n"
     "state S : f32[K, V]\n m = max(m, c)\n S += exp(c - m) * k * v\n"
     "state n : f32 = s0 * s0\n n = 0.9 * n + beta\n"
     "out o : f32[V] = (q @ S) * n * s0"},
    {"StabiliserStartsAtMinusInfinity", "chunk",
     "state m : f32 = -inf\n state S : f32[K, V]\n let m0 = m\n"
     "m = max(logsigmoid(g) + m0, c)\n S = exp(logsigmoid(g) + m0 - m) * S\n"
     "S += exp(c - m) * k * v\n out o : f32[V] = q @ S"},
    {"StrongValueGate",
     "chunk",
     "state S : f32[K, V]\n S *= exp(gv)\n S += k * v\n out o : f32[V] = q @ S",
     {{"gv", -40}}},
    {"ValueGateAndDeltaRule", "chunk",
     "state S : f32[K, V]\n S *= exp(gv)\n S += k * (v - 0.5 * (k @ S))\n"
     "out o : f32[V] = q @ S"},
    {"ValueGateAfterDeltaRule", "chunk",
     "state S : f32[K, V]\n S += k * (v - 0.5 * (k @ S))\n S *= exp(gv)\n"
     "out o : f32[V] = q @ S"},
    {"ValueGateBetweenReadAndOutput", "chunk",
     "state S : f32[K, V]\n out p : f32[V] = q @ S\n S *= exp(gv)\n S += k * "
     "v\n"
     "S *= exp(gk)\n out o : f32[V] = cv * (q @ S)"},
    {"ValueFactorMeetsTheRead", "token",
     "state S : f32[K, V]\n S += 0.5 * k * bv * (v - k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"ValueFactorMeetsOnlyTheValue", "chunk",
     "state S : f32[K, V]\n S += 0.5 * k * (bv * v - k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"ReadMovedPastValueDecay", "token",
     "state S : f32[K, V]\n S = exp(gv) * S + 0.3 * k * (b @ S) + kk * v\n"
     "out o : f32[V] = q @ S"},
    {"SeveralReadsInOneStatement", "chunk",
     "state S : f32[K, V]\n"
     "S = 0.9 * S + 0.4 * k * (v - b @ S) - 0.3 * kk * (k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"AliasKeepsItsValue", "chunk",
     "state S : f32[K, V]\n let P = S\n S += k * v\n S = -0.2 * S + 0.5 * P\n"
     "out o : f32[V] = q @ S"},
    {"SumOfKeyAndValueFactors", "scan",
     "state S : f32[K, V]\n S = 0.3 * ak * S + 0.2 * cv * S\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"SumOfTwoScalarFactors", "chunk",
     "state S : f32[K, V]\n S = 0.3 * a * S + 0.2 * c * S\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ExponentialOfASum", "chunk",
     "state S : f32[K, V]\n S *= exp(gk + gv)\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ExponentialFarBelowZero",
     "chunk",
     "state S : f32[K, V]\n S *= exp(gk + gv)\n S += k * v\n"
     "out o : f32[V] = q @ S",
     {{"gk", -100}, {"gv", -60}}},
    {"ExponentialWithScalars", "chunk",
     "state S : f32[K, V]\n S *= exp((0.5 * (gk + gv) - abs(g)) / 3)\n S += k "
     "* v\n"
     "out o : f32[V] = q @ S"},
    {"ExponentialOfADifference", "chunk",
     "state S : f32[K, V]\n S *= exp(gk - softplus(cv))\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ExponentialThatCancels",
     "scan",
     "state S : f32[K, V]\n S *= exp(ak + cv)\n S += k * v\n"
     "out o : f32[V] = q @ S",
     {{"ak", 200}, {"cv", -200}}},
    {"ExponentialOfOnePartBelowZero",
     "scan",
     "state S : f32[K, V]\n S *= exp(gk - gv)\n S += k * v\n"
     "out o : f32[V] = q @ S",
     {{"gk", -200}, {"gv", -200}}},
    {"PowerOfASum", "chunk",
     "state S : f32[K, V]\n S *= 2^(gk + gv) * 0.9^(abs(ak) + softplus(cv))\n "
     "S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"RootsOfAProduct", "chunk",
     "state S : f32[K, V]\n S *= (exp(gk) * exp(gv))^0.5 * sqrt(sigmoid(ak) * "
     "sigmoid(cv)) * rsqrt((1 + abs(ak)) * (1 + abs(cv)))\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"RootOfNegativeParts",
     "scan",
     "state S : f32[K, V]\n S *= sqrt(ak * cv)\n S += k * v\n"
     "out o : f32[V] = q @ S",
     {{"ak", -0.5}, {"cv", -0.25}}},
    {"MagnitudeAndSign", "chunk",
     "state S : f32[K, V]\n S *= abs(0.3 * ak * cv) * sign(ak * cv)\n S += k * "
     "v\n"
     "out o : f32[V] = q @ S"},
    {"WholePower", "chunk",
     "state S : f32[K, V]\n S *= (tanh(ak) * tanh(cv))^3\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"WholePowerThatCancels",
     "scan",
     "state S : f32[K, V]\n S *= (ak * cv)^3\n S += k * v\n"
     "out o : f32[V] = q @ S",
     {{"ak", 1e15}, {"cv", 0.9e-15}}},
    {"ScalarPower", "chunk",
     "state S : f32[K, V]\n S *= (exp(gk) * sigmoid(cv))^abs(g)\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ChoiceOfProducts", "chunk",
     "state S : f32[K, V]\n S *= where(g > 0, exp(gk + gv), sigmoid(ak) * "
     "tanh(cv))\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ChoiceAlongKeys", "chunk",
     "state S : f32[K, V]\n"
     "S *= where(ak > 0, exp(gk) * exp(gv), sigmoid(ak) * exp(gv))\n"
     "S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ExponentialIsWrittenAndRead", "chunk",
     "state S : f32[K, V]\n S = 0.9 * S + exp(gk + gv) * c\n"
     "out o : f32[V] = q @ (exp(0.5 * gk + 2 * gv) * S)"},
    {"TwoWritesOfOneToken", "chunk",
     "state S : f32[K, V]\n S += 0.8 * k * (v - k @ S)\n"
     "S += 0.7 * kk * (vv - kk @ S)\n out o : f32[V] = q @ S"},
    {"MomentumIsOneStage", "chunk",
     "state Z, S : f32[K, V]\n Z = 0.5 * Z + 0.3 * k * (v - k @ S)\n"
     "S = 0.9 * S + Z\n out o : f32[V] = q @ S"},
    {"OneStateFlowsWholeIntoAnother", "chunk",
     "state Z, S : f32[K, V]\n Z = 0.7 * Z + k * v\n S = 0.9 * S + 0.1 * Z\n"
     "out o : f32[V] = q @ S"},
    {"RotationOfTwoStates", "chunk",
     "state Z, S : f32[K, V]\n let P = S\n S = 0.8 * ak * S - 0.3 * Z + k * v\n"
     "Z = 0.3 * P + 0.8 * Z\n out o : f32[V] = q @ S + b @ Z"},
    {"StatesCoupledByReads", "chunk",
     "state Z, S : f32[K, V]\n S += 0.4 * k * (v - b @ Z)\n"
     "Z = 0.9 * Z + 0.5 * kk * (k @ S)\n out o : f32[V] = q @ S"},
    {"DelayedReadFeedsAWrite", "chunk",
     "state S : f32[K, V]\n let r = k @ S\n S = 0.9 * S + 0.4 * kk * (v - r[t "
     "- 2])\n"
     "out o : f32[V] = q @ S"},
    {"ScalarReadFeedsAWrite", "chunk",
     "state S : f32[K, V]\n S += 0.3 * k * v * (1 - k @ S @ v)\n"
     "out o : f32[V] = q @ S"},
    {"VectorAndScalarReadTogether", "chunk",
     "state S : f32[K, V]\n let r = k @ S\n S += 0.5 * k * (v - (r - "
     "mean[V](r)))\n"
     "out o : f32[V] = q @ S"},
    {"ScalarBesideAVectorRead", "chunk",
     "state S : f32[K, V]\n"
     "let y = q @ S @ vv\n"
     "S += 0.3 * k * (v - k @ S + 0.5 * y * bv)\n"
     "out o : f32[V] = q @ S"},
    {"TwoScalarsOfOneToken", "chunk",
     "state S : f32[K, V]\n"
     "S += 0.3 * k * v * (1 - k @ S @ v)\n"
     "S += 0.2 * kk * vv * (c - b @ S @ bv)\n"
     "out o : f32[V] = q @ S"},
    {"ScalarsOfScalarsAndVectors", "chunk",
     "state S : f32[K, V]\n"
     "let y = k @ S @ v\n"
     "S = 0.9 * S + 0.3 * k * (vv - k @ S - y * v)\n"
     "let z = (b @ S) @ bv + y\n"
     "S += 0.2 * kk * (kk @ S + z * cv) + 0.2 * b * v * z\n"
     "out o : f32[V] = q @ S + y * cv + z * v"},
    {"ScalarReadBeforeAValueDecay", "chunk",
     "state S : f32[K, V]\n"
     "let y = q @ S @ vv\n"
     "S *= exp(gv)\n"
     "S += 0.3 * k * (v * y - k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"ScalarReadAfterAValueDecay", "chunk",
     "state S : f32[K, V]\n"
     "let x = q @ S @ bv\n"
     "S += 0.3 * k * (v * x - k @ S)\n"
     "S *= exp(gv)\n"
     "let y = b @ S @ vv\n"
     "S += 0.2 * kk * y * vv\n"
     "out o : f32[V] = q @ S"},
    {"ScalarWriteBeforeTheReadAndDecay", "chunk",
     "state S : f32[K, V]\n"
     "S += 0.5 * kk * vv * (b @ S @ bv)\n"
     "S += 0.4 * k * (v - k @ S)\n"
     "S *= exp(gv)\n"
     "out o : f32[V] = q @ S"},
    {"ScalarWriteBetweenDecayAndRead", "chunk",
     "state S : f32[K, V]\n"
     "S *= exp(gv)\n"
     "S += 0.5 * kk * vv * (b @ S @ bv)\n"
     "S += 0.4 * k * (v - k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"ScalarWriteAheadOfTheDecay", "chunk",
     "state S : f32[K, V]\n"
     "S += 0.5 * kk * vv * (b @ S @ bv)\n"
     "S *= exp(gv)\n"
     "S += 0.4 * k * (v - k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"WriteAheadOfAValueDecay", "chunk",
     "state S : f32[K, V]\n"
     "S += 0.5 * kk * vv\n"
     "S *= exp(gv)\n"
     "S += 0.4 * k * (v - k @ S)\n"
     "out o : f32[V] = q @ S"},
    {"ScalarThroughValueFactors", "chunk",
     "state S : f32[K, V]\n"
     "let r = cv * (b @ S) - 0.5 * (q @ S)\n"
     "S += 0.3 * k * (v - k @ S - (r @ bv) * vv)\n"
     "out o : f32[V] = q @ S + r"},
    {"ScalarOfAPreview", "chunk",
     "state S : f32[K, V]\n"
     "let P = S + 0.4 * k * (b @ S)\n"
     "let y = q @ P @ vv\n"
     "S += 0.3 * kk * v * y\n"
     "out o : f32[V] = q @ P + q @ S"},
    {"ScalarOfAPreviewWithScalars", "chunk",
     "state S : f32[K, V]\n"
     "let x = 0.3 * (kk @ S @ bv)\n"
     "let P = S + k * (b @ S) * cv + kk * (x * v)\n"
     "let y = q @ P @ vv\n"
     "S += 0.3 * kk * (v * y - 0.5 * (k @ S)) + 0.2 * b * bv * x\n"
     "out o : f32[V] = q @ P + q @ S"},
    {"ScalarAsAnOutput", "chunk",
     "state S : f32[K, V]\n"
     "let y = k @ S @ vv\n"
     "S += 0.3 * k * (v - k @ S + y * bv)\n"
     "out o : f32[V] = c * y * v + q @ S\n"
     "out p : f32 = tanh(y + 1)"},
    {"ScalarWithMomentum", "chunk",
     "state S : f32[K, V]\n"
     "state Z : f32[K, V]\n"
     "let y = q @ Z @ vv\n"
     "Z = 0.5 * Z + 0.3 * k * (v - k @ S + 0.4 * y * bv)\n"
     "S = 0.9 * S + Z\n"
     "out o : f32[V] = q @ S"},
    {"CentredWrite", "chunk",
     "state S : f32[K, V]\n"
     "S = 0.8 * a * S + k * v\n"
     "let r = kk @ S\n"
     "S -= 0.5 * kk * (r - mean[V](r))\n"
     "out o : f32[V] = q @ S"},
    {"FactorsOnBothSidesAndScalars", "chunk",
     "state S : f32[K, V]\n"
     "S *= exp(gk + gv)\n"
     "let r = k @ S\n"
     "S += 0.5 * k * (v - r + (r @ vv) * bv)\n"
     "out o : f32[V] = q @ S"},
    {"MatrixOnTheValueSide", "token",
     "dim U = V\n param P : f32[V, U] shared\n state S : f32[K, V]\n"
     "let r = 0.2 * (k @ S) @ P\n S += k * (v - r[U -> V])\n"
     "out o : f32[V] = q @ S"},
    {"ReadBeforeScalarDecay",
     "chunk",
     "state S : f32[K, V]\n S = 0.8 * a * S + 0.4 * k * (b @ S) + kk * v\n"
     "out o : f32[V] = q @ S",
     {{"a", 0}}},
    {"CorrectionsOnBothSides", "token",
     "state S : f32[K, V]\n S += 0.3 * k * (v - k @ S)\n"
     "S += 0.3 * (k - S @ v) * v\n out o : f32[V] = q @ S"},
    {"ProductOfReads", "token",
     "state S : f32[K, V]\n S += 0.2 * k * ((k @ S) * tanh(q @ S)) + k * v\n"
     "out o : f32[V] = q @ S"},
    {"DecayReadsItsOwnState", "token",
     "state S : f32[K, V]\n S *= exp(-norm[V](v - k @ S))\n S += k * v\n"
     "out o : f32[V] = q @ S"},
    {"ReadFeedsAWriteAndAnOutput", "chunk",
     "state S : f32[K, V]\n let r = k @ S\n S += 0.6 * k * (v - r)\n"
     "out o : f32[V] = q @ S + r\n out p : f32[V] = tanh(r)"},
    {"OutputAcrossTheValues", "chunk",
     "state S : f32[K, V]\n S = exp(gk) * S\n S += 0.3 * (k - S @ v) * v\n"
     "out o : f32[V] = q @ S\n out p : f32[K] = S @ vv"},
    {"OutputOfTheWholeState", "token|scan",
     "state S : f32[K, V]\n S = exp(gk) * S\n S += k * v\n"
     "out o : f32[K, V] = tanh(S)"},
    {"StateForgetsEverything", "chunk",
     "state S : f32[K, V]\n out o : f32[V] = q @ S\n S = k * v"},
    {"StateIsNeverUpdated", "chunk",
     "state S : f32[K, V]\n out o : f32[V] = q @ S"},
    {"ConditionHidesAnInfiniteTerm", "chunk",
     "state S : f32[K, V]\n let big = where(g > 0, 1, inf) * v\n"
     "S = 0.9 * S + where(g > 0, k * big, 0)\n out o : f32[V] = q @ S"},
    {"RowNotTakenHoldsInfinity", "chunk",
     "state S : f32[K, V]\n let big = where(g > 0, 1, inf) * v\n"
     "S = 0.9 * S + where(g > 0, k * (big - k @ S), 0)\n"
     "out o : f32[V] = q @ S"},
    {"RowsNotTakenHoldInfinity", "chunk",
     "state S : f32[K, V]\n let big = where(g > 0, 1, inf) * v\n"
     "let u = big - k @ S\n let w = b @ S + beta * u\n"
     "S = 0.9 * S + where(g > 0, 0.3 * kk * w, 0)\n out o : f32[V] = q @ S"},
    {"PaddingTokensHoldInfinity", "chunk",
     "state S : f32[K, V]\n let big = where(g > 0, 1, inf) * v\n"
     "S = where(g > 0, exp(-abs(c)) * S + 0.5 * k * (big - k @ S), S)\n"
     "out o : f32[V] = q @ S"},
    {"RowNotTakenAlongKeys", "scan|token",
     "state S : f32[K, V]\n let big = where(g > 0, 1, inf) * v\n"
     "S = 0.9 * S + where(ak + g > 5, k * (big - k @ S), 0)\n"
     "out o : f32[V] = q @ S"},
    {"ConditionHidesAnInfiniteTermOfSomeKeys",
     "token|scan",
     "state S : f32[K, V]\n let big = where(g > 0, 1, inf) * v\n"
     "S = 0.9 * S + where(ak + g > 0, k * big, 0)\n out o : f32[V] = q @ S",
     {{"g", -0.5}, {"ak", 0.25}}},
    {"SumOverHeads", "chunk",
     "state S : f32[K, V]\n let m = mean[heads](k)\n S += 0.3 * k * (v - m @ "
     "S)\n"
     "let r = q @ S\n out o : f32[V] = r * rsqrt(sum[heads](r * r) + 1)"},
    {"StateStartsAtMinusInfinity", "token|scan",
     "state S : f32[K, V] = -inf\n S = where(t == 0, 0, S)\n"
     "S = 0.9 * S + k * v\n out o : f32[V] = q @ S"},
    {"HeadsFeedBack", "refused",
     "state S : f32[K, V]\n S = 0.9 * S + k * v\n let e = mean[heads](k @ S)\n"
     "S -= 0.1 * kk * e\n out o : f32[V] = q @ S"},
    {"WholeNumbersOverHeads", "chunk",
     "in n : i32\n in m : i32 grouped\n state S : f32[K, V]\n"
     "S += where(sum[heads](n) > 0, 1, 0.5) * k * v\n out o : f32[V] = q @ S\n"
     "out p : i32 shared = sum[heads](n * 70000 * t)\n"
     "out r : f32 grouped = max[group](n + t) - m"},
    {"OutputAlongEveryAxis", "chunk",
     "state S : f32[K, V]\n S = 0.9 * S + 0.5 * k * (v - k @ S)\n"
     "out o : f32 = (q * vv) @ S\n out p : f32 = sum[K, V](S * c * cv)"},
    {"ScalarReadByAnOuterProduct", "chunk",
     "state S : f32[K, V]\n S = 0.9 * S + 0.3 * k * v * (1 - (kk * vv) @ S)\n"
     "out o : f32[V] = q @ S"},
    {"DelayedState", "chunk",
     "state S : f32[K, V]\n S = 0.9 * S + 0.5 * k * (v - k @ S)\n let P = S\n"
     "out o : f32[V] = q @ P[t - 2] - b @ S"},
    {"DelayedStateEntersAnother", "chunk",
     "state Z, S : f32[K, V]\n S = 0.9 * S + 0.5 * k * (v - k @ S)\n let P = "
     "S\n"
     "Z = 0.5 * Z + 0.2 * P[t - 1] - 0.1 * kk * (kk @ Z)\n"
     "out o : f32[V] = q @ Z"},
    {"ReadWithAnAxisOfItsOwn", "chunk",
     "state S : f32[K, V]\n S *= exp(gk)\n S += 0.5 * k * (v - k @ S)\n"
     "out o : f32[N, V] = kn @ S\n out p : f32[N, V] = tanh(kn @ S) + vn\n"
     "out r : f32[V] = bn @ (kn @ S)"},
    {"SeveralOuterProductsAtOnce", "chunk",
     "state S : f32[K, V]\n S *= exp(gk)\n S += 0.5 * kn @ vn\n"
     "S += sum[N](where(bn > 0, kn * (bn * vn), 0))\n"
     "out o : f32[V] = q @ S"},
    {"SeveralCorrectionsAtOnce", "chunk",
     "state S : f32[K, V]\n S *= exp(gk)\n"
     "S += 0.3 * kn @ (vn - kn @ S)\n out o : f32[V] = q @ S"},
    {"SeveralCorrectionsElementByElement", "chunk",
     "state S : f32[K, V]\n let r = kn @ S\n"
     "S += sum[N](where(bn > 0, 0.4 * kn * bn * (vn - tanh(bn) * r), 0))\n"
     "out o : f32[V] = q @ S\n out p : f32[N, V] = r"},
    {"PicksOfSeveralReads", "chunk",
     "state S : f32[K, V]\n let r = vn - 0.4 * (kn @ S)\n"
     "S += 0.5 * k * (r[N = 0] - bn @ r)\n S -= 0.3 * kn[N = 1] * r[N = 1]\n"
     "out o : f32[V] = q @ S\n out p : f32[V] = S[K = 2]"},
    {"SeveralReadsBesideOne", "chunk",
     "state S, Z : f32[K, V]\n"
     "S = 0.9 * S + 0.3 * kn @ (vn - k @ S - 0.5 * (kn @ Z))\n"
     "Z = 0.8 * Z - 0.2 * kn @ (kn @ S) + 0.3 * k * (v - k @ Z)\n"
     "out o : f32[V] = q @ S\n out p : f32[N, V] = kn @ Z - bn * (q @ S)"},
    {"SeveralDelayedReads", "chunk",
     "state S : f32[K, V]\n let r = kn @ S\n"
     "S = 0.9 * S + 0.3 * kn @ (vn - r[t - 1])\n out o : f32[V] = q @ S"},
    {"ReadsThatLandInAnotherState", "chunk",
     "in kj : f32[J, K]\n state S : f32[K, V]\n state Z : f32[J, V]\n"
     "S = 0.9 * S + 0.3 * k * (v - j @ Z)\n Z = 0.5 * Z + 0.3 * kj @ S\n"
     "out o : f32[V] = q @ S"},
    {"MoreReadsThanATokenMayHave", "token",
     "in kx : f32[X, K]\n in vx : f32[X, V]\n state S : f32[K, V]\n"
     "S += 0.05 * kx @ (vx - kx @ S)\n out o : f32[V] = q @ S"},
    {"MoreOuterProductsThanATokenMayHave", "scan",
     "in kx : f32[X, K]\n in vx : f32[X, V]\n state S : f32[K, V]\n"
     "S += 0.05 * kx @ vx\n out o : f32[V] = q @ S"},
    {"ReadAlongOneKeyAxisThenAnother", "chunk",
     "state S : f32[K, J, V]\n"
     "S += 0.3 * k * j * (v - k @ S @ j)\n out o : f32[V] = q @ S @ j"},
    {"PartialReadsAddedUp", "chunk",
     "state S : f32[K, J, V]\n state Z : f32[J, V]\n"
     "let r = 0.5 * (k @ S) - tanh(j) * (q @ S) + Z\n"
     "S = exp(gk) * S + 0.3 * k * j * (v - r @ j)\n"
     "Z = 0.7 * Z + 0.2 * j * (k @ S @ j)\n out o : f32[V] = r @ j"},
    {"OutputsAlongOtherAxes", "chunk",
     "state S : f32[K, J, V]\n S = exp(gk) * S\n"
     "S += 0.3 * k * (j * v - k @ S)\n out o : f32[K, J] = S @ v\n"
     "out p : f32[K] = (S @ v) @ j\n out r : f32[V] = (q * j) @ S\n"
     "out u : f32[J] = q @ S @ v\n out w : f32[J] = (q * v) @ S\n"
     "out x : f32[K] = tanh((S @ j) @ v)"},
    {"OutputsThatLeaveKeyAxes", "chunk",
     "state S : f32[K, J, V]\n S *= exp(gv)\n"
     "S += 0.3 * k * j * (v - 0.5 * ((k * j) @ S))\n"
     "out o : f32[J, V] = q @ S\n out p : f32[K, J] = S @ v\n"
     "out r : f32[J] = q @ S @ v\n out u : f32[K] = (j * v) @ S\n"
     "out w : f32[N, J, V] = kn @ S"},
    {"SeveralOutputsAcrossTheValues", "chunk",
     "state S : f32[K, V]\n S = exp(gk) * S\n"
     "S += 0.3 * k * (v - k @ S) + 0.2 * kn @ vn\n"
     "out o : f32[N, K] = S @ vn\n out p : f32[N] = (kn * vn) @ S\n"
     "out r : f32 = (kn @ S) @ vn\n out u : f32[K] = (S @ vn) @ bn\n"
     "out w : f32[K] = S @ (bn @ vn)"},
    {"OutputAcrossStatesOfOtherFactors", "chunk",
     "state S, Z : f32[K, V]\n S = 0.9 * S + 0.3 * k * (v - b @ Z)\n"
     "Z = 0.8 * Z + 0.2 * kk * (vv - k @ S)\n"
     "out o : f32[K] = (cv * S - bv * Z + kk * v) @ vv"},
    {"OutputAcrossAStateThatIsZero", "chunk",
     "state S : f32[K, V]\n S = 0 * S\n out o : f32[K] = S @ v\n"
     "S += k * v\n out p : f32[K] = S @ vv"},
    {"OutputReadByAReadOfTheState", "token",
     "state S : f32[K, V]\n S += 0.3 * k * (v - k @ S)\n"
     "out o : f32[K] = S @ tanh(v - k @ S)"},
    {"StaleState", "refused",
     "state S : f32[K, V]\n S += k * (v - k @ stale(S, 8))\n"
     "out o : f32[V] = q @ S"},
};

class Traps : public testing::TestWithParam<Trap> {};

/// The derived backward against the gradient of the meaning, where both are
/// numbers of a size that a comparison takes.
void checkGradients(const Program &program, const Batch &batch,
                    const TensorMap &arguments, const char *regime) {
  TensorMap seeds = generateSeeds(program, batch, 3);
  Gradients expected = differentiate(program, batch, arguments, seeds);
  if (!(largestMagnitude(expected.values) < 1e10))
    return;
  for (int64_t tokens : {7, 48}) {
    Derived derived = derive(program, tokens, /*gradient=*/true);
    ASSERT_TRUE(derived.succeeded);
    Comparison comparison =
        compare(evaluateGradients(*derived.module, batch, arguments, seeds),
                expected.values, expected.magnitudes);
    EXPECT_LT(comparison.ratio, 1e-9)
        << regime << ", gradient, C = " << tokens << ": " << comparison.name
        << " " << comparison.reason;
  }
}

TEST_P(Traps, AreRightOrRefused) {
  const Trap &trap = GetParam();
  Checked checked =
      checkText("attention trap(K = 5, V = 4, J = 3, N = 2, X = 70) {\n" +
                std::string(declarations) + trap.body + "\n}\n");
  if (std::string(trap.expected) == "refused") {
    EXPECT_FALSE(checked.program);
    EXPECT_NE(checked.messages().find("not supported yet"), std::string::npos);
    return;
  }
  ASSERT_TRUE(checked.program) << checked.messages();
  auto code =
      compileCode(*checked.program, *derive(*checked.program, 0).module);
  ASSERT_TRUE(code);
  std::string actualClass = classesOf(*derive(*checked.program).module)["S"];
  EXPECT_NE(
      ("|" + std::string(trap.expected) + "|").find("|" + actualClass + "|"),
      std::string::npos)
      << "S is " << actualClass;
  int judged = 0;
  for (Regime regime : allRegimes()) {
    Batch batch;
    batch.tokens = 48;
    batch.heads = 2;
    InputOptions options;
    options.regime = regime;
    options.initialStates = regime != Regime::Gentle;
    TensorMap arguments = generateInputs(*checked.program, batch, options);
    for (const auto &[name, value] : trap.fixed)
      for (double &x : arguments[name].data)
        x = value;
    TensorMap meaning = evaluate(*checked.program, batch, arguments);
    if (!(largestMagnitude(meaning) < 1e10))
      continue;
    ++judged;
    TensorMap magnitudes =
        evaluateMagnitudes(*checked.program, batch, arguments);
    Comparison onCpu =
        compare(runCode(*code, batch, arguments), meaning, magnitudes);
    EXPECT_LT(onCpu.ratio, 1e-5)
        << nameOf(regime) << ", CPU: " << onCpu.name << " " << onCpu.reason;
    for (int64_t tokens : {1, 7, 16, 48}) {
      Derived derived = derive(*checked.program, tokens);
      ASSERT_TRUE(derived.succeeded);
      Comparison comparison =
          compare(evaluateChunks(*derived.module, batch, arguments), meaning,
                  magnitudes);
      EXPECT_LT(comparison.ratio, 1e-10)
          << nameOf(regime) << ", C = " << tokens << ": " << comparison.name
          << " " << comparison.reason;
    }
    checkGradients(*checked.program, batch, arguments, nameOf(regime));
  }
  EXPECT_GT(judged, 0);
}

INSTANTIATE_TEST_SUITE_P(All, Traps, testing::ValuesIn(traps),
                         [](const auto &info) { return info.param.name; });

} // namespace
