// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the instruction sets are called in the x86-64 psABI: v3 and v4.
#include "runtime/Library/Machine.h"

#include "runtime/Library/Message.h"
#include "trowel/trowel.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace trowel::library {
namespace {

enum Supported : int { None, Avx2, Avx512, Unknown };

#if defined(__x86_64__)
/// Which registers the operating system saves.
uint32_t savedRegisters() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool hasAll(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

Supported detect() {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return None;
  constexpr uint32_t osxsave = 1u << 27;
  constexpr uint32_t v3basic = bit_FMA | bit_MOVBE | bit_AVX | bit_F16C;
  if (!hasAll(c, osxsave | v3basic))
    return None;
  constexpr uint32_t ymm = 0x6, zmm = 0xe6;
  uint32_t saved = savedRegisters();
  uint32_t b7, c7, d7, c81;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) ||
      !__get_cpuid(0x80000001, &a, &b, &c81, &d))
    return None;
  bool v3 = hasAll(saved, ymm) && hasAll(c81, bit_LZCNT) &&
            hasAll(b7, bit_BMI | bit_AVX2 | bit_BMI2);
  bool v4 = v3 && hasAll(saved, zmm) &&
            hasAll(b7, bit_AVX512F | bit_AVX512DQ | bit_AVX512CD |
                           bit_AVX512BW | bit_AVX512VL);
  return v4 ? Avx512 : v3 ? Avx2 : None;
}
#else
Supported detect() { return None; }
#endif

/// Asked once: under a hypervisor the question is slow.
Supported supported() {
  static std::atomic<Supported> answer{Unknown};
  Supported known = answer.load(std::memory_order_relaxed);
  if (known == Unknown)
    answer.store(known = detect(), std::memory_order_relaxed);
  return known;
}

bool runs(Machine machine, const char *only) {
  switch (machine) {
  case Machine::Host:
    return true;
  case Machine::Avx2:
    return supported() >= Avx2 && (!only || std::strcmp(only, "avx2") == 0);
  case Machine::Avx512:
    return supported() == Avx512 && (!only || std::strcmp(only, "avx512") == 0);
  }
  return false;
}

} // namespace

int32_t chooseMachine(const ProgramInfo &program, int64_t &machine) {
  const char *only = std::getenv("TROWEL_CPU");
  if (only && !*only)
    only = nullptr;
  for (machine = 0; machine < program.machineCount; ++machine)
    if (runs(program.machines[machine], only))
      return TROWEL_OK;
  if (only)
    return fail(TROWEL_ERROR_MACHINE,
                "TROWEL_CPU is `%s`: this library has no such code for this "
                "processor",
                only);
  return fail(TROWEL_ERROR_MACHINE,
              "this processor has neither AVX2 nor AVX-512, for which the "
              "library has code");
}

} // namespace trowel::library
