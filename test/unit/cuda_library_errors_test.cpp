// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a library with kernels refuses, and what it asks of the driver.
#include "codegen/CUDA/Ptxas.h"
#include "frontend/Reference/Inputs.h"
#include "test/unit/DeviceLibrary.h"

#include <gtest/gtest.h>

using namespace trowel;
using namespace trowel::test;
using library::Role;

namespace {

/// A state for each head, one for all of them, and a carry.
const char *const small = R"(attention small(K = 4, V = 4) {
  in q, k : f32[K]
  in v : f32[V]
  in c : f32 shared
  state S : f32[K, V]
  state Z : f32 shared
  S += k[t - 1] * v
  Z = Z / 2 + c
  out o : f32[V] = q @ S
  out z : f32 shared = Z
})";

const char *const large = R"(attention large(K = 256, V = 256) {
  in q, k : f32[K]
  in v : f32[V]
  state S : f32[K, V]
  S += k * v
  out o : f32[V] = q @ S
})";

class CudaCalls : public testing::Test {
protected:
  void make(const char *text, std::vector<library::Machine> machines) {
    make(text, 3, std::move(machines));
  }
  void make(const char *text, int64_t tokens = 3,
            std::vector<library::Machine> machines = {}) {
    Program program = checkedProgram(text);
    made.emplace(program, 4, std::move(machines));
    ASSERT_EQ(made->refusal, "");
    run = fakeDriver().launch;
    fakeDriver().launch = [this](const FakeLaunch &launch) {
      launches.push_back(launch);
      if (executes)
        run(launch);
    };
    Batch batch;
    batch.batch = 2;
    batch.tokens = tokens;
    batch.heads = 2;
    InputOptions options;
    options.initialStates = true;
    prepared.emplace(*made->built.tables, batch,
                     generateInputs(program, batch, options),
                     library::CallOptions());
    call.emplace(*made, prepared->raw(), 0);
  }
  void TearDown() override { fakeDriver() = FakeDriver(); }

  void expect(int32_t status, const std::string &message,
              DeviceLibrary::Function *function = nullptr) {
    size_t before = launches.size();
    EXPECT_EQ((function ? function : made->forward)(&call->raw), status);
    EXPECT_EQ(made->lastError(), message);
    EXPECT_EQ(launches.size(), before);
  }
  void expectRuns(DeviceLibrary::Function *function = nullptr) {
    size_t before = launches.size();
    ASSERT_EQ((function ? function : made->forward)(&call->raw), TROWEL_OK)
        << made->lastError();
    EXPECT_EQ(launches.size(), before + 1);
    EXPECT_EQ(made->device->failure, "");
  }
  size_t place(Role role, const std::string &name) const {
    return size_t(made->built.tables->find(role, name));
  }
  /// A copy of a tensor of the call, which takes its place.
  DLTensor &change(Role role, const std::string &name) {
    const DLTensor *&pointer = call->pointers[place(role, name)];
    copies.push_back(*pointer);
    pointer = &copies.back();
    return copies.back();
  }

  std::optional<DeviceLibrary> made;
  std::optional<library::PreparedCall> prepared;
  std::optional<DeviceCall> call;
  std::function<void(const FakeLaunch &)> run;
  std::vector<FakeLaunch> launches;
  std::deque<DLTensor> copies;
  bool executes = false;
};

const char *imageHere() { return cuda::findPtxas() ? "cubin" : "ptx"; }

//===--- The driver -------------------------------------------------------===//

TEST_F(CudaCalls, LoadOnceAndLaunchOnTheStream) {
  make(small);
  executes = true;
  int stream = 0;
  call->raw.stream = &stream;
  for (int i = 0; i < 2; ++i)
    expectRuns();
  EXPECT_EQ(launches[0].stream, &stream);
  EXPECT_EQ(launches[0].kernel, "small_forward");
  EXPECT_EQ(launches[0].grid, 4u);
  EXPECT_EQ(fakeDriver().loaded, std::vector<std::string>{imageHere()});
  EXPECT_TRUE(fakeDriver().current.empty());
  EXPECT_FALSE(fakeDriver().loadedWhileCapturing);
  EXPECT_EQ(fakeDriver().captureMode, 0);
}

TEST_F(CudaCalls, UseTheDeviceOfTheTensors) {
  make(small);
  for (int device : {0, 1, 0}) {
    fakeDriver().current = {0};
    for (const DLTensor *&tensor : call->pointers)
      if (tensor) {
        copies.push_back(*tensor);
        copies.back().device.device_id = device;
        tensor = &copies.back();
      }
    DLTensor carry = *call->raw.carry_out;
    carry.device.device_id = device;
    call->raw.carry_out = &carry;
    expectRuns();
    EXPECT_EQ(fakeDriver().current, std::vector<int>{0});
  }
  EXPECT_EQ(fakeDriver().loaded.size(), 2u);
}

TEST_F(CudaCalls, FallBackToPtx) {
  make(small);
  fakeDriver().refusesCubins = true;
  expectRuns();
  EXPECT_EQ(fakeDriver().loaded, std::vector<std::string>{"ptx"});
}

TEST_F(CudaCalls, TakePtxIfAskedTo) {
  make(small);
  setenv("TROWEL_CUDA_CODE", "ptx", 1);
  expectRuns();
  unsetenv("TROWEL_CUDA_CODE");
  EXPECT_EQ(fakeDriver().loaded, std::vector<std::string>{"ptx"});
}

TEST_F(CudaCalls, NeedADriver) {
  make(small);
  setenv("TROWEL_CUDA_DRIVER", "/nowhere/libcuda.so", 1);
  expect(TROWEL_ERROR_DRIVER,
         "there is no CUDA driver to use: /nowhere/libcuda.so: cannot open "
         "shared object file: No such file or directory");
}

TEST_F(CudaCalls, NeedAFileThatIsADriver) {
  make(small);
  setenv("TROWEL_CUDA_DRIVER", "libm.so.6", 1);
  expect(TROWEL_ERROR_DRIVER,
         "there is no CUDA driver to use: it has no function cuInit");
}

TEST_F(CudaCalls, NeedADriverThatBegins) {
  make(small);
  fakeDriver().initResult = 100;
  expect(TROWEL_ERROR_DRIVER,
         "there is no CUDA driver to use: cuInit: words of the driver");
}

TEST_F(CudaCalls, NeedADeviceForWhichThereAreKernels) {
  make(small);
  for (int capability : {80, 100}) {
    fakeDriver().capability = capability;
    expect(TROWEL_ERROR_KERNEL, "device 0 (a fake) is an sm_" +
                                    std::to_string(capability) +
                                    "; this library has kernels for sm_90a");
  }
  fakeDriver().capability = 90;
  expectRuns();
}

TEST_F(CudaCalls, NeedADriverThatTakesTheKernels) {
  make(small);
  fakeDriver().refusesCubins = fakeDriver().refusesPtx = true;
  expect(TROWEL_ERROR_KERNEL,
         "the driver refuses the kernels for sm_90a: a word of the log");
}

TEST_F(CudaCalls, SayWhyALaunchFailed) {
  make(small);
  fakeDriver().launchResult = 719;
  expect(TROWEL_ERROR_LAUNCH,
         "cuLaunchKernel: FAKE_ERROR (words of the driver)");
}

//===--- Where tensors are ------------------------------------------------===//

TEST_F(CudaCalls, TakeTensorsOfOnePlace) {
  make(small, {library::Machine::Avx2});
  DLTensor &k = change(Role::Input, "k");
  k.device.device_id = 1;
  expect(TROWEL_ERROR_DEVICE,
         "`k` is on CUDA device 1, but `q` is on CUDA device 0");
  k.device = {kDLCPU, 0};
  expect(TROWEL_ERROR_DEVICE,
         "`k` is in the memory of the CPU, but `q` is on CUDA device 0");
  k.device = {kDLMetal, 0};
  expect(TROWEL_ERROR_DEVICE,
         "`k` is on a device of type 8; this library takes memory of CUDA "
         "devices (2) or the CPU (1)");
}

TEST_F(CudaCalls, TakeOffsetsOfTheSamePlace) {
  make(small, {library::Machine::Avx2});
  std::vector<int32_t> values{0, 3};
  int64_t size = 2;
  DLTensor offsets = {};
  offsets.data = values.data();
  offsets.device = {kDLCPU, 0};
  offsets.dtype = {kDLInt, 32, 1};
  offsets.ndim = 1;
  offsets.shape = &size;
  call->raw.cu_seqlens = &offsets;
  expect(
      TROWEL_ERROR_DEVICE,
      "`cu_seqlens` is in the memory of the CPU, but `q` is on CUDA device 0");
}

TEST_F(CudaCalls, LeaveTheCpuToLibrariesWithCodeForIt) {
  make(small);
  trowel_call host = prepared->raw();
  EXPECT_EQ(made->forward(&host), TROWEL_ERROR_DEVICE);
  EXPECT_STREQ(made->lastError(),
               "`q` is in the memory of the CPU; this library takes memory of "
               "CUDA devices (2)");
}

TEST_F(CudaCalls, RunWhereTheTensorsAre) {
  make(small, {library::Machine::Avx2});
  executes = true;
  expectRuns();
  trowel_call host = prepared->raw();
  EXPECT_EQ(made->forward(&host), TROWEL_OK) << made->lastError();
  EXPECT_EQ(launches.size(), 1u);
}

//===--- What only the CPU does -------------------------------------------===//

TEST_F(CudaCalls, LeaveSomeThingsToTheCpu) {
  make(small, {library::Machine::Avx2});
  call->raw.segments = 2;
  expect(TROWEL_ERROR_DEVICE, "segments: not on a CUDA device");
  call->raw.segments = 1;
  call->raw.flags = TROWEL_STATE_V_FIRST;
  expect(TROWEL_ERROR_DEVICE, "TROWEL_STATE_V_FIRST: not on a CUDA device");
  call->raw.flags = 0;
  expectRuns();
}

TEST_F(CudaCalls, TakeDenseStates) {
  make(small);
  DLTensor &state = change(Role::InitialState, "S");
  std::vector<int64_t> strides(state.strides, state.strides + state.ndim);
  strides[2] = 5;
  state.strides = strides.data();
  expect(TROWEL_ERROR_STRIDE, "the initial `S` must lie densely along its "
                              "declared axes on a device");
}

TEST_F(CudaCalls, ReadAndWriteOnlyAHeadsStatesInOnePlace) {
  make(small);
  executes = true;
  change(Role::FinalState, "S").data =
      call->pointers[place(Role::InitialState, "S")]->data;
  expectRuns();
  change(Role::FinalState, "Z").data =
      call->pointers[place(Role::InitialState, "Z")]->data;
  expect(TROWEL_ERROR_OVERLAP,
         "the initial `Z` and the final `Z` share memory");
}

TEST_F(CudaCalls, AlignCarries) {
  make(small);
  DLTensor carry = *call->raw.carry_out;
  carry.byte_offset = 4;
  call->raw.carry_out = &carry;
  expect(TROWEL_ERROR_ALIGNMENT, "`carry_out` begins at an address, or has "
                                 "strides, that are no multiples of 8");
}

TEST_F(CudaCalls, VerifyShortDrafts) {
  make(small, 17);
  for (const char *name : {"S", "Z"})
    call->pointers[place(Role::FinalState, name)] = nullptr;
  call->raw.carry_out = nullptr;
  expect(TROWEL_ERROR_TOKENS,
         "a draft takes at most 16 tokens of each sequence, but there are 34 "
         "tokens for 2 sequences",
         made->verify);
}

TEST_F(CudaCalls, StepOneToken) {
  make(small);
  expect(TROWEL_ERROR_TOKENS,
         "step takes one token of each sequence, but there are 6 tokens for 2 "
         "sequences",
         made->step);
}

//===--- Memory -----------------------------------------------------------===//

TEST_F(CudaCalls, AllocateNothing) {
  make(large);
  size_t bytes = 0;
  ASSERT_EQ(made->workspaceSize(&call->raw, &bytes), TROWEL_OK);
  EXPECT_GT(bytes, 4u * 256 * 256 * 4);
  expect(TROWEL_ERROR_WORKSPACE,
         "a call on a device allocates nothing: it needs a workspace of " +
             std::to_string(bytes) + " bytes there");
  emulator::Buffer &workspace = made->device->allocate(bytes + 1);
  call->raw.workspace = workspace.bytes.data() + 1;
  call->raw.workspace_size = bytes - 1;
  expect(TROWEL_ERROR_WORKSPACE,
         "the workspace has " + std::to_string(bytes - 1) +
             " bytes; the call needs " + std::to_string(bytes));
  call->raw.workspace_size = bytes;
  executes = true;
  expectRuns();
}

TEST_F(CudaCalls, LaunchNothingForNobody) {
  make(small);
  for (const DLTensor *&tensor : call->pointers)
    if (tensor) {
      copies.push_back(*tensor);
      tensor = &copies.back();
    }
  std::deque<std::vector<int64_t>> shapes;
  auto empty = [&](DLTensor &tensor) {
    shapes.emplace_back(tensor.shape, tensor.shape + tensor.ndim)[0] = 0;
    tensor.shape = shapes.back().data();
  };
  for (DLTensor &tensor : copies)
    empty(tensor);
  DLTensor carry = *call->raw.carry_out;
  empty(carry);
  call->raw.carry_out = &carry;
  EXPECT_EQ(made->forward(&call->raw), TROWEL_OK) << made->lastError();
  EXPECT_TRUE(launches.empty());
}

TEST_F(CudaCalls, DescribeTheTarget) {
  make(small, {library::Machine::Avx2});
  EXPECT_NE(std::string(made->describe())
                .find(R"("targets":["x86-64-avx2","sm_90a"])"),
            std::string::npos);
}

} // namespace
