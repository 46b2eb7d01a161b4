// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the operations that all emitters need: index arithmetic, loops, loads
// and stores of vectors through views.
#ifndef TROWEL_CODEGEN_CPU_CODE_H
#define TROWEL_CODEGEN_CPU_CODE_H

#include "codegen/CPU/View.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>

namespace trowel::cpu {

class Team;

using mlir::Value;
using Values = llvm::SmallVector<Value, 8>;

class Code {
public:
  /// With a vector's number of lanes, code of one thread that goes along
  /// vectors; with one lane, code of a thread among many, all of whose values
  /// are single elements. Then `team` says how threads share loops.
  Code(mlir::ModuleOp module, mlir::Location location,
       int64_t width = trowel::cpu::lanes);

  const int64_t width;
  Team *team = nullptr;

  mlir::OpBuilder builder;
  mlir::Location location;
  mlir::ModuleOp module;
  mlir::Type pointerType, indexType, realType;
  mlir::Type realVector, integerVector, conditionVector;

  template <typename Op, typename... Args> Value op(Args &&...args) {
    return Op::create(builder, location, std::forward<Args>(args)...);
  }

  //===--- Indices (i64)
  //----------------------------------------------------===//
  Value index(int64_t number);
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, const Stride &stride);
  Value min(Value a, Value b);
  Value strideValue(const Stride &stride);

  //===--- Control flow
  //-----------------------------------------------------===//
  /// for (i = low; i < high; i += step); a loop known to run once is no loop.
  void loop(Value low, Value high, int64_t step,
            llvm::function_ref<void(Value)> body);
  /// The same with values carried from turn to turn.
  Values loop(Value low, Value high, int64_t step, mlir::ValueRange initial,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr);

  /// A function of the module with no code yet, for its own use.
  mlir::func::FuncOp function(llvm::StringRef name,
                              llvm::ArrayRef<mlir::Type> types);

  //===--- Vectors
  //----------------------------------------------------------===//
  bool hasVectors() const { return width > 1; }
  mlir::Type vectorOf(mlir::Type element) const;
  /// The same number in all lanes.
  Value constant(mlir::Type type, double number);
  Value constant(mlir::Type type, int64_t number);
  Value real(double number);
  Value integer(int64_t number);
  Value condition(bool value);
  Value broadcast(Value scalar);
  Value lane(Value vector, int64_t position);
  Value fma(Value a, Value b, Value c);
  Value select(Value condition, Value a, Value b);
  /// 0, 1, … 15 as 32-bit integers.
  Value laneNumbers();
  /// Adds up the lanes: a scalar.
  Value sumLanes(Value vector);

  //===--- Memory
  //-----------------------------------------------------------===//
  /// Which lanes lie within the point's axis; null if all do.
  Value mask(const Point &point);
  /// The address `distance` elements of 32 bits behind `base`.
  Value behind(Value base, Value distance);
  /// The address of a view's first element, and one so many elements behind.
  Value start(const View &view);
  Value behind(const View &view, Value distance);
  Value address(const View &view, const Point &point);
  Value loadScalar(Value pointer, mlir::Type element);
  Value loadVector(Value pointer);
  void storeVector(Value value, Value pointer);
  /// The element or the 16 elements of a view at a point, as a vector of its
  /// element type; lanes outside of the axis hold anything.
  Value load(const View &view, const Point &point);
  void store(const View &view, const Point &point, Value value);

  //===--- Views
  //------------------------------------------------------------===//
  /// The part of a view at a position that the code computes.
  View at(const View &view, mlir::StringAttr axis, Value position);
  /// The part of a view from a position on.
  View from(const View &view, mlir::StringAttr axis, Value position);

private:
  Value offsets(const View &view, const Point &point);
  Value addressApart(const View &view, const Point &point);
  Value maskOrFull(const Point &point);
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_CODE_H
