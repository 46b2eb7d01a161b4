// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/DeviceMath.h"

using namespace mlir;

namespace trowel::cpu {

Value DeviceMath::call(StringRef intrinsic, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(
             code.builder, code.location, code.realType,
             code.builder.getStringAttr(intrinsic), operands)
      .getResult(0);
}

/// 2^(x log2(e)) with the product's rounding error e as a factor 2^e = 1 + e
/// log(2). Beyond the bounds the result is zero or infinite all the same.
Value DeviceMath::exp(Value x) {
  x = code.op<LLVM::MaximumOp>(x.getType(), x, code.real(-110));
  x = code.op<LLVM::MinimumOp>(x.getType(), x, code.real(90));
  Value high = code.real(1.44269502162933349609375);
  Value product = mul(x, high);
  Value lost = code.fma(x, high, code.op<arith::NegFOp>(product));
  lost = code.fma(x, code.real(1.925963033500011e-08), lost);
  Value power = call("llvm.nvvm.ex2.approx.ftz.f", product);
  return mul(power,
             code.fma(lost, code.real(0.6931471805599453), code.real(1)));
}

/// 2 atanh(s) with s = x / (2 + x) by its series: the coefficients behind the
/// first are a fit, within 2e-8.
Value DeviceMath::log1pOfFraction(Value x) {
  Value sum = code.op<arith::AddFOp>(x, code.real(2));
  Value s = mul(x, call("llvm.nvvm.rcp.approx.ftz.f", sum));
  Value square = mul(s, s);
  Value series = code.real(0.13433776795864105);
  for (double coefficient :
       {0.14116977155208588, 0.2000383585691452, 0.33333319425582886})
    series = code.fma(series, square, code.real(coefficient));
  Value twice = code.op<arith::AddFOp>(s, s);
  return code.fma(mul(series, square), twice, twice);
}

Value DeviceMath::divide(Value a, Value b) {
  return call("llvm.nvvm.div.full", ValueRange{a, b});
}

Value DeviceMath::reciprocal(Value x) {
  return call("llvm.nvvm.rcp.approx.ftz.f", x);
}

} // namespace trowel::cpu
