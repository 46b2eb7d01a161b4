// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Meaning.h"

#include "frontend/Reference/Machine.h"

#include <cstdio>
#include <cstdlib>

namespace trowel {
namespace {

template <class Number>
TensorMap runMachine(const Program &program, const Batch &batch,
                     const TensorMap &arguments) {
  std::string message = validate(program, batch, arguments);
  if (!message.empty()) {
    std::fprintf(stderr, "evaluate(%s): %s\n", program.name.c_str(),
                 message.c_str());
    std::abort();
  }
  return reference::Machine<Number>(program, batch, arguments).run();
}

} // namespace

TensorMap evaluate(const Program &program, const Batch &batch,
                   const TensorMap &arguments) {
  return runMachine<double>(program, batch, arguments);
}

TensorMap evaluateMagnitudes(const Program &program, const Batch &batch,
                             const TensorMap &arguments) {
  return runMachine<reference::Magnitude>(program, batch, arguments);
}

} // namespace trowel
