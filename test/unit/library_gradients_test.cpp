// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The backward function of libraries, in f32 and in the types that programs
// declare, against the gradient of the meaning.
#include "codegen/Library/InProcess.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "test/unit/Derived.h"
#include "test/unit/Nudged.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

std::unique_ptr<library::InProcess> compile(const Program &program,
                                            int64_t tokens = 0) {
  Derived forward = derive(program, tokens),
          gradient = derive(program, tokens, /*gradient=*/true);
  if (!forward.succeeded || !gradient.succeeded) {
    ADD_FAILURE() << program.name << ": no gradient was derived";
    return nullptr;
  }
  auto made = library::InProcess::create(program, *forward.module, {}, nullptr,
                                         {}, *gradient.module);
  if (made)
    return std::move(*made);
  ADD_FAILURE() << program.name << ": " << llvm::toString(made.takeError());
  return nullptr;
}

TensorMap gradientsOf(const library::InProcess &code, const Batch &batch,
                      const TensorMap &arguments, const TensorMap &seeds,
                      int threads = 1) {
  library::CallOptions options;
  options.threads = threads;
  options.poison = true;
  library::CallResults results;
  EXPECT_EQ(code.callBackward(batch, arguments, seeds, options, results),
            TROWEL_OK)
      << code.lastError();
  return std::move(results.values);
}

/// Seeds as the caller's memory can hold them.
TensorMap seedsFor(const Program &program, const Batch &batch, uint64_t seed) {
  TensorMap seeds = generateSeeds(program, batch, seed);
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &declaration : *list)
      roundToType(seeds.at("d" + declaration.name), declaration.dtype);
  return seeds;
}

/// How far the gradients move, at most, when every argument moves by half a
/// unit in the last place of f32, up or down: no f32 code can be held to less.
double sensitivity(const Program &program, const Batch &batch,
                   const TensorMap &arguments, const TensorMap &seeds,
                   const Gradients &expected) {
  uint64_t bits = 1;
  double most = 0;
  for (int draw = 0; draw < 4; ++draw) {
    Gradients moved =
        differentiate(program, batch, nudged(arguments, bits), seeds);
    most = std::max(
        most,
        compare(moved.values, expected.values, expected.magnitudes).ratio);
  }
  return most;
}

bool isInF32(const Program &program) {
  for (const auto *list : {&program.inputs, &program.states, &program.params})
    for (const Declaration &stored : *list)
      if (stored.dtype != DType::F32 && stored.dtype != DType::I32)
        return false;
  return true;
}

Batch batchFor(uint64_t seed) {
  Batch batch{seed % 4 == 3 ? 2 : 1, seed % 2 == 0 ? 70 : 23, 4, 2, {}};
  if (seed % 3 == 2 && batch.batch == 1)
    batch.cuSeqlens = {0, 9, 9, 10, batch.tokens};
  return batch;
}

void expectGradients(const Program &program, int64_t tokens) {
  SCOPED_TRACE(program.name + ", C = " + std::to_string(tokens));
  auto code = compile(program, tokens);
  ASSERT_TRUE(code);
  double threshold = isInF32(program) ? 1e-4 : 5e-3;
  uint64_t seed = 1;
  for (Regime regime : allRegimes()) {
    Batch batch = batchFor(++seed);
    InputOptions options{regime, seed, seed % 2 == 1};
    TensorMap arguments = generateInputs(program, batch, options);
    if (!(largestMagnitude(evaluate(program, batch, arguments)) < 1e6))
      continue;
    TensorMap seeds = seedsFor(program, batch, 5);
    Gradients expected = differentiate(program, batch, arguments, seeds);
    if (!(largestMagnitude(expected.values) < 1e10))
      continue;
    TensorMap found = gradientsOf(*code, batch, arguments, seeds);
    Comparison worst = compare(found, expected.values, expected.magnitudes);
    double limit = threshold;
    if (worst.ratio >= limit)
      limit = std::max(
          limit, 2 * sensitivity(program, batch, arguments, seeds, expected));
    EXPECT_LT(worst.ratio, limit)
        << nameOf(regime) << ": " << worst.name << ": " << worst.reason;
  }
}

class LibraryGradients : public testing::TestWithParam<std::string> {};

TEST_P(LibraryGradients, AreRightInF32) {
  for (const Program &program : checkedPrograms(GetParam()))
    for (int64_t tokens : {0, 7})
      expectGradients(inF32(program), tokens);
}

TEST_P(LibraryGradients, AreRightAsDeclared) {
  for (const Program &program : checkedPrograms(GetParam()))
    if (!isInF32(program))
      expectGradients(program, 0);
}

std::string differenceInBits(const TensorMap &a, const TensorMap &b) {
  for (const auto &[name, tensor] : a) {
    const Tensor &other = b.at(name);
    for (size_t i = 0; i < tensor.data.size(); ++i)
      if (std::memcmp(&tensor.data[i], &other.data[i], sizeof(double)) != 0)
        return name + " " + describePosition(tensor.shape, int64_t(i));
  }
  return "";
}

/// Rows [begin, end) of a tensor whose first axis is `B = 1`, or of sequences.
Tensor rowsOf(const Tensor &tensor, size_t axis, int64_t begin, int64_t end) {
  Tensor part;
  part.shape = tensor.shape;
  int64_t row =
      tensor.elementCount() / (axis ? tensor.shape[1] : tensor.shape[0]);
  part.shape[axis] = end - begin;
  part.data.assign(tensor.data.begin() + begin * row,
                   tensor.data.begin() + end * row);
  return part;
}

TEST_P(LibraryGradients, HaveTheSameBitsOnAnyThreadsAndInAnyBatch) {
  for (const Program &program : checkedPrograms(GetParam())) {
    SCOPED_TRACE(program.name);
    auto code = compile(program);
    ASSERT_TRUE(code);
    Batch batch{1, 150, 4, 2, {0, 66, 66, 150}};
    TensorMap arguments =
        generateInputs(program, batch, {Regime::Gentle, 3, true});
    TensorMap seeds = seedsFor(program, batch, 5);
    TensorMap one = gradientsOf(*code, batch, arguments, seeds, 1);
    TensorMap two = gradientsOf(*code, batch, arguments, seeds, 2);
    EXPECT_EQ(differenceInBits(one, two), "");
    for (int64_t i = 0; i < batch.sequences(); ++i) {
      int64_t begin = batch.cuSeqlens[i], end = batch.cuSeqlens[i + 1];
      Batch alone{1, end - begin, 4, 2, {}};
      TensorMap itsArguments = arguments, itsSeeds = seeds, its;
      for (const Declaration &input : program.inputs) {
        itsArguments[input.name] = rowsOf(arguments[input.name], 1, begin, end);
        if (one.count("d" + input.name))
          its["d" + input.name] = rowsOf(one["d" + input.name], 1, begin, end);
      }
      for (const Declaration &output : program.outputs)
        itsSeeds["d" + output.name] =
            rowsOf(seeds["d" + output.name], 1, begin, end);
      for (const Declaration &state : program.states) {
        itsArguments[state.name] = rowsOf(arguments[state.name], 0, i, i + 1);
        itsSeeds["d" + state.name] =
            rowsOf(seeds["d" + state.name], 0, i, i + 1);
        if (one.count("d" + state.name + "0"))
          its["d" + state.name + "0"] =
              rowsOf(one["d" + state.name + "0"], 0, i, i + 1);
      }
      TensorMap found = gradientsOf(*code, alone, itsArguments, itsSeeds);
      EXPECT_EQ(differenceInBits(its, found), "") << "sequence " << i;
    }
  }
}

/// What later tokens hold changes no bit of a gradient that comes from earlier
/// results alone.
TEST_P(LibraryGradients, AreCausal) {
  for (const Program &program : checkedPrograms(GetParam())) {
    SCOPED_TRACE(program.name);
    auto code = compile(program);
    ASSERT_TRUE(code);
    Batch batch{1, 80, 4, 2, {}};
    const int64_t cut = 45;
    TensorMap arguments =
        generateInputs(program, batch, {Regime::Gentle, 3, true});
    TensorMap other = generateInputs(program, batch, {Regime::Gentle, 4, true});
    TensorMap changed = arguments, seeds;
    for (const Declaration &input : program.inputs) {
      Tensor &tensor = changed[input.name];
      size_t first = tensor.data.size() / 80 * cut;
      std::copy(other[input.name].data.begin() + first,
                other[input.name].data.end(), tensor.data.begin() + first);
    }
    for (const Declaration &output : program.outputs) {
      Tensor seed = seedsFor(program, batch, 5)["d" + output.name];
      std::fill(seed.data.begin() + seed.data.size() / 80 * cut,
                seed.data.end(), 0);
      seeds["d" + output.name] = seed;
    }
    if (!std::isfinite(largestMagnitude(evaluate(program, batch, arguments))) ||
        !std::isfinite(largestMagnitude(evaluate(program, batch, changed))))
      continue; // these inputs make no numbers
    TensorMap a = gradientsOf(*code, batch, arguments, seeds);
    TensorMap b = gradientsOf(*code, batch, changed, seeds);
    for (const Declaration &input : program.inputs) {
      if (input.dtype == DType::I32)
        continue;
      std::string name = "d" + input.name;
      TensorMap early{{name, rowsOf(a[name], 1, 0, cut)}},
          same{{name, rowsOf(b[name], 1, 0, cut)}};
      // A zero may change its sign.
      for (auto *map : {&early, &same})
        for (double &x : (*map)[name].data)
          x += 0.0;
      EXPECT_EQ(differenceInBits(early, same), "");
      for (double x : rowsOf(a[name], 1, cut, 80).data)
        ASSERT_EQ(x, 0) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, LibraryGradients,
                         testing::ValuesIn(allPrograms()),
                         [](const auto &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

//===--- Declared initial values ------------------------------------------===//

TEST(Beginnings, PassTheirGradientOn) {
  Program program = checkedProgram(
      "attention a(K = 5, V = 4) {\nin q, k : f32[K]\nin v : f32[V]\n"
      "in g : f32 <= 0\nparam s0 : f32[K, V]\nparam z : f32 shared\n"
      "state S : f32[K, V] = 0.5 * tanh(s0)\nstate n : f32 grouped = z * z\n"
      "in x : f32 grouped\nn = 0.9 * n + x\n"
      "S *= exp(g)\nS += k * (v - k @ S)\nout o : f32[V] = (q @ S) * n * z\n"
      "}\n");
  expectGradients(program, 0);
}

} // namespace
