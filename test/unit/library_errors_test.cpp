// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Wrong calls: each has its status and a message that names the argument, and
// nothing is written. Then thousands of random ones.
#include "test/unit/HostTensors.h"
#include "test/unit/SmallLibrary.h"

#include <deque>
#include <gtest/gtest.h>
#include <random>

using namespace trowel;
using namespace trowel::test;
using namespace trowel::test::small;

namespace {

/// A call that is right until a test changes it; results are 0xff everywhere.
struct RightCall : HostCall {
  using Run = int32_t (*)(const trowel_call &);

  explicit RightCall(Run function = small::forward)
      : HostCall(tensor_count), function(function) {
    int64_t T = function == small::step ? 2 : 12;
    const std::vector<int64_t> shapes[tensor_count] = {
        {1, T, 4, K}, {1, T, 2, V}, {1, T},       {4, K},
        {1, T, 4, V}, {1, T, K},    {2, 4, K, V}, {2, K},
        {2, 4, K, V}, {2, K},       {2, 4, K, V}, {2, K}};
    const std::vector<size_t> bf16 = {state_in_Z, state_out_Z, state_at_Z};
    for (size_t i = 0; i < tensor_count; ++i)
      add(std::count(bf16.begin(), bf16.end(), i) ? bf16Type : f32Type,
          shapes[i]);
    // Whatever is made to lie where x does has room there.
    all[in_x].bytes.resize(1024);
    all[in_x].tensor.data = all[in_x].bytes.data();
    for (size_t i : {in_x, in_v, in_c, param_w, state_in_S, state_in_Z})
      std::fill(all[i].bytes.begin(), all[i].bytes.end(), 0);
    call.cu_seqlens = integers({0, 4, 12});
    call.boundaries = integers({0, 8});
    for (const DLTensor **tensor :
         {&call.carry_in, &call.carry_out, &call.carry_at})
      *tensor = &add(u8Type, {2, 4, 8}).tensor;
    std::fill(all[carryIn].bytes.begin(), all[carryIn].bytes.end(), 0);
    for (size_t i = 0; i < tensor_count; ++i)
      tensors[i] = &all[i].tensor;
    if (function != small::forward)
      decode();
  }
  static constexpr size_t cu = tensor_count, boundaries = cu + 1,
                          carryIn = cu + 2, carryOut = cu + 3, carryAt = cu + 4,
                          stateIn = cu + 5, stateOut = cu + 6,
                          accepted = cu + 7;

  /// The two sequences' states change places.
  void decode() {
    bool keeps = function != small::verify;
    if (function == small::step)
      all[cu].as<int32_t>()[1] = 1, all[cu].as<int32_t>()[2] = 2;
    call.boundaries = call.carry_at = nullptr;
    tensors[state_at_S] = tensors[state_at_Z] = nullptr;
    call.state_in = integers({1, 0});
    const DLTensor *out = integers({0, 1}), *prefix = integers({1, 3});
    if (keeps)
      call.state_out = out;
    else
      tensors[state_out_S] = tensors[state_out_Z] = call.carry_out = nullptr;
    if (function == small::commit)
      call.accepted = prefix;
    call.function = function == small::step     ? TROWEL_STEP
                    : function == small::verify ? TROWEL_VERIFY
                                                : TROWEL_COMMIT;
  }
  int32_t run() { return function(call); }
  int count() const { return static_cast<int>(all.size()); }

  HostTensor &add(DLDataType type, std::vector<int64_t> shape) {
    all.emplace_back(type, std::move(shape));
    return all.back();
  }
  const DLTensor *integers(const std::vector<int32_t> &values) {
    HostTensor &tensor = add(i32Type, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), tensor.as<int32_t>());
    return &tensor.tensor;
  }
  DLTensor &operator[](size_t i) { return all[i].tensor; }
  void setStride(size_t i, size_t axis, int64_t stride) {
    all[i].strides[axis] = stride;
    all[i].tensor.strides = all[i].strides.data();
  }
  void expectUntouched() const {
    for (size_t i : {size_t(out_o), size_t(out_z), size_t(state_out_S),
                     size_t(state_out_Z), size_t(state_at_S),
                     size_t(state_at_Z), carryOut, carryAt})
      for (char byte : all[i].bytes)
        ASSERT_EQ(byte, '\xff') << "tensor " << i << " was written";
  }

  Run function;
  std::deque<HostTensor> all;
};

void expectError(const std::function<void(RightCall &)> &damage, int32_t status,
                 const std::string &message,
                 RightCall::Run function = small::forward) {
  RightCall right(function);
  damage(right);
  EXPECT_EQ(right.run(), status);
  EXPECT_EQ(trowel_library_last_error(), message);
  right.expectUntouched();
}

constexpr RightCall::Run functions[] = {small::forward, small::step,
                                        small::verify, small::commit};

TEST(LibraryErrors, TheCallIsRightUntilItIsChanged) {
  for (RightCall::Run function : functions) {
    RightCall right(function);
    EXPECT_EQ(right.run(), TROWEL_OK) << trowel_library_last_error();
  }
}

TEST(LibraryErrors, Struct) {
  EXPECT_EQ(trowel_library_forward(&program(), nullptr), TROWEL_ERROR_CALL);
  EXPECT_STREQ(trowel_library_last_error(), "the call is null");
  RightCall right;
  EXPECT_EQ(
      trowel_library_workspace_size(&program(), nullptr, &right.call, nullptr),
      TROWEL_ERROR_CALL);
  std::string size = std::to_string(sizeof(trowel_call));
  expectError([](RightCall &r) { r.call.struct_size = 16; }, TROWEL_ERROR_CALL,
              "struct_size is 16, but sizeof(trowel_call) is " + size);
  expectError(
      [](RightCall &r) { r.call.struct_size = SIZE_MAX; }, TROWEL_ERROR_CALL,
      "struct_size is 18446744073709551615, but sizeof(trowel_call) is " +
          size);
  expectError([](RightCall &r) { r.call.flags = 6; }, TROWEL_ERROR_CALL,
              "flags has unknown bits: 0x6");
  expectError([](RightCall &r) { r.call.reserved = 1; }, TROWEL_ERROR_CALL,
              "reserved is not zero");
  expectError([](RightCall &r) { r.call.threads = -1; }, TROWEL_ERROR_CALL,
              "threads is -1");
  expectError([](RightCall &r) { r.call.segments = -1; }, TROWEL_ERROR_CALL,
              "segments is -1");
  expectError([](RightCall &r) { r.call.tensor_count = 13; }, TROWEL_ERROR_CALL,
              "tensor_count is 13, but `small` has 12");
  expectError([](RightCall &r) { r.call.tensors = nullptr; }, TROWEL_ERROR_CALL,
              "tensors is null");
}

/// A struct of a later version is good as long as nothing new is asked for.
TEST(LibraryErrors, LaterStruct) {
  struct Later {
    trowel_call call;
    int64_t news = 0;
  } later;
  RightCall right;
  later.call = right.call;
  later.call.struct_size = sizeof(later);
  EXPECT_EQ(trowel_library_forward(&program(), &later.call), TROWEL_OK);
  later.news = 1;
  EXPECT_EQ(trowel_library_forward(&program(), &later.call), TROWEL_ERROR_CALL);
  EXPECT_STREQ(trowel_library_last_error(),
               "the call uses a field that this library, which is older, does "
               "not have");
}

/// So is one of the first version, which ended before `state_in`.
TEST(LibraryErrors, EarlierStruct) {
  RightCall right;
  right.call.struct_size = offsetof(trowel_call, state_in);
  right.call.state_in = &right[right.cu]; // not the caller's
  EXPECT_EQ(right.run(), TROWEL_OK) << trowel_library_last_error();
  right.call.struct_size = 8;
  EXPECT_EQ(right.run(), TROWEL_ERROR_CALL);
}

TEST(LibraryErrors, Missing) {
  expectError([](RightCall &r) { r.tensors[in_v] = nullptr; },
              TROWEL_ERROR_MISSING, "`v` is missing: [B, T, G, V=5]");
  expectError([](RightCall &r) { r.call.tensor_count = param_w; },
              TROWEL_ERROR_MISSING, "`w` is missing: [H, K=3]");
  expectError([](RightCall &r) { r[in_x].data = nullptr; },
              TROWEL_ERROR_MISSING, "`x` has no data");
  expectError([](RightCall &r) { r[r.cu].data = nullptr; },
              TROWEL_ERROR_MISSING, "`cu_seqlens` has no data");
  expectError([](RightCall &r) { r.call.boundaries = nullptr; },
              TROWEL_ERROR_MISSING,
              "`S` at boundaries is given without boundaries");
}

TEST(LibraryErrors, DeviceAndType) {
  expectError(
      [](RightCall &r) {
        r[param_w].device = {kDLCUDA, 0};
      },
      TROWEL_ERROR_DEVICE,
      "`w` is on a device of type 2; this library takes memory of the "
      "CPU (1)");
  expectError([](RightCall &r) { r[in_x].dtype = bf16Type; },
              TROWEL_ERROR_DTYPE, "`x` has elements of type bf16, not f32");
  expectError(
      [](RightCall &r) {
        r[state_in_Z].dtype = {kDLFloat, 16, 1};
      },
      TROWEL_ERROR_DTYPE, "the initial `Z` has elements of type f16, not bf16");
  expectError([](RightCall &r) { r[in_x].dtype.lanes = 2; }, TROWEL_ERROR_DTYPE,
              "`x` has elements of type DLPack's code 2 with 32 bits and 2 "
              "lanes, not f32");
  expectError(
      [](RightCall &r) {
        r[r.cu].dtype = {kDLInt, 64, 1};
      },
      TROWEL_ERROR_DTYPE, "`cu_seqlens` has elements of type i64, not i32");
}

TEST(LibraryErrors, Shapes) {
  expectError([](RightCall &r) { r[in_x].ndim = 3; }, TROWEL_ERROR_SHAPE,
              "`x` has shape [1, 12, 4]; expected [B, T, H, K=3]");
  expectError([](RightCall &r) { r.all[in_x].shape[3] = 4; },
              TROWEL_ERROR_SHAPE,
              "`x` has shape [1, 12, 4, 4]; expected [B, T, H, K=3]");
  expectError([](RightCall &r) { r[in_x].shape = nullptr; }, TROWEL_ERROR_SHAPE,
              "`x` has no shape");
  expectError([](RightCall &r) { r[in_x].ndim = -1; }, TROWEL_ERROR_SHAPE,
              "`x` has no shape");
  expectError([](RightCall &r) { r.all[in_v].shape[1] = -12; },
              TROWEL_ERROR_SHAPE,
              "`v` has shape [1, -12, 2, 5]; expected [B, T, G, V=5]");
  expectError([](RightCall &r) { r.all[in_v].shape[1] = 11; },
              TROWEL_ERROR_SHAPE, "`v` has T = 11, but `x` has T = 12");
  expectError([](RightCall &r) { r.all[in_v].shape[2] = 3; },
              TROWEL_ERROR_SHAPE,
              "`x` has H = 4, which is no multiple of G = 3");
  expectError([](RightCall &r) { r.all[in_v].shape[2] = 0; },
              TROWEL_ERROR_SHAPE, "`v` has G = 0");
  expectError([](RightCall &r) { r.all[state_in_S].shape[0] = 3; },
              TROWEL_ERROR_SHAPE,
              "the initial `Z` has N = 2, but the initial `S` has N = 3");
  expectError([](RightCall &r) { r.all[r.carryOut].shape[2] = 16; },
              TROWEL_ERROR_SHAPE,
              "`carry_out` has shape [2, 4, 16]; expected [N, H, "
              "carry_bytes]");
  expectError([](RightCall &r) { r.call.flags = TROWEL_STATE_V_FIRST; },
              TROWEL_ERROR_SHAPE,
              "the initial `S` has shape [2, 4, 3, 5]; expected [N, H, V=5, "
              "K=3]");
  expectError([](RightCall &r) { r.all[r.cu].shape[0] = 0; },
              TROWEL_ERROR_SHAPE,
              "`cu_seqlens` has shape [0]; expected [N + 1]");
  expectError([](RightCall &r) { r.call.cu_seqlens = nullptr; },
              TROWEL_ERROR_SHAPE, "the initial `S` has N = 2, but B = 1");
}

TEST(LibraryErrors, HugeShapes) {
  auto grow = [](RightCall &r, int64_t B, int64_t T) {
    for (size_t i : {in_x, in_v, in_c, out_o, out_z}) {
      r.all[i].shape[0] = B;
      r.all[i].shape[1] = T;
    }
    r.call.cu_seqlens = r.call.boundaries = nullptr;
    r.call.carry_in = r.call.carry_out = r.call.carry_at = nullptr;
    for (size_t i = state_in_S; i < tensor_count; ++i)
      r.tensors[i] = nullptr;
  };
  expectError([&](RightCall &r) { grow(r, 1, int64_t(1) << 31); },
              TROWEL_ERROR_SHAPE, "`x` has T = 2147483648, above 2147483647");
  expectError([&](RightCall &r) { grow(r, INT64_MAX, INT64_MAX); },
              TROWEL_ERROR_SHAPE,
              "`x` has shape [9223372036854775807, 9223372036854775807, 4, "
              "3]: more elements than can be addressed");
  expectError([&](RightCall &r) { grow(r, int64_t(1) << 58, 1); },
              TROWEL_ERROR_STRIDE, "`x` reaches beyond what can be addressed");
  expectError(
      [&](RightCall &r) {
        grow(r, INT64_MAX, 12);
        for (size_t i : {in_x, in_v, in_c, out_o, out_z})
          r.setStride(i, 0, 0);
      },
      TROWEL_ERROR_SHAPE, "B * T * H is too large");
}

TEST(LibraryErrors, Strides) {
  expectError([](RightCall &r) { r.setStride(in_x, 3, 2); },
              TROWEL_ERROR_STRIDE,
              "`x` has the stride 2 along its last axis, which must be "
              "contiguous");
  expectError([](RightCall &r) { r.setStride(r.cu, 0, -1); },
              TROWEL_ERROR_STRIDE,
              "`cu_seqlens` has the stride -1 along its last axis, which must "
              "be contiguous");
  expectError([](RightCall &r) { r.setStride(in_x, 1, INT64_MAX); },
              TROWEL_ERROR_STRIDE, "`x` reaches beyond what can be addressed");
  expectError([](RightCall &r) { r.setStride(in_x, 1, INT64_MIN); },
              TROWEL_ERROR_STRIDE, "`x` reaches beyond what can be addressed");
  expectError([](RightCall &r) { r[in_x].byte_offset = UINT64_MAX - 2; },
              TROWEL_ERROR_STRIDE, "`x` reaches beyond what can be addressed");
  expectError([](RightCall &r) { r.setStride(out_o, 2, 0); },
              TROWEL_ERROR_STRIDE,
              "elements of `o` share memory, but it is written");
  expectError([](RightCall &r) { r.setStride(state_out_S, 2, 4); },
              TROWEL_ERROR_STRIDE,
              "elements of the final `S` share memory, but it is written");
  expectError([](RightCall &r) { r[in_x].byte_offset = 2; },
              TROWEL_ERROR_ALIGNMENT,
              "`x` begins at an address that is no multiple of 4");
}

TEST(LibraryErrors, Overlaps) {
  auto place = [](RightCall &r, size_t at, size_t on, int64_t bytes) {
    r[at].data = r.all[on].bytes.data() + bytes;
  };
  expectError([&](RightCall &r) { place(r, out_o, in_x, 0); },
              TROWEL_ERROR_OVERLAP, "`x` and `o` share memory");
  expectError(
      [&](RightCall &r) {
        r.add(f32Type, {100}); // with room around the offsets
        char *offsets = r.all.back().bytes.data() + 100;
        std::memcpy(offsets, r.all[r.cu].bytes.data(), 12);
        r[r.cu].data = offsets;
        place(r, r.carryOut, r.all.size() - 1, 100 - 60);
      },
      TROWEL_ERROR_OVERLAP, "`cu_seqlens` and `carry_out` share memory");
  expectError([&](RightCall &r) { place(r, state_out_S, state_in_S, -4); },
              TROWEL_ERROR_OVERLAP,
              "the initial `S` and the final `S` share memory");
  expectError([&](RightCall &r) { place(r, state_in_Z, state_out_Z, 0); },
              TROWEL_ERROR_OVERLAP,
              "the initial `Z` and the final `Z` share memory");
  expectError(
      [](RightCall &r) {
        r.call.workspace = r.all[param_w].bytes.data();
        r.call.workspace_size = 16;
      },
      TROWEL_ERROR_OVERLAP, "`w` and the workspace share memory");
  expectError(
      [](RightCall &r) {
        r.call.workspace = r.all[param_w].bytes.data();
        r.call.workspace_size = SIZE_MAX;
      },
      TROWEL_ERROR_WORKSPACE,
      "the workspace reaches beyond what can be addressed");
}

TEST(LibraryErrors, Offsets) {
  auto expect = [](const std::vector<int32_t> &values,
                   const std::string &message) {
    expectError([&](RightCall &r) { r.call.cu_seqlens = r.integers(values); },
                TROWEL_ERROR_CU_SEQLENS, message);
  };
  expect({1, 4, 12}, "`cu_seqlens` begins with 1, not with 0");
  expect({0, 13, 12}, "`cu_seqlens` decreases from 13 to 12");
  expect({0, -4, 12}, "`cu_seqlens` decreases from 0 to -4");
  expect({0, 4, 11}, "`cu_seqlens` ends with 11, but T = 12");
}

TEST(LibraryErrors, Boundaries) {
  auto expect = [](const std::vector<int32_t> &values,
                   const std::string &message) {
    expectError([&](RightCall &r) { r.call.boundaries = r.integers(values); },
                TROWEL_ERROR_BOUNDARIES, message);
  };
  expect({-4, 0}, "`boundaries` has -4, but the tokens are 0 to 11");
  expect({0, 12}, "`boundaries` has 12, but the tokens are 0 to 11");
  expect({8, 8}, "`boundaries` does not increase from 8 to 8");
  expect({8, 4}, "`boundaries` does not increase from 8 to 4");
  expect({0, 6}, "`boundaries` has 6, which is no multiple of 4 behind the "
                 "sequence's first token, 4");
}

TEST(LibraryErrors, NothingSaysHowLong) {
  using namespace library;
  // A program without inputs: only its output says what T is.
  static const TensorInfo output = {
      "`o`",           "[B, T]", "", Role::Output, ElementType::F32,
      Sharing::Shared, -1,       0,  nullptr};
  ProgramInfo info = program();
  info.tensors = &output;
  info.tensorCount = 1;
  trowel_call call = trowel_new_call();
  EXPECT_EQ(trowel_library_forward(&info, &call), TROWEL_ERROR_MISSING);
  EXPECT_STREQ(trowel_library_last_error(),
               "no tensor says what B is: give an output");
}

TEST(LibraryErrors, NoCodeForThisMachine) {
  using namespace library;
  static const Machine machines[] = {Machine::Avx512, Machine::Avx2};
  ProgramInfo info = program();
  info.machines = machines;
  info.machineCount = 2;
  RightCall right;
  setenv("TROWEL_CPU", "z80", 1);
  EXPECT_EQ(trowel_library_forward(&info, &right.call), TROWEL_ERROR_MACHINE);
  unsetenv("TROWEL_CPU");
  EXPECT_STREQ(trowel_library_last_error(),
               "TROWEL_CPU is `z80`: this library has no such code for this "
               "processor");
  right.expectUntouched();
  info.machineCount = 0;
  EXPECT_EQ(trowel_library_forward(&info, &right.call), TROWEL_ERROR_MACHINE);
}

//===--- Decoding ---------------------------------------------------------===//

TEST(DecodeErrors, NoMeaning) {
  auto refuse = [](const std::function<void(RightCall &)> &damage,
                   const std::string &message, RightCall::Run function) {
    expectError(damage, TROWEL_ERROR_CALL, message, function);
  };
  auto at = [](RightCall &r) { r.tensors[state_at_S] = &r[state_at_S]; };
  refuse(at, "`S` at boundaries has no meaning to step", small::step);
  auto boundaries = [](RightCall &r) { r.call.boundaries = &r[r.boundaries]; };
  refuse(boundaries, "`boundaries` has no meaning to commit", small::commit);
  auto final = [](RightCall &r) { r.tensors[state_out_S] = &r[state_out_S]; };
  refuse(final, "the final `S` has no meaning to verify", small::verify);
  auto carry = [](RightCall &r) { r.call.carry_out = &r[r.carryOut]; };
  refuse(carry, "`carry_out` has no meaning to verify", small::verify);
  auto accepted = [](RightCall &r) { r.call.accepted = r.integers({1, 1}); };
  refuse(accepted, "`accepted` has no meaning to step", small::step);
  auto slots = [](RightCall &r) { r.call.state_in = r.integers({0, 1}); };
  refuse(slots, "`state_in` has no meaning to forward", small::forward);
  refuse([](RightCall &r) { r.call.function = 5; }, "function is 5",
         small::step);
  refuse([](RightCall &r) { r.call.reserved2 = 1; }, "reserved2 is not zero",
         small::step);
  expectError([](RightCall &r) { r.call.accepted = nullptr; },
              TROWEL_ERROR_MISSING, "`accepted` is missing: [N]",
              small::commit);
}

TEST(DecodeErrors, Shapes) {
  expectError([](RightCall &r) { r.all[state_in_S].shape[1] = 3; },
              TROWEL_ERROR_SHAPE,
              "the initial `S` has H = 3, but `x` has H = 4", small::step);
  expectError([](RightCall &r) { r.all[state_out_S].shape[2] = 9; },
              TROWEL_ERROR_SHAPE,
              "the final `S` has shape [2, 4, 9, 5]; expected [slots, H, K=3, "
              "V=5]",
              small::step);
  expectError([](RightCall &r) { r.all[state_in_Z].shape[0] = 1; },
              TROWEL_ERROR_SHAPE,
              "the initial `Z` has slots = 1, but the initial `S` has slots = "
              "2",
              small::verify);
  expectError(
      [](RightCall &r) {
        r.call.state_in = r.integers({0, 1, 0});
      },
      TROWEL_ERROR_SHAPE, "`state_in` has N = 3, but `cu_seqlens` has N = 2",
      small::verify);
}

TEST(DecodeErrors, Tokens) {
  expectError([](RightCall &r) { r.all[r.cu].as<int32_t>()[1] = 2; },
              TROWEL_ERROR_TOKENS,
              "step takes one token of each sequence, but sequence 0 has 2",
              small::step);
  auto longer = [](RightCall &r) {
    for (size_t i : {in_x, in_v, in_c, out_o, out_z}) {
      r.add(f32Type, {1, 17, 4, V});
      r[i].shape[1] = 17;
      r[i].data = r.all.back().bytes.data();
    }
    r.call.cu_seqlens = r.integers({0, 0, 17});
  };
  expectError(longer, TROWEL_ERROR_TOKENS,
              "verify takes at most 16 tokens of each sequence, but sequence 1 "
              "has 17",
              small::verify);
  for (int32_t wrong : {5, -1})
    expectError(
        [&](RightCall &r) { r.all[r.accepted].as<int32_t>()[0] = wrong; },
        TROWEL_ERROR_TOKENS,
        "`accepted` has " + std::to_string(wrong) +
            ", but sequence 0 has 4 tokens",
        small::commit);
}

TEST(DecodeErrors, Slots) {
  auto refuse = [](size_t list, std::vector<int32_t> values,
                   const std::string &message) {
    expectError(
        [&](RightCall &r) {
          std::copy(values.begin(), values.end(), r.all[list].as<int32_t>());
        },
        TROWEL_ERROR_SLOTS, message, small::step);
  };
  refuse(RightCall::stateIn, {0, 2}, "`state_in` has 2, but there are 2 slots");
  refuse(RightCall::stateIn, {-2, 0},
         "`state_in` has -2, but there are 2 slots");
  refuse(RightCall::stateOut, {0, 7},
         "`state_out` has 7, but there are 2 slots");
  refuse(RightCall::stateOut, {1, 1}, "`state_out` has 1 twice");
  auto fewer = [](RightCall &r) {
    r.call.state_in = nullptr;
    for (size_t i : {size_t(state_in_S), size_t(state_in_Z), r.carryIn})
      r.all[i].shape[0] = 1;
  };
  expectError(fewer, TROWEL_ERROR_SLOTS,
              "the initial `S` has 1 slots for 2 sequences: give `state_in`",
              small::verify);
}

/// Two sequences that begin with one state are two futures of it.
TEST(DecodeErrors, SharedBeginning) {
  RightCall right(small::step);
  right.all[right.stateIn].as<int32_t>()[0] = 0;
  EXPECT_EQ(right.run(), TROWEL_OK) << trowel_library_last_error();
}

TEST(DecodeErrors, SlotOfAnother) {
  for (bool named : {true, false}) {
    RightCall right(small::step);
    std::vector<char> before = right.all[state_in_S].bytes;
    right.tensors[state_out_S] = right.tensors[state_in_S];
    if (!named)
      right.call.state_out = nullptr;
    EXPECT_EQ(right.run(), TROWEL_ERROR_SLOTS);
    EXPECT_STREQ(trowel_library_last_error(),
                 "sequence 0 reads slot 1, which another one writes");
    EXPECT_EQ(right.all[state_in_S].bytes, before);
    right.all[right.stateIn].as<int32_t>()[0] = -1;
    right.all[right.stateIn].as<int32_t>()[1] = 1;
    EXPECT_EQ(right.run(), TROWEL_OK) << trowel_library_last_error();
  }
}

TEST(DecodeErrors, Workspace) {
  for (RightCall::Run function : functions) {
    RightCall right(function);
    size_t bytes = 0;
    ASSERT_EQ(
        trowel_library_workspace_size(&program(), nullptr, &right.call, &bytes),
        TROWEL_OK)
        << trowel_library_last_error();
    std::vector<char> memory(bytes);
    right.call.workspace = memory.data();
    right.call.workspace_size = bytes;
    EXPECT_EQ(right.run(), TROWEL_OK) << trowel_library_last_error();
  }
}

//===--- Random calls -----------------------------------------------------===//

class Vandal {
public:
  explicit Vandal(unsigned seed) : random(seed) {}

  void damage(RightCall &right) {
    for (int i = 1 + below(3); i > 0; --i)
      damageOnce(right);
  }

private:
  int below(int n) { return static_cast<int>(random() % unsigned(n)); }
  int64_t number() {
    const int64_t list[] = {0,  1,         -1,        2,        3,
                            12, INT32_MAX, INT64_MAX, INT64_MIN};
    return list[below(9)];
  }

  void damageTensor(RightCall &r, HostTensor &tensor) {
    size_t rank = tensor.shape.size();
    DLTensor &raw = tensor.tensor;
    switch (below(8)) {
    case 0:
      raw.ndim = below(2) ? below(static_cast<int>(rank) + 1) : -below(9);
      break;
    case 1:
      raw.dtype = {uint8_t(below(18)), uint8_t(8 << below(4)), 1};
      break;
    case 2:
      raw.device.device_type = static_cast<DLDeviceType>(below(18));
      break;
    case 3:
      (below(2) ? raw.shape : raw.strides) = nullptr;
      break;
    case 4:
      raw.data = below(2) ? nullptr : r.all[0].bytes.data() + below(9);
      break;
    case 5:
      // Nobody can tell how large the memory really is: a size that no other
      // tensor has. A pool of slots may have any number of them.
      if (int first = r.function == small::forward ? 0 : 1; first < int(rank))
        tensor.shape[first + below(int(rank) - first)] =
            number() | (int64_t(1) << 45);
      break;
    case 6:
      if (rank > 0) {
        int axis = below(int(rank));
        // Within the memory, or never right.
        const int64_t list[] = {0, 0, INT64_MIN, INT64_MIN + 5, INT64_MAX};
        tensor.strides[axis] = list[below(5)];
        raw.strides = tensor.strides.data();
      }
      break;
    default:
      raw.byte_offset = raw.dtype.bits > 8 && below(2)
                            ? 1
                            : uint64_t(number()) | uint64_t(1) << 63;
    }
  }

  void damageOnce(RightCall &r) {
    switch (below(10)) {
    case 0:
      r.call.tensor_count = static_cast<int32_t>(number());
      break;
    case 1:
      r.tensors[below(tensor_count)] = nullptr;
      break;
    case 2:
      for (const DLTensor **extra :
           {&r.call.cu_seqlens, &r.call.boundaries, &r.call.carry_in,
            &r.call.carry_out, &r.call.carry_at, &r.call.state_in,
            &r.call.state_out, &r.call.accepted})
        if (below(3) == 0)
          *extra = below(2) ? nullptr : &r.all[size_t(below(r.count()))].tensor;
      break;
    case 3:
      r.call.flags = static_cast<uint32_t>(below(4));
      break;
    case 4:
      r.call.threads = below(2) ? below(5) : static_cast<int32_t>(number());
      if (r.call.threads > 8)
        r.call.threads = 8;
      break;
    case 5:
    case 6: {
      const size_t lists[] = {r.cu, r.boundaries, r.stateIn, r.stateOut,
                              r.accepted};
      size_t list = lists[below(r.count() > 17 ? 5 : 2)];
      r.all[list].as<int32_t>()[below(list == r.cu ? 3 : 2)] =
          static_cast<int32_t>(number());
      break;
    }
    case 7:
      std::swap(r.tensors[below(tensor_count)], r.tensors[below(tensor_count)]);
      break;
    default:
      damageTensor(r, r.all[size_t(below(r.count()))]);
    }
  }

  std::mt19937 random;
};

/// Under sanitizers this shows that nothing is read or written where it should
/// not be.
TEST(LibraryErrors, RandomCalls) {
  int failures = 0;
  for (unsigned seed = 0; seed < 20000; ++seed) {
    RightCall right(functions[seed % 4]);
    Vandal(seed).damage(right);
    int32_t status = right.run();
    size_t bytes;
    int32_t question =
        trowel_library_workspace_size(&program(), nullptr, &right.call, &bytes);
    EXPECT_TRUE(status != TROWEL_OK || question == TROWEL_OK);
    if (status == TROWEL_OK)
      continue;
    ++failures;
    right.run(); // the question may have failed otherwise
    EXPECT_GT(std::strlen(trowel_library_last_error()), 10u);
    right.expectUntouched();
    if (HasFatalFailure())
      FAIL() << "seed " << seed << ": " << trowel_library_last_error();
  }
  EXPECT_GT(failures, 10000);
  EXPECT_LT(failures, 19800);
}

} // namespace
