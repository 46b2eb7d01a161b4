// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/CPU/Code.h"

#include "codegen/CPU/Formats.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace trowel::cpu {

Code::Code(ModuleOp module, Location location, int64_t width)
    : width(width), builder(module.getContext()), location(location),
      module(module) {
  pointerType = LLVM::LLVMPointerType::get(module.getContext());
  indexType = builder.getI64Type();
  realType = builder.getF32Type();
  realVector = vectorOf(realType);
  integerVector = vectorOf(builder.getI32Type());
  conditionVector = vectorOf(builder.getI1Type());
}

//===--- Indices ----------------------------------------------------------===//

Value Code::index(int64_t number) {
  return op<arith::ConstantOp>(builder.getI64IntegerAttr(number));
}

Value Code::add(Value a, Value b) {
  return builder.createOrFold<arith::AddIOp>(location, a, b);
}

Value Code::sub(Value a, Value b) {
  return builder.createOrFold<arith::SubIOp>(location, a, b);
}

Value Code::mul(Value a, Value b) {
  return builder.createOrFold<arith::MulIOp>(location, a, b);
}

Value Code::mul(Value a, const Stride &stride) {
  if (stride.is(0))
    return index(0);
  return mul(a, strideValue(stride));
}

Value Code::min(Value a, Value b) {
  return builder.createOrFold<arith::MinSIOp>(location, a, b);
}

Value Code::strideValue(const Stride &stride) {
  return stride.dynamic ? stride.dynamic : index(stride.fixed);
}

//===--- Control flow -----------------------------------------------------===//

void Code::loop(Value low, Value high, int64_t step,
                function_ref<void(Value)> body) {
  loop(low, high, step, {}, [&](Value i, ValueRange) {
    body(i);
    return Values();
  });
}

Values Code::loop(Value low, Value high, int64_t step, ValueRange initial,
                  function_ref<Values(Value, ValueRange)> body) {
  std::optional<int64_t> from = getConstantIntValue(low);
  std::optional<int64_t> to = getConstantIntValue(high);
  if (from && to && *from < *to && *to <= *from + step)
    return body(low, initial);
  auto loopOp =
      scf::ForOp::create(builder, location, low, high, index(step), initial);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loopOp.getBody());
  Values results = body(loopOp.getInductionVar(), loopOp.getRegionIterArgs());
  builder.setInsertionPointToEnd(loopOp.getBody());
  if (!initial.empty())
    scf::YieldOp::create(builder, location, results);
  return Values(loopOp.getResults());
}

void Code::ifThen(Value condition, function_ref<void()> then,
                  function_ref<void()> otherwise) {
  auto ifOp = scf::IfOp::create(builder, location, TypeRange(), condition,
                                /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(ifOp.thenBlock());
  then();
  if (!otherwise)
    return;
  builder.setInsertionPointToStart(ifOp.elseBlock());
  otherwise();
}

func::FuncOp Code::function(StringRef name, ArrayRef<Type> types) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(module.getBody());
  auto made = func::FuncOp::create(builder, location, name,
                                   builder.getFunctionType(types, {}));
  made.setPrivate();
  made->setAttr(
      "llvm.linkage",
      LLVM::LinkageAttr::get(builder.getContext(), LLVM::Linkage::Internal));
  made.addEntryBlock();
  return made;
}

//===--- Vectors ----------------------------------------------------------===//

Type Code::vectorOf(Type element) const {
  return hasVectors() ? VectorType::get({width}, element) : element;
}

/// A number, or a vector of it.
static Value spread(Code &code, Type type, TypedAttr number) {
  if (auto vector = dyn_cast<VectorType>(type)) {
    Attribute element = number;
    return code.op<arith::ConstantOp>(
        DenseElementsAttr::get(cast<ShapedType>(vector), element));
  }
  return code.op<arith::ConstantOp>(number);
}

Value Code::constant(Type type, double number) {
  auto real = cast<FloatType>(getElementTypeOrSelf(type));
  // Also infinities and NaNs, which the builder would refuse.
  APFloat exact(number);
  bool losesInfo;
  exact.convert(real.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return spread(*this, type, FloatAttr::get(real, exact));
}

Value Code::constant(Type type, int64_t number) {
  auto integer = cast<IntegerType>(getElementTypeOrSelf(type));
  APInt bits = APInt(64, static_cast<uint64_t>(number))
                   .trunc(std::min(64u, integer.getWidth()));
  return spread(*this, type, IntegerAttr::get(integer, bits));
}

Value Code::real(double number) { return constant(realVector, number); }

Value Code::integer(int64_t number) { return constant(integerVector, number); }

Value Code::condition(bool value) {
  return constant(conditionVector, static_cast<int64_t>(value));
}

Value Code::broadcast(Value scalar) {
  if (!hasVectors())
    return scalar;
  return op<vector::BroadcastOp>(vectorOf(scalar.getType()), scalar);
}

Value Code::lane(Value vector, int64_t position) {
  if (!hasVectors())
    return vector;
  return op<vector::ExtractOp>(vector, position);
}

Value Code::fma(Value a, Value b, Value c) {
  return op<LLVM::FMAOp>(a.getType(), a, b, c);
}

Value Code::select(Value condition, Value a, Value b) {
  return op<arith::SelectOp>(condition, a, b);
}

Value Code::laneNumbers() {
  if (!hasVectors())
    return integer(0);
  SmallVector<int32_t> numbers;
  for (int32_t i = 0; i < lanes; ++i)
    numbers.push_back(i);
  return op<arith::ConstantOp>(DenseElementsAttr::get(
      cast<ShapedType>(integerVector), ArrayRef<int32_t>(numbers)));
}

Value Code::sumLanes(Value vector) {
  if (!hasVectors())
    return vector;
  return op<vector::ReductionOp>(vector::CombiningKind::ADD, vector,
                                 isa<FloatType>(getElementTypeOrSelf(vector))
                                     ? arith::FastMathFlags::reassoc
                                     : arith::FastMathFlags::none);
}

//===--- Memory -----------------------------------------------------------===//

static Value elementsBehind(Code &code, Type element, Value base,
                            Value distance) {
  std::optional<int64_t> fixed = getConstantIntValue(distance);
  if (fixed == 0)
    return base;
  bool constant = fixed && llvm::isInt<32>(*fixed);
  LLVM::GEPArg index = constant ? LLVM::GEPArg(static_cast<int32_t>(*fixed))
                                : LLVM::GEPArg(distance);
  return code.op<LLVM::GEPOp>(code.pointerType, element, base, index);
}

Value Code::behind(Value base, Value distance) {
  return elementsBehind(*this, realType, base, distance);
}

Value Code::behind(const View &view, Value distance) {
  Type element = bitsType(*this, view.format);
  return elementsBehind(*this, element, start(view), distance);
}

Value Code::start(const View &view) {
  return elementsBehind(*this, bitsType(*this, view.format), view.base,
                        index(view.offset));
}

Value Code::offsets(const View &view, const Point &point) {
  Value sum = index(0);
  for (auto [axis, stride] : llvm::zip(view.axes, view.strides))
    if (!stride.is(0))
      sum = add(sum, mul(point.at.lookup(axis), stride));
  return sum;
}

/// What is known of a distance comes last: then elements that lie at known
/// distances from one another share an address.
Value Code::addressApart(const View &view, const Point &point) {
  Value moving = index(0);
  int64_t fixed = view.offset;
  for (auto [axis, stride] : llvm::zip(view.axes, view.strides)) {
    if (stride.is(0))
      continue;
    Value at = point.at.lookup(axis);
    if (!stride.dynamic) {
      auto sum = at.getDefiningOp<arith::AddIOp>();
      std::optional<int64_t> whole = getConstantIntValue(at);
      std::optional<int64_t> part =
          sum ? getConstantIntValue(sum.getRhs()) : std::nullopt;
      fixed += (whole ? *whole : part ? *part : 0) * stride.fixed;
      if (whole)
        continue;
      if (part)
        at = sum.getLhs();
    }
    moving = add(moving, mul(at, stride));
  }
  Type element = bitsType(*this, view.format);
  Value base = elementsBehind(*this, element, view.base, moving);
  return elementsBehind(*this, element, base, index(fixed));
}

Value Code::address(const View &view, const Point &point) {
  if (!hasVectors())
    return addressApart(view, point);
  return behind(view, offsets(view, point));
}

Value Code::loadScalar(Value pointer, Type element) {
  return op<LLVM::LoadOp>(element, pointer, 4u);
}

Value Code::loadVector(Value pointer) {
  return op<LLVM::LoadOp>(realVector, pointer, 4u);
}

void Code::storeVector(Value value, Value pointer) {
  LLVM::StoreOp::create(builder, location, value, pointer, 4u);
}

Value Code::mask(const Point &point) {
  if (!point.bound || !hasVectors())
    return Value();
  Value left = op<arith::TruncIOp>(
      builder.getI32Type(), sub(point.bound, point.at.lookup(point.vector)));
  return op<arith::CmpIOp>(arith::CmpIPredicate::slt, laneNumbers(),
                           broadcast(left));
}

Value Code::maskOrFull(const Point &point) {
  if (Value some = mask(point))
    return some;
  return condition(true);
}

/// The addresses of 16 elements `stride` apart.
static Value scattered(Code &code, Value base, Type element,
                       const Stride &stride) {
  auto indices = VectorType::get({lanes}, code.indexType);
  Value numbers = code.op<arith::ExtSIOp>(indices, code.laneNumbers());
  Value distance =
      code.op<vector::BroadcastOp>(indices, code.strideValue(stride));
  Value offsets = code.op<arith::MulIOp>(numbers, distance);
  Type pointers = VectorType::get({lanes}, code.pointerType);
  return code.op<LLVM::GEPOp>(pointers, element, base,
                              ArrayRef<LLVM::GEPArg>{offsets});
}

/// The type of a view's elements in memory.
static Type memoryType(Code &code, const View &view) {
  if (view.element.isInteger(1))
    return code.builder.getI32Type();
  return view.isConverted() ? bitsType(code, view.format) : view.element;
}

static Value fromMemory(Code &code, const View &view, Value bits) {
  if (view.element.isInteger(1))
    return code.op<arith::CmpIOp>(arith::CmpIPredicate::ne, bits,
                                  code.integer(0));
  return view.isConverted() ? decode(code, view.format, bits) : bits;
}

static Value toMemory(Code &code, const View &view, Value value) {
  if (view.element.isInteger(1))
    return code.op<arith::ExtUIOp>(code.integerVector, value);
  return view.isConverted() ? encode(code, view.format, value) : value;
}

Value Code::load(const View &view, const Point &point) {
  Value pointer = address(view, point);
  Type element = memoryType(*this, view);
  Type type = vectorOf(element);
  auto alignment = static_cast<unsigned>(view.bytes());
  if (!hasVectors())
    return fromMemory(*this, view, op<LLVM::LoadOp>(type, pointer, alignment));
  Stride stride = point.vector ? view.stride(point.vector) : Stride();
  Value result;
  if (stride.is(0)) {
    result = broadcast(op<LLVM::LoadOp>(element, pointer, alignment));
  } else if (stride.is(1) && (!view.external || !point.bound)) {
    result = op<LLVM::LoadOp>(type, pointer, alignment);
  } else {
    Value zero = op<arith::ConstantOp>(builder.getZeroAttr(type));
    auto aligned = builder.getI32IntegerAttr(static_cast<int32_t>(alignment));
    if (stride.is(1))
      result =
          op<LLVM::MaskedLoadOp>(type, pointer, mask(point), zero, aligned);
    else
      result = op<LLVM::masked_gather>(
          type, scattered(*this, pointer, element, stride), maskOrFull(point),
          zero, aligned);
  }
  return fromMemory(*this, view, result);
}

void Code::store(const View &view, const Point &point, Value value) {
  value = toMemory(*this, view, value);
  Value pointer = address(view, point);
  auto alignment = static_cast<unsigned>(view.bytes());
  if (!hasVectors()) {
    LLVM::StoreOp::create(builder, location, value, pointer, alignment);
    return;
  }
  auto aligned = builder.getI32IntegerAttr(static_cast<int32_t>(alignment));
  Stride stride = point.vector ? view.stride(point.vector) : Stride();
  if (stride.is(0)) {
    LLVM::StoreOp::create(builder, location, lane(value, 0), pointer,
                          alignment);
  } else if (stride.is(1) &&
             (!point.bound || (view.padded && !view.external))) {
    LLVM::StoreOp::create(builder, location, value, pointer, alignment);
  } else if (stride.is(1)) {
    LLVM::MaskedStoreOp::create(builder, location, value, pointer, mask(point),
                                aligned);
  } else {
    LLVM::masked_scatter::create(
        builder, location, value,
        scattered(*this, pointer, memoryType(*this, view), stride),
        maskOrFull(point), aligned);
  }
}

//===--- Views ------------------------------------------------------------===//

std::optional<View> sideBySide(ArrayRef<View> views, StringAttr axis) {
  View result = views.front();
  if (views.size() == 1)
    return result;
  int64_t step = views[1].offset - result.offset;
  auto sameStride = [](const Stride &a, const Stride &b) {
    return a.fixed == b.fixed && a.dynamic == b.dynamic;
  };
  for (auto [i, view] : llvm::enumerate(views)) {
    int64_t distance = view.offset - result.offset;
    if (view.base != result.base || view.element != result.element ||
        view.axes != result.axes || view.sizes != result.sizes ||
        view.external != result.external ||
        distance != step * static_cast<int64_t>(i) ||
        !llvm::equal(view.strides, result.strides, sameStride))
      return std::nullopt;
  }
  int at = result.axes.empty() ? 0 : 1;
  result.axes.insert(result.axes.begin() + at, axis);
  result.sizes.insert(result.sizes.begin() + at, views.size());
  result.strides.insert(result.strides.begin() + at, Stride{step, Value()});
  result.causal = llvm::all_of(views, [](const View &x) { return x.causal; });
  result.padded &= at < static_cast<int>(result.axes.size()) - 1;
  return result;
}

View Code::at(const View &view, StringAttr axis, Value position) {
  View result = from(view, axis, position);
  int i = result.find(axis);
  if (i >= 0)
    result.erase(i);
  return result;
}

View Code::from(const View &view, StringAttr axis, Value position) {
  View result = view;
  int i = view.find(axis);
  if (i < 0)
    return result;
  result.base = behind(view, mul(position, view.strides[i]));
  result.offset = 0;
  if (i + 1 == static_cast<int>(view.axes.size()))
    result.padded = false;
  return result;
}

} // namespace trowel::cpu
