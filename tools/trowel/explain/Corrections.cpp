// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/explain/Corrections.h"

#include "dialect/Rec/ValueBuilder.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using trowel::rec::MapKind;

namespace trowel::explaining {

namespace {

/// A value as a product: signs, scalars, and what has axes.
struct Product {
  bool negative = false;
  SmallVector<Value> scalars, vectors;

  explicit Product(Value value) { take(value); }

  void take(Value value) {
    constexpr size_t most = 32; // a factor may itself be a product of many
    auto map = scalars.size() + vectors.size() < most
                   ? value.getDefiningOp<rec::MapOp>()
                   : rec::MapOp();
    if (map && map.getKind() == MapKind::Neg) {
      negative = !negative;
      return take(map.getOperand(0));
    }
    if (map && map.getKind() == MapKind::Mul) {
      take(map.getOperand(0));
      return take(map.getOperand(1));
    }
    (rec::axesOf(value).empty() ? scalars : vectors).push_back(value);
  }

  /// Takes one occurrence of every factor of `other` out; false if one is not
  /// there.
  bool cancel(const Product &other) {
    return !other.negative && cancel(scalars, other.scalars) &&
           cancel(vectors, other.vectors);
  }

private:
  static bool cancel(SmallVector<Value> &from, ArrayRef<Value> factors) {
    return llvm::all_of(factors, [&](Value factor) {
      auto *at = llvm::find(from, factor);
      bool found = at != from.end();
      if (found)
        from.erase(at);
      return found || rec::isConstant(factor, 1);
    });
  }
};

} // namespace

/// The correction by one write of one row, if both use the same key.
static std::optional<Correction> correctionOf(const ChunkStage &stage,
                                              rec::WriteOp write,
                                              rec::RowOp row,
                                              Expressions &expressions) {
  if (row.getReads().size() != 1 || row.getScale() || !row.getScalars().empty())
    return std::nullopt;
  Product read(row.getReads().front()), key(write.getKey());
  // The read must see the state after its decay: (I - strength k k^T) decay.
  for (rec::TransitionOp transition : stage.transitions())
    if (!read.cancel(Product(transition.getValue())))
      return std::nullopt;
  if (read.vectors.size() != 1 || key.vectors.size() != 1 ||
      read.vectors.front() != key.vectors.front())
    return std::nullopt;
  Text strength{"1"};
  strength.negative = read.negative == key.negative;
  rec::Range range{1, 1};
  if (strength.negative)
    range = {-1, -1};
  for (const Product *product : {&key, &read})
    for (Value scalar : product->scalars) {
      strength = explaining::product(strength, expressions.print(scalar));
      range = multiply(range, rec::rangeOfValue(scalar));
    }
  Value vector = key.vectors.front();
  return Correction{stage.states.front(), expressions.whole(vector),
                    strength.at(Binding::Product), range, isNormalized(vector)};
}

std::vector<Correction> correctionsOf(const ChunkStage &stage,
                                      Expressions &expressions) {
  std::vector<Correction> corrections;
  if (stage.states.size() != 1 || stage.decaysValues)
    return corrections;
  rec::StageOp op = stage.op;
  for (auto write : op.getBody().front().getOps<rec::WriteOp>()) {
    auto row = write.getRow().getDefiningOp<rec::RowOp>();
    if (!llvm::is_contained(stage.solved, row) || write.getScale())
      continue;
    if (auto correction = correctionOf(stage, write, row, expressions))
      corrections.push_back(*correction);
  }
  return corrections;
}

} // namespace trowel::explaining
