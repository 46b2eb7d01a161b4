// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A bf16 is the upper half of a float, an e5m2 that of an f16, for which the
// machine has conversions; an e4m3 is taken apart. No step makes or takes a
// float that is denormal in f32, which a caller may have had flushed to zero.
#include "codegen/CPU/Formats.h"

#include "codegen/CPU/VectorMath.h"

using namespace mlir;
using trowel::rec::DTypeKind;

namespace trowel::cpu {

namespace {

class Formats {
public:
  explicit Formats(Code &code) : code(code), math(code) {}

  Value bf16ToReal(Value bits);
  Value f16ToReal(Value bits);
  Value e4m3ToReal(Value bits);
  Value e5m2ToReal(Value bits);
  Value realToBf16(Value x);
  Value realToF16(Value x);
  Value realToE4m3(Value x);
  Value realToE5m2(Value x);

private:
  Code &code;
  VectorMath math;

  Type half() { return code.vectorOf(code.builder.getF16Type()); }
  Type bits16() { return code.vectorOf(code.builder.getI16Type()); }
  Type bits8() { return code.vectorOf(code.builder.getI8Type()); }
  Value extend(Value x) {
    return code.op<arith::ExtUIOp>(code.integerVector, x);
  }
  Value truncate(Value x, Type type) {
    return code.op<arith::TruncIOp>(type, x);
  }
  Value bitsOf(Value x) {
    return code.op<arith::BitcastOp>(code.integerVector, x);
  }
  Value realOf(Value bits) {
    return code.op<arith::BitcastOp>(code.realVector, bits);
  }
  Value both(Value x, int64_t mask) {
    return code.op<arith::AndIOp>(x, code.integer(mask));
  }
  Value left(Value x, int64_t by) {
    return code.op<arith::ShLIOp>(x, code.integer(by));
  }
  Value right(Value x, int64_t by) {
    return code.op<arith::ShRUIOp>(x, code.integer(by));
  }
  Value equals(Value x, int64_t number) {
    return code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, x,
                                  code.integer(number));
  }
  Value quiet(Value x, Value bits, int64_t nan) {
    Value isNan = code.op<arith::CmpFOp>(arith::CmpFPredicate::UNO, x, x);
    return code.select(isNan, code.integer(nan), bits);
  }
};

Value Formats::bf16ToReal(Value bits) { return realOf(left(extend(bits), 16)); }

Value Formats::realToBf16(Value x) {
  Value rounded = right(bitsOf(math.round(x, DTypeKind::BF16)), 16);
  return truncate(quiet(x, rounded, 0x7fc0), bits16());
}

Value Formats::f16ToReal(Value bits) {
  return code.op<arith::ExtFOp>(code.realVector,
                                code.op<arith::BitcastOp>(half(), bits));
}

Value Formats::realToF16(Value x) {
  Value narrow = code.op<arith::TruncFOp>(half(), x);
  Value bits = extend(code.op<arith::BitcastOp>(bits16(), narrow));
  return truncate(quiet(x, bits, 0x7e00), bits16());
}

/// s eeee mmm with a bias of 7, to a bias of 127; all ones is the only NaN.
Value Formats::e4m3ToReal(Value bits) {
  Value wide = extend(bits), magnitude = both(wide, 0x7f);
  Value normal = code.op<arith::AddIOp>(left(magnitude, 20),
                                        code.integer((127 - 7) << 23));
  Value units = code.op<arith::SIToFPOp>(code.realVector, magnitude);
  Value small = bitsOf(code.op<arith::MulFOp>(units, code.real(0x1p-9)));
  Value isSmall = code.op<arith::CmpIOp>(arith::CmpIPredicate::ult, magnitude,
                                         code.integer(8));
  Value result = code.select(isSmall, small, normal);
  result =
      code.select(equals(magnitude, 0x7f), code.integer(0x7fc00000), result);
  Value sign = left(both(wide, 0x80), 24);
  return realOf(code.op<arith::OrIOp>(result, sign));
}

Value Formats::realToE4m3(Value x) {
  Value rounded = bitsOf(math.round(x, DTypeKind::E4M3));
  Value magnitude = both(rounded, 0x7fffffff);
  Value normal = code.op<arith::SubIOp>(right(magnitude, 20),
                                        code.integer((127 - 7) << 3));
  Value scaled = code.op<arith::MulFOp>(realOf(magnitude), code.real(0x1p+9));
  Value isSmall =
      code.op<arith::CmpFOp>(arith::CmpFPredicate::OLT, scaled, code.real(8));
  // Lanes that are not small are not converted: they may have no integer.
  Value units = code.op<arith::FPToSIOp>(
      code.integerVector, code.select(isSmall, scaled, code.real(0)));
  Value bits = code.op<arith::OrIOp>(code.select(isSmall, units, normal),
                                     both(right(rounded, 24), 0x80));
  return truncate(quiet(x, bits, 0x7f), bits8());
}

Value Formats::e5m2ToReal(Value bits) {
  Value wide = code.op<arith::ExtUIOp>(bits16(), bits);
  Value eight = code.constant(bits16(), int64_t(8));
  return f16ToReal(code.op<arith::ShLIOp>(wide, eight));
}

Value Formats::realToE5m2(Value x) {
  Value rounded = math.round(x, DTypeKind::E5M2);
  Value narrow = code.op<arith::TruncFOp>(half(), rounded); // exact
  Value bits = extend(code.op<arith::BitcastOp>(bits16(), narrow));
  return truncate(quiet(x, right(bits, 8), 0x7e), bits8());
}

} // namespace

Type bitsType(Code &code, DTypeKind format) {
  switch (bytesOf(format)) {
  case 1:
    return code.builder.getI8Type();
  case 2:
    return code.builder.getI16Type();
  default:
    return code.realType;
  }
}

Value decode(Code &code, DTypeKind format, Value bits) {
  Formats formats(code);
  switch (format) {
  case DTypeKind::BF16:
    return formats.bf16ToReal(bits);
  case DTypeKind::F16:
    return formats.f16ToReal(bits);
  case DTypeKind::E4M3:
    return formats.e4m3ToReal(bits);
  case DTypeKind::E5M2:
    return formats.e5m2ToReal(bits);
  default:
    return VectorMath(code).round(bits, format);
  }
}

Value encode(Code &code, DTypeKind format, Value x) {
  Formats formats(code);
  switch (format) {
  case DTypeKind::BF16:
    return formats.realToBf16(x);
  case DTypeKind::F16:
    return formats.realToF16(x);
  case DTypeKind::E4M3:
    return formats.realToE4m3(x);
  case DTypeKind::E5M2:
    return formats.realToE5m2(x);
  default:
    return VectorMath(code).round(x, format);
  }
}

} // namespace trowel::cpu
