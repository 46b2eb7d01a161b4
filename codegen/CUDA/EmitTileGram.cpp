// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The decayed Gram matrix of one state, by halves as in EmitGramHalves. At each
// level the rows of all right halves and the keys of all left halves are one
// matrix each, half as many as tokens; their product by matrix instructions has
// the level's elements, and others that are left out.
#include "codegen/CUDA/TileEmitter.h"

using namespace mlir;

namespace trowel::cuda {

using cpu::Point;
using cpu::Values;
using cpu::View;

/// A token's rows, or its writes' keys, and where all levels store them:
/// [levels, rows or writes of a token, half the tokens, channels].
struct TileEmitter::Side {
  llvm::SmallVector<Tile> tiles;
  Rounded places;
  int64_t count() const { return tiles.size(); }
};

struct TileEmitter::Level {
  Side rows, keys;
  int64_t count, width; // of levels, and channels with zeros behind them
};

static constexpr int64_t tileRows = 16, tileColumns = 8;

bool TileEmitter::gramOfTiles(chunk::GramOp op) {
  int64_t rowCount = rec::axisSize(op.getResult(), rowAxis);
  int64_t keyCount = rec::axisSize(op.getResult(), writeAxis);
  auto isSimple = [](ArrayRef<int64_t> pairs, int64_t count) {
    if (static_cast<int64_t>(pairs.size()) != 2 * count)
      return false;
    for (int64_t i = 0; i < count; ++i)
      if (pairs[2 * i] != i || pairs[2 * i + 1] != 0)
        return false;
    return true;
  };
  if (!isSimple(op.getRowIndex(), rowCount) ||
      !isSimple(op.getKeyIndex(), keyCount))
    return false;
  Level level;
  auto take = [&](ValueRange values, Side &side) {
    for (Value value : values) {
      std::optional<Tile> tile = tileOf(value);
      if (!tile)
        return false;
      side.tiles.push_back(renewed(*tile));
    }
    return !side.tiles.empty();
  };
  if (!take(op.getRows(), level.rows) || !take(op.getKeys(), level.keys))
    return false;
  const Decay *decay = decayOf(op.getPhi(), op.getPhiBlocks());
  if (!decay)
    return false;
  StringAttr channel = level.rows.tiles.front().channel;
  int64_t size = level.rows.tiles.front().size;
  if (!channel || (decay->factors.channel && decay->factors.channel != channel))
    return false;
  for (const Tile &tile :
       llvm::concat<Tile>(level.rows.tiles, level.keys.tiles))
    if (tile.channel != channel || !tile.hasTokens)
      return false;
  level.count = llvm::Log2_64(chunkTokens);
  level.width = llvm::alignTo(size, 8);
  auto place = [&](int64_t perToken) {
    int64_t half = chunkTokens / 2, pitch = pitchOf(level.width, true);
    View view = scratch({rowAxis, token, channel},
                        {level.count * perToken, half, pitch});
    view.axes = {rowAxis, token, channel};
    view.sizes = {level.count * perToken, half, level.width};
    view.strides = {{half * pitch, Value()}, {pitch, Value()}, {1, Value()}};
    return view;
  };
  for (Side *side : {&level.rows, &level.keys})
    side->places.high = place(side->count());
  if (warp.isDouble())
    for (Side *side : {&level.rows, &level.keys})
      side->places.low = place(side->count());
  View out = define(op.getResult());
  fill(out, 0);
  block.beforeWrite();
  storeLevel(level, *decay);
  block.beforeRead();
  multiplyLevels(level, out);
  block.settle();
  gramDiagonal(op, out);
  views[op.getResult()].causal = true;
  return true;
}

/// Scales and stores the thread's rows of right halves and its keys of left
/// ones.
void TileEmitter::storeLevel(const Level &level, const Decay &decay) {
  int64_t own = decay.factors.tokens, channels = decay.factors.channels;
  auto number = [&](int64_t n) { return code.index(n); };
  auto storeAt = [&](const Tile &tile, const Tile &factor, int64_t t, Value row,
                     Value index, const Rounded &places) {
    for (int64_t c = 0; c < tile.channels; ++c) {
      TilePlace place = placeOf(tile, t, c);
      Value element = code.op<arith::MulFOp>(tile.at(t, c), factor.at(t, c));
      int64_t end = (c + 1) * Tile::groupThreads;
      Value within;
      if (end > tile.size) { // zeros behind the last channel
        Value present = code.op<arith::CmpIOp>(
            arith::CmpIPredicate::slt, place.channel, number(tile.size));
        element = code.select(present, element, code.real(0));
        within = code.op<arith::CmpIOp>(arith::CmpIPredicate::slt,
                                        place.channel, number(level.width));
      }
      Point point;
      point.at.set(rowAxis, row);
      point.at.set(token, index);
      point.at.set(tile.channel, place.channel);
      auto store = [&] { storeRounded(places, point, element); };
      within ? code.ifThen(within, store) : store();
    }
  };
  auto storeSide = [&](const Side &side, const Tile &factor, int64_t depth,
                       int64_t t, Value index) {
    for (auto [i, tile] : llvm::enumerate(side.tiles))
      storeAt(tile, factor, t, number(depth * side.count() + i), index,
              side.places);
  };
  for (int64_t depth = 0; depth < level.count; ++depth) {
    int64_t half = chunkTokens >> (depth + 1);
    if (half < own) { // halves within a thread's tokens
      Tile factors = renewed(decay.factors), factor = factors;
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t first = 0; first < own; first += 2 * half) {
          Value product = code.real(1);
          for (int64_t t = first + half; t < first + 2 * half; ++t) {
            factor.elements[t * channels + c] = product;
            product = code.op<arith::MulFOp>(product, factors.at(t, c));
          }
          product = code.real(1);
          for (int64_t t = first + half; t-- > first;) {
            factor.elements[t * channels + c] = product;
            product = code.op<arith::MulFOp>(product, factors.at(t, c));
          }
        }
      Value base = code.mul(group, number(own / 2));
      for (int64_t t = 0; t < own; ++t) {
        int64_t place = t / (2 * half) * half + t % half;
        Value index = code.add(base, number(place));
        bool left = t % (2 * half) < half;
        storeSide(left ? level.keys : level.rows, factor, depth, t, index);
      }
      continue;
    }
    // Halves of whole groups.
    Value groups = number(half / own);
    Value side = code.op<arith::DivUIOp>(group, groups);
    auto isBetween = [&](arith::CmpIPredicate predicate) {
      return [&, predicate](int64_t other) -> Value {
        Value same = code.op<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                            number(other / (half / own)), side);
        Value between = code.op<arith::CmpIOp>(predicate, number(other), group);
        return code.op<arith::AndIOp>(same, between);
      };
    };
    Value odd = code.op<arith::AndIOp>(side, number(1));
    Value isRight =
        code.op<arith::CmpIOp>(arith::CmpIPredicate::eq, odd, number(1));
    Value within = code.op<arith::RemUIOp>(group, groups);
    Value pair = code.op<arith::DivUIOp>(side, number(2));
    Value base =
        code.add(code.mul(pair, number(half)), code.mul(within, number(own)));
    auto all = [&](bool right) {
      Tile others =
          productOver(decay, right ? isBetween(arith::CmpIPredicate::slt)
                                   : isBetween(arith::CmpIPredicate::sgt));
      Tile factor = times(others, productWithin(decay, !right));
      for (int64_t t = 0; t < own; ++t) {
        Value index = code.add(base, number(t));
        storeSide(right ? level.rows : level.keys, factor, depth, t, index);
      }
    };
    code.ifThen(isRight, [&] { all(true); }, [&] { all(false); });
  }
}

/// Warps share out the levels' tiles of 16 rows and 8 keys.
void TileEmitter::multiplyLevels(const Level &level, const View &out) {
  int64_t half = chunkTokens / 2;
  int64_t rowTiles = llvm::divideCeil(half, tileRows);
  int64_t keyTiles = llvm::divideCeil(half, tileColumns);
  int64_t rowCount = level.rows.count(), keyCount = level.keys.count();
  auto number = [&](int64_t n) { return code.index(n); };
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    return code.op<arith::CmpIOp>(predicate, a, b);
  };
  Value thread = block.threadNumber();
  Value warpNumber = code.op<arith::DivUIOp>(thread, number(32));
  Value lane = code.op<arith::RemUIOp>(thread, number(32));
  Value laneRow = code.op<arith::DivUIOp>(lane, number(4));
  Value laneColumn =
      code.mul(code.op<arith::RemUIOp>(lane, number(4)), number(2));
  int64_t jobs = level.count * rowCount * keyCount * rowTiles * keyTiles;
  code.loop(warpNumber, number(jobs), Block::threads / 32, [&](Value job) {
    auto take = [&](int64_t count) {
      if (count == 1)
        return number(0);
      Value part = code.op<arith::RemUIOp>(job, number(count));
      job = code.op<arith::DivUIOp>(job, number(count));
      return part;
    };
    Value keyTile = take(keyTiles), rowTile = take(rowTiles);
    Value w = take(keyCount), r = take(rowCount), depth = job;
    Value firstRow = code.mul(rowTile, number(tileRows));
    Value firstKey = code.mul(keyTile, number(tileColumns));
    Value shift = code.op<arith::AddIOp>(depth, number(1));
    Value size = code.op<arith::ShRUIOp>(number(chunkTokens), shift);
    auto work = [&] {
      Value last = number(half - 1);
      auto start = [&](const View &view, Value tile, Value index) {
        Point point;
        point.at.set(rowAxis, tile);
        point.at.set(token, code.min(index, last));
        point.at.set(view.last(), laneColumn);
        return code.address(view, point);
      };
      Value rowPlace = code.add(code.mul(depth, number(rowCount)), r);
      Value keyPlace = code.add(code.mul(depth, number(keyCount)), w);
      Value upper = code.add(firstRow, laneRow);
      Value lower = code.add(upper, number(8));
      Value key = code.add(firstKey, laneRow);
      struct Source {
        Value high, low;
      };
      auto source = [&](const Rounded &places, Value tile, Value index) {
        return Source{start(places.high, tile, index),
                      warp.isDouble() ? start(places.low, tile, index)
                                      : Value()};
      };
      Source sources[] = {source(level.rows.places, rowPlace, upper),
                          source(level.rows.places, rowPlace, lower),
                          source(level.keys.places, keyPlace, key)};
      Type two = VectorType::get({2}, code.builder.getI32Type());
      auto loadTwo = [&](Value base, int64_t k) -> std::array<Value, 2> {
        Value pair =
            code.op<LLVM::LoadOp>(two, code.behind(base, number(k)), 8u);
        return {code.op<vector::ExtractOp>(pair, 0),
                code.op<vector::ExtractOp>(pair, 1)};
      };
      auto load = [&](const Source &source, int64_t k) {
        std::array<Warp::Operand, 2> operands;
        std::array<Value, 2> high = loadTwo(source.high, k), low{};
        if (source.low)
          low = loadTwo(source.low, k);
        for (int i = 0; i < 2; ++i)
          operands[i] = {high[i], low[i]};
        return operands;
      };
      Values sums(4, code.real(0));
      for (int64_t k = 0; k < level.width; k += 8) {
        auto a = load(sources[0], k), b = load(sources[1], k);
        auto c = load(sources[2], k);
        sums = warp.multiplyAdd({a[0], b[0], a[1], b[1]}, {c[0], c[1]}, sums);
      }
      for (int64_t e = 0; e < 4; ++e) {
        Value row = e < 2 ? upper : lower;
        Value column = code.add(code.add(firstKey, laneColumn), number(e & 1));
        // Where they are in the chunk: in which pair of halves, and where.
        Value rowPair = code.op<arith::DivUIOp>(row, size);
        Value keyPair = code.op<arith::DivUIOp>(column, size);
        Value t = code.add(code.add(row, code.mul(rowPair, size)), size);
        Value s = code.add(column, code.mul(keyPair, size));
        Value here = compare(arith::CmpIPredicate::eq, rowPair, keyPair);
        here = code.op<arith::AndIOp>(
            here, compare(arith::CmpIPredicate::slt, t, tokens));
        if (half % tileRows != 0)
          here = code.op<arith::AndIOp>(
              here, compare(arith::CmpIPredicate::slt, row, number(half)));
        Point point;
        point.at.set(token, t);
        point.at.set(earlier, s);
        point.at.set(rowAxis, r);
        point.at.set(writeAxis, w);
        code.ifThen(here, [&] { code.store(out, point, sums[e]); });
      }
    };
    // Some tiles have no pair of halves in common.
    if (rowTiles == 1 && keyTiles <= 2)
      return work();
    auto pairOf = [&](Value index) {
      return code.op<arith::DivUIOp>(index, size);
    };
    Value lastRow = code.add(firstRow, number(tileRows - 1));
    Value lastKey = code.add(firstKey, number(tileColumns - 1));
    Value meets = code.op<arith::AndIOp>(
        compare(arith::CmpIPredicate::ule, pairOf(firstRow), pairOf(lastKey)),
        compare(arith::CmpIPredicate::ule, pairOf(firstKey), pairOf(lastRow)));
    code.ifThen(meets, work);
  });
}

} // namespace trowel::cuda
