// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts of the entry function as functions of their own, equal ones once: what
// a program does n times is compiled once.
#ifndef TROWEL_CODEGEN_CPU_PARTS_H
#define TROWEL_CODEGEN_CPU_PARTS_H

#include "codegen/CPU/Code.h"

#include <map>

namespace trowel::cpu {

class Parts {
public:
  explicit Parts(Code &code) : code(code) {}

  /// Makes a function of what `body` writes, unless there is an equal one, and
  /// calls it. Nothing that is written later may use values that `body` makes.
  /// A part within a part is no function of its own.
  void write(llvm::StringRef name, llvm::function_ref<void()> body);

private:
  /// What equal parts have in common: the operations, with values as numbers.
  struct Shape {
    std::vector<uintptr_t> words;
    llvm::DenseMap<Value, uintptr_t> numbers;
    Values captured; // from outside, in the order of their first use
  };

  void hoistAddresses(mlir::func::FuncOp part);
  Shape shapeOf(mlir::func::FuncOp part);
  void takeArguments(mlir::func::FuncOp part, mlir::ValueRange captured);

  Code &code;
  bool inside = false;
  std::map<std::vector<uintptr_t>, mlir::func::FuncOp> known;
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_PARTS_H
