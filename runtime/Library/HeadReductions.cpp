// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values that are reduced over heads between two phases.
#include "runtime/Library/Run.h"

#include <cstring>

namespace trowel::library {

namespace {

constexpr int64_t tokensPerItem = 64;

/// One element over the members of a group, `stride` apart, in their order.
template <typename Element>
double reduceMembers(const BetweenInfo &between, const Element *first,
                     int64_t members, int64_t stride) {
  double value = static_cast<double>(*first);
  for (int64_t i = 1; i < members; ++i) {
    double other = static_cast<double>(first[i * stride]);
    if (between.kind != BetweenInfo::Kind::Max)
      value += other;
    else if (other > value || other != other)
      value = other;
  }
  if (between.kind == BetweenInfo::Kind::Mean)
    value /= static_cast<double>(members);
  return value;
}

void reduceElement(const BetweenInfo &between, const char *first, char *to,
                   int64_t members) {
  if (between.isInteger) {
    double value =
        reduceMembers(between, reinterpret_cast<const int32_t *>(first),
                      members, between.elements);
    int32_t wrapped = static_cast<int32_t>(static_cast<int64_t>(value));
    std::memcpy(to, &wrapped, sizeof(wrapped));
    return;
  }
  float value = static_cast<float>(
      reduceMembers(between, reinterpret_cast<const float *>(first), members,
                    between.elements));
  std::memcpy(to, &value, sizeof(value));
}

} // namespace

void Run::reduceHeads() {
  int64_t tokens = call.size(B) * call.size(T);
  int64_t index = phase - program.phases;
  bool isReduced = false;
  for (int64_t i = 0; i < program.betweenCount; ++i)
    isReduced |= program.betweens[i].phase == index;
  if (isReduced)
    forEach((tokens + tokensPerItem - 1) / tokensPerItem, &Run::reduceTokens);
}

void Run::reduceTokens(int64_t item, char *) {
  int64_t tokens = call.size(B) * call.size(T), index = phase - program.phases;
  int64_t begin = item * tokensPerItem, end = begin + tokensPerItem;
  if (end > tokens)
    end = tokens;
  for (int64_t i = 0; i < program.betweenCount; ++i)
    if (program.betweens[i].phase == index)
      reduce(program.betweens[i], i, begin, end);
}

void Run::reduce(const BetweenInfo &between, int64_t index, int64_t begin,
                 int64_t end) {
  int64_t units = call.units(between.to);
  int64_t members = call.size(H) / units;
  const char *from = memory + layout.operand(index);
  char *to = memory + layout.reduced(index);
  for (int64_t unit = begin * units; unit < end * units; ++unit)
    for (int64_t i = 0; i < between.elements; ++i)
      reduceElement(between, from + (unit * members * between.elements + i) * 4,
                    to + (unit * between.elements + i) * 4, members);
}

} // namespace trowel::library
