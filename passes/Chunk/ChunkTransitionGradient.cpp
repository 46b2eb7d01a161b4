// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gradient of a transition is bilinear in the state before and its gradient
// behind each token. Either is what the chunk began or ended with plus keys
// times vectors: of these vectors only their products matter. Reads across the
// values need the same products, so that little is computed for this alone.
#include "passes/Chunk/ChunkTransitionGradient.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace trowel {

namespace {

/// One state's part of the operation.
class StateGradient {
public:
  StateGradient(rec::TransitionGradientOp op, rec::ValueBuilder &values,
                TileOf tileOf, size_t block)
      : op(op), values(values), tileOf(tileOf),
        phi(perToken(values, tileOf(op.getPhi()[block]))),
        state(op.getPhiBlocks()[2 * block]) {
    readAxes();
  }

  bool hasProducts() const;
  Value build();

private:
  struct Product {
    Value key, vector;
  };

  void readAxes();
  StringAttr axis(StringRef name) {
    return values.getBuilder().getStringAttr(name);
  }
  SmallVector<Product> products(ValueRange keys, ArrayRef<int64_t> index,
                                ValueRange vectors);
  Value withState(Value other, ArrayRef<Product> parts);
  Value gram(Value row, ArrayRef<Value> keys);
  void multiplyReads();

  rec::TransitionGradientOp op;
  rec::ValueBuilder &values;
  TileOf tileOf;
  Value phi;
  int64_t state;
  SmallVector<StringAttr> phiAxes, keyAxes, valueAxes;
  SmallVector<Product> writes, reads;
  SmallVector<Value> keys, coefficients, matrices;
};

SmallVector<StateGradient::Product>
StateGradient::products(ValueRange keys, ArrayRef<int64_t> index,
                        ValueRange vectors) {
  SmallVector<Product> result;
  for (auto [i, key] : llvm::enumerate(keys))
    if (index[2 * i + 1] == state)
      result.push_back({perToken(values, tileOf(key)),
                        perToken(values, tileOf(vectors[index[2 * i]]))});
  return result;
}

void StateGradient::readAxes() {
  writes = products(op.getKeys(), op.getKeyIndex(), op.getVectors());
  reads = products(op.getReads(), op.getReadIndex(), op.getReadVectors());
  for (StringAttr name : rec::axesOf(phi))
    if (name != "t")
      phiAxes.push_back(name);
  for (StringAttr name : rec::axesOf(op.getStarts()[state])) {
    bool isValue = false;
    for (const auto *list : {&writes, &reads})
      for (const Product &product : *list)
        isValue |= rec::hasAxis(product.vector, name);
    (isValue ? valueAxes : keyAxes).push_back(name);
  }
}

/// The transition acts on all key axes or on none, and vectors have all of the
/// value axes.
bool StateGradient::hasProducts() const {
  if (!phiAxes.empty() && phiAxes != keyAxes)
    return false;
  for (const auto *list : {&writes, &reads})
    for (const Product &product : *list)
      for (StringAttr name : valueAxes)
        if (!rec::hasAxis(product.vector, name))
          return false;
  return true;
}

/// sum of keys times vectors, times a state, on phi's axes.
Value StateGradient::withState(Value other, ArrayRef<Product> parts) {
  Value sum;
  for (const Product &part : parts) {
    Value product = values.contract(other, part.vector, valueAxes);
    Value term = phiAxes.empty() ? values.contract(part.key, product, keyAxes)
                                 : values.mul(part.key, product);
    sum = sum ? values.add(sum, term) : term;
  }
  SmallVector<StringAttr> axes{axis("t")};
  llvm::append_range(axes, phiAxes);
  return values.spread(perToken(values, sum ? sum : values.real(0)), axes);
}

/// A row's products with the keys of earlier tokens.
Value StateGradient::gram(Value row, ArrayRef<Value> keys) {
  Transitions same(values, {SmallVector<StringAttr>()});
  same.set(0, 0, values.real(1));
  same.finish();
  SmallVector<PerState> columns;
  for (Value key : keys)
    columns.push_back({{0, key}});
  return same.gram({PerState{{0, row}}}, columns, {});
}

/// Reads times earlier keys. What phi's axes do not tell apart is summed in the
/// matrices.
void StateGradient::multiplyReads() {
  if (writes.empty() || reads.empty())
    return;
  SmallVector<Value> vectors;
  for (const Product &write : writes) {
    vectors.push_back(write.vector);
    keys.push_back(write.key);
  }
  for (const Product &read : reads) {
    coefficients.push_back(read.key);
    matrices.push_back(gram(read.vector, vectors));
  }
  if (!phiAxes.empty())
    return;
  Value sum;
  for (Value &key : keys)
    key = values.spread(key, keyAxes);
  for (auto [read, matrix] : llvm::zip(reads, matrices)) {
    Value both =
        values.mul(matrix, gram(values.spread(read.key, keyAxes), keys));
    sum = sum ? values.add(sum, both) : both;
  }
  Value one = perToken(values, values.real(1));
  keys.assign(keys.size(), one);
  coefficients.assign({one});
  matrices.assign({sum});
}

Value StateGradient::build() {
  Value start = tileOf(op.getStarts()[state]),
        end = tileOf(op.getEnds()[state]);
  SmallVector<StringAttr> others(valueAxes);
  if (phiAxes.empty())
    llvm::append_range(others, keyAxes);
  multiplyReads();
  return chunk::TransitionGradientOp::create(
      values.getBuilder(), values.getLocation(), phi.getType(), phi,
      values.contract(end, start, others), withState(end, writes),
      withState(start, reads), coefficients, matrices, keys);
}

} // namespace

SmallVector<Value> chunkTransitionGradient(rec::TransitionGradientOp op,
                                           rec::ValueBuilder &values,
                                           TileOf tileOf) {
  ArrayRef<int64_t> blocks = op.getPhiBlocks();
  if (op.getDecay())
    return {};
  for (int64_t block : op.getWanted())
    for (size_t other = 0; other < blocks.size() / 2; ++other) {
      int64_t to = blocks[2 * other], from = blocks[2 * other + 1];
      bool meets = llvm::is_contained({to, from}, blocks[2 * block]) ||
                   llvm::is_contained({to, from}, blocks[2 * block + 1]);
      if (meets && to != from)
        return {};
    }
  SmallVector<StateGradient, 0> parts;
  for (int64_t block : op.getWanted())
    parts.emplace_back(op, values, tileOf, block);
  if (!llvm::all_of(
          parts, [](const StateGradient &part) { return part.hasProducts(); }))
    return {};
  return llvm::map_to_vector(parts,
                             [](StateGradient &part) { return part.build(); });
}

} // namespace trowel
