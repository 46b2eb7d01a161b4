// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Wrong calls of the backward function: each is refused with a message that
// names the tensor, and nothing is written.
#include "codegen/Library/Call.h"
#include "codegen/Library/InProcess.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "test/unit/Derived.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace trowel;
using namespace trowel::test;

namespace {

const char *source =
    "attention small(K = 3, V = 2) {\n"
    "  in q, k : f32[K]\n  in v : bf16[V] grouped\n  in n : i32 shared\n"
    "  param w : f32[K] shared\n  state S : f32[K, V]\n"
    "  S = 0.9 * S + w * k * v\n"
    "  out o : f32[V] = (q @ S) * where(n > 0, 1, 0.5)\n}\n";

/// A backward call that is right until a test changes it.
class BackwardErrors : public testing::Test {
protected:
  BackwardErrors() : program(checkedProgram(source)) {
    Derived forward = derive(program, 0),
            gradient = derive(program, 0, /*gradient=*/true);
    code = llvm::cantFail(library::InProcess::create(
        program, *forward.module, {}, nullptr, {}, *gradient.module));
    TensorMap arguments =
        generateInputs(program, batch, {Regime::Gentle, 1, true});
    TensorMap seeds = generateSeeds(program, batch, 1);
    arguments.insert(seeds.begin(), seeds.end());
    prepared = std::make_unique<library::PreparedCall>(
        *code->gradientTables(), batch, arguments, library::CallOptions());
    reset();
  }

  const std::vector<library::TensorEntry> &entries() const {
    return code->gradientTables()->tensors();
  }

  size_t find(const std::string &symbol) const {
    for (size_t i = 0; i < entries().size(); ++i)
      if (entries()[i].symbol == symbol)
        return i;
    ADD_FAILURE() << "no tensor " << symbol;
    return 0;
  }

  static bool isResult(const library::TensorEntry &entry) {
    return entry.isGradient && (entry.role == library::Role::Output ||
                                entry.role == library::Role::Total ||
                                entry.role == library::Role::FinalState);
  }

  /// As messages have it: a gradient by its place.
  static std::string nameOf(const library::TensorEntry &entry) {
    return "`" + (entry.isGradient ? entry.symbol : entry.name) + "`";
  }

  static size_t bytesOf(const DLTensor &tensor) {
    size_t bytes = tensor.dtype.bits / 8;
    for (int32_t i = 0; i < tensor.ndim; ++i)
      bytes *= static_cast<size_t>(tensor.shape[i]);
    return bytes;
  }

  /// Makes the call right again, with results that are 0xff everywhere.
  void reset() {
    call = prepared->raw();
    copies.assign(entries().size(), DLTensor());
    shapes.assign(entries().size(), {});
    pointers.assign(entries().size(), nullptr);
    for (size_t i = 0; i < entries().size(); ++i) {
      if (!call.tensors[i])
        continue;
      copies[i] = *call.tensors[i];
      shapes[i].assign(copies[i].shape, copies[i].shape + copies[i].ndim);
      copies[i].shape = shapes[i].data();
      pointers[i] = &copies[i];
      if (isResult(entries()[i]))
        std::memset(copies[i].data, 0xff, bytesOf(copies[i]));
    }
    originals = copies;
    call.tensors = pointers.data();
    call.threads = 1;
  }

  void expectRefused(int32_t status, const std::string &part) {
    EXPECT_EQ(code->backward(call), status) << code->lastError();
    EXPECT_NE(std::string(code->lastError()).find(part), std::string::npos)
        << code->lastError() << " names no " << part;
    for (size_t i = 0; i < entries().size(); ++i)
      if (originals[i].data && isResult(entries()[i])) {
        auto *bytes = static_cast<const unsigned char *>(originals[i].data);
        for (size_t at = 0; at < bytesOf(*prepared->raw().tensors[i]); ++at)
          ASSERT_EQ(bytes[at], 0xff) << entries()[i].symbol << " was written";
      }
    reset();
  }

  Program program;
  Batch batch{1, 70, 4, 2, {}};
  std::unique_ptr<library::InProcess> code;
  std::unique_ptr<library::PreparedCall> prepared;
  trowel_call call;
  std::vector<DLTensor> copies, originals;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<const DLTensor *> pointers;
};

TEST_F(BackwardErrors, TheCallIsRightUntilItIsChanged) {
  EXPECT_EQ(code->backward(call), TROWEL_OK) << code->lastError();
}

TEST_F(BackwardErrors, EveryTensorIsChecked) {
  for (size_t i = 0; i < entries().size(); ++i) {
    if (!pointers[i])
      continue;
    std::string name = nameOf(entries()[i]);
    SCOPED_TRACE(entries()[i].symbol);
    copies[i].dtype.bits = 64;
    expectRefused(TROWEL_ERROR_DTYPE, name);
    copies[i].device.device_type = kDLCUDA;
    expectRefused(TROWEL_ERROR_DEVICE, name);
    copies[i].data = nullptr;
    expectRefused(TROWEL_ERROR_MISSING, name);
    copies[i].byte_offset = 1;
    expectRefused(TROWEL_ERROR_ALIGNMENT, name);
    copies[i].ndim -= 1;
    expectRefused(TROWEL_ERROR_SHAPE, name);
    for (size_t axis = 0; axis < shapes[i].size(); ++axis) {
      // In front of the first tensor's lengths, nothing says what is right.
      if (i == find("in_q") && axis < 3)
        continue;
      shapes[i][axis] += 1;
      expectRefused(TROWEL_ERROR_SHAPE, "");
    }
  }
}

TEST_F(BackwardErrors, ArgumentsAreNeeded) {
  for (const char *name : {"in_q", "in_k", "in_v", "in_n", "param_w"}) {
    pointers[find(name)] = nullptr;
    expectRefused(TROWEL_ERROR_MISSING, nameOf(entries()[find(name)]));
  }
}

TEST_F(BackwardErrors, GradientsMayBeNull) {
  for (size_t i = 0; i < entries().size(); ++i)
    if (entries()[i].isGradient) {
      pointers[i] = nullptr;
      EXPECT_EQ(code->backward(call), TROWEL_OK) << code->lastError();
      reset();
    }
  for (size_t i = 0; i < entries().size(); ++i)
    if (entries()[i].isGradient)
      pointers[i] = nullptr;
  EXPECT_EQ(code->backward(call), TROWEL_OK) << code->lastError();
}

TEST_F(BackwardErrors, GradientsOverlapNothing) {
  for (const char *name : {"in_q", "grad_out_o", "grad_in_k", "param_w"}) {
    copies[find("grad_in_q")].data = copies[find(name)].data;
    EXPECT_EQ(code->backward(call), TROWEL_ERROR_OVERLAP) << name;
    reset();
  }
}

TEST_F(BackwardErrors, IntegersHaveNoGradient) {
  for (const library::TensorEntry &entry : entries())
    EXPECT_NE(entry.symbol, "grad_in_n");
}

TEST_F(BackwardErrors, WorkspaceIsCheckedFirst) {
  std::vector<char> bytes(64);
  call.workspace = bytes.data();
  call.workspace_size = bytes.size();
  expectRefused(TROWEL_ERROR_WORKSPACE, "workspace");
}

} // namespace
