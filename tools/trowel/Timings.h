// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How long each phase of a compile took.
#ifndef TROWEL_TOOLS_TROWEL_TIMINGS_H
#define TROWEL_TOOLS_TROWEL_TIMINGS_H

#include <chrono>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace trowel::tool {

class Timings {
public:
  /// Runs `work` as (a part of) `phase` and returns what it returns.
  template <typename Work> auto measure(const std::string &phase, Work work) {
    struct Stop {
      Timings &timings;
      const std::string &phase;
      Clock::time_point start = Clock::now();
      ~Stop() {
        timings.add(phase, std::chrono::duration<double, std::milli>(
                               Clock::now() - start)
                               .count());
      }
    } stop{*this, phase};
    return work();
  }

  void add(const std::string &phase, double milliseconds);

  /// A line for each phase in the order of their first mention, then the total,
  /// which is called `total`.
  void print(std::ostream &os, const std::string &total) const;

private:
  using Clock = std::chrono::steady_clock;
  std::vector<std::pair<std::string, double>> phases;
};

} // namespace trowel::tool

#endif // TROWEL_TOOLS_TROWEL_TIMINGS_H
