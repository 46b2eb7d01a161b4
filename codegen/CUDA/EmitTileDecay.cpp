// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running products of one state's factors: each thread multiplies those of its
// tokens, and the groups tell one another their products.
#include "codegen/CUDA/TileEmitter.h"

using namespace mlir;

namespace trowel::cuda {

using cpu::Values;
using cpu::View;

Tile TileEmitter::times(const Tile &a, const Tile &b) {
  Tile result = a.channel || !b.channel ? a : b;
  result.hasTokens = a.hasTokens || b.hasTokens;
  result.tokens = std::max(a.tokens, b.tokens);
  result.elements.clear();
  for (int64_t t = 0; t < result.tokens; ++t)
    for (int64_t c = 0; c < result.channels; ++c)
      result.elements.push_back(code.op<arith::MulFOp>(a.at(t, c), b.at(t, c)));
  return result;
}

/// Factors that are one.
void TileEmitter::makeIdentity() {
  Tile one;
  one.elements.push_back(code.real(1));
  identity.groups.assign(Tile::groups, one);
  one.hasTokens = true;
  one.tokens = chunkTokens / Tile::groups;
  one.elements.assign(one.tokens, code.real(1));
  identity.factors = one;
}

/// Of a transition of one state by a factor for each token.
const TileEmitter::Decay *TileEmitter::decayOf(ValueRange phi,
                                               ArrayRef<int64_t> blocks) {
  if (phi.empty()) {
    makeIdentity();
    return &identity;
  }
  if (phi.size() != 1 || blocks != ArrayRef<int64_t>{0, 0})
    return nullptr;
  auto known = decays.find(phi.front());
  if (known != decays.end())
    return &known->second;
  std::optional<Tile> factors = tileOf(phi.front());
  if (!factors || !factors->hasTokens)
    return nullptr;
  Decay decay;
  int64_t count = factors->tokens, channels = factors->channels;
  for (int64_t t = 0; t < count; ++t)
    for (int64_t c = 0; c < channels; ++c) {
      Value &factor = factors->elements[t * channels + c];
      factor = code.select(presentAt(t), factor, code.real(1));
    }
  decay.factors = *factors;
  Tile own = *factors;
  own.hasTokens = false;
  own.tokens = 1;
  own.elements.assign(channels, code.real(1));
  for (int64_t t = 0; t < count; ++t)
    for (int64_t c = 0; c < channels; ++c)
      own.elements[c] =
          code.op<arith::MulFOp>(own.elements[c], factors->at(t, c));
  // All groups' products.
  int64_t width = channels * Tile::groupThreads;
  View all = scratch({rowAxis, writeAxis}, {Tile::groups, width});
  auto at = [&](Value g, int64_t c) {
    cpu::Point point;
    point.at.set(rowAxis, g);
    point.at.set(writeAxis,
                 code.add(factors->channel ? groupLane : code.index(0),
                          code.index(c * Tile::groupThreads)));
    return point;
  };
  block.beforeWrite();
  auto store = [&] {
    for (int64_t c = 0; c < channels; ++c)
      code.store(all, at(group, c), own.elements[c]);
  };
  if (factors->channel)
    store();
  else
    code.ifThen(code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, groupLane,
                                       code.index(0)),
                store);
  block.beforeRead();
  for (int64_t g = 0; g < Tile::groups; ++g) {
    Tile &product = decay.groups.emplace_back(own);
    for (int64_t c = 0; c < channels; ++c)
      product.elements[c] = code.load(all, at(code.index(g), c));
  }
  return &(decays[phi.front()] = decay);
}

/// Fewer registers than products that are kept from one use to the next.
Tile TileEmitter::renewed(Tile tile) {
  for (Value &element : tile.elements)
    if (!element.getDefiningOp<arith::ConstantOp>())
      element = block.renew(element);
  return tile;
}

Tile TileEmitter::productWithin(const Decay &decay, bool later) {
  Tile factors = renewed(decay.factors), result = factors;
  int64_t count = factors.tokens, channels = factors.channels;
  Values running(channels, code.real(1));
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < channels; ++c) {
      int64_t t = later ? count - 1 - i : i;
      result.elements[t * channels + c] = running[c];
      running[c] = code.op<arith::MulFOp>(running[c], factors.at(t, c));
    }
  return result;
}

Tile TileEmitter::productOver(const Decay &decay,
                              function_ref<Value(int64_t)> holds) {
  Tile product = decay.groups.front();
  std::fill(product.elements.begin(), product.elements.end(), code.real(1));
  for (int64_t g = 0; g < Tile::groups; ++g) {
    Value condition = holds(g);
    for (auto [value, factor] :
         llvm::zip(product.elements, decay.groups[g].elements))
      value = code.op<arith::MulFOp>(
          value, code.select(condition, factor, code.real(1)));
  }
  return product;
}

/// Rows at the chunk's start, keys at its end, the product of all factors.
std::optional<Tile> TileEmitter::carried(Operation *op) {
  auto compare = [&](arith::CmpIPredicate predicate) {
    return [this, predicate](int64_t other) -> Value {
      return code.op<arith::CmpIOp>(predicate, code.index(other), group);
    };
  };
  if (auto total = dyn_cast<chunk::TotalOp>(op)) {
    const Decay *decay = decayOf(total.getPhi(), total.getPhiBlocks());
    if (!decay || total.getResultBlocks() != ArrayRef<int64_t>{0, 0})
      return std::nullopt;
    return productOver(*decay, [&](int64_t) { return code.condition(true); });
  }
  auto along = [&](ValueRange tiles, ArrayRef<int64_t> states,
                   ArrayRef<int64_t> results, ValueRange phi,
                   ArrayRef<int64_t> blocks,
                   bool toStart) -> std::optional<Tile> {
    if (tiles.size() != 1 || states != ArrayRef<int64_t>{0} ||
        results != ArrayRef<int64_t>{0})
      return std::nullopt;
    std::optional<Tile> tile = tileOf(tiles.front());
    const Decay *decay = decayOf(phi, blocks);
    if (!tile || !decay || !tile->hasTokens ||
        (tile->channel && decay->factors.channel &&
         tile->channel != decay->factors.channel))
      return std::nullopt;
    Tile others =
        productOver(*decay, toStart ? compare(arith::CmpIPredicate::slt)
                                    : compare(arith::CmpIPredicate::sgt));
    return times(*tile, times(others, productWithin(*decay, !toStart)));
  };
  if (auto pull = dyn_cast<chunk::PullOp>(op))
    return along(pull.getRow(), pull.getRowStates(), pull.getResultStates(),
                 pull.getPhi(), pull.getPhiBlocks(), true);
  auto push = cast<chunk::PushOp>(op);
  return along(push.getKey(), push.getKeyStates(), push.getResultStates(),
               push.getPhi(), push.getPhiBlocks(), false);
}

} // namespace trowel::cuda
