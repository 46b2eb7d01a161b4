// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "passes/Normalize/LinearForm.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel {

int64_t countPlaces(ArrayRef<StringAttr> along, const rec::AxisOrder &order) {
  int64_t count = 1;
  for (StringAttr axis : along)
    count *= order.size(axis);
  return count;
}

SmallVector<Place, 0> placesAlong(ArrayRef<StringAttr> along,
                                  const rec::AxisOrder &order) {
  SmallVector<Place, 0> places{Place()};
  for (StringAttr axis : along) {
    SmallVector<Place, 0> longer;
    for (const Place &place : places)
      for (int64_t i = 0; i < order.size(axis); ++i) {
        longer.push_back(place);
        longer.back().push_back({axis, i});
      }
    places = std::move(longer);
  }
  return places;
}

Value FormAlgebra::pick(Value value, const Place &at) {
  return pickAt(values, value, at);
}

bool FormAlgebra::decompose(Value matrix, SmallVectorImpl<Factor> &terms) {
  constexpr size_t most = 256; // more terms are no small rank
  auto it = decomposed.find(matrix);
  if (it == decomposed.end()) {
    SmallVector<Factor> all;
    std::optional<SmallVector<Factor>> merged;
    if (decomposeNew(matrix, all)) {
      merged.emplace();
      for (const Factor &term : all)
        addTerm(*merged, term);
      if (merged->size() > most)
        merged.reset();
    }
    it = decomposed.insert({matrix, merged}).first;
  }
  if (it->second)
    llvm::append_range(terms, *it->second);
  return it->second.has_value();
}

/// Adds a term to those with the same value part.
void FormAlgebra::addTerm(SmallVectorImpl<Factor> &terms, const Factor &term) {
  auto *same = llvm::find_if(
      terms, [&](const Factor &other) { return other.value == term.value; });
  if (same == terms.end())
    terms.push_back(term);
  else
    same->key = values.add(same->key, term.key);
}

bool FormAlgebra::decomposeNew(Value matrix, SmallVectorImpl<Factor> &terms) {
  if (auto factor = separate(matrix)) {
    terms.push_back(*factor);
    return true;
  }
  auto map = matrix.getDefiningOp<rec::MapOp>();
  if (!map)
    return decomposeSum(matrix.getDefiningOp(), terms);
  size_t first = terms.size();
  auto scaleFrom = [&](size_t begin, const Factor &factor) {
    for (size_t i = begin; i < terms.size(); ++i)
      terms[i] = multiply(terms[i], factor);
  };
  switch (map.getKind()) {
  case MapKind::Add:
    return decompose(map.getOperand(0), terms) &&
           decompose(map.getOperand(1), terms);
  case MapKind::Sub: {
    if (!decompose(map.getOperand(0), terms))
      return false;
    size_t second = terms.size();
    if (!decompose(map.getOperand(1), terms))
      return false;
    scaleFrom(second, {values.real(-1), Value()});
    return true;
  }
  case MapKind::Neg:
    if (!decompose(map.getOperand(0), terms))
      return false;
    scaleFrom(first, {values.real(-1), Value()});
    return true;
  case MapKind::Mul:
    for (int i : {0, 1})
      if (auto factor = separate(map.getOperand(i))) {
        if (!decompose(map.getOperand(1 - i), terms))
          return false;
        scaleFrom(first, *factor);
        return true;
      }
    return false;
  case MapKind::Div:
    if (auto divisor = separate(map.getOperand(1))) {
      if (!decompose(map.getOperand(0), terms))
        return false;
      for (size_t i = first; i < terms.size(); ++i) {
        terms[i].key = values.map(MapKind::Div, {terms[i].key, divisor->key});
        if (divisor->value)
          terms[i].value = values.map(
              MapKind::Div, {terms[i].value ? terms[i].value : values.real(1),
                             divisor->value});
      }
      return true;
    }
    return false;
  case MapKind::Where: {
    // What is not taken must not reach the product: both parts are masked, for
    // which the condition must be the same along all axes.
    Value condition = map.getOperand(0);
    if (!rec::axesOf(condition).empty())
      return false;
    for (int branch : {1, 2}) {
      size_t begin = terms.size();
      if (!decompose(map.getOperand(branch), terms))
        return false;
      auto mask = [&](Value part) {
        Value taken = part ? part : values.real(1), zero = values.real(0);
        return branch == 1
                   ? values.map(MapKind::Where, {condition, taken, zero})
                   : values.map(MapKind::Where, {condition, zero, taken});
      };
      for (size_t i = begin; i < terms.size(); ++i) {
        terms[i].key = mask(terms[i].key);
        if (terms[i].value)
          terms[i].value = mask(terms[i].value);
      }
    }
    return true;
  }
  default:
    return false;
  }
}

Value FormAlgebra::pickWithin(Value value, const Place &at) {
  auto isPart = [&](Value v) {
    return llvm::any_of(at, [&](auto &p) { return rec::hasAxis(v, p.first); });
  };
  if (!isPart(value))
    return value;
  bool onKey = false, onValue = false;
  for (StringAttr axis : rec::axesOf(value))
    if (llvm::none_of(at, [&](auto &p) { return p.first == axis; }))
      (axes.isValue(axis) ? onValue : onKey) = true;
  Operation *op = value.getDefiningOp();
  if (onKey && onValue) {
    if (auto map = dyn_cast_or_null<rec::MapOp>(op))
      return values.map(map.getKind(),
                        llvm::map_to_vector(map.getOperands(), [&](Value v) {
                          return pickWithin(v, at);
                        }));
    if (auto product = dyn_cast_or_null<rec::ContractOp>(op))
      return values.contract(pickWithin(product.getLhs(), at),
                             pickWithin(product.getRhs(), at),
                             rec::stringsOf(product.getAxes()));
    if (auto sum = dyn_cast_or_null<rec::ReduceOp>(op))
      return values.reduce(sum.getKind(), pickWithin(sum.getOperand(), at),
                           rec::stringsOf(sum.getAxes()));
  }
  return pick(value, at);
}

/// A sum over some axes, addend by addend.
bool FormAlgebra::decomposeSum(Operation *sum, SmallVectorImpl<Factor> &terms) {
  auto product = dyn_cast_or_null<rec::ContractOp>(sum);
  auto reduce = dyn_cast_or_null<rec::ReduceOp>(sum);
  if (!product && !(reduce && reduce.getKind() == rec::ReduceKind::Sum))
    return false;
  SmallVector<StringAttr> over =
      rec::stringsOf(product ? product.getAxes() : reduce.getAxes());
  if (countPlaces(over, values.getOrder()) > mostRows)
    return false;
  return llvm::all_of(
      placesAlong(over, values.getOrder()), [&](const Place &at) {
        Value addend = pickWithin(sum->getOperand(0), at);
        if (product)
          addend = values.mul(addend, pickWithin(sum->getOperand(1), at));
        return decompose(addend, terms);
      });
}

void FormAlgebra::accumulate(
    SmallVectorImpl<std::pair<unsigned, Factor>> &terms, unsigned index,
    const Factor &factor) {
  if (rec::isConstant(factor.key, 0))
    return;
  for (auto &[i, known] : terms) {
    if (i != index || known.at != factor.at)
      continue;
    if (known.value == factor.value) {
      known.key = values.add(known.key, factor.key);
      return;
    }
    if (known.key == factor.key && known.value && factor.value) {
      known.value = values.add(known.value, factor.value);
      return;
    }
  }
  terms.push_back({index, factor});
}

void FormAlgebra::accumulate(SmallVectorImpl<std::pair<unsigned, Value>> &terms,
                             unsigned index, Value coefficient) {
  for (auto &[i, known] : terms)
    if (i == index) {
      known = values.add(known, coefficient);
      return;
    }
  terms.push_back({index, coefficient});
}

LinearForm FormAlgebra::add(const LinearForm &a, const LinearForm &b) {
  LinearForm sum = a;
  sum.summed = values.getOrder().unite(a.summed, b.summed);
  for (const auto &[i, factor] : b.states)
    accumulate(sum.states, i, factor);
  for (const auto &[i, factor] : b.rows)
    accumulate(sum.rows, i, factor);
  for (const auto &[i, coefficient] : b.scalars)
    accumulate(sum.scalars, i, coefficient);
  if (b.constant)
    sum = addConstant(std::move(sum), b.constant);
  return sum;
}

LinearForm FormAlgebra::addConstant(LinearForm form, Value constant) {
  form.constant =
      form.constant ? values.add(form.constant, constant) : constant;
  return form;
}

LinearForm FormAlgebra::negate(LinearForm form) {
  for (auto *terms : {&form.states, &form.rows})
    for (auto &[i, factor] : *terms)
      factor.key = values.neg(factor.key);
  for (auto &[i, coefficient] : form.scalars)
    coefficient = values.neg(coefficient);
  if (form.constant)
    form.constant = values.neg(form.constant);
  return form;
}

LinearForm FormAlgebra::scale(LinearForm form, const Factor &factor,
                              Value whole) {
  for (auto *terms : {&form.states, &form.rows})
    for (auto &[i, known] : *terms)
      known = multiply(known, factor);
  for (auto &[i, coefficient] : form.scalars)
    coefficient = values.mul(coefficient, whole);
  if (form.constant)
    form.constant = values.mul(form.constant, whole);
  return form;
}

Value FormAlgebra::choose(Value taken, Value condition, bool negated) {
  Value zero = values.real(0);
  return negated ? values.map(MapKind::Where, {condition, zero, taken})
                 : values.map(MapKind::Where, {condition, taken, zero});
}

LinearForm FormAlgebra::select(LinearForm form, Value condition, bool negated) {
  bool onKey = axes.onlyKey(condition);
  auto taken = [&](Value value, const Place &at = {}) {
    return choose(value, pick(condition, at), negated);
  };
  for (auto *terms : {&form.states, &form.rows})
    for (auto &[i, factor] : *terms) {
      if (onKey)
        factor.key = taken(factor.key, factor.at);
      else
        factor.value = taken(factor.value ? factor.value : values.real(1));
    }
  for (auto &[i, coefficient] : form.scalars)
    coefficient = taken(coefficient);
  if (form.constant)
    form.constant = taken(form.constant);
  return form;
}

} // namespace trowel
