// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times a step, which reads and writes its states in place, against a memcpy of
// as many bytes: step_against_memcpy FILE ROUNDS [BATCH…].

#include "frontend/Reference/Inputs.h"
#include "runtime/Library/Library.h"
#include "test/unit/CpuRun.h"
#include "test/unit/Derived.h"

#include <chrono>
#include <cstdio>
#include <cstring>

using namespace trowel;
using namespace trowel::test;

namespace {

/// Seconds of one of so many calls.
template <typename Body> double timed(int count, Body body) {
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i)
    body();
  std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  return passed.count() / count;
}

/// The call, each final state where the initial one is; returns their bytes.
size_t inPlace(const library::Tables &tables, trowel_call &call,
               std::vector<const DLTensor *> &tensors) {
  tensors.assign(call.tensors, call.tensors + call.tensor_count);
  size_t bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const library::TensorEntry &entry = tables.tensors()[i];
    if (entry.role != library::Role::InitialState)
      continue;
    int64_t out = tables.find(library::Role::FinalState, entry.name);
    tensors[static_cast<size_t>(out)] = tensors[i];
    size_t size = tensors[i]->dtype.bits / 8;
    for (int32_t axis = 0; axis < tensors[i]->ndim; ++axis)
      size *= static_cast<size_t>(tensors[i]->shape[axis]);
    bytes += size;
  }
  call.tensors = tensors.data();
  return bytes;
}

bool measure(const Program &program, const library::InProcess &code,
             int64_t sequences, int rounds) {
  Batch batch;
  batch.batch = sequences;
  batch.tokens = 1;
  batch.heads = 32;
  InputOptions inputs;
  inputs.regime = Regime::Gentle;
  Batch one = batch; // repeated for the others
  one.batch = 1;
  TensorMap values = generateInputs(program, one, inputs);
  for (const Declaration &state : program.states) {
    Tensor tensor;
    tensor.shape = boundaryShape(program, state, Boundary::State, one);
    tensor.data.resize(static_cast<size_t>(tensor.elementCount()), 0.01);
    values[state.name] = tensor;
  }
  library::CallOptions options;
  options.threads = 1;
  library::PreparedCall prepared(code.tables(), batch, values, options);
  trowel_call call = prepared.raw();
  std::vector<const DLTensor *> tensors;
  size_t bytes = inPlace(code.tables(), call, tensors);
  call.function = TROWEL_STEP;
  int32_t status = trowel_library_workspace_size(&code.tables().info(), nullptr, &call,
                                                 &call.workspace_size);
  std::vector<char> workspace(call.workspace_size);
  call.workspace = workspace.data();
  std::vector<char> from(bytes, 1), to(bytes, 2);
  int count = static_cast<int>(std::max<int64_t>(1, 64 / sequences));
  double step = 1e9, copy = 1e9;
  for (int i = 0; i < rounds && status == TROWEL_OK; ++i) {
    step = std::min(step, timed(count, [&] { status = code.step(call); }));
    copy = std::min(copy, timed(count, [&] {
                      std::memcpy(to.data(), from.data(), bytes);
                    }));
  }
  if (status != TROWEL_OK) {
    std::fprintf(stderr, "%s\n", code.lastError());
    return false;
  }
  // Both read and write each byte.
  double moved = 2e-9 * static_cast<double>(bytes);
  std::printf("%-24s B = %2lld: %8.3f ms, %6.1f GB/s of states; memcpy %6.1f "
              "GB/s; %3.0f %%\n",
              program.name.c_str(), static_cast<long long>(sequences),
              step * 1e3, moved / step, moved / copy, 100 * copy / step);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3)
    return 1;
  Checked checked = checkText(readFile(argv[1]), {});
  if (!checked.program) {
    std::fputs(checked.messages().c_str(), stderr);
    return 1;
  }
  Derived chunked = derive(*checked.program, 0),
          step = derive(*checked.program, 1);
  auto code = llvm::cantFail(library::InProcess::create(
      *checked.program, *chunked.module, {}, nullptr, *step.module));
  std::vector<int64_t> batches = {1, 8, 64};
  if (argc > 3)
    batches.clear();
  for (int i = 3; i < argc; ++i)
    batches.push_back(std::atoll(argv[i]));
  for (int64_t sequences : batches)
    if (!measure(*checked.program, *code, sequences, std::atoi(argv[2])))
      return 1;
  return 0;
}
