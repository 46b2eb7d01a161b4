// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/Elements.h"

#include "codegen/CPU/VectorMath.h"
#include "codegen/CPU/WideMath.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel::cpu {

static bool isReal(Value x) { return isa<FloatType>(getElementTypeOrSelf(x)); }

static bool isCondition(Value x) {
  return getElementTypeOrSelf(x).isInteger(1);
}

static Value toReal(Code &code, Value x) {
  if (isReal(x))
    return x;
  if (isCondition(x))
    return code.op<arith::UIToFPOp>(code.realVector, x);
  return code.op<arith::SIToFPOp>(code.realVector, x);
}

static Value toCondition(Code &code, Value x) {
  if (isCondition(x))
    return x;
  if (isReal(x))
    return code.op<arith::CmpFOp>(arith::CmpFPredicate::UNE, x, code.real(0));
  return code.op<arith::CmpIOp>(arith::CmpIPredicate::ne, x, code.integer(0));
}

//===--- One operand ------------------------------------------------------===//

static Value unaryInteger(Code &code, MapKind kind, Value x) {
  Value zero = code.integer(0);
  auto below = [&](Value a, Value b) {
    return code.op<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b);
  };
  switch (kind) {
  case MapKind::Neg:
    return code.op<arith::SubIOp>(zero, x);
  case MapKind::Abs:
    return code.select(below(x, zero), code.op<arith::SubIOp>(zero, x), x);
  case MapKind::Sign:
    return code.select(below(zero, x), code.integer(1),
                       code.select(below(x, zero), code.integer(-1), zero));
  case MapKind::Floor:
  case MapKind::Round:
    return x;
  default:
    return Value();
  }
}

static Value unary(Code &code, MapKind kind, Value x) {
  VectorMath math(code);
  if (kind == MapKind::Not)
    return code.op<arith::XOrIOp>(toCondition(code, x), code.condition(true));
  if (kind == MapKind::ToReal)
    return toReal(code, x);
  if (!isReal(x) && !isCondition(x))
    if (Value result = unaryInteger(code, kind, x))
      return result;
  x = toReal(code, x);
  switch (kind) {
  case MapKind::Neg:
    return code.op<arith::NegFOp>(x);
  case MapKind::Exp:
    return math.exp(x);
  case MapKind::Log:
    return math.log(x);
  case MapKind::Log1p:
    return math.log1p(x);
  case MapKind::Expm1:
    return math.expm1(x);
  case MapKind::Sqrt:
    return math.sqrt(x);
  case MapKind::Rsqrt:
    return code.op<arith::DivFOp>(code.real(1), math.sqrt(x));
  case MapKind::Abs:
    return math.abs(x);
  case MapKind::Sign:
    return math.sign(x);
  case MapKind::Sigmoid:
    return math.sigmoid(x);
  case MapKind::Softplus:
    return math.softplus(x);
  case MapKind::Tanh:
    return math.tanh(x);
  case MapKind::Sin:
    return WideMath(code).sin(x);
  case MapKind::Cos:
    return WideMath(code).cos(x);
  case MapKind::Erf:
    return WideMath(code).erf(x);
  case MapKind::Floor:
    return math.floor(x);
  case MapKind::Round:
    return math.roundEven(x);
  default:
    llvm_unreachable("the verifier counts operands");
  }
}

//===--- Two operands -----------------------------------------------------===//

static Value binaryInteger(Code &code, MapKind kind, Value a, Value b) {
  switch (kind) {
  case MapKind::Add:
    return code.op<arith::AddIOp>(a, b);
  case MapKind::Sub:
    return code.op<arith::SubIOp>(a, b);
  case MapKind::Mul:
    return code.op<arith::MulIOp>(a, b);
  case MapKind::Mod:
    return VectorMath(code).moduloIntegers(a, b);
  case MapKind::Max:
    return code.op<arith::MaxSIOp>(a, b);
  case MapKind::Min:
    return code.op<arith::MinSIOp>(a, b);
  default:
    return Value();
  }
}

/// A power with a constant exponent that needs no logarithm.
static Value constantPower(Code &code, Value x, Value exponent) {
  Attribute attribute;
  if (!matchPattern(exponent, m_Constant(&attribute)))
    return Value();
  if (auto elements = dyn_cast<SplatElementsAttr>(attribute))
    attribute = elements.getSplatValue<Attribute>();
  auto number = dyn_cast<FloatAttr>(attribute);
  if (!number)
    return Value();
  double power = number.getValueAsDouble();
  Value one = code.real(1);
  if (power == 2)
    return code.op<arith::MulFOp>(x, x);
  if (power == 1)
    return x;
  if (power == -1)
    return code.op<arith::DivFOp>(one, x);
  return Value();
}

static Value binaryReal(Code &code, MapKind kind, Value a, Value b) {
  VectorMath math(code);
  switch (kind) {
  case MapKind::Add:
    return code.op<arith::AddFOp>(a, b);
  case MapKind::Sub:
    return code.op<arith::SubFOp>(a, b);
  case MapKind::Mul:
    return code.op<arith::MulFOp>(a, b);
  case MapKind::Div:
    return math.div(a, b);
  case MapKind::Mod:
    return math.modulo(a, b);
  case MapKind::Pow:
    if (Value simple = constantPower(code, a, b))
      return simple;
    return WideMath(code).pow(a, b);
  case MapKind::Max:
    return math.maximum(a, b);
  case MapKind::Min:
    return math.minimum(a, b);
  case MapKind::Logaddexp:
    return math.logaddexp(a, b);
  default:
    llvm_unreachable("the verifier counts operands");
  }
}

struct Comparison {
  arith::CmpFPredicate real;
  arith::CmpIPredicate integer, condition;
};

static std::optional<Comparison> comparison(MapKind kind) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  switch (kind) {
  case MapKind::Lt:
    return Comparison{F::OLT, I::slt, I::ult};
  case MapKind::Le:
    return Comparison{F::OLE, I::sle, I::ule};
  case MapKind::Gt:
    return Comparison{F::OGT, I::sgt, I::ugt};
  case MapKind::Ge:
    return Comparison{F::OGE, I::sge, I::uge};
  case MapKind::Eq:
    return Comparison{F::OEQ, I::eq, I::eq};
  case MapKind::Ne:
    return Comparison{F::UNE, I::ne, I::ne};
  default:
    return std::nullopt;
  }
}

static Value binary(Code &code, MapKind kind, Value a, Value b) {
  if (kind == MapKind::And)
    return code.op<arith::AndIOp>(toCondition(code, a), toCondition(code, b));
  if (kind == MapKind::Or)
    return code.op<arith::OrIOp>(toCondition(code, a), toCondition(code, b));
  bool sameType = a.getType() == b.getType();
  if (std::optional<Comparison> predicates = comparison(kind)) {
    if (sameType && isCondition(a))
      return code.op<arith::CmpIOp>(predicates->condition, a, b);
    if (sameType && !isReal(a))
      return code.op<arith::CmpIOp>(predicates->integer, a, b);
    return code.op<arith::CmpFOp>(predicates->real, toReal(code, a),
                                  toReal(code, b));
  }
  if (sameType && !isReal(a) && !isCondition(a))
    if (Value result = binaryInteger(code, kind, a, b))
      return result;
  return binaryReal(code, kind, toReal(code, a), toReal(code, b));
}

Value applyMap(Code &code, MapKind kind, ValueRange operands) {
  if (operands.size() == 1)
    return unary(code, kind, operands[0]);
  if (operands.size() == 2)
    return binary(code, kind, operands[0], operands[1]);
  Value a = operands[1], b = operands[2];
  if (a.getType() != b.getType()) {
    a = toReal(code, a);
    b = toReal(code, b);
  }
  return code.select(toCondition(code, operands[0]), a, b);
}

Value applyCast(Code &code, rec::DTypeKind dtype, Value operand) {
  if (dtype == rec::DTypeKind::I32 && !isReal(operand) && !isCondition(operand))
    return operand;
  return VectorMath(code).round(toReal(code, operand), dtype);
}

Value applyElementwise(Code &code, Operation *op, ValueRange operands) {
  if (auto map = dyn_cast<rec::MapOp>(op))
    return applyMap(code, map.getKind(), operands);
  return applyCast(code, cast<rec::CastOp>(op).getDtype(), operands[0]);
}

std::optional<double> splatOf(Value value) {
  auto constant = value.getDefiningOp<rec::ConstantOp>();
  auto elements =
      constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  if (!elements || !elements.isSplat())
    return std::nullopt;
  if (isa<FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>().convertToDouble();
  APInt number = elements.getSplatValue<APInt>();
  return number.getBitWidth() == 1 ? double(number.getZExtValue())
                                   : double(number.getSExtValue());
}

} // namespace trowel::cpu
