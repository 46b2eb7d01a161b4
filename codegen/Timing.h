// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How long the phases of a compilation take.
#ifndef TROWEL_CODEGEN_TIMING_H
#define TROWEL_CODEGEN_TIMING_H

#include <chrono>
#include <string>
#include <vector>

namespace trowel::codegen {

/// How long a phase of the compilation took.
struct Timing {
  std::string name;
  double milliseconds;
};
using Timings = std::vector<Timing>;

/// Adds the time since the last call to the list under a name.
class Stopwatch {
public:
  explicit Stopwatch(Timings *timings) : timings(timings) {}

  void lap(const char *name) {
    Clock::time_point now = Clock::now();
    std::chrono::duration<double, std::milli> passed = now - last;
    if (timings)
      timings->push_back({name, passed.count()});
    last = now;
  }

private:
  using Clock = std::chrono::steady_clock;
  Timings *timings;
  Clock::time_point last = Clock::now();
};

} // namespace trowel::codegen

#endif // TROWEL_CODEGEN_TIMING_H
