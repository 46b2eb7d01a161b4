// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/RunGradients.h"

#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Types.h"

#include <algorithm>

namespace trowel::tool {

Program withSeeds(const Program &program,
                  const std::vector<std::string> &names) {
  Program result = program;
  auto add = [&](const std::vector<Declaration> &from,
                 std::vector<Declaration> &to) {
    for (const Declaration &declaration : from) {
      Declaration seed = declaration;
      seed.name = "d" + declaration.name;
      seed.range.reset();
      if (declaration.dtype != DType::I32 &&
          std::count(names.begin(), names.end(), seed.name))
        to.push_back(std::move(seed));
    }
  };
  add(program.outputs, result.inputs);
  add(program.states, result.states);
  return result;
}

TensorMap takeSeeds(const Program &program, const Batch &batch,
                    TensorMap &arguments) {
  TensorMap seeds;
  auto take = [&](const std::vector<Declaration> &list) {
    for (const Declaration &declaration : list)
      if (auto found = arguments.extract("d" + declaration.name))
        seeds.insert(std::move(found));
  };
  take(program.outputs);
  take(program.states);
  if (!seeds.empty())
    return seeds;
  for (const Declaration &output : program.outputs)
    if (output.dtype != DType::I32)
      seeds["d" + output.name] =
          Tensor(boundaryShape(program, output, Boundary::Output, batch), 1);
  return seeds;
}

/// The first name that a list has twice; empty if there is none.
static std::string findTwice(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? "" : *twice;
}

std::string ambiguousName(const Program &program) {
  std::vector<std::string> in, out;
  for (const auto *list : {&program.inputs, &program.params, &program.states})
    for (const Declaration &declaration : *list)
      in.push_back(declaration.name);
  for (const auto *list : {&program.outputs, &program.states})
    for (const Declaration &declaration : *list)
      in.push_back("d" + declaration.name);
  for (const Writable &value : writables(program))
    out.push_back(value.name);
  for (const Writable &value : gradients(program))
    out.push_back(value.name);
  std::string name = findTwice(std::move(in));
  return name.empty() ? findTwice(std::move(out)) : name;
}

std::vector<Writable> gradients(const Program &program) {
  std::vector<Writable> values;
  auto add = [&](const std::vector<Declaration> &list, const char *suffix) {
    for (const Declaration &declaration : list)
      if (declaration.dtype != DType::I32)
        values.push_back({"d" + declaration.name + suffix, declaration.dtype});
  };
  add(program.inputs, "");
  add(program.params, "");
  add(program.states, "0");
  return values;
}

} // namespace trowel::tool
