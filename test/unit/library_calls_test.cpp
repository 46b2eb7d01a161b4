// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a call computes, whatever way its tensors lie in memory and its work is
// shared out. The code is written by hand: see SmallLibrary.h.
#include "test/unit/HostTensors.h"
#include "test/unit/SmallLibrary.h"

#include "dialect/Reference/Rounding.h"

#include <cfenv>
#include <gtest/gtest.h>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace trowel;
using namespace trowel::test;
using namespace trowel::test::small;

namespace {

struct Sizes {
  int64_t B = 2, T = 11, H = 4, G = 2;
};

/// Inputs of random numbers, and results.
struct Case {
  explicit Case(Sizes sizes, int64_t sequences = -1, int64_t boundaries = 0)
      : sizes(sizes), N(sequences < 0 ? sizes.B : sequences),
        x(f32Type, {sizes.B, sizes.T, sizes.H, K}),
        v(f32Type, {sizes.B, sizes.T, sizes.G, V}),
        c(f32Type, {sizes.B, sizes.T}), w(f32Type, {sizes.H, K}),
        o(f32Type, {sizes.B, sizes.T, sizes.H, V}),
        z(f32Type, {sizes.B, sizes.T, K}), S0(f32Type, {N, sizes.H, K, V}),
        Z0(bf16Type, {N, K}), S1(f32Type, {N, sizes.H, K, V}),
        Z1(bf16Type, {N, K}), Sat(f32Type, {boundaries, sizes.H, K, V}),
        Zat(bf16Type, {boundaries, K}), carry(u8Type, {N, sizes.H, 8}),
        carryAt(u8Type, {boundaries, sizes.H, 8}) {
    std::mt19937 random;
    unsigned seed = 0;
    for (HostTensor *tensor : {&x, &v, &c, &w, &S0}) {
      random.seed(++seed); // whatever the shapes
      for (int64_t i = 0; i < tensor->count(); ++i)
        tensor->as<float>()[i] =
            static_cast<float>(static_cast<int>(random() % 17) - 8) / 4;
    }
    for (int64_t i = 0; i < Z0.count(); ++i)
      Z0.as<uint16_t>()[i] = static_cast<uint16_t>(
          encode(formats::bf16, static_cast<double>(random() % 9) / 2));
  }

  void fill(HostCall &host) const {
    const std::pair<int, const HostTensor *> list[] = {
        {in_x, &x},        {in_v, &v},        {in_c, &c},
        {param_w, &w},     {out_o, &o},       {out_z, &z},
        {state_in_S, &S0}, {state_in_Z, &Z0}, {state_out_S, &S1},
        {state_out_Z, &Z1}};
    for (auto [place, tensor] : list)
      host.tensors[place] = &tensor->tensor;
    host.call.carry_out = &carry.tensor;
  }

  bool sameResults(const Case &other) const {
    return o == other.o && z == other.z && S1 == other.S1 && Z1 == other.Z1 &&
           carry == other.carry;
  }

  Sizes sizes;
  int64_t N;
  HostTensor x, v, c, w, o, z, S0, Z0, S1, Z1, Sat, Zat, carry, carryAt;
};

void expectSuccess(const trowel_call &call) {
  ASSERT_EQ(small::forward(call), TROWEL_OK) << trowel_library_last_error();
}

/// The meaning, one sequence and head after the other.
void expectMeaning(const Case &test, const std::vector<int32_t> &offsets) {
  const Sizes &sizes = test.sizes;
  for (size_t n = 0; n + 1 < offsets.size(); ++n)
    for (int64_t h = 0; h < sizes.H; ++h) {
      std::vector<float> S(
          test.S0.as<float>() + (int64_t(n) * sizes.H + h) * K * V,
          test.S0.as<float>() + (int64_t(n) * sizes.H + h + 1) * K * V);
      for (int32_t t = offsets[n]; t < offsets[n + 1]; ++t) {
        const float *x = test.x.as<float>() + (t * sizes.H + h) * K;
        const float *v =
            test.v.as<float>() + (t * sizes.G + h / (sizes.H / sizes.G)) * V;
        for (int64_t i = 0; i < V; ++i) {
          float sum = static_cast<float>(t - offsets[n]);
          for (int64_t k = 0; k < K; ++k) {
            S[k * V + i] *= 0.5f;
            S[k * V + i] += test.w.as<float>()[h * K + k] * x[k] * v[i];
            sum += x[k] * S[k * V + i];
          }
          EXPECT_EQ(test.o.as<float>()[(t * sizes.H + h) * V + i], sum);
        }
      }
      for (int64_t i = 0; i < K * V; ++i)
        EXPECT_EQ(test.S1.as<float>()[(int64_t(n) * sizes.H + h) * K * V + i],
                  S[i]);
    }
  for (size_t n = 0; n + 1 < offsets.size(); ++n)
    for (int64_t k = 0; k < K; ++k) {
      auto z = static_cast<float>(
          decode(formats::bf16, test.Z0.as<uint16_t>()[int64_t(n) * K + k]));
      for (int32_t t = offsets[n]; t < offsets[n + 1]; ++t) {
        z += test.c.as<float>()[t];
        EXPECT_EQ(test.z.as<float>()[t * K + k], z);
      }
      EXPECT_EQ(test.Z1.as<uint16_t>()[int64_t(n) * K + k],
                encode(formats::bf16, z));
    }
}

TEST(LibraryCalls, RowsAreSequences) {
  Case test({});
  HostCall host(tensor_count);
  test.fill(host);
  expectSuccess(host.call);
  expectMeaning(test, {0, 11, 22});
  for (int64_t i = 0; i < 8; ++i)
    EXPECT_EQ(test.carry.as<int64_t>()[i], 11);
}

TEST(LibraryCalls, PackedSequencesBeginAnew) {
  std::vector<int32_t> offsets = {0, 0, 9, 10, 10, 22};
  Case test({1, 22, 4, 2}, 5);
  HostTensor cu(i32Type, {6});
  std::copy(offsets.begin(), offsets.end(), cu.as<int32_t>());
  HostCall host(tensor_count);
  test.fill(host);
  host.call.cu_seqlens = &cu.tensor;
  expectSuccess(host.call);
  expectMeaning(test, offsets);
}

TEST(LibraryCalls, WhatIsNotWantedIsNotWritten) {
  Case all({}), some({});
  HostCall host(tensor_count);
  all.fill(host);
  expectSuccess(host.call);
  some.fill(host);
  for (int place : {out_o, state_out_S, state_out_Z})
    host.tensors[place] = nullptr;
  host.call.carry_out = nullptr;
  host.call.tensor_count = state_out_S; // the rest is null
  expectSuccess(host.call);
  EXPECT_TRUE(some.z == all.z);
  EXPECT_TRUE(some.o == Case({}).o);
  EXPECT_TRUE(some.S1 == Case({}).S1);
}

TEST(LibraryCalls, StatesBeginAsTheProgramSays) {
  Case test({});
  HostCall host(tensor_count);
  test.fill(host);
  host.tensors[state_in_S] = host.tensors[state_in_Z] = nullptr;
  expectSuccess(host.call);
  for (int64_t i = 0; i < test.S0.count(); ++i)
    test.S0.as<float>()[i] = 0;
  for (int64_t i = 0; i < test.Z0.count(); ++i)
    test.Z0.as<uint16_t>()[i] = 0x3f80;
  expectMeaning(test, {0, 11, 22});
}

TEST(LibraryCalls, NothingToDo) {
  for (Sizes sizes : {Sizes{0, 5, 4, 2}, Sizes{2, 0, 4, 2}}) {
    Case test(sizes);
    HostCall host(tensor_count);
    test.fill(host);
    expectSuccess(host.call);
    EXPECT_TRUE(test.S1 == test.S0); // without tokens: what it was
  }
  Case test({1, 0, 4, 2}, 0);
  HostTensor cu(i32Type, {1});
  cu.as<int32_t>()[0] = 0;
  HostCall host(tensor_count);
  test.fill(host);
  host.call.cu_seqlens = &cu.tensor;
  expectSuccess(host.call);
}

TEST(LibraryCalls, StridesAreFree) {
  Case dense({}), strided({});
  HostCall host(tensor_count);
  dense.fill(host);
  expectSuccess(host.call);
  strided.fill(host);
  HostTensor x = strided.x.spread(7), w = strided.w.spread(3),
             o = strided.o.spread(1), Z0 = strided.Z0.spread(2),
             S0 = strided.S0.spread(4), S1 = strided.S1.spread(5);
  host.tensors[in_x] = &x.tensor;
  host.tensors[param_w] = &w.tensor;
  host.tensors[out_o] = &o.tensor;
  host.tensors[state_in_S] = &S0.tensor;
  host.tensors[state_in_Z] = &Z0.tensor;
  host.tensors[state_out_S] = &S1.tensor;
  expectSuccess(host.call);
  EXPECT_TRUE(o.bytes == dense.o.spread(1).bytes);
  EXPECT_TRUE(S1.bytes == dense.S1.spread(5).bytes);
  EXPECT_TRUE(strided.z == dense.z);
}

/// Heads before tokens: [B, H, T, K] in memory.
TEST(LibraryCalls, AxesInAnotherOrder) {
  Case test({}), other({});
  HostCall host(tensor_count);
  test.fill(host);
  expectSuccess(host.call);
  HostTensor moved(f32Type, {2, 4, 11, K});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < 11; ++t)
      for (int64_t h = 0; h < 4; ++h)
        for (int64_t k = 0; k < K; ++k)
          moved.as<float>()[((b * 4 + h) * 11 + t) * K + k] =
              other.x.as<float>()[((b * 11 + t) * 4 + h) * K + k];
  moved.shape = {2, 11, 4, K};
  moved.strides = {4 * 11 * K, K, 11 * K, 1};
  moved.tensor.strides = moved.strides.data();
  other.fill(host);
  host.tensors[in_x] = &moved.tensor;
  expectSuccess(host.call);
  EXPECT_TRUE(other.sameResults(test));
}

/// q and o are columns of one matrix.
TEST(LibraryCalls, TensorsMayLieBetweenOneAnother) {
  Case test({}), packed({});
  HostCall host(tensor_count);
  test.fill(host);
  expectSuccess(host.call);
  HostTensor both(f32Type, {2, 11, 4, K + V});
  for (int64_t i = 0; i < 2 * 11 * 4; ++i)
    std::copy_n(packed.x.as<float>() + i * K, K,
                both.as<float>() + i * (K + V));
  both.tensor.strides = both.strides.data();
  HostTensor x = both, o = both;
  x.shape[3] = K;
  o.shape[3] = V;
  x.tensor.data = o.tensor.data = both.bytes.data();
  o.tensor.byte_offset = K * sizeof(float);
  packed.fill(host);
  host.tensors[in_x] = &x.tensor;
  host.tensors[out_o] = &o.tensor;
  expectSuccess(host.call);
  for (int64_t i = 0; i < 2 * 11 * 4; ++i)
    for (int64_t j = 0; j < V; ++j)
      EXPECT_EQ(both.as<float>()[i * (K + V) + K + j],
                test.o.as<float>()[i * V + j]);
}

TEST(LibraryCalls, ValuesMayComeFirstInStates) {
  Case test({}), turned({});
  HostCall host(tensor_count);
  test.fill(host);
  expectSuccess(host.call);
  auto turn = [](const HostTensor &from) {
    HostTensor to(f32Type, {from.shape[0], from.shape[1], V, K});
    for (int64_t i = 0; i < from.shape[0] * from.shape[1]; ++i)
      for (int64_t k = 0; k < K; ++k)
        for (int64_t v = 0; v < V; ++v)
          to.as<float>()[(i * V + v) * K + k] =
              from.as<float>()[(i * K + k) * V + v];
    return to;
  };
  HostTensor S0 = turn(turned.S0), S1 = turn(turned.S1);
  turned.fill(host);
  host.call.flags = TROWEL_STATE_V_FIRST;
  host.tensors[state_in_S] = &S0.tensor;
  host.tensors[state_out_S] = &S1.tensor;
  expectSuccess(host.call);
  EXPECT_TRUE(S1 == turn(test.S1));
  EXPECT_TRUE(turned.o == test.o);
}

TEST(LibraryCalls, AStateMayBeUpdatedInPlace) {
  Case test({}), inPlace({});
  HostCall host(tensor_count);
  test.fill(host);
  expectSuccess(host.call);
  inPlace.fill(host);
  host.tensors[state_out_S] = host.tensors[state_in_S];
  expectSuccess(host.call);
  EXPECT_TRUE(inPlace.S0 == test.S1);
  host.tensors[state_out_Z] = host.tensors[state_in_Z]; // of all heads
  EXPECT_EQ(small::forward(host.call), TROWEL_ERROR_OVERLAP);
}

TEST(LibraryCalls, TheWorkCanBeCutAndContinued) {
  Case whole({}), first({2, 8, 4, 2}), second({2, 3, 4, 2});
  HostCall host(tensor_count);
  whole.fill(host);
  expectSuccess(host.call);
  auto cut = [&](Case &part, int64_t begin) {
    const std::pair<HostTensor Case::*, int64_t> list[] = {
        {&Case::x, 4 * K}, {&Case::v, 2 * V}, {&Case::c, 1}};
    for (auto [member, row] : list)
      for (int64_t b = 0; b < 2; ++b)
        std::copy_n((whole.*member).as<float>() + (b * 11 + begin) * row,
                    part.sizes.T * row,
                    (part.*member).as<float>() + b * part.sizes.T * row);
  };
  cut(first, 0);
  cut(second, 8);
  first.fill(host);
  // A shared state would be rounded on its way.
  host.tensors[state_out_Z] = nullptr;
  expectSuccess(host.call);
  second.fill(host);
  host.tensors[state_in_S] = &first.S1.tensor;
  host.call.carry_in = &first.carry.tensor;
  host.call.carry_out = &first.carry.tensor; // may be the same
  expectSuccess(host.call);
  EXPECT_TRUE(second.S1 == whole.S1);
  EXPECT_TRUE(first.carry == whole.carry);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t i = 0; i < 3 * 4 * V; ++i)
      EXPECT_EQ(second.o.as<float>()[b * 3 * 4 * V + i],
                whole.o.as<float>()[(b * 11 + 8) * 4 * V + i]);
}

TEST(LibraryCalls, StatesAtBoundaries) {
  std::vector<int32_t> offsets = {0, 9, 9, 22}, places = {0, 8, 13, 17};
  Case plain({1, 22, 4, 2}, 3), test({1, 22, 4, 2}, 3, 4);
  HostTensor cu(i32Type, {4}), boundaries(i32Type, {4});
  std::copy(offsets.begin(), offsets.end(), cu.as<int32_t>());
  std::copy(places.begin(), places.end(), boundaries.as<int32_t>());
  HostCall host(tensor_count);
  plain.fill(host);
  host.call.cu_seqlens = &cu.tensor;
  expectSuccess(host.call);
  test.fill(host);
  host.call.boundaries = &boundaries.tensor;
  host.tensors[state_at_S] = &test.Sat.tensor;
  host.tensors[state_at_Z] = &test.Zat.tensor;
  host.call.carry_at = &test.carryAt.tensor;
  expectSuccess(host.call);
  EXPECT_TRUE(test.sameResults(plain)); // whoever looks on the way
  for (int64_t i = 0; i < 4; ++i) {
    int32_t start = places[i] < 9 ? 0 : 9;
    EXPECT_EQ(test.carryAt.as<int64_t>()[i * 4], places[i] - start);
    // The same as the final states of a call that ends there.
    Case prefix({1, places[i], 4, 2}, 3);
    prefix.fill(host);
    HostTensor ends(i32Type, {4});
    for (int64_t n = 0; n < 4; ++n)
      ends.as<int32_t>()[n] = std::min(offsets[n], places[i]);
    host.call.cu_seqlens = &ends.tensor;
    host.call.boundaries = nullptr;
    host.call.carry_at = nullptr;
    host.tensors[state_at_S] = host.tensors[state_at_Z] = nullptr;
    for (auto member : {&Case::x, &Case::v, &Case::c, &Case::S0})
      std::copy_n((test.*member).as<float>(), (prefix.*member).count(),
                  (prefix.*member).as<float>());
    expectSuccess(host.call);
    int64_t n = places[i] < 9 ? 0 : 2;
    EXPECT_EQ(std::memcmp(test.Sat.as<float>() + i * 4 * K * V,
                          prefix.S1.as<float>() + n * 4 * K * V,
                          sizeof(float) * 4 * K * V),
              0);
    EXPECT_EQ(std::memcmp(test.Zat.as<uint16_t>() + i * K,
                          prefix.Z1.as<uint16_t>() + n * K, 2 * K),
              0);
  }
}

//===--- Threads and memory -----------------------------------------------===//

TEST(LibraryCalls, ThreadsDoNotMatter) {
  Case one({});
  HostCall host(tensor_count);
  one.fill(host);
  host.call.threads = 1;
  expectSuccess(host.call);
  for (int32_t threads : {0, 2, 3, 7, 100000}) {
    Case many({});
    many.fill(host);
    host.call.threads = threads;
    expectSuccess(host.call);
    EXPECT_TRUE(many.sameResults(one)) << threads;
  }
}

/// A host that runs the work on threads of its own, or not at all.
/// One slice of a head after the other: what the first leaves to the next call
/// must not be what the second begins with.
TEST(LibraryCalls, AHeadThatIsDividedMayBeUpdatedInPlace) {
  Sizes sizes{1, 11, 1, 1};
  Case whole(sizes), divided(sizes);
  HostCall host(tensor_count);
  auto callInPlace = [&](Case &test) {
    test.fill(host);
    host.tensors[state_out_S] = host.tensors[state_in_S];
    host.call.carry_in = host.call.carry_out;
    std::memset(test.carry.bytes.data(), 0, test.carry.bytes.size());
    for (int i = 0; i < 2; ++i)
      expectSuccess(host.call);
  };
  host.call.threads = 1;
  callInPlace(whole);
  host.call.threads = 64;
  int32_t most = 0;
  host.call.parallel_for = [](void *most, int32_t count,
                              void (*)(void *, int32_t), void *) {
    *static_cast<int32_t *>(most) = count;
  };
  host.call.parallel_for_host = &most;
  callInPlace(divided);
  EXPECT_EQ(most, V);
  EXPECT_TRUE(divided.S0 == whole.S0);
  EXPECT_TRUE(divided.sameResults(whole));
  EXPECT_EQ(*whole.carry.as<int64_t>(), 22);
}

TEST(LibraryCalls, TheHostMayRunTheWork) {
  Case one({});
  HostCall host(tensor_count);
  one.fill(host);
  expectSuccess(host.call);
  using Body = void (*)(void *, int32_t);
  trowel_parallel_for threads = [](void *calls, int32_t count, Body body,
                                   void *context) {
    ++*static_cast<int *>(calls);
    std::vector<std::thread> list;
    for (int32_t i = 0; i < count; ++i)
      list.emplace_back(body, context, i);
    for (std::thread &thread : list)
      thread.join();
  };
  trowel_parallel_for nothing = [](void *calls, int32_t, Body, void *) {
    ++*static_cast<int *>(calls);
  };
  for (trowel_parallel_for way : {threads, nothing}) {
    int calls = 0;
    Case own({});
    own.fill(host);
    host.call.threads = 3;
    host.call.parallel_for = way;
    host.call.parallel_for_host = &calls;
    expectSuccess(host.call);
    EXPECT_TRUE(own.sameResults(one));
    EXPECT_EQ(calls, 1);
  }
}

TEST(LibraryCalls, CallersDoNotWaitForEachOther) {
  Case one({});
  HostCall host(tensor_count);
  one.fill(host);
  expectSuccess(host.call);
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        Case own({});
        HostCall call(tensor_count);
        own.fill(call);
        call.call.threads = 1 + round % 4;
        expectSuccess(call.call);
        EXPECT_TRUE(own.sameResults(one));
      }
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(LibraryCalls, AForkedProcessHasThreadsOfItsOwn) {
  Case one({}), forked({});
  HostCall host(tensor_count);
  one.fill(host);
  host.call.threads = 3;
  expectSuccess(host.call);
  pid_t child = fork();
  if (child == 0) {
    forked.fill(host);
    bool good = small::forward(host.call) == TROWEL_OK;
    _exit(good && forked.sameResults(one) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/// The host's rounding mode is its own business, on whichever thread.
TEST(LibraryCalls, TheHostsRoundingDoesNotMatter) {
  Case one({}), other({});
  HostCall host(tensor_count);
  one.fill(host);
  for (int64_t i = 0; i < one.x.count(); ++i)
    one.x.as<float>()[i] = other.x.as<float>()[i] =
        1 / static_cast<float>(i + 3);
  expectSuccess(host.call);
  other.fill(host);
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  int32_t status = small::forward(host.call);
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(status, TROWEL_OK);
  EXPECT_TRUE(other.sameResults(one));
}

TEST(LibraryCalls, AWorkspaceOfTheSizeThatWasAskedFor) {
  Case one({});
  HostCall host(tensor_count);
  one.fill(host);
  expectSuccess(host.call);
  size_t bytes = 0, least = 0;
  host.call.threads = 1;
  ASSERT_EQ(
      trowel_library_workspace_size(&program(), nullptr, &host.call, &least),
      TROWEL_OK);
  host.call.threads = 3;
  ASSERT_EQ(
      trowel_library_workspace_size(&program(), nullptr, &host.call, &bytes),
      TROWEL_OK);
  EXPECT_GT(bytes, least);
  for (size_t size : {bytes, bytes - 1, least, least - 1, size_t(0)})
    for (size_t shift : {0, 1, 63}) {
      std::vector<char> memory(size + shift + 1, '\xff');
      Case own({});
      own.fill(host);
      host.call.workspace = memory.data() + shift;
      host.call.workspace_size = size;
      int32_t status = small::forward(host.call);
      EXPECT_EQ(status, size < least ? TROWEL_ERROR_WORKSPACE : TROWEL_OK);
      EXPECT_TRUE(size < least || own.sameResults(one));
      EXPECT_EQ(memory.back(), '\xff');
    }
}

/// A question needs shapes, no memory.
TEST(LibraryCalls, TheSizeOfAWorkspaceNeedsNoData) {
  Case one({});
  HostCall host(tensor_count);
  one.fill(host);
  size_t with = 0, without = 0;
  ASSERT_EQ(
      trowel_library_workspace_size(&program(), nullptr, &host.call, &with),
      TROWEL_OK);
  std::vector<DLTensor> bare;
  bare.reserve(tensor_count);
  for (const DLTensor *&tensor : host.tensors)
    if (tensor) {
      bare.push_back(*tensor);
      bare.back().data = nullptr;
      tensor = &bare.back();
    }
  ASSERT_EQ(
      trowel_library_workspace_size(&program(), nullptr, &host.call, &without),
      TROWEL_OK);
  EXPECT_EQ(with, without);
}

} // namespace
