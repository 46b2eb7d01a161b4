// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/trowel/Reduce.h"

#include <algorithm>

namespace trowel::tool {
namespace {

/// Float64 trials take too long where two axes are above this.
constexpr int64_t smallEnough = 16;

using Sizes = std::vector<std::pair<std::string, int64_t>>;

/// The header's sizes as they are bound.
Sizes boundSizes(const Loaded &loaded) {
  Sizes sizes;
  for (const syntax::Size &size : loaded.attention->sizes) {
    int64_t value = size.value;
    for (const auto &[name, given] : loaded.options.sizes)
      if (name == size.name.text)
        value = given;
    sizes.emplace_back(size.name.text, value);
  }
  return sizes;
}

/// What `value` becomes when halved until it is small or odd: the last first.
std::vector<int64_t> halvings(int64_t value) {
  std::vector<int64_t> values;
  while (value > smallEnough && value % 2 == 0)
    values.insert(values.begin(), value /= 2);
  return values;
}

std::optional<Loaded> bind(const Loaded &loaded, const Sizes &sizes) {
  CheckOptions options{sizes};
  CheckResult result = check(*loaded.file, *loaded.attention, options);
  if (!result.program)
    return std::nullopt;
  return Loaded{loaded.source, loaded.file, loaded.attention, options,
                std::move(*result.program)};
}

Sizes unequal(Sizes sizes) {
  int64_t next = smallEnough - 4;
  for (auto &[name, value] : sizes)
    if (value > smallEnough) {
      value = next;
      next = std::max<int64_t>(next - 2, 4);
    }
  return sizes;
}

Sizes halved(Sizes sizes) {
  for (auto &[name, value] : sizes)
    if (std::vector<int64_t> values = halvings(value); !values.empty())
      value = values.front();
  return sizes;
}

} // namespace

Loaded reduce(const Loaded &loaded) {
  Sizes sizes = boundSizes(loaded);
  for (const Sizes &smaller : {unequal(sizes), halved(sizes)})
    if (std::optional<Loaded> reduced = bind(loaded, smaller))
      return std::move(*reduced);
  Loaded best = loaded;
  for (auto &[name, value] : sizes) {
    int64_t kept = value;
    for (int64_t smaller : halvings(kept)) {
      value = smaller;
      if (std::optional<Loaded> reduced = bind(loaded, sizes)) {
        best = std::move(*reduced);
        kept = smaller;
        break;
      }
    }
    value = kept;
  }
  return best;
}

} // namespace trowel::tool
