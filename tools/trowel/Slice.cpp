// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Slice.h"

#include "frontend/Reference/Layout.h"
#include "tools/trowel/Questions.h"

#include <algorithm>

namespace trowel::tool {
namespace {

/// Copies the units [0, kept) of rows [first, first + rows) of a tensor seen as
/// [rows, units, rest].
Tensor copyRows(const Tensor &from, std::vector<int64_t> shape, int64_t first,
                int64_t rows, int64_t units, int64_t kept) {
  Tensor to(std::move(shape));
  if (to.data.empty())
    return to;
  int64_t rest = to.elementCount() / (rows * kept);
  for (int64_t row = 0; row < rows; ++row) {
    const double *source = &from.data[(first + row) * units * rest];
    std::copy(source, source + kept * rest, &to.data[row * kept * rest]);
  }
  return to;
}

class Slicer {
public:
  Slicer(const Program &program, const Batch &whole, const Corner &corner,
         const TensorMap &from)
      : program(program), whole(whole), corner(corner), from(from) {}

  void take(const std::vector<Declaration> &declarations, Boundary boundary) {
    for (const Declaration &declaration : declarations) {
      auto it = from.find(declaration.name);
      if (it == from.end())
        continue;
      int64_t first = 0, rows = 1;
      if (boundary == Boundary::Input || boundary == Boundary::Output) {
        first = corner.firstToken;
        rows = corner.batch.tokens;
      } else if (boundary == Boundary::State) {
        first = corner.sequence;
      }
      taken[declaration.name] =
          copyRows(it->second,
                   boundaryShape(program, declaration, boundary, corner.batch),
                   first, rows, unitCount(declaration.sharing, whole),
                   unitCount(declaration.sharing, corner.batch));
    }
  }

  TensorMap taken;

private:
  const Program &program;
  const Batch &whole;
  const Corner &corner;
  const TensorMap &from;
};

} // namespace

Corner cornerOf(const Program &program, const Batch &whole, int64_t tokens) {
  Corner corner;
  int64_t length = whole.tokens;
  const std::vector<int64_t> &offsets = whole.cuSeqlens;
  if (!offsets.empty()) {
    size_t i = 0;
    while (i + 2 < offsets.size() && offsets[i] == offsets[i + 1])
      ++i;
    corner.sequence = static_cast<int64_t>(i);
    corner.firstToken = offsets[i];
    length = offsets[i + 1] - offsets[i];
  }
  bool allHeads = has(program, {Expr::Kind::ReduceHeads});
  corner.batch.tokens = std::min(tokens, length);
  corner.batch.heads = allHeads ? whole.heads : 1;
  corner.batch.groups = allHeads ? whole.groups : 1;
  corner.isWhole = corner.batch.tokens == length;
  return corner;
}

TensorMap sliceArguments(const Program &program, const Batch &whole,
                         const Corner &corner, const TensorMap &arguments) {
  Slicer slicer(program, whole, corner, arguments);
  slicer.take(program.inputs, Boundary::Input);
  slicer.take(program.params, Boundary::Param);
  slicer.take(program.states, Boundary::State);
  return std::move(slicer.taken);
}

TensorMap sliceResults(const Program &program, const Batch &whole,
                       const Corner &corner, const TensorMap &results) {
  Slicer slicer(program, whole, corner, results);
  slicer.take(program.outputs, Boundary::Output);
  if (corner.isWhole)
    slicer.take(program.states, Boundary::State);
  return std::move(slicer.taken);
}

} // namespace trowel::tool
