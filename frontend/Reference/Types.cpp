// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Types.h"

#include "frontend/Reference/Arithmetic.h"

#include <cmath>

namespace trowel {

void roundToType(Tensor &tensor, DType dtype) {
  for (double &x : tensor.data)
    x = reference::castTo(dtype, x);
}

bool contains(const Interval &range, double x) {
  bool aboveLow = range.lowOpen ? x > range.low : x >= range.low;
  bool belowHigh = range.highOpen ? x < range.high : x <= range.high;
  if (std::isinf(x)) // an infinite bound is no bound, open or not
    return x == range.low || x == range.high;
  return aboveLow && belowHigh;
}

static void roundAll(const std::vector<Declaration> &list, TensorMap &results) {
  for (const Declaration &declaration : list) {
    auto it = results.find(declaration.name);
    if (it != results.end() && declaration.dtype != DType::F32)
      roundToType(it->second, declaration.dtype);
  }
}

void roundOutputs(const Program &program, TensorMap &results) {
  roundAll(program.outputs, results);
}

void roundResults(const Program &program, TensorMap &results) {
  roundAll(program.outputs, results);
  roundAll(program.states, results);
}

void roundSeeds(const Program &program, TensorMap &seeds) {
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &declaration : *list)
      if (auto seed = seeds.find("d" + declaration.name); seed != seeds.end())
        roundToType(seed->second, declaration.dtype);
}

Program inF32(Program program) {
  for (auto *list :
       {&program.inputs, &program.params, &program.states, &program.outputs})
    for (Declaration &declaration : *list)
      if (declaration.dtype != DType::I32)
        declaration.dtype = DType::F32;
  return program;
}

bool takesF32(const Program &program) {
  for (const auto *list : {&program.inputs, &program.states, &program.params})
    for (const Declaration &stored : *list)
      if (stored.dtype != DType::F32 && stored.dtype != DType::I32)
        return false;
  return true;
}

/// The next value of `dtype` above or below `x`, itself a value of it.
static double neighbour(DType dtype, double x, bool above) {
  if (dtype == DType::I32)
    return x + (above ? 1 : -1);
  FloatFormat format = formatOf(dtype);
  double magnitude = std::fabs(x);
  bool outward = x == 0 || (x > 0) == above;
  uint32_t bits = encode(format, magnitude);
  double moved = decode(format, outward ? bits + 1 : bits - 1);
  bool negative = x == 0 ? !above : x < 0;
  return negative ? -moved : moved;
}

double nearestWithin(const Interval &range, DType dtype, double x) {
  double nearest =
      reference::castTo(dtype, std::fmin(std::fmax(x, range.low), range.high));
  if (contains(range, nearest) || std::isnan(nearest))
    return nearest;
  bool tooLow = nearest < range.low || (nearest == range.low && range.lowOpen);
  double moved = neighbour(dtype, nearest, tooLow);
  return contains(range, moved) ? moved : nearest;
}

} // namespace trowel
