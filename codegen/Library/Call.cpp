// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Call.h"

#include "runtime/Host/Array.h"

#include <chrono>
#include <memory>

namespace trowel::library {
namespace {

DLDataType dlpackType(DType type) {
  switch (type) {
  case DType::F32:
  case DType::TF32:
    return {kDLFloat, 32, 1};
  case DType::BF16:
    return {kDLBfloat, 16, 1};
  case DType::F16:
    return {kDLFloat, 16, 1};
  case DType::E4M3:
    return {kDLFloat8_e4m3fn, 8, 1};
  case DType::E5M2:
    return {kDLFloat8_e5m2, 8, 1};
  case DType::I32:
    return {kDLInt, 32, 1};
  }
  llvm_unreachable("all types are listed");
}

/// A dense tensor with memory of its own.
struct Memory {
  Memory(DLDataType type, std::vector<int64_t> extents)
      : shape(std::move(extents)) {
    size_t size = type.bits / 8;
    for (int64_t extent : shape)
      size *= static_cast<size_t>(extent);
    bytes.assign(size, '\xff'); // NaN until it is written
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int32_t>(shape.size());
    tensor.dtype = type;
    tensor.shape = shape.data();
    tensor.data = bytes.data();
  }
  Memory(const Memory &) = delete;

  /// Repeats the content if it is shorter.
  void fill(std::string content) {
    if (content.size() >= bytes.size())
      bytes = std::move(content);
    for (size_t at = 0; at < bytes.size() && !content.empty();
         at += content.size())
      bytes.replace(at, std::min(content.size(), bytes.size() - at), content, 0,
                    std::min(content.size(), bytes.size() - at));
    tensor.data = bytes.data();
  }

  std::vector<int64_t> shape;
  std::string bytes;
  DLTensor tensor = {};
};

std::vector<int64_t> shapeOf(const TensorEntry &entry, const Batch &batch,
                             int64_t boundaries) {
  std::vector<int64_t> shape;
  if (entry.role == Role::Input || entry.role == Role::Output)
    shape = {batch.batch, batch.tokens};
  else if (entry.role == Role::StateAt)
    shape = {boundaries};
  else if (!isForAllTokens(entry.role))
    shape = {batch.sequences()};
  if (entry.sharing != Sharing::Shared)
    shape.push_back(entry.sharing == Sharing::Head ? batch.heads
                                                   : batch.groups);
  shape.insert(shape.end(), entry.sizes.begin(), entry.sizes.end());
  return shape;
}

} // namespace

class PreparedCall::Tensors {
public:
  Tensors(const Tables &tables, const Batch &batch, const TensorMap &arguments,
          const CallOptions &options);

  trowel_call call();
  void unpack(CallResults &results) const;

private:
  Memory *add(DLDataType type, std::vector<int64_t> shape) {
    return &all.emplace_back(type, std::move(shape));
  }
  Memory *integers(const std::vector<int32_t> &values);

  const Tables &tables;
  const CallOptions options;
  std::deque<Memory> all;
  std::vector<Memory *> byEntry; // null: not given
  std::vector<const DLTensor *> pointers;
  Memory *offsets = nullptr, *boundaries = nullptr, *carryIn = nullptr,
         *carryOut = nullptr;
};

Memory *PreparedCall::Tensors::integers(const std::vector<int32_t> &values) {
  Memory *memory = add({kDLInt, 32, 1}, {static_cast<int64_t>(values.size())});
  memory->fill(std::string(reinterpret_cast<const char *>(values.data()),
                           values.size() * sizeof(int32_t)));
  return memory;
}

PreparedCall::Tensors::Tensors(const Tables &tables, const Batch &batch,
                               const TensorMap &arguments,
                               const CallOptions &options)
    : tables(tables), options(options) {
  auto boundaryCount = static_cast<int64_t>(options.boundaries.size());
  for (const TensorEntry &entry : tables.tensors()) {
    byEntry.push_back(nullptr);
    auto given = arguments.find(entry.name);
    bool isArgument = entry.role == Role::Input || entry.role == Role::Param ||
                      entry.role == Role::InitialState;
    if (!entry.isUsed || (isArgument && given == arguments.end()) ||
        (entry.role == Role::StateAt && boundaryCount == 0))
      continue;
    byEntry.back() =
        add(dlpackType(entry.dtype), shapeOf(entry, batch, boundaryCount));
    if (isArgument)
      byEntry.back()->fill(host::pack(given->second, entry.dtype));
  }
  if (!batch.cuSeqlens.empty())
    offsets = integers(
        std::vector<int32_t>(batch.cuSeqlens.begin(), batch.cuSeqlens.end()));
  if (boundaryCount > 0)
    boundaries = integers(options.boundaries);
  std::vector<int64_t> carryShape = {batch.sequences(), batch.heads,
                                     tables.info().carryBytes};
  if (tables.direction() == Direction::Forward)
    carryOut = add({kDLUInt, 8, 1}, carryShape);
  if (!options.carry.empty()) {
    carryIn = add({kDLUInt, 8, 1}, carryShape);
    carryIn->fill(options.carry);
  }
}

trowel_call PreparedCall::Tensors::call() {
  pointers.clear();
  for (const Memory *memory : byEntry)
    pointers.push_back(memory ? &memory->tensor : nullptr);
  auto tensorOf = [](const Memory *memory) {
    return memory ? &memory->tensor : nullptr;
  };
  trowel_call call = trowel_new_call();
  call.tensors = pointers.data();
  call.tensor_count = static_cast<int32_t>(pointers.size());
  call.cu_seqlens = tensorOf(offsets);
  call.boundaries = tensorOf(boundaries);
  call.carry_in = tensorOf(carryIn);
  call.carry_out = tensorOf(carryOut);
  call.threads = options.threads;
  call.segments = options.segments;
  call.flags = options.poison ? TROWEL_POISON_WORKSPACE : 0;
  return call;
}

void PreparedCall::Tensors::unpack(CallResults &results) const {
  for (size_t i = 0; i < byEntry.size(); ++i) {
    const TensorEntry &entry = tables.tensors()[i];
    bool isResult = entry.role == Role::Output ||
                    entry.role == Role::FinalState ||
                    entry.role == Role::StateAt || entry.role == Role::Total;
    if (!isResult || !byEntry[i])
      continue;
    TensorMap &to = entry.role == Role::StateAt ? results.statesAtBoundaries
                                                : results.values;
    bool isOfState = entry.isGradient && entry.role == Role::FinalState;
    to[isOfState ? entry.name + "0" : entry.name] =
        host::unpack(byEntry[i]->bytes.data(), byEntry[i]->shape, entry.dtype);
  }
  if (carryOut)
    results.carry = carryOut->bytes;
}

PreparedCall::PreparedCall(const Tables &tables, const Batch &batch,
                           const TensorMap &arguments,
                           const CallOptions &options)
    : tensors(std::make_unique<Tensors>(tables, batch, arguments, options)) {}

PreparedCall::~PreparedCall() = default;

trowel_call PreparedCall::raw() { return tensors->call(); }

void PreparedCall::unpack(CallResults &results) const {
  tensors->unpack(results);
}

double PreparedCall::bytes(const Tables &tables, const Batch &batch) {
  double total = static_cast<double>(batch.sequences()) *
                 static_cast<double>(batch.heads) *
                 static_cast<double>(tables.info().carryBytes);
  for (const TensorEntry &entry : tables.tensors()) {
    if (!entry.isUsed)
      continue;
    double size = dlpackType(entry.dtype).bits / 8.0;
    for (int64_t extent : shapeOf(entry, batch, 0))
      size *= static_cast<double>(extent);
    total += size;
  }
  return total;
}

int32_t call(const std::function<int32_t(const trowel_call &)> &forward,
             const Tables &tables, const Batch &batch,
             const TensorMap &arguments, const CallOptions &options,
             CallResults &results) {
  PreparedCall prepared(tables, batch, arguments, options);
  trowel_call raw = prepared.raw();
  auto start = std::chrono::steady_clock::now();
  int32_t status = forward(raw);
  std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  results.seconds = passed.count();
  if (status == TROWEL_OK)
    prepared.unpack(results);
  return status;
}

} // namespace trowel::library
