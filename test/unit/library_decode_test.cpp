// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding: every program that ships, token after token from states in slots,
// against its meaning; verify and commit against that, to the bit.
#include "codegen/Library/InProcess.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "runtime/Host/Array.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <deque>
#include <regex>

using namespace trowel;
using namespace trowel::test;
using library::Role;

namespace {

constexpr int64_t slotCount = 7;

/// A dense tensor of 0xff (NaN) with memory of its own.
struct Memory {
  Memory(const DLTensor &like, int64_t rows)
      : shape(like.shape, like.shape + like.ndim), tensor(like) {
    shape[0] = rows;
    rowBytes = like.dtype.bits / 8;
    for (size_t i = 1; i < shape.size(); ++i)
      rowBytes *= static_cast<size_t>(shape[i]);
    bytes.assign(static_cast<size_t>(rows) * rowBytes, '\xff');
  }
  const DLTensor *get() {
    tensor.shape = shape.data();
    tensor.data = bytes.data();
    return &tensor;
  }
  std::string row(int64_t i) const {
    return bytes.substr(static_cast<size_t>(i) * rowBytes, rowBytes);
  }
  void setRow(int64_t i, const std::string &content) {
    bytes.replace(static_cast<size_t>(i) * rowBytes, rowBytes, content);
  }

  std::vector<int64_t> shape;
  std::string bytes;
  size_t rowBytes;
  DLTensor tensor;
};

/// int32 [N].
struct Integers {
  explicit Integers(std::vector<int32_t> values)
      : values(std::move(values)), size(int64_t(this->values.size())) {
    tensor.device = {kDLCPU, 0};
    tensor.dtype = {kDLInt, 32, 1};
    tensor.ndim = 1;
    tensor.shape = &size;
    tensor.data = this->values.data();
  }
  Integers(const Integers &) = delete;

  std::vector<int32_t> values;
  int64_t size;
  DLTensor tensor = {};
};

/// States and carries in slots.
using Pools = std::map<std::string, Memory>;

void expectSame(const Pools &a, const Pools &b, const std::string &why) {
  for (const auto &[name, memory] : a)
    EXPECT_TRUE(memory.bytes == b.at(name).bytes) << why << ": " << name;
}

class Decoder {
public:
  Decoder(const Program &program, double threshold)
      : program(program), threshold(threshold) {
    batch.batch = 3;
    batch.tokens = 6;
    batch.heads = 4;
    batch.groups = 2;
    InputOptions options;
    options.regime = Regime::Gentle;
    options.initialStates = true;
    arguments = generateInputs(program, batch, options);
    Derived chunked = derive(program, 0), step = derive(program, 1);
    auto made = library::InProcess::create(program, *chunked.module, {},
                                           nullptr, *step.module);
    EXPECT_TRUE(static_cast<bool>(made))
        << program.name << ": " << llvm::toString(made.takeError());
    if (made)
      code = std::move(*made);
  }

  void run() {
    if (!code)
      return;
    prepared.emplace(code->tables(), batch, arguments, library::CallOptions());
    raw = prepared->raw();
    begin = emptyPools();
    for (auto &[name, memory] : begin)
      for (int64_t i = 0; i < batch.batch; ++i)
        memory.setRow(slots[static_cast<size_t>(i)], beginning(name, i));
    expectStepsAreTheMeaning();
    expectVerify();
    expectCommit({0, 0, 0});
    expectCommit({6, 3, 0});
    expectCommit({1, 6, 5});
    expectBeginsAnew();
    expectGoesOn();
  }

private:
  using Function = int32_t (library::InProcess::*)(const trowel_call &) const;

  bool isPerToken(Role role) const {
    return role == Role::Input || role == Role::Output;
  }
  Pools emptyPools() const {
    Pools pools;
    for (size_t i = 0; i < tensors().size(); ++i)
      if (tensors()[i].role == Role::InitialState)
        pools.emplace(tensors()[i].name, Memory(*raw.tensors[i], slotCount));
    pools.emplace("", Memory(*raw.carry_out, slotCount));
    return pools;
  }
  /// What a sequence begins with: bytes of zero are its carry.
  std::string beginning(const std::string &name, int64_t sequence) const {
    for (size_t i = 0; i < tensors().size(); ++i) {
      const DLTensor *tensor = raw.tensors[i];
      if (tensors()[i].role != Role::InitialState || tensors()[i].name != name)
        continue;
      Memory memory(*tensor, batch.batch);
      std::memcpy(memory.bytes.data(), tensor->data, memory.bytes.size());
      return memory.row(sequence);
    }
    return std::string(begin.at(name).rowBytes, '\0');
  }
  const std::vector<library::TensorEntry> &tensors() const {
    return code->tables().tensors();
  }

  /// Calls a function with the tokens [first, first + count). What is null is
  /// not part of the call.
  void call(Function function, int64_t first, int64_t count, Pools *from,
            Pools *to, const std::vector<int32_t> *in,
            const std::vector<int32_t> *out,
            const std::vector<int32_t> *accepted = nullptr) {
    trowel_call now = raw;
    std::vector<const DLTensor *> pointers;
    std::deque<std::pair<DLTensor, std::vector<int64_t>>> parts;
    for (size_t i = 0; i < tensors().size(); ++i) {
      Role role = tensors()[i].role;
      const std::string &name = tensors()[i].name;
      const DLTensor *tensor = raw.tensors[i];
      if (role == Role::InitialState)
        tensor = from ? from->at(name).get() : nullptr;
      if (role == Role::FinalState)
        tensor = to ? to->at(name).get() : nullptr;
      if (tensor && isPerToken(role))
        tensor = cut(*tensor, first, count, parts);
      pointers.push_back(tensor);
    }
    now.tensors = pointers.data();
    now.carry_in = from ? from->at("").get() : nullptr;
    now.carry_out = to ? to->at("").get() : nullptr;
    now.flags = TROWEL_POISON_WORKSPACE;
    now.threads = 2;
    std::deque<Integers> lists;
    auto list = [&](const std::vector<int32_t> *values) {
      return values ? &lists.emplace_back(*values).tensor : nullptr;
    };
    now.state_in = list(in);
    now.state_out = list(out);
    now.accepted = list(accepted);
    EXPECT_EQ((*code.*function)(now), TROWEL_OK) << code->lastError();
  }

  /// Tokens of a dense tensor [B, T, ...].
  static const DLTensor *
  cut(const DLTensor &tensor, int64_t first, int64_t count,
      std::deque<std::pair<DLTensor, std::vector<int64_t>>> &parts) {
    auto &[part, numbers] = parts.emplace_back(tensor, std::vector<int64_t>());
    numbers.assign(tensor.shape, tensor.shape + tensor.ndim);
    numbers.resize(2 * numbers.size(), 1);
    for (int32_t i = tensor.ndim - 1; i-- > 0;)
      numbers[static_cast<size_t>(tensor.ndim + i)] =
          numbers[static_cast<size_t>(tensor.ndim + i) + 1] *
          tensor.shape[i + 1];
    part.byte_offset = static_cast<uint64_t>(
        first * numbers[static_cast<size_t>(tensor.ndim) + 1] *
        (tensor.dtype.bits / 8));
    numbers[1] = count;
    part.shape = numbers.data();
    part.strides = numbers.data() + tensor.ndim;
    return &part;
  }

  TensorMap outputs() const {
    library::CallResults results;
    prepared->unpack(results);
    TensorMap values;
    for (const library::TensorEntry &entry : tensors())
      if (entry.role == Role::Output)
        values[entry.name] = results.values.at(entry.name);
    return values;
  }
  void forgetOutputs() {
    for (size_t i = 0; i < tensors().size(); ++i)
      if (tensors()[i].role == Role::Output) {
        Memory memory(*raw.tensors[i], batch.batch);
        std::memset(raw.tensors[i]->data, 0xff, memory.bytes.size());
      }
  }
  TensorMap statesOf(const Pools &pools, const std::vector<int32_t> &where) {
    TensorMap values;
    for (const library::TensorEntry &entry : tensors()) {
      if (entry.role != Role::InitialState)
        continue;
      const Memory &memory = pools.at(entry.name);
      std::string bytes;
      for (int32_t slot : where)
        bytes += memory.row(slot);
      std::vector<int64_t> shape = memory.shape;
      shape[0] = batch.batch;
      values[entry.name] = host::unpack(bytes.data(), shape, entry.dtype);
    }
    return values;
  }

  void expectStepsAreTheMeaning() {
    Pools pools = begin;
    history = {begin};
    forgetOutputs();
    for (int64_t t = 0; t < batch.tokens; ++t) {
      call(&library::InProcess::step, t, 1, &pools, &pools, &slots, &slots);
      history.push_back(pools);
    }
    stepped = outputs();
    TensorMap results = stepped;
    results.merge(statesOf(pools, slots));
    expectMeaning(results, "steps");
    // Through other slots of other pools.
    Pools there = emptyPools(), back = emptyPools();
    Pools empty = there;
    std::vector<int32_t> others = {0, 5, 3};
    forgetOutputs();
    for (int64_t t = 0; t < batch.tokens; t += 2) {
      call(&library::InProcess::step, t, 1, t == 0 ? &begin : &back, &there,
           &slots, &others);
      call(&library::InProcess::step, t + 1, 1, &there, &back, &others, &slots);
    }
    expectOutputs(stepped, "steps through two pools");
    for (auto &[name, memory] : back)
      for (int32_t slot : slots)
        EXPECT_TRUE(memory.row(slot) == pools.at(name).row(slot)) << name;
    for (auto &[name, memory] : there)
      for (int32_t slot : {1, 2, 4, 6}) // nobody's
        EXPECT_TRUE(memory.row(slot) == empty.at(name).row(slot)) << name;
  }

  void expectMeaning(const TensorMap &results, const std::string &why) {
    TensorMap meaning = evaluate(program, batch, arguments);
    TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
    roundResults(program, meaning);
    Comparison comparison = compare(results, meaning, magnitudes);
    EXPECT_LT(comparison.ratio, threshold)
        << why << ": " << comparison.name << " " << comparison.reason;
  }
  void expectOutputs(const TensorMap &expected, const std::string &why) {
    TensorMap now = outputs();
    for (const auto &[name, tensor] : expected)
      EXPECT_EQ(std::memcmp(tensor.data.data(), now.at(name).data.data(),
                            tensor.data.size() * sizeof(double)),
                0)
          << why << ": " << name;
  }

  void expectVerify() {
    Pools pools = begin;
    forgetOutputs();
    call(&library::InProcess::verify, 0, batch.tokens, &pools, nullptr, &slots,
         nullptr);
    expectOutputs(stepped, "verify");
    expectSame(pools, begin, "verify leaves the states alone");
    // The rest of what was begun.
    pools = history[2];
    call(&library::InProcess::verify, 2, batch.tokens - 2, &pools, nullptr,
         &slots, nullptr);
    expectOutputs(stepped, "verify behind two steps");
  }

  void expectCommit(const std::vector<int32_t> &accepted) {
    Pools pools = begin, expected = begin;
    for (auto &[name, memory] : expected)
      for (size_t i = 0; i < slots.size(); ++i)
        memory.setRow(
            slots[i],
            history[static_cast<size_t>(accepted[i])].at(name).row(slots[i]));
    call(&library::InProcess::commit, 0, batch.tokens, &pools, &pools, &slots,
         &slots, &accepted);
    expectSame(pools, expected, "commit");
  }

  /// -1 is what no state is, to those whom it concerns.
  void expectBeginsAnew() {
    Pools mixed = begin, alone = emptyPools();
    std::vector<int32_t> in = {slots[0], -1, slots[2]}, own = {0, 1, 2};
    call(&library::InProcess::step, 0, 1, &mixed, &mixed, &in, &slots);
    call(&library::InProcess::step, 0, 1, nullptr, &alone, nullptr, &own);
    for (auto &[name, memory] : mixed) {
      EXPECT_TRUE(memory.row(slots[1]) == alone.at(name).row(1)) << name;
      EXPECT_TRUE(memory.row(slots[0]) == history[1].at(name).row(slots[0]))
          << name;
    }
    Pools kept = begin;
    std::vector<int32_t> nowhere = {slots[0], -1, slots[2]};
    call(&library::InProcess::step, 0, 1, &kept, &kept, &slots, &nowhere);
    for (auto &[name, memory] : kept)
      EXPECT_TRUE(memory.row(slots[1]) == begin.at(name).row(slots[1])) << name;
  }

  /// Steps go on where forward has stopped.
  void expectGoesOn() {
    Pools pools = begin;
    // forward has its sequences in order: the slots 0, 1, 2.
    for (auto &[name, memory] : pools)
      for (int64_t i = 0; i < batch.batch; ++i)
        memory.setRow(i, beginning(name, i));
    Pools first = emptyPools();
    for (Pools *all : {&pools, &first})
      for (auto &[name, memory] : *all) {
        memory.shape[0] = batch.batch;
        memory.bytes.resize(memory.rowBytes * static_cast<size_t>(batch.batch));
      }
    forgetOutputs();
    call(&library::InProcess::forward, 0, 3, &pools, &first, nullptr, nullptr);
    for (int64_t t = 3; t < batch.tokens; ++t)
      call(&library::InProcess::step, t, 1, &first, &first, nullptr, nullptr);
    TensorMap results = outputs();
    results.merge(statesOf(first, {0, 1, 2}));
    expectMeaning(results, "forward, then steps");
  }

  const Program &program;
  double threshold;
  Batch batch;
  TensorMap arguments, stepped;
  std::unique_ptr<library::InProcess> code;
  std::optional<library::PreparedCall> prepared;
  trowel_call raw = {};
  const std::vector<int32_t> slots = {4, 0, 6};
  Pools begin;
  std::vector<Pools> history; // by the number of steps
};

std::string nameOf(const testing::TestParamInfo<std::string> &info) {
  return std::regex_replace(info.param, std::regex("[^A-Za-z0-9]"), "_");
}

class DecodeInF32 : public testing::TestWithParam<std::string> {};

TEST_P(DecodeInF32, IsRight) {
  for (const Program &declared : checkedPrograms(GetParam())) {
    Program program = inF32(declared);
    Decoder(program, 1e-5).run();
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, DecodeInF32,
                         testing::ValuesIn(programFiles("examples")), nameOf);

CheckOptions wholeVectors(const syntax::Attention &attention) {
  CheckOptions options;
  for (const syntax::Size &size : attention.sizes)
    if (size.value > 6)
      options.sizes.push_back({size.name.text, 16});
  return options;
}

/// Whole vectors: states that may be updated where they lie.
class DecodeInPlace : public testing::TestWithParam<std::string> {};

TEST_P(DecodeInPlace, IsRight) {
  for (const Program &declared : checkedPrograms(GetParam(), wholeVectors)) {
    Program program = inF32(declared);
    Decoder(program, 1e-5).run();
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, DecodeInPlace,
                         testing::ValuesIn(programFiles("examples")), nameOf);

class DecodeAsDeclared : public testing::TestWithParam<std::string> {};

TEST_P(DecodeAsDeclared, IsRight) {
  for (const Program &program : checkedPrograms(GetParam()))
    Decoder(program, 5e-3).run();
}

INSTANTIATE_TEST_SUITE_P(Programs, DecodeAsDeclared,
                         testing::ValuesIn(allPrograms()), nameOf);

/// What is rounded after each step is rounded within a draft, too.
TEST(Decode, RoundsStatesTokenByToken) {
  Checked checked = checkText("attention narrow(K = 5, V = 6) {\n"
                              "  in q, k : f32[K]\n"
                              "  in v : f32[V]\n"
                              "  in g : f32 in [0, 1]\n"
                              "  state S : bf16[K, V]\n"
                              "  state z : f16[K]\n"
                              "  S = g * S + k * (v - k @ S)\n"
                              "  z = g * z + k\n"
                              "  out o : f32[V] = q @ S\n"
                              "  out n : f32 = q @ z\n"
                              "}\n");
  ASSERT_TRUE(checked.program) << checked.messages();
  Decoder(*checked.program, 5e-3).run();
}

/// States that take one value, and states that change places.
TEST(Decode, StatesOfOneValue) {
  for (const char *updates :
       {"  let n = g * A + k * v\n  A = n\n  B = n\n",
        "  let n = g * A + k * v\n  let m = A\n  A = B + n\n  B = m\n"}) {
    Checked checked = checkText(std::string("attention two(K = 5, V = 16) {\n"
                                            "  in q, k : f32[K]\n"
                                            "  in v : f32[V]\n"
                                            "  in g : f32 in [0, 1]\n"
                                            "  state A, B : f32[K, V]\n") +
                                updates +
                                "  out o : f32[V] = q @ (A + 2 * B)\n"
                                "}\n");
    ASSERT_TRUE(checked.program) << checked.messages();
    Decoder(*checked.program, 1e-5).run();
  }
}

} // namespace
