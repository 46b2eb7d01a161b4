// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every built-in function, in one table: its name, how many arguments it takes
// and what it is made of.
#ifndef TROWEL_FRONTEND_SEMA_FUNCTIONTABLE_H
#define TROWEL_FRONTEND_SEMA_FUNCTIONTABLE_H

#include "frontend/Sema/Builder.h"

#include <string>
#include <vector>

namespace trowel::sema {

struct BuiltinFunction {
  enum class Form {
    Elementwise, // over the union of its arguments' axes
    Reduction,   // along named axes: `sum[K](x)`
    Either,      // reduces one argument, elementwise with two
    Special,     // where, stop, prefix_sum: checked by a method of their own
    Unsupported, // part of the language, not of this version
    Statement    // debug
  };
  using Elementwise = ExprPtr (*)(const Builder &, const std::vector<ExprPtr> &,
                                  Location);
  /// `over` is not empty unless the function is `norm`; `count` is the number
  /// of elements along it.
  struct Reduced {
    ExprPtr x;
    Axes over;
    double count = 1;
    double epsilon = 0;
    Location at;
  };
  using Reduction = ExprPtr (*)(const Builder &, const Reduced &);

  std::string name;
  Form form = Form::Elementwise;
  size_t arguments = 1; // of the elementwise or special form
  Elementwise elementwise = nullptr;
  Reduction reduction = nullptr;
  bool hasEpsilon = false;
};

const std::vector<BuiltinFunction> &builtinFunctions();
const BuiltinFunction *builtinNamed(const std::string &name);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_FUNCTIONTABLE_H
