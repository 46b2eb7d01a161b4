// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Libraries with kernels, called as hosts call them, against the meaning. The
// driver is a fake, which runs the kernels on the emulator.
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "runtime/Host/Array.h"
#include "test/unit/DeviceLibrary.h"
#include "test/unit/SameBits.h"

#include <gtest/gtest.h>

#include <regex>

using namespace trowel;
using namespace trowel::test;
using library::Role;

namespace {

constexpr int64_t gap = 8; // elements; the carry's are bytes

void expectMeaning(const Program &program, const Batch &batch,
                   const TensorMap &arguments, const TensorMap &results,
                   const std::string &why, double threshold) {
  TensorMap meaning = evaluate(program, batch, arguments);
  TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
  roundResults(program, meaning);
  Comparison comparison = compare(results, meaning, magnitudes);
  EXPECT_LT(comparison.ratio, threshold)
      << program.name << ", " << why << ": " << comparison.name << " "
      << comparison.reason;
}

void expectForward(DeviceLibrary &library, const Program &program,
                   const Batch &batch, bool initialStates, double threshold) {
  InputOptions options;
  options.regime = Regime::Gentle;
  options.initialStates = initialStates;
  TensorMap arguments = generateInputs(program, batch, options);
  library::PreparedCall prepared(*library.built.tables, batch, arguments, {});
  DeviceCall call(library, prepared.raw(), gap);
  ASSERT_EQ(call.run(library.forward, TROWEL_FORWARD), TROWEL_OK)
      << library.lastError();
  ASSERT_EQ(library.device->failure, "");
  call.takeBack();
  library::CallResults results;
  prepared.unpack(results);
  expectMeaning(program, batch, arguments, results.values,
                batch.cuSeqlens.empty() ? "forward" : "packed", threshold);
}

/// int32 on the device.
class Rows {
public:
  Rows(DeviceCall &call, std::vector<int32_t> list)
      : values(std::move(list)), size(int64_t(values.size())) {
    tensor.device = {kDLCPU, 0};
    tensor.dtype = {kDLInt, 32, 1};
    tensor.ndim = 1;
    tensor.shape = &size;
    tensor.data = values.data();
    there = call.put(&tensor, true, 0);
  }
  const DLTensor *get() const { return there; }

private:
  std::vector<int32_t> values;
  int64_t size;
  DLTensor tensor = {};
  const DLTensor *there;
};

/// A pool of slots for a state or the carry, of memory that nobody has written.
struct Pool {
  Pool(DeviceCall &call, const DLTensor &like, int64_t slots, int32_t outer)
      : shape(like.shape, like.shape + like.ndim), tensor(like) {
    shape[0] = slots;
    size_t count = like.dtype.bits / 8;
    for (int64_t extent : shape)
      count *= size_t(extent);
    bytes.assign(count, '\xff');
    tensor.shape = shape.data();
    tensor.data = bytes.data();
    there = call.put(&tensor, false, outer);
  }
  Pool(const Pool &) = delete;

  std::string row(int64_t i) const {
    size_t count = bytes.size() / size_t(shape[0]);
    return bytes.substr(size_t(i) * count, count);
  }

  std::vector<int64_t> shape;
  DLTensor tensor;
  std::string bytes;
  const DLTensor *there;
};

/// Steps from nothing through slots, in place where that is allowed; then the
/// same tokens as drafts, to the bit.
class Steps {
public:
  Steps(DeviceLibrary &library, const Program &program)
      : library(library), program(program) {
    batch.batch = 3;
    batch.tokens = 4;
    batch.heads = 2;
    batch.groups = 1;
    InputOptions options;
    options.regime = Regime::Gentle;
    arguments = generateInputs(program, batch, options);
  }

  void run(double threshold) {
    library::PreparedCall prepared(*library.built.tables, batch, arguments, {});
    DeviceCall call(library, prepared.raw(), gap);
    makePools(call);
    for (int64_t t = 0; t < batch.tokens; ++t) {
      ASSERT_NO_FATAL_FAILURE(step(call, t));
      call.takeBack();
      history.push_back(rowsOf(side(t), rowsAfter(t)));
    }
    library::CallResults results;
    prepared.unpack(results);
    TensorMap outputs = results.values;
    ASSERT_NO_FATAL_FAILURE(expectDrafts(outputs));
    addStates(results.values);
    expectMeaning(program, batch, arguments, results.values, "steps",
                  threshold);
  }

private:
  void makePools(DeviceCall &call) {
    for (const library::TensorEntry &entry : library.tensors())
      if (entry.role == Role::InitialState)
        inPlace &= entry.sharing == library::Sharing::Head;
    for (int pool = 0; pool < (inPlace ? 1 : 2); ++pool) {
      for (size_t i = 0; i < library.tensors().size(); ++i)
        if (library.tensors()[i].role == Role::FinalState) {
          const DLTensor &like = *call.host.tensors[i];
          auto declared = int32_t(library.tensors()[i].sizes.size());
          pools[pool].emplace_back(call, like, slots, like.ndim - declared);
        }
      carries.emplace_back(call, *call.host.carry_out, slots, 2);
    }
  }

  /// Where sequences are after token t.
  std::vector<int32_t> rowsAfter(int64_t t) const {
    if (inPlace || t % 2 == 0)
      return {4, 0, 2};
    return {1, 3, 0};
  }

  /// Which pools have what token t leaves.
  size_t side(int64_t t) const { return inPlace ? 0 : size_t(t & 1); }

  /// The content of some rows of all pools.
  std::vector<std::vector<std::string>>
  rowsOf(size_t side, const std::vector<int32_t> &rows) const {
    std::vector<std::vector<std::string>> content(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      for (const Pool &pool : pools[side])
        content[i].push_back(pool.row(rows[i]));
      content[i].push_back(carries[side].row(rows[i]));
    }
    return content;
  }

  void expectDrafts(const TensorMap &stepped) {
    library::PreparedCall prepared(*library.built.tables, batch, arguments, {});
    DeviceCall call(library, prepared.raw(), 0);
    pools[0].clear();
    pools[1].clear();
    carries.clear();
    makePools(call);
    Rows nothing(call, {-1, -1, -1}), places(call, {4, 0, 2}),
        accepted(call, {4, 1, 2}), none(call, {0, 0, 0});
    call.raw.carry_out = nullptr;
    for (size_t i = 0; i < call.pointers.size(); ++i)
      if (library.tensors()[i].role == Role::FinalState)
        call.pointers[i] = nullptr;
    call.raw.state_in = nothing.get();
    ASSERT_EQ(call.run(library.verify, TROWEL_VERIFY), TROWEL_OK)
        << library.lastError();
    call.takeBack();
    library::CallResults verified;
    prepared.unpack(verified);
    for (const library::TensorEntry &entry : library.tensors())
      if (entry.role == Role::Output)
        EXPECT_TRUE(
            sameBits(verified.values.at(entry.name), stepped.at(entry.name)))
            << program.name << ", verify: " << entry.name;

    size_t next = 0;
    for (size_t i = 0; i < call.pointers.size(); ++i)
      if (library.tensors()[i].role == Role::FinalState)
        call.pointers[i] = pools[0][next++].there;
    call.raw.carry_out = carries[0].there;
    call.raw.state_out = places.get();
    call.raw.accepted = accepted.get();
    ASSERT_EQ(call.run(library.commit, TROWEL_COMMIT), TROWEL_OK)
        << library.lastError();
    ASSERT_EQ(library.device->failure, "");
    call.takeBack();
    auto committed = rowsOf(0, {4, 0, 2});
    const size_t last[] = {3, 0, 1}; // the accepted tokens' last
    for (size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(committed[i] == history[last[i]][i])
          << program.name << ", commit: sequence " << i;
    if (!inPlace)
      return;
    // Nobody takes anything.
    next = 0;
    for (size_t i = 0; i < call.pointers.size(); ++i)
      if (library.tensors()[i].role == Role::InitialState)
        call.pointers[i] = pools[0][next++].there;
    call.raw.carry_in = carries[0].there;
    call.raw.state_in = places.get();
    call.raw.accepted = none.get();
    ASSERT_EQ(call.run(library.commit, TROWEL_COMMIT), TROWEL_OK)
        << library.lastError();
    ASSERT_EQ(library.device->failure, "");
    call.takeBack();
    EXPECT_TRUE(committed == rowsOf(0, {4, 0, 2})) << program.name;
  }

  void step(DeviceCall &call, int64_t t) {
    trowel_call now = call.raw;
    std::vector<const DLTensor *> pointers = call.pointers;
    std::deque<std::pair<DLTensor, std::vector<int64_t>>> cuts;
    size_t in = 0, out = 0;
    for (size_t i = 0; i < pointers.size(); ++i) {
      Role role = library.tensors()[i].role;
      if (role == Role::InitialState)
        pointers[i] = pools[side(t - 1)][in++].there;
      else if (role == Role::FinalState)
        pointers[i] = pools[side(t)][out++].there;
      else if (pointers[i] && role != Role::Param)
        pointers[i] = cut(*pointers[i], t, cuts);
    }
    now.tensors = pointers.data();
    now.carry_in = carries[side(t - 1)].there;
    now.carry_out = carries[side(t)].there;
    std::vector<int32_t> from =
        t == 0 ? std::vector<int32_t>{-1, -1, -1} : rowsAfter(t - 1);
    Rows rowsIn(call, from), rowsOut(call, rowsAfter(t));
    now.state_in = rowsIn.get();
    now.state_out = rowsOut.get();
    std::swap(call.raw, now);
    ASSERT_EQ(call.run(library.step, TROWEL_STEP), TROWEL_OK)
        << library.lastError();
    ASSERT_EQ(library.device->failure, "") << "token " << t;
    std::swap(call.raw, now);
  }

  /// One token of a tensor [B, T, ...].
  static const DLTensor *
  cut(const DLTensor &tensor, int64_t t,
      std::deque<std::pair<DLTensor, std::vector<int64_t>>> &cuts) {
    auto &[part, shape] = cuts.emplace_back(
        tensor, std::vector<int64_t>(tensor.shape, tensor.shape + tensor.ndim));
    shape[1] = 1;
    part.shape = shape.data();
    part.byte_offset = uint64_t(t * tensor.strides[1] * tensor.dtype.bits / 8);
    return &part;
  }

  void addStates(TensorMap &results) {
    size_t next = 0;
    for (const library::TensorEntry &entry : library.tensors()) {
      if (entry.role != Role::FinalState)
        continue;
      std::vector<int64_t> shape = pools[0][next].shape;
      std::string bytes;
      for (const auto &sequence : history.back())
        bytes += sequence[next];
      ++next;
      shape[0] = batch.batch;
      results[entry.name] = host::unpack(bytes.data(), shape, entry.dtype);
    }
  }

  static constexpr int64_t slots = 5;
  DeviceLibrary &library;
  const Program &program;
  Batch batch;
  TensorMap arguments;
  bool inPlace = true;
  std::vector<std::vector<std::vector<std::string>>> history;
  std::deque<Pool> pools[2], carries;
};

class CudaLibrary : public testing::TestWithParam<std::string> {};

void expectAll(const Program &program, int64_t tokens, double threshold) {
  DeviceLibrary library(program, tokens);
  if (!library.refusal.empty()) {
    EXPECT_NE(library.refusal.find("reduced over heads"), std::string::npos)
        << library.refusal;
    return;
  }
  Batch batch;
  batch.batch = 2;
  batch.tokens = 9;
  batch.heads = 2;
  if (llvm::any_of(library.tensors(), [](const library::TensorEntry &entry) {
        return entry.sharing == library::Sharing::Grouped;
      }))
    batch.heads = 2 * (batch.groups = 2);
  expectForward(library, program, batch, true, threshold);
  batch.tokens = 0;
  expectForward(library, program, batch, true, threshold);
  Batch packed;
  packed.tokens = 12;
  packed.heads = packed.groups = 2;
  packed.cuSeqlens = {0, 0, 5, 5, 12};
  expectForward(library, program, packed, false, threshold);
  Steps(library, program).run(threshold);
  EXPECT_EQ(fakeDriver().loaded.size(), 1u);
  EXPECT_TRUE(fakeDriver().current.empty());
}

TEST_P(CudaLibrary, ComputesTheMeaning) {
  for (const Program &program : checkedPrograms(GetParam()))
    expectAll(inF32(program), 4, 1e-4);
}

TEST(CudaLibraryTypes, AreThoseOfTheProgram) {
  for (const Program &program :
       checkedPrograms("examples/kimi_delta_attention.trowel"))
    expectAll(program, 0, 5e-3);
}

INSTANTIATE_TEST_SUITE_P(Programs, CudaLibrary,
                         testing::ValuesIn(allPrograms()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

} // namespace
