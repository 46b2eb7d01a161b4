// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the CPU's code is called: elements of every type, tensors that are not
// dense, sequences in several calls, object files for other machines.

#include "codegen/Library/Phases.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "runtime/Host/Array.h"
#include "test/unit/Derived.h"

#include "llvm/Object/ObjectFile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <regex>
#include <set>

using namespace trowel;
using namespace trowel::test;

namespace {

using Role = cpu::Argument::Role;

bool isState(const cpu::Argument &argument) {
  return argument.role == Role::InitialState ||
         argument.role == Role::FinalState;
}

bool isResult(const cpu::Argument &argument) {
  return argument.role == Role::FinalState || argument.role == Role::Output;
}

/// The type of an argument's elements in memory: states are kept in f32.
DType memoryType(const cpu::Argument &argument) {
  using Kind = rec::DTypeKind;
  static_assert(int(DType::F32) == int(Kind::F32) &&
                int(DType::E4M3) == int(Kind::E4M3) &&
                int(DType::I32) == int(Kind::I32));
  auto type = static_cast<DType>(argument.dtype);
  return isState(argument) && type != DType::I32 ? DType::F32 : type;
}

/// A result's shape in a call of one head.
std::vector<int64_t> shapeOf(const cpu::Argument &argument, int64_t tokens) {
  std::vector<int64_t> shape = {1};
  if (!isState(argument))
    shape.push_back(tokens);
  if (argument.sharing != rec::SharingKind::Shared)
    shape.push_back(1);
  shape.insert(shape.end(), argument.sizes.begin(), argument.sizes.end());
  return shape;
}

using Phases = std::vector<std::unique_ptr<cpu::Kernel>>;

Phases compilePhases(mlir::ModuleOp module) {
  Phases phases;
  for (auto &single : library::splitPrograms(module)) {
    auto kernel = cpu::compileForCpu(*single);
    EXPECT_TRUE(static_cast<bool>(kernel))
        << llvm::toString(kernel.takeError());
    phases.push_back(std::move(*kernel));
  }
  return phases;
}

/// Memory for the code, aligned and full of NaN.
class Workspace {
public:
  explicit Workspace(const cpu::Kernel &kernel)
      : lines(static_cast<size_t>(kernel.workspaceBytes()) / 64 + 1) {}
  void *poisoned() {
    std::memset(lines.data(), 0xff, lines.size() * sizeof(Line));
    return lines.data();
  }

private:
  struct alignas(64) Line {
    char bytes[64];
  };
  std::vector<Line> lines;
};

//===--- One head, called as a library would ------------------------------===//

/// A tensor of one head's with `pad` elements behind every row of every axis.
struct Place {
  std::vector<int64_t> sizes;   // tokens first where there are any
  std::vector<int64_t> strides; // of each, in elements
  int64_t bytes = 4;            // of an element
  std::string memory;

  Place(const cpu::Argument &tensor, int64_t tokens, int64_t pad)
      : sizes(tensor.sizes), bytes(tensor.elementBytes()) {
    bool state = isState(tensor);
    if (!state && tensor.role != Role::Param)
      sizes.insert(sizes.begin(), tokens);
    strides.resize(sizes.size());
    int64_t pitch = 1;
    for (size_t i = sizes.size(); i-- > 0;) {
      bool scalars = i == 0 && tensor.sizes.empty();
      if (!state && (i + 1 < sizes.size() || scalars))
        pitch += pad;
      strides[i] = pitch;
      pitch *= sizes[i];
    }
    memory.assign(static_cast<size_t>((pitch + pad) * bytes), '\xff');
  }

  /// Where element `index` of the dense tensor lies.
  char *at(int64_t index) {
    int64_t offset = 0;
    for (size_t i = sizes.size(); i-- > 0; index /= sizes[i])
      offset += index % sizes[i] * strides[i];
    return memory.data() + offset * bytes;
  }

  int64_t elementCount() const { return Tensor(sizes).elementCount(); }

  void scatter(const std::string &dense) {
    for (int64_t i = 0; i < elementCount(); ++i)
      std::memcpy(at(i), dense.data() + i * bytes, static_cast<size_t>(bytes));
  }
  std::string gather() {
    std::string dense;
    for (int64_t i = 0; i < elementCount(); ++i)
      dense.append(at(i), static_cast<size_t>(bytes));
    return dense;
  }
};

/// One head's work on one sequence, in as many calls as one likes.
class Head {
public:
  Head(const cpu::Kernel &kernel, int64_t tokens, const TensorMap &values,
       int64_t pad)
      : kernel(kernel), carry(static_cast<size_t>(kernel.carryBytes() / 8)),
        workspace(kernel) {
    for (const cpu::Argument &argument : kernel.arguments()) {
      Place &place = places.emplace_back(argument, tokens, pad);
      auto value = values.find(argument.name);
      given.push_back(!isResult(argument) && value != values.end());
      if (given.back())
        place.scatter(host::pack(value->second, memoryType(argument)));
    }
  }

  /// The tokens [from, to), behind those of earlier calls.
  void call(int64_t from, int64_t to) {
    std::vector<void *> data;
    std::vector<int64_t> strides;
    for (size_t i = 0; i < places.size(); ++i) {
      const cpu::Argument &argument = kernel.arguments()[i];
      Place &place = places[i];
      char *address = place.memory.data();
      if (argument.role == Role::Input || argument.role == Role::Output)
        address += from * place.strides[0] * place.bytes;
      bool absent = argument.role == Role::InitialState && !given[i];
      data.push_back(absent ? nullptr : address);
      for (int64_t k = 0; k < argument.strideCount(); ++k)
        strides.push_back(place.strides[static_cast<size_t>(k)]);
    }
    kernel.entry()(data.data(), strides.data(), carry.data(), to - from,
                   workspace.poisoned());
    passStates();
  }

  /// The dense bytes of every result.
  std::map<std::string, std::string> results() {
    std::map<std::string, std::string> results;
    for (size_t i = 0; i < places.size(); ++i)
      if (isResult(kernel.arguments()[i]))
        results[kernel.arguments()[i].name] = places[i].gather();
    return results;
  }

private:
  const cpu::Kernel &kernel;
  std::vector<Place> places;
  std::vector<bool> given;
  std::vector<int64_t> carry;
  Workspace workspace;

  /// Final states are the next call's initial ones.
  void passStates() {
    for (size_t i = 0; i < places.size(); ++i)
      for (size_t j = 0; j < places.size(); ++j) {
        const cpu::Argument &to = kernel.arguments()[i],
                            &from = kernel.arguments()[j];
        if (to.role != Role::InitialState || from.role != Role::FinalState ||
            to.name != from.name)
          continue;
        places[i].memory = places[j].memory;
        given[i] = true;
      }
  }
};

/// Calls at the given cuts; several phases with one head, whose reductions over
/// heads change nothing.
std::map<std::string, std::string>
runHead(const Phases &phases, int64_t tokens, TensorMap values, int64_t pad,
        const std::vector<int64_t> &cuts = {}) {
  std::map<std::string, std::string> results;
  for (const auto &kernel : phases) {
    Head head(*kernel, tokens, values, pad);
    int64_t from = 0;
    for (int64_t cut : cuts) {
      head.call(from, cut);
      from = cut;
    }
    head.call(from, tokens);
    results = head.results();
    for (const cpu::Argument &argument : kernel->arguments())
      if (argument.role == Role::Output)
        values[argument.name] =
            host::unpack(results[argument.name].data(),
                         shapeOf(argument, tokens), memoryType(argument));
  }
  return results;
}

TensorMap tensorsOf(const Phases &phases, int64_t tokens,
                    const std::map<std::string, std::string> &results) {
  TensorMap tensors;
  for (const cpu::Argument &argument : phases.back()->arguments())
    if (isResult(argument))
      tensors[argument.name] =
          host::unpack(results.at(argument.name).data(),
                       shapeOf(argument, tokens), memoryType(argument));
  return tensors;
}

//===--- Every program ----------------------------------------------------===//

class CpuPlaces : public testing::TestWithParam<std::string> {};

void expectSameBits(const Program &program) {
  Derived derived = derive(program, 0);
  if (!derived.succeeded || !derived.chunkProgram())
    return;
  Phases phases = compilePhases(*derived.module);
  int64_t chunk = 1;
  for (auto part : derived.module->getOps<chunk::ProgramOp>())
    chunk = std::max(chunk, static_cast<int64_t>(part.getTokens()));
  Batch batch;
  batch.tokens = 2 * chunk + 5;
  InputOptions options;
  options.regime = Regime::Gentle;
  options.initialStates = true;
  TensorMap arguments = generateInputs(program, batch, options);
  int64_t T = batch.tokens;
  auto whole = runHead(phases, T, arguments, 0);
  EXPECT_EQ(whole, runHead(phases, T, arguments, 3)) << program.name;
  EXPECT_EQ(whole,
            runHead(phases, T, arguments, 0, {0, chunk, chunk, 2 * chunk, T}))
      << program.name;
  TensorMap meaning = evaluate(program, batch, arguments);
  roundOutputs(program, meaning);
  if (!(largestMagnitude(meaning) < 1e6))
    return;
  TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
  for (const std::vector<int64_t> &cuts :
       std::vector<std::vector<int64_t>>{{}, {1, 2, 3, chunk + 3}}) {
    TensorMap actual =
        tensorsOf(phases, T, runHead(phases, T, arguments, 0, cuts));
    Comparison comparison = compare(actual, meaning, magnitudes);
    EXPECT_LT(comparison.ratio, 5e-3)
        << program.name << " in " << cuts.size() + 1
        << " calls: " << comparison.name << " " << comparison.reason;
  }
}

TEST_P(CpuPlaces, GiveTheSameInAnyPlaceAndInParts) {
  for (const Program &program : checkedPrograms(GetParam()))
    expectSameBits(program);
}

INSTANTIATE_TEST_SUITE_P(Programs, CpuPlaces, testing::ValuesIn(allPrograms()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

/// Delays of less and more than a chunk, a prefix sum, the position, several
/// axes and integers.
const char *const keeping = R"(attention keeping(K = 5, N = 3) {
  in x : bf16[N, K]
  in w : f16 in [0, 1]
  in n : i32
  param p : bf16[N, K] shared
  state h : f32[K]
  state c : f32
  state S : bf16[N, K]
  h = w * h + sum[N](p * (x[t - 2] - x[t - 70]))
  c = 0.5 * c + n
  S *= w
  S += where(t % 5 == 0, 1, 0.5) * p * x
  out o : bf16[K] = h + prefix_sum(w)
  out i : i32 = n + t
  out s : f32 = c
  out r : f32[N, K] = S
})";

TEST(CpuCalls, KeepWhatTheyNeedFromCallToCall) {
  Program program = checkedProgram(keeping);
  Phases phases = compilePhases(*derive(program, 16).module);
  Batch batch;
  batch.tokens = 150;
  InputOptions options;
  options.initialStates = true;
  TensorMap arguments = generateInputs(program, batch, options);
  auto whole = runHead(phases, 150, arguments, 0);
  EXPECT_EQ(whole, runHead(phases, 150, arguments, 2));
  EXPECT_EQ(whole, runHead(phases, 150, arguments, 0, {16, 32, 112}));
  TensorMap meaning = evaluate(program, batch, arguments);
  roundOutputs(program, meaning);
  TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
  for (const std::vector<int64_t> &cuts : std::vector<std::vector<int64_t>>{
           {}, {1, 3, 20, 21, 90}, {71, 72, 149}}) {
    Comparison comparison = compare(
        tensorsOf(phases, 150, runHead(phases, 150, arguments, 0, cuts)),
        meaning, magnitudes);
    EXPECT_LT(comparison.ratio, 5e-3) << comparison.name << comparison.reason;
  }
}

TEST(CpuCalls, WithoutTokensPassStatesOn) {
  Program program = checkedProgram(keeping);
  Phases phases = compilePhases(*derive(program, 16).module);
  Batch batch;
  InputOptions options;
  options.initialStates = true;
  TensorMap arguments = generateInputs(program, batch, options);
  auto results = runHead(phases, 0, arguments, 0);
  for (const Declaration &state : program.states) {
    EXPECT_EQ(results[state.name],
              host::pack(arguments[state.name], DType::F32))
        << state.name;
  }
}

//===--- Element types ----------------------------------------------------===//

struct Format {
  const char *name;
  FloatFormat format;
};

const Format narrow[] = {{"bf16", formats::bf16},
                         {"f16", formats::f16},
                         {"e4m3", formats::e4m3},
                         {"e5m2", formats::e5m2},
                         {"tf32", formats::tf32}};

/// The kinds of machines that this one is of.
std::vector<cpu::Machine> machinesHere() {
  std::vector<cpu::Machine> machines;
  for (cpu::Machine machine :
       {cpu::Machine::Host, cpu::Machine::Avx2, cpu::Machine::Avx512})
    if (cpu::runsHere(machine))
      machines.push_back(machine);
  return machines;
}

/// A program that copies scalars, or vectors of `width`.
std::string copyOf(const std::string &from, const std::string &to,
                   int64_t width) {
  std::string shape = width == 1 ? "" : "[N]";
  return "attention a(N = " + std::to_string(width) + ") {\n  in x : " + from +
         shape + "\n  out o : " + to + shape + " = x\n}\n";
}

/// What the code makes of `values` in elements of type `from`, as `to`.
std::string convert(const std::string &text, cpu::Machine machine,
                    int64_t width, std::string values, int64_t bytesFrom,
                    int64_t bytesTo) {
  Program program = checkedProgram(text);
  cpu::CpuOptions options;
  options.machine = machine;
  auto kernel = cpu::compileForCpu(*derive(program, 0).module, options);
  EXPECT_TRUE(static_cast<bool>(kernel));
  auto tokens = static_cast<int64_t>(values.size()) / bytesFrom / width;
  std::string results(static_cast<size_t>(tokens * width * bytesTo), '\xff');
  const std::vector<cpu::Argument> &arguments = (*kernel)->arguments();
  EXPECT_EQ(arguments[0].elementBytes(), bytesFrom);
  EXPECT_EQ(arguments[1].elementBytes(), bytesTo);
  void *data[] = {values.data(), results.data()};
  const int64_t strides[] = {width, width};
  Workspace workspace(**kernel);
  std::vector<int64_t> carry(static_cast<size_t>((*kernel)->carryBytes() / 8));
  (*kernel)->entry()(data, strides, carry.data(), tokens, workspace.poisoned());
  return results;
}

/// Scalars, whole vectors, and vectors that end early.
const int64_t widths[] = {1, 32, 20};

template <class Number>
std::string bytesOf(const std::vector<Number> &numbers) {
  return std::string(reinterpret_cast<const char *>(numbers.data()),
                     numbers.size() * sizeof(Number));
}

template <class Number> Number numberAt(const std::string &bytes, size_t i) {
  Number number;
  std::memcpy(&number, bytes.data() + i * sizeof number, sizeof number);
  return number;
}

uint32_t patternAt(const std::string &bytes, size_t i, int64_t size) {
  return size == 1   ? numberAt<uint8_t>(bytes, i)
         : size == 2 ? numberAt<uint16_t>(bytes, i)
                     : numberAt<uint32_t>(bytes, i);
}

TEST(CpuFormats, EveryPatternIsLoadedAsItsValue) {
  for (const Format &format : narrow) {
    int64_t bytes = format.format.bits() > 16 ? 4 : format.format.bits() / 8;
    if (bytes == 4)
      continue; // tf32 lies in memory as an f32
    std::string patterns;
    int64_t count = int64_t(1) << format.format.bits();
    for (int64_t round = 0; round < 5; ++round) // a multiple of every width
      for (int64_t i = 0; i < count; ++i)
        patterns.append(reinterpret_cast<const char *>(&i),
                        static_cast<size_t>(bytes));
    for (int64_t width : widths) {
      std::string text = copyOf(format.name, "f32", width);
      for (cpu::Machine machine : machinesHere()) {
        std::string results = convert(text, machine, width, patterns, bytes, 4);
        for (int64_t i = 0; i < count; ++i) {
          auto x = numberAt<float>(results, static_cast<size_t>(i));
          double exact = decode(format.format, static_cast<uint32_t>(i));
          ASSERT_TRUE(std::isnan(exact) ? std::isnan(x)
                                        : x == exact && std::signbit(x) ==
                                                            std::signbit(exact))
              << format.name << "[" << width << "]" << " " << i << ": " << x
              << ", not " << exact;
        }
      }
    }
  }
}

/// Values, ties and what is next to them, of a format.
std::vector<float> nearPatterns(const FloatFormat &format) {
  std::vector<float> values;
  uint32_t step = format.bits() >= 16 ? 7 : 1;
  uint32_t end = format.bits() > 16 ? 1u << 16 : 1u << format.bits();
  for (uint32_t i = 0; i < end; i += step) {
    double here = decode(format, format.bits() > 16 ? i << 16 : i);
    double next =
        decode(format, format.bits() > 16 ? (i << 16) + (1u << 13) : i + 1);
    auto tie = static_cast<float>((here + next) / 2);
    for (float x : {static_cast<float>(here), tie, std::nextafter(tie, 1e38f),
                    std::nextafter(tie, -1e38f)}) {
      values.push_back(x);
      values.push_back(-x);
    }
  }
  for (float x : {0.0f, std::numeric_limits<float>::infinity(), std::nanf(""),
                  1e38f, 3.4e38f, 1e-45f, 1e-40f, 448.0f, 464.0f, 465.0f,
                  57344.0f, 61439.0f, 61440.0f, 65504.0f, 65519.9f, 65520.0f}) {
    values.push_back(x);
    values.push_back(-x);
  }
  for (uint32_t pattern : {0x7f800001u, 0xff800001u, 0xffffffffu}) { // NaNs
    float x;
    std::memcpy(&x, &pattern, sizeof x);
    values.push_back(x);
  }
  while (values.size() % 160 != 0)
    values.push_back(1);
  return values;
}

TEST(CpuFormats, StoresRoundAsTheReferenceDoes) {
  for (const Format &format : narrow) {
    bool whole = format.format.bits() == 19; // tf32, in the bits of an f32
    int64_t bytes = whole ? 4 : format.format.bits() / 8;
    std::vector<float> values = nearPatterns(format.format);
    for (int64_t width : widths) {
      std::string text = copyOf("f32", format.name, width);
      for (cpu::Machine machine : machinesHere()) {
        std::string results =
            convert(text, machine, width, bytesOf(values), 4, bytes);
        for (size_t i = 0; i < values.size(); ++i) {
          double x = values[i];
          if (whole && std::isnan(x))
            continue;
          uint32_t exact = whole
                               ? encode(formats::f32, roundTo(format.format, x))
                               : encode(format.format, x);
          ASSERT_EQ(patternAt(results, i, bytes), exact)
              << format.name << "[" << width << "]" << " of " << values[i];
        }
      }
    }
  }
}

//===--- Object files -----------------------------------------------------===//

TEST(CpuObjects, NeedNothingButTheirCaller) {
  const char *const text = R"(attention a(K = 16, V = 20) {
  in q, k : bf16[K]
  in v : f16[V]
  in g : f32 <= 0
  state S : f32[K, V]
  S *= exp(g)
  S += k * (tanh(v) - k @ S)
  out o : bf16[V] = q @ S
  out p : f16[V] = sin(v) + cos(v) + gelu(v) + abs(v) ^ g + v % 3 + log(v)
})";
  Derived derived = derive(checkedProgram(text), 0);
  for (cpu::Machine machine :
       {cpu::Machine::Host, cpu::Machine::Avx2, cpu::Machine::Avx512}) {
    cpu::CpuOptions options;
    options.machine = machine;
    auto object = cpu::emitObject(*derived.module, options, "some_name");
    ASSERT_TRUE(static_cast<bool>(object))
        << llvm::toString(object.takeError());
    ASSERT_EQ(object->programs.size(), 1u);
    EXPECT_EQ(object->programs[0].arguments.size(), 8u);
    EXPECT_GT(object->programs[0].workspaceBytes, 0);
    EXPECT_EQ(object->programs[0].carryBytes, 0);
    auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(
        llvm::MemoryBufferRef(object->bytes, "object")));
    std::set<std::string> defined, undefined;
    for (const llvm::object::SymbolRef &symbol : file->symbols()) {
      uint32_t flags = llvm::cantFail(symbol.getFlags());
      std::string name = llvm::cantFail(symbol.getName()).str();
      if (flags & llvm::object::SymbolRef::SF_Undefined)
        undefined.insert(name);
      else if (flags & llvm::object::SymbolRef::SF_Global)
        defined.insert(name);
    }
    EXPECT_EQ(defined, std::set<std::string>{"some_name"});
    for (const char *known : {"memcpy", "memset", "memmove"})
      undefined.erase(known);
    EXPECT_TRUE(undefined.empty()) << *undefined.begin();
  }
}

} // namespace
