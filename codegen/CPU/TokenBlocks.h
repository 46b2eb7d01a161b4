// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is computed in blocks of tokens, because each channel of a state has its
// own factors, has in common. A token's rows and writes lie side by side.
#ifndef TROWEL_CODEGEN_CPU_TOKENBLOCKS_H
#define TROWEL_CODEGEN_CPU_TOKENBLOCKS_H

#include "codegen/CPU/Code.h"

namespace trowel::cpu {

struct TokenBlocks {
  explicit TokenBlocks(Code &code) : code(code) {}

  Code &code;
  View phi, keys, total;
  mlir::StringAttr token, rowAxis, writeAxis, channel, columns;
  int64_t rowCount, keyCount, channels;
  // The block at hand.
  Value first, count;

  void forEach(int64_t count, llvm::function_ref<void(Value)> body) {
    code.loop(code.index(0), code.index(count), 1, body);
  }
  void forEachLane(llvm::function_ref<void(Value)> body) {
    code.loop(code.index(0), code.index(channels), lanes, body);
  }
  Value columnOf(Value s, Value w) {
    return code.add(code.mul(s, code.index(keyCount)), w);
  }
  /// A place on an axis and from a lane on along the vector's.
  static Point pointAt(mlir::StringAttr axis, Value index,
                       mlir::StringAttr vector, Value lane) {
    Point point;
    point.vector = vector;
    point.at.set(axis, index);
    point.at.set(vector, lane);
    return point;
  }
};

} // namespace trowel::cpu

#endif // TROWEL_CODEGEN_CPU_TOKENBLOCKS_H
