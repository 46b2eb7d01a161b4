// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The programs that ship, built to libraries, loaded and called as a host does:
// in f32 and as they are declared, by all of the library's code. Then calls
// that are prepared once.

#include "codegen/Library/Build.h"
#include "codegen/Library/Call.h"
#include "codegen/Library/Link.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "test/unit/Derived.h"
#include "test/unit/LoadedFile.h"
#include "test/unit/SameBits.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <regex>
#include <unistd.h>

using namespace trowel;
using namespace trowel::test;

namespace {

/// A library of this process's.
class Loaded {
public:
  explicit Loaded(const Program &program) {
    Derived derived = derive(program, 0), step = derive(program, 1);
    auto made = library::build(
        program, *derived.module, *step.module, {}, {},
        {{library::Machine::Avx512, library::Machine::Avx2}, {}}, "test");
    EXPECT_TRUE(static_cast<bool>(made)) << llvm::toString(made.takeError());
    built = std::move(*made);
    auto linked = library::linkLibrary(built.objects, program.name + ".so");
    EXPECT_TRUE(static_cast<bool>(linked))
        << llvm::toString(linked.takeError());
    file.load(linked ? *linked : "");
    file.find(forward, program.name + "_forward");
    file.find(describe, program.name + "_describe");
    file.find(lastError, program.name + "_last_error");
  }

  library::CallResults call(const Batch &batch, const TensorMap &arguments,
                            library::CallOptions options = {}) const {
    options.poison = true;
    library::CallResults results;
    int32_t status =
        library::call([&](const trowel_call &raw) { return forward(&raw); },
                      *built.tables, batch, arguments, options, results);
    EXPECT_EQ(status, TROWEL_OK) << lastError();
    return results;
  }

  const library::ProgramInfo &info() const { return built.tables->info(); }

  library::Built built;
  int32_t (*forward)(const trowel_call *) = nullptr;
  const char *(*describe)() = nullptr;
  const char *(*lastError)() = nullptr;

private:
  LoadedFile file;
};

/// The library's choice of code, while it lives.
class OnlyCode {
public:
  explicit OnlyCode(const char *name) { setenv("TROWEL_CPU", name, 1); }
  ~OnlyCode() { unsetenv("TROWEL_CPU"); }
};

void expectSame(const TensorMap &a, const TensorMap &b, const char *why) {
  for (const auto &[name, tensor] : a)
    EXPECT_TRUE(sameBits(tensor, b.at(name))) << why << ": " << name;
}

/// The tensor's elements [first, first + count) along an axis.
Tensor slice(const Tensor &tensor, size_t axis, int64_t first, int64_t count) {
  Tensor part;
  part.shape = tensor.shape;
  part.shape[axis] = count;
  int64_t inner = 1, outer = 1;
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    (i < axis ? outer : inner) *= i == axis ? 1 : tensor.shape[i];
  for (int64_t i = 0; i < outer; ++i) {
    auto begin = tensor.data.begin() + (i * tensor.shape[axis] + first) * inner;
    part.data.insert(part.data.end(), begin, begin + count * inner);
  }
  return part;
}

class Host {
public:
  explicit Host(const Program &program) : program(program), library(program) {}

  void run(double threshold) {
    if (!library.forward)
      return; // a failure already
    batch.heads = 4;
    batch.groups = 2;
    batch.tokens = 2 * library.info().chunkTokens + 9;
    int64_t T = batch.tokens;
    batch.cuSeqlens = {0, 7, 7, T};
    options.regime = Regime::Gentle;
    options.initialStates = true;
    arguments = generateInputs(program, batch, options);
    packed = library.call(batch, arguments).values;
    expectMeaning(threshold);
    expectAlone();
    expectCausality();
    expectParts();
    expectSameOnEveryMachine();
    EXPECT_EQ(library.describe(), library.built.description);
  }

private:
  bool isPerToken(const std::string &name) const {
    for (const auto *list : {&program.inputs, &program.outputs})
      for (const Declaration &declaration : *list)
        if (declaration.name == name)
          return true;
    return name.rfind("debug.", 0) == 0;
  }
  bool isState(const std::string &name) const {
    for (const Declaration &state : program.states)
      if (state.name == name)
        return true;
    return false;
  }
  /// What belongs to one sequence and to the tokens [first, first + count).
  TensorMap cut(const TensorMap &tensors, int64_t sequence, int64_t first,
                int64_t count) const {
    TensorMap part;
    for (const auto &[name, tensor] : tensors)
      part[name] = isPerToken(name) ? slice(tensor, 1, first, count)
                   : isState(name)  ? slice(tensor, 0, sequence, 1)
                                    : tensor;
    return part;
  }

  void expectMeaning(double threshold) {
    TensorMap meaning = evaluate(program, batch, arguments);
    TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
    roundResults(program, meaning);
    Comparison comparison = compare(packed, meaning, magnitudes);
    EXPECT_LT(comparison.ratio, threshold)
        << comparison.name << " " << comparison.reason;
  }

  /// Each packed sequence gives the bits that it gives alone.
  void expectAlone() {
    for (size_t n = 0; n < 3; ++n) {
      int64_t first = batch.cuSeqlens[n], end = batch.cuSeqlens[n + 1];
      Batch single = batch;
      single.cuSeqlens.clear();
      single.tokens = end - first;
      auto sequence = static_cast<int64_t>(n);
      expectSame(
          library.call(single, cut(arguments, sequence, first, end - first))
              .values,
          cut(packed, sequence, first, end - first), "alone");
    }
  }

  /// Later tokens change no bit of earlier outputs.
  void expectCausality() {
    InputOptions others = options;
    others.seed = 99;
    TensorMap changed = arguments,
              different = generateInputs(program, batch, others);
    for (int64_t kept : {int64_t(3), batch.tokens - 5}) {
      for (auto &[name, tensor] : changed) {
        if (!isPerToken(name))
          continue;
        tensor = arguments[name];
        int64_t row = tensor.elementCount() / batch.tokens;
        std::copy(different[name].data.begin() + kept * row,
                  different[name].data.end(), tensor.data.begin() + kept * row);
      }
      TensorMap results = library.call(batch, changed).values;
      for (const auto &[name, tensor] : results)
        if (isPerToken(name)) {
          EXPECT_TRUE(sameBits(slice(tensor, 1, 0, kept),
                               slice(packed[name], 1, 0, kept)))
              << "causality: " << name << " before " << kept;
        }
    }
  }

  /// A sequence that is cut on the grid of chunks, with the states that the
  /// call for the whole has exported there.
  void expectParts() {
    int64_t first = batch.cuSeqlens[2],
            grid = first + library.info().chunkTokens;
    library::CallOptions wanted;
    wanted.boundaries = {static_cast<int32_t>(first),
                         static_cast<int32_t>(grid)};
    library::CallResults whole = library.call(batch, arguments, wanted);
    expectSame(whole.values, packed, "boundaries");
    Batch part = batch;
    part.cuSeqlens.clear();
    part.tokens = grid - first;
    library::CallResults before =
        library.call(part, cut(arguments, 2, first, grid - first));
    for (const auto &[name, tensor] : whole.statesAtBoundaries) {
      EXPECT_TRUE(sameBits(slice(tensor, 0, 1, 1), before.values[name]))
          << name << " at " << grid;
      EXPECT_TRUE(
          sameBits(slice(tensor, 0, 0, 1), slice(arguments[name], 0, 2, 1)))
          << name << " at " << first;
    }
    for (const Declaration &state : program.states)
      if (state.dtype != DType::F32 && state.dtype != DType::I32)
        return; // rounded on its way
    part.tokens = batch.tokens - grid;
    TensorMap rest = cut(arguments, 2, grid, part.tokens);
    for (const Declaration &state : program.states)
      rest[state.name] = before.values[state.name];
    library::CallOptions behind;
    behind.carry = before.carry;
    expectSame(library.call(part, rest, behind).values,
               cut(packed, 2, grid, part.tokens), "continued");
  }

  void expectSameOnEveryMachine() {
    OnlyCode avx2("avx2");
    expectSame(library.call(batch, arguments).values, packed, "AVX2");
  }

  const Program &program;
  Loaded library;
  Batch batch;
  InputOptions options;
  TensorMap arguments, packed;
};

std::string nameOf(const testing::TestParamInfo<std::string> &info) {
  return std::regex_replace(info.param, std::regex("[^A-Za-z0-9]"), "_");
}

class LibraryInF32 : public testing::TestWithParam<std::string> {};

TEST_P(LibraryInF32, IsRight) {
  for (const Program &declared : checkedPrograms(GetParam())) {
    Program program = inF32(declared);
    Host(program).run(1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, LibraryInF32,
                         testing::ValuesIn(programFiles("examples")), nameOf);

class LibraryAsDeclared : public testing::TestWithParam<std::string> {};

TEST_P(LibraryAsDeclared, IsRight) {
  for (const Program &program : checkedPrograms(GetParam()))
    Host(program).run(5e-3);
}

INSTANTIATE_TEST_SUITE_P(Programs, LibraryAsDeclared,
                         testing::ValuesIn(allPrograms()), nameOf);

/// All elements again and again, as [B, T, ...].
Tensor repeated(const Tensor &tensor, const Batch &batch) {
  Tensor result;
  result.shape = tensor.shape;
  result.shape[0] = batch.batch;
  result.shape[1] = batch.tokens;
  int64_t times =
      batch.batch * batch.tokens / (tensor.shape[0] * tensor.shape[1]);
  for (int64_t i = 0; i < times; ++i)
    result.data.insert(result.data.end(), tensor.data.begin(),
                       tensor.data.end());
  return result;
}

class PreparedCalls : public testing::Test {
protected:
  Program program = checkedPrograms("examples/delta_net.trowel").front();
  Loaded library{program};
  Batch small{1, 4, 2, 2, {}}, batch{2, 12, 2, 2, {}};
  TensorMap arguments = generateInputs(program, small, {Regime::Gentle, 0});
};

TEST_F(PreparedCalls, KeepTheirOptions) {
  library::CallOptions options;
  options.threads = 3;
  library::PreparedCall prepared(*library.built.tables, batch, arguments,
                                 options);
  options.threads = 7;
  options.poison = true;
  EXPECT_EQ(prepared.raw().threads, 3);
  EXPECT_EQ(prepared.raw().flags, 0u);
}

TEST_F(PreparedCalls, RepeatShorterArguments) {
  library::PreparedCall prepared(*library.built.tables, batch, arguments, {});
  TensorMap whole = arguments;
  for (const Declaration &input : program.inputs)
    whole[input.name] = repeated(arguments[input.name], batch);
  library::CallResults results;
  for (int i = 0; i < 2; ++i) {
    trowel_call raw = prepared.raw();
    ASSERT_EQ(library.forward(&raw), TROWEL_OK) << library.lastError();
  }
  prepared.unpack(results);
  expectSame(results.values, library.call(batch, whole).values, "repeated");
}

TEST(PreparedCall, CountsItsBytes) {
  // It reads an earlier token, which is carried.
  Program program = checkedPrograms("test/language/conv_delta.trowel").front();
  Loaded library(program);
  const library::Tables &tables = *library.built.tables;
  Batch batch{2, 12, 2, 2, {}};
  TensorMap arguments =
      generateInputs(program, batch, {Regime::Gentle, 0, true});
  library::PreparedCall prepared(tables, batch, arguments, {});
  trowel_call raw = prepared.raw();
  std::vector<const DLTensor *> all(raw.tensors,
                                    raw.tensors + raw.tensor_count);
  all.push_back(raw.carry_out);
  double bytes = 0;
  for (const DLTensor *tensor : all) {
    double size = tensor ? tensor->dtype.bits / 8.0 : 0;
    for (int32_t i = 0; tensor && i < tensor->ndim; ++i)
      size *= static_cast<double>(tensor->shape[i]);
    bytes += size;
  }
  EXPECT_GT(tables.info().carryBytes, 0);
  EXPECT_EQ(library::PreparedCall::bytes(tables, batch), bytes);
}

} // namespace
