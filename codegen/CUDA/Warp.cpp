// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CUDA/Warp.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace trowel::cuda {

Value Warp::tf32(Value number) {
  return code.op<NVVM::ConvertFloatToTF32Op>(code.builder.getI32Type(), number,
                                             NVVM::FPRoundingMode::RN,
                                             NVVM::SaturationMode::NONE, false);
}

Warp::Operand Warp::round(Value number) {
  Operand result{tf32(number), Value()};
  if (isDouble()) {
    Value high = code.op<LLVM::BitcastOp>(code.realType, result.high);
    result.low = tf32(code.op<arith::SubFOp>(number, high));
  }
  return result;
}

cpu::Values Warp::step(ValueRange a, ValueRange b, ValueRange c) {
  using namespace NVVM;
  Type four = LLVM::LLVMStructType::getLiteral(
      code.builder.getContext(), SmallVector<Type>(4, code.realType));
  Value result = code.op<MmaOp>(
      four, a, b, c, ArrayRef<int64_t>{16, 8, 8}, std::nullopt, std::nullopt,
      std::array<MMATypes, 2>{MMATypes::tf32, MMATypes::tf32},
      std::array<MMALayout, 2>{MMALayout::row, MMALayout::col});
  cpu::Values sums;
  for (int64_t i = 0; i < 4; ++i)
    sums.push_back(code.op<LLVM::ExtractValueOp>(result, i));
  return sums;
}

cpu::Values Warp::multiplyAdd(Operands a, Operands b, ValueRange c) {
  auto parts = [](Operands operands, bool low) {
    cpu::Values values;
    for (const Operand &operand : operands)
      values.push_back(low ? operand.low : operand.high);
    return values;
  };
  cpu::Values sums(c);
  if (isDouble()) { // the small ones first
    sums = step(parts(a, true), parts(b, false), sums);
    sums = step(parts(a, false), parts(b, true), sums);
  }
  return step(parts(a, false), parts(b, false), sums);
}

} // namespace trowel::cuda
