// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Header.h"

#include "frontend/Sema/Print.h"
#include "trowel/trowel.h"

#include "llvm/Support/JSON.h"

#include <cmath>

namespace trowel::library {
namespace {

const char *nameOf(Role role) {
  switch (role) {
  case Role::Input:
    return "input";
  case Role::Param:
    return "param";
  case Role::Output:
    return "output";
  case Role::InitialState:
    return "initial state";
  case Role::FinalState:
    return "final state";
  case Role::StateAt:
    return "state at boundaries";
  case Role::Total:
  case Role::Saved:
  case Role::Unused:
    break;
  }
  llvm_unreachable("all roles are listed");
}

/// Gradients are described by what they are the gradient of.
std::string roleOf(const TensorEntry &entry) {
  if (!entry.isGradient)
    return nameOf(entry.role);
  switch (entry.role) {
  case Role::Input:
    return "gradient of output";
  case Role::InitialState:
    return "gradient of final state";
  case Role::Output:
    return "gradient of input";
  case Role::Total:
    return "gradient of param";
  default:
    return "gradient of initial state";
  }
}

const char *nameOf(Sharing sharing) {
  switch (sharing) {
  case Sharing::Shared:
    return "shared";
  case Sharing::Grouped:
    return "grouped";
  case Sharing::Head:
    return "head";
  }
  llvm_unreachable("all kinds are listed");
}

/// ["B", "T", "H", 128].
llvm::json::Array shapeOf(const TensorEntry &entry) {
  llvm::json::Array shape;
  if (entry.role == Role::Input || entry.role == Role::Output) {
    shape.push_back("B");
    shape.push_back("T");
  } else if (!isForAllTokens(entry.role)) {
    shape.push_back(entry.role == Role::StateAt ? "M" : "N");
  }
  if (entry.sharing != Sharing::Shared)
    shape.push_back(entry.sharing == Sharing::Head ? "H" : "G");
  for (int64_t size : entry.sizes)
    shape.push_back(size);
  return shape;
}

/// JSON has no infinity: a bound that is none is null.
llvm::json::Object rangeOf(const Interval &range) {
  auto bound = [](double value) {
    return std::isfinite(value) ? llvm::json::Value(value)
                                : llvm::json::Value(nullptr);
  };
  return llvm::json::Object{{"low", bound(range.low)},
                            {"high", bound(range.high)},
                            {"low_open", range.lowOpen},
                            {"high_open", range.highOpen}};
}

llvm::json::Object describe(const TensorEntry &entry) {
  llvm::json::Object object{{"name", entry.name},
                            {"symbol", entry.symbol},
                            {"role", roleOf(entry)},
                            {"dtype", sema::print(entry.dtype)},
                            {"sharing", nameOf(entry.sharing)},
                            {"shape", shapeOf(entry)},
                            {"axes", llvm::json::Array(entry.axes)},
                            {"required", entry.isRequired()}};
  if (entry.range)
    object["range"] = rangeOf(*entry.range);
  return object;
}

} // namespace

std::string makeDescription(const Program &program, const Tables &tables,
                            const std::string &version) {
  llvm::json::Object sizes;
  for (const auto &[name, value] : program.sizes)
    sizes[name] = value;
  llvm::json::Array tensors, targets,
      functions{"forward", "step", "verify", "commit"};
  if (tables.hasBackward())
    functions.push_back("backward");
  for (const TensorEntry &entry : tables.tensors())
    tensors.push_back(describe(entry));
  bool segments = false;
  for (int64_t i = 0; i < tables.info().phaseCount; ++i)
    segments |= tables.info().phases[i].map != nullptr;
  for (Machine machine : tables.machines())
    targets.push_back(std::string("x86-64-") + nameOf(machine));
  if (const DeviceKernels *kernels = tables.kernels())
    for (const DeviceImage &image : kernels->images)
      targets.push_back(image.chip.name);
  llvm::json::Object object{{"name", program.name},
                            {"comment", program.comment},
                            {"abi", TROWEL_ABI_VERSION},
                            {"trowel", version},
                            {"targets", std::move(targets)},
                            {"functions", std::move(functions)},
                            {"sizes", std::move(sizes)},
                            {"chunk_tokens", tables.info().chunkTokens},
                            {"segments", segments},
                            {"carry_bytes", tables.info().carryBytes},
                            {"draft_tokens", TROWEL_DRAFT_TOKENS},
                            {"tensors", std::move(tensors)}};
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::formatv("{0}", llvm::json::Value(std::move(object)));
  return text;
}

} // namespace trowel::library
