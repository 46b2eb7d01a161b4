// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients that several heads, sequences or phases have a part of. Parts are
// added in their order, in double precision, and rounded once, so that bits do
// not depend on threads.
#include "runtime/Library/Run.h"

#include "runtime/Library/Elements.h"

#include <cstring>

namespace trowel::library {

int64_t Run::rowsOf(const SumInfo &info) const {
  return info.role == Role::Output ? call.size(B) * call.size(T) : call.size(N);
}

float *Run::termOf(int64_t index, int64_t part, int64_t row, int64_t head) {
  const SumInfo &info = program.sums[index];
  int64_t place = ((part * rowsOf(info) + row) * call.size(H) + head);
  return reinterpret_cast<float *>(memory + layout.parts(index)) +
         place * info.elements;
}

float *Run::resultOf(int64_t index, int64_t row, int64_t unit) {
  const SumInfo &info = program.sums[index];
  int64_t units = info.between >= 0 ? call.size(H) : call.units(info.to);
  return reinterpret_cast<float *>(memory + layout.sum(index)) +
         (row * units + unit) * info.elements;
}

void *Run::sumOf(const ArgumentInfo &argument, const Part &part) {
  const SumInfo &info = program.sums[argument.sum];
  int64_t row = info.role == Role::Output ? part.begin : part.sequence;
  if (argument.role != Role::Input)
    return termOf(argument.sum, argument.part, row, part.head);
  bool isGiven = argument.tensor >= 0 && call.tensor(argument.tensor).data;
  if (isGiven || (argument.isPartial && !call.isFirst(info.to, part.head)))
    return nullptr;
  int64_t unit =
      info.between >= 0 ? part.head : call.unitOf(info.to, part.head);
  return resultOf(argument.sum, row, unit);
}

void *Run::savedOf(const ArgumentInfo &argument, const Part &part) {
  const SavedInfo &info = program.saved[argument.part];
  int64_t chunk = part.head * Layout::chunks(call, info) +
                  part.begin / info.chunkTokens + part.sequence;
  return memory + layout.saved(argument.part) + chunk * info.bytes;
}

/// What a phase over the sequences leaves out of its parts.
void Run::clearTotals() {
  for (int64_t i = 0; i < phase->argumentCount; ++i) {
    const ArgumentInfo &argument = phase->arguments[i];
    if (argument.role != Role::Total)
      continue;
    const SumInfo &info = program.sums[argument.sum];
    int64_t count = rowsOf(info) * call.size(H) * info.elements;
    std::memset(termOf(argument.sum, argument.part, 0, 0), 0,
                static_cast<size_t>(count) * sizeof(float));
  }
}

void Run::addSums() {
  for (int64_t i = 0; i < program.sumCount; ++i) {
    const SumInfo &info = program.sums[i];
    if (info.phase != phase - program.phases)
      continue;
    currentSum = i;
    int64_t rows = info.role == Role::Total ? 1 : rowsOf(info);
    forEach(rows * call.units(info.to), &Run::addSum);
  }
}

/// One unit of one row: all heads that share it and all phases; of a param all
/// sequences as well.
void Run::addSum(int64_t item, char *thread) {
  const SumInfo &info = program.sums[currentSum];
  int64_t units = call.units(info.to), members = call.size(H) / units;
  int64_t row = item / units, unit = item % units;
  bool isTotal = info.role == Role::Total;
  int64_t first = isTotal ? 0 : row, last = isTotal ? rowsOf(info) : row + 1;
  auto *sums = reinterpret_cast<double *>(thread);
  auto *rounded = reinterpret_cast<float *>(sums + info.elements);
  for (int64_t i = 0; i < info.elements; ++i)
    sums[i] = 0;
  for (int64_t part = 0; part < info.parts; ++part)
    for (int64_t r = first; r < last; ++r)
      for (int64_t member = 0; member < members; ++member) {
        const float *term =
            termOf(currentSum, part, r, unit * members + member);
        for (int64_t i = 0; i < info.elements; ++i)
          sums[i] += static_cast<double>(term[i]);
      }
  for (int64_t i = 0; i < info.elements; ++i)
    rounded[i] = static_cast<float>(sums[i]);
  if (info.between >= 0)
    return passToOperands(row, unit, rounded);
  if (info.isKept)
    std::memcpy(resultOf(currentSum, row, unit), rounded,
                static_cast<size_t>(info.elements) * sizeof(float));
  if (info.tensor >= 0)
    storeSum(row, unit, rounded);
}

void Run::storeSum(int64_t row, int64_t unit, const float *values) {
  const SumInfo &info = program.sums[currentSum];
  const View &view = call.tensor(info.tensor);
  if (!view.data)
    return;
  int64_t offset = 0, axis = 0;
  if (info.role == Role::Output) {
    offset = row / call.size(T) * view.strides[0] +
             row % call.size(T) * view.strides[1];
    axis = 2;
  } else if (info.role == Role::FinalState) {
    offset = row * view.strides[0];
    axis = 1;
  }
  if (info.to != Sharing::Shared)
    offset += unit * view.strides[axis];
  store(view, view.rank - info.rank, offset, values);
}

/// The gradient of a reduction over heads: of several largest heads the first
/// takes it.
void Run::passToOperands(int64_t row, int64_t unit, const float *gradient) {
  const SumInfo &info = program.sums[currentSum];
  const BetweenInfo &between = program.betweens[info.between];
  int64_t units = call.units(between.to), members = call.size(H) / units;
  auto valueAt = [&](int64_t place, int64_t at) {
    return reinterpret_cast<const float *>(memory + place)[at];
  };
  bool isLargest = between.kind == BetweenInfo::Kind::Max;
  float share = between.kind == BetweenInfo::Kind::Mean
                    ? 1 / static_cast<float>(members)
                    : 1;
  for (int64_t i = 0; i < info.elements; ++i) {
    float result = valueAt(layout.reduced(info.between),
                           (row * units + unit) * info.elements + i);
    bool isTaken = false;
    for (int64_t member = 0; member < members; ++member) {
      int64_t head = unit * members + member;
      bool takes = true;
      if (isLargest)
        takes =
            !isTaken &&
            result == valueAt(layout.operand(info.between),
                              (row * call.size(H) + head) * info.elements + i);
      resultOf(currentSum, row, head)[i] = takes ? share * gradient[i] : 0;
      isTaken |= takes;
    }
  }
}

} // namespace trowel::library
