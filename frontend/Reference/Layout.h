// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layout of a program's tensors at its boundary, as docs/language.md
// ("Declarations") has them: which dimensions precede the declared axes.
#ifndef TROWEL_FRONTEND_REFERENCE_LAYOUT_H
#define TROWEL_FRONTEND_REFERENCE_LAYOUT_H

#include "dialect/Reference/Tensor.h"
#include "frontend/AST/Program.h"

#include <string>
#include <vector>

namespace trowel {

/// What a declaration is at the boundary. Inputs and outputs have [B, T] in
/// front, states [N], params nothing; then follow H, G or nothing by sharing.
enum class Boundary { Input, Param, State, Output };

/// How many values of their own a sharing means: H, G or 1.
int64_t unitCount(Sharing sharing, const Batch &batch);

/// Which unit of `to` serves unit `unit` of the finer or equal `from`.
int64_t unitOf(int64_t unit, Sharing from, Sharing to, const Batch &batch);

/// The full shape: [B, T, H, 128] and the like.
std::vector<int64_t> boundaryShape(const Program &program,
                                   const Declaration &declaration,
                                   Boundary boundary, const Batch &batch);

/// The same in words, for messages: "[B, T, H, K=128]".
std::string describeLayout(const Program &program,
                           const Declaration &declaration, Boundary boundary);

/// A shape in words: "[2, 64, 128]".
std::string describeShape(const std::vector<int64_t> &shape);

/// The place of element number `element` in words: "[0, 12, 3]".
std::string describePosition(const std::vector<int64_t> &shape,
                             int64_t element);

/// Empty if the call is well formed; else a message that names the argument:
/// sizes that disagree (B, T, H, G, cu_seqlens), a missing input or param, an
/// unknown name, a wrong shape. Initial states are optional. It says nothing
/// about values.
std::string validate(const Program &program, const Batch &batch,
                     const TensorMap &arguments);

/// Empty if the sizes of `batch` fit together; else what is wrong.
std::string validate(const Batch &batch);

} // namespace trowel

#endif // TROWEL_FRONTEND_REFERENCE_LAYOUT_H
