// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a call's tensors are, and what is asked of one on a device. The values
// of cu_seqlens, state_in, state_out and accepted are there, and not looked at.
#include "runtime/Library/Check.h"

#include "runtime/Library/Message.h"

#include <cstdio>
#include <initializer_list>

namespace trowel::library {

using Long = long long; // what printf has a letter for

namespace {

struct Place {
  char words[48];
};

Place describe(const DLDevice &device) {
  Place place;
  if (device.device_type == kDLCPU)
    std::snprintf(place.words, sizeof(place.words), "in the memory of the CPU");
  else
    std::snprintf(place.words, sizeof(place.words), "on CUDA device %d",
                  device.device_id);
  return place;
}

bool isSame(const DLDevice &a, const DLDevice &b) {
  return a.device_type == b.device_type &&
         (a.device_type == kDLCPU || a.device_id == b.device_id);
}

} // namespace

/// The first tensor says where all are.
int32_t Call::checkPlace(const View &view, const DLDevice &device) {
  bool onCpu = device.device_type == kDLCPU;
  if (onCpu && program.device && program.machineCount == 0)
    return fail(TROWEL_ERROR_DEVICE,
                "%s is in the memory of the CPU; this library takes memory of "
                "CUDA devices (%d)",
                view.label, kDLCUDA);
  if (!onCpu && !(device.device_type == kDLCUDA && program.device))
    return fail(TROWEL_ERROR_DEVICE,
                "%s is on a device of type %d; %s takes memory of %s",
                view.label, static_cast<int>(device.device_type),
                called == Function::Backward ? "backward" : "this library",
                program.device ? "CUDA devices (2) or the CPU (1)"
                               : "the CPU (1)");
  if (!placeFrom) {
    place = device;
    placeFrom = view.label;
  } else if (!isSame(place, device)) {
    return fail(TROWEL_ERROR_DEVICE, "%s is %s, but %s is %s", view.label,
                describe(device).words, placeFrom, describe(place).words);
  }
  return TROWEL_OK;
}

/// What only code of the CPU does.
int32_t Call::checkDeviceFunction() const {
  auto refuse = [](const char *what) {
    return fail(TROWEL_ERROR_DEVICE, "%s: not on a CUDA device", what);
  };
  if (extra(Boundaries).given || extra(CarryAt).given)
    return refuse("boundaries");
  for (int64_t i = 0; i < program.tensorCount; ++i)
    if (views.data[i].given && program.tensors[i].role == Role::StateAt)
      return refuse("boundaries");
  if (raw.segments > 1)
    return refuse("segments");
  if (raw.flags & TROWEL_STATE_V_FIRST)
    return refuse("TROWEL_STATE_V_FIRST");
  if (raw.flags & TROWEL_POISON_WORKSPACE)
    return refuse("TROWEL_POISON_WORKSPACE");
  return TROWEL_OK;
}

/// Kernels read and write states where they lie.
int32_t Call::checkDeviceStates() const {
  for (int64_t i = 0; i < program.tensorCount; ++i) {
    const TensorInfo &info = program.tensors[i];
    const View &view = views.data[i];
    bool isState =
        info.role == Role::InitialState || info.role == Role::FinalState;
    if (isState && view.given && !view.isDense(view.rank - info.rank))
      return fail(TROWEL_ERROR_STRIDE,
                  "%s must lie densely along its declared axes on a device",
                  view.label);
  }
  return TROWEL_OK;
}

/// As far as shapes tell.
int32_t Call::checkDeviceTokens() const {
  int64_t tokens = sizes[B] * sizes[T];
  bool isStep = called == Function::Step;
  int64_t most = sizes[N] * (isStep ? 1 : TROWEL_DRAFT_TOKENS);
  if (tokens <= most && (!isStep || tokens == most))
    return TROWEL_OK;
  return fail(TROWEL_ERROR_TOKENS,
              "%s takes %s of each sequence, but there are %lld tokens for "
              "%lld sequences",
              isStep ? "step" : "a draft",
              isStep ? "one token" : "at most 16 tokens", Long(tokens),
              Long(sizes[N]));
}

int32_t Call::checkDevice() const {
  if (!isOnDevice())
    return TROWEL_OK;
  if (int32_t status = checkDeviceFunction())
    return status;
  if (int32_t status = checkDeviceStates())
    return status;
  if (sizes[N] * sizes[H] > INT32_MAX)
    return fail(TROWEL_ERROR_SHAPE,
                "N * H = %lld is more than a device takes at once",
                Long(sizes[N] * sizes[H]));
  if (!isDecode())
    return TROWEL_OK;
  if (int32_t status = checkDeviceTokens())
    return status;
  if (int32_t status = checkSlotsOf(StateIn, SlotsIn))
    return status;
  return checkSlotsOf(StateOut, SlotsOut);
}

/// A kernel reads numbers of 8 bytes there.
int32_t Call::checkCarryAlignment() const {
  for (Extra which : {CarryIn, CarryOut}) {
    const View &view = extra(which);
    auto address = reinterpret_cast<uintptr_t>(view.data);
    if (isOnDevice() && view.data &&
        (address % 8 || view.strides[0] % 8 || view.strides[1] % 8))
      return fail(TROWEL_ERROR_ALIGNMENT,
                  "%s begins at an address, or has strides, that are no "
                  "multiples of 8",
                  view.label);
  }
  return TROWEL_OK;
}

} // namespace trowel::library
