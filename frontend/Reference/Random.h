// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random numbers that are the same with every standard library: splitmix64
// (Steele, Lea, Flood, 2014) and Box-Muller.
#ifndef TROWEL_FRONTEND_REFERENCE_RANDOM_H
#define TROWEL_FRONTEND_REFERENCE_RANDOM_H

#include <cmath>
#include <cstdint>
#include <string>

namespace trowel::reference {

class Random {
public:
  /// A stream of its own for every seed and name.
  Random(uint64_t seed, const std::string &name) : state(seed) {
    for (char c : name)
      state = next() ^ static_cast<unsigned char>(c);
  }

  uint64_t next() {
    state += 0x9E3779B97F4A7C15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }

  /// In [0, 1).
  double uniform() {
    return std::ldexp(static_cast<double>(next() >> 11), -53);
  }

  /// Mean 0, deviation 1.
  double normal() {
    double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * 3.14159265358979323846 * uniform());
  }

  bool oneIn(uint64_t n) { return next() % n == 0; }

private:
  uint64_t state;
};

} // namespace trowel::reference

#endif // TROWEL_FRONTEND_REFERENCE_RANDOM_H
