// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CPU's code for backward programs in f32, called head by head, against the
// gradient of the meaning.
#include "codegen/CPU/CPU.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>

using namespace trowel;
using namespace trowel::test;

namespace {

using Role = cpu::Argument::Role;

/// Elements of 32 bits: floats, or integers where the type is i32.
class Memory {
public:
  explicit Memory(int64_t bytes)
      : data(static_cast<char *>(std::aligned_alloc(64, sizeFor(bytes)))) {
    std::memset(data, 0xff, sizeFor(bytes)); // what is not written is NaN
  }
  Memory(Memory &&other) : data(other.data) { other.data = nullptr; }
  ~Memory() { std::free(data); }
  char *get() const { return data; }
  void set(int64_t i, double x, bool isInteger) {
    if (isInteger)
      reinterpret_cast<int32_t *>(data)[i] = static_cast<int32_t>(x);
    else
      reinterpret_cast<float *>(data)[i] = static_cast<float>(x);
  }
  double number(int64_t i) const { return reinterpret_cast<float *>(data)[i]; }

private:
  static size_t sizeFor(int64_t bytes) {
    return static_cast<size_t>((bytes + 127) / 64 * 64);
  }
  char *data;
};

/// The program that saves its states and its backward program, as code.
class Code {
public:
  static std::optional<Code> compile(const Program &program, int64_t tokens) {
    Code code;
    for (bool backward : {false, true}) {
      Derived derived = derive(program, tokens, /*gradient=*/true);
      if (!derived.succeeded)
        return std::nullopt;
      auto programs =
          llvm::to_vector(derived.module->getOps<chunk::ProgramOp>());
      if (programs.size() != 2) // heads are reduced
        return std::nullopt;
      programs[backward ? 0 : 1].erase();
      auto made = cpu::compileForCpu(*derived.module);
      if (!made) {
        ADD_FAILURE() << program.name << ": "
                      << llvm::toString(made.takeError());
        return std::nullopt;
      }
      (backward ? code.back : code.forward) = std::move(*made);
    }
    code.tokens = tokens > 0 ? tokens : 64;
    EXPECT_EQ(code.forward->savedBytes(), code.back->savedBytes());
    return code;
  }

  std::unique_ptr<cpu::Kernel> forward, back;
  int64_t tokens;
};

/// One call of a batch, head by head and sequence by sequence.
class Call {
public:
  Call(const Program &program, const Code &code, const Batch &batch,
       const TensorMap &arguments, const TensorMap &seeds)
      : program(program), code(code), batch(batch), arguments(arguments),
        seeds(seeds) {}

  TensorMap run() {
    for (int64_t sequence = 0; sequence < batch.sequences(); ++sequence)
      for (int64_t head = 0; head < batch.heads; ++head)
        runHead(sequence, head);
    return std::move(results);
  }

private:
  struct Range {
    int64_t begin, count; // elements of a head's part, or of one token's
  };

  void runHead(int64_t sequence, int64_t head) {
    bool packed = !batch.cuSeqlens.empty();
    int64_t begin =
        packed ? batch.cuSeqlens[sequence] : sequence * batch.tokens;
    int64_t end = packed ? batch.cuSeqlens[sequence + 1] : begin + batch.tokens;
    int64_t chunks = (end - begin + code.tokens - 1) / code.tokens;
    Memory saved(code.back->savedBytes() * chunks);
    runKernel(*code.forward, sequence, head, begin, end, saved);
    runKernel(*code.back, sequence, head, begin, end, saved);
  }

  const Declaration &declared(const std::string &name) const {
    for (const auto *list :
         {&program.inputs, &program.params, &program.states, &program.outputs})
      for (const Declaration &declaration : *list)
        if (declaration.name == name)
          return declaration;
    std::abort();
  }

  void runKernel(const cpu::Kernel &kernel, int64_t sequence, int64_t head,
                 int64_t begin, int64_t end, const Memory &saved) {
    bool isBack = &kernel == code.back.get();
    std::vector<Memory> memories;
    std::vector<void *> data;
    std::vector<int64_t> strides;
    std::vector<std::function<void()>> after;
    for (const cpu::Argument &argument : kernel.arguments()) {
      if (argument.role == Role::Saved) {
        data.push_back(saved.get());
        continue;
      }
      bool perToken =
          argument.role == Role::Input || argument.role == Role::Output;
      int64_t count = 1;
      for (int64_t size : argument.sizes)
        count *= size;
      if (argument.strideCount() > 0 && perToken)
        strides.push_back(count);
      int64_t stride = count;
      for (size_t i = 0; i + 1 < argument.sizes.size(); ++i)
        if (perToken || argument.role == Role::Param)
          strides.push_back(stride /= argument.sizes[i]);
      const std::string &name = argument.name;
      bool isGiven = argument.role == Role::Input ||
                     argument.role == Role::Param ||
                     argument.role == Role::InitialState;
      const TensorMap &from = isBack && (arguments.count(name) == 0 ||
                                         argument.role == Role::InitialState)
                                  ? seeds
                                  : arguments;
      bool isGradient = &from == &seeds || (!isGiven && isBack);
      if (!isGiven && !isBack) {
        data.push_back(nullptr);
        continue;
      }
      const Declaration &shape = declared(isGradient ? name.substr(1) : name);
      Boundary boundary =
          perToken
              ? (isGradient && isGiven ? Boundary::Output : Boundary::Input)
          : argument.role == Role::Param || argument.role == Role::Total
              ? Boundary::Param
              : Boundary::State;
      int64_t units = unitCount(shape.sharing, batch);
      int64_t unit = unitOf(head, Sharing::Head, shape.sharing, batch);
      bool isFirst = head == 0 || unit != unitOf(head - 1, Sharing::Head,
                                                 shape.sharing, batch);
      // Where the head's element of token t, or its only one, begins.
      auto offset = [=](int64_t t) {
        int64_t row = boundary == Boundary::Param   ? 0
                      : boundary == Boundary::State ? sequence
                                                    : begin + t;
        return (row * units + unit) * count;
      };
      int64_t rows = perToken ? end - begin : 1;
      Memory &memory = memories.emplace_back(rows * count * 4);
      bool isInteger = argument.dtype == rec::DTypeKind::I32;
      data.push_back(memory.get());
      if (isGiven) {
        auto tensor = from.find(name);
        bool isSeed = &from == &seeds;
        if (tensor == from.end() || (isSeed && !isFirst)) {
          EXPECT_TRUE(argument.role != Role::Input || isSeed) << name;
          data.back() = nullptr;
          continue;
        }
        for (int64_t t = 0; t < rows; ++t)
          for (int64_t i = 0; i < count; ++i)
            memory.set(t * count + i, tensor->second.data[offset(t) + i],
                       isInteger);
        continue;
      }
      std::string result = name;
      if (argument.role == Role::FinalState)
        result += "0";
      size_t place = memories.size() - 1;
      after.push_back([=, &memories] {
        Tensor &to = results
                         .try_emplace(result, boundaryShape(program, shape,
                                                            boundary, batch))
                         .first->second;
        for (int64_t t = 0; t < rows; ++t)
          for (int64_t i = 0; i < count; ++i)
            to.data[offset(t) + i] += memories[place].number(t * count + i);
      });
    }
    Memory workspace(kernel.workspaceBytes()), carry(kernel.carryBytes() + 8);
    std::memset(carry.get(), 0, static_cast<size_t>(kernel.carryBytes() + 8));
    kernel.entry()(data.data(), strides.data(), carry.get(), end - begin,
                   workspace.get());
    for (auto &step : after)
      step();
  }

  const Program &program;
  const Code &code;
  const Batch &batch;
  const TensorMap &arguments, &seeds;
  TensorMap results;
};

/// How far the gradients move, at most, when every argument moves by half a
/// unit in the last place of f32, up or down: no f32 code can be held to less.
double sensitivity(const Program &program, const Batch &batch,
                   const TensorMap &arguments, const TensorMap &seeds,
                   const Gradients &expected) {
  uint64_t bits = 1;
  double most = 0;
  for (int draw = 0; draw < 4; ++draw) {
    TensorMap near = arguments;
    for (auto &[name, tensor] : near)
      for (double &x : tensor.data) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        if (std::fabs(x) != std::floor(std::fabs(x))) // zeros and indices stay
          x *= 1 + (bits >> 63 ? 6e-8 : -6e-8);
      }
    Gradients moved = differentiate(program, batch, near, seeds);
    most = std::max(
        most,
        compare(moved.values, expected.values, expected.magnitudes).ratio);
  }
  return most;
}

class CpuGradients : public testing::TestWithParam<std::string> {};

void expectGradients(const Program &program) {
  for (int64_t tokens : {0, 7, 1}) {
    SCOPED_TRACE(program.name + ", C = " + std::to_string(tokens));
    std::optional<Code> code = Code::compile(program, tokens);
    if (!code)
      return;
    uint64_t seed = 1;
    for (Regime regime : allRegimes()) {
      Batch batch{1, tokens == 0 ? 70 : 19, 4, 2, {}};
      if (seed % 3 == 2)
        batch.cuSeqlens = {0, 9, 9, 10, batch.tokens};
      InputOptions options{regime, seed++, true};
      TensorMap arguments = generateInputs(program, batch, options);
      if (!(largestMagnitude(evaluate(program, batch, arguments)) < 1e6))
        continue;
      TensorMap seeds = generateSeeds(program, batch, 5);
      Gradients expected = differentiate(program, batch, arguments, seeds);
      if (!(largestMagnitude(expected.values) < 1e10))
        continue;
      TensorMap found = Call(program, *code, batch, arguments, seeds).run();
      Comparison worst = compare(found, expected.values, expected.magnitudes);
      double limit = 1e-4;
      if (worst.ratio >= limit)
        limit = std::max(
            limit, 2 * sensitivity(program, batch, arguments, seeds, expected));
      EXPECT_LT(worst.ratio, limit)
          << nameOf(regime) << ": " << worst.name << ": " << worst.reason;
    }
  }
}

TEST_P(CpuGradients, AgreeWithTheMeaning) {
  for (const Program &program : checkedPrograms(GetParam()))
    expectGradients(inF32(program));
}

INSTANTIATE_TEST_SUITE_P(Programs, CpuGradients,
                         testing::ValuesIn(allPrograms()),
                         [](const auto &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

} // namespace
