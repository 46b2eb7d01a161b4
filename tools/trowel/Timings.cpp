// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Timings.h"

#include <cstdio>

namespace trowel::tool {

void Timings::add(const std::string &phase, double milliseconds) {
  for (auto &[name, sum] : phases)
    if (name == phase) {
      sum += milliseconds;
      return;
    }
  phases.emplace_back(phase, milliseconds);
}

void Timings::print(std::ostream &os, const std::string &total) const {
  char line[128];
  auto print = [&](const std::string &name, double milliseconds) {
    std::snprintf(line, sizeof(line), "%-28s %8.1f ms\n", name.c_str(),
                  milliseconds);
    os << line;
  };
  double sum = 0;
  for (const auto &[name, milliseconds] : phases) {
    print(name, milliseconds);
    sum += milliseconds;
  }
  print(total, sum);
}

} // namespace trowel::tool
