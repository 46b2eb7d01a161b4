// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expressions, axes and types as text, for messages.
#ifndef TROWEL_FRONTEND_SEMA_PRINT_H
#define TROWEL_FRONTEND_SEMA_PRINT_H

#include "frontend/AST/Program.h"
#include "frontend/AST/SyntaxTree.h"

#include <string>
#include <vector>

namespace trowel::sema {

/// The expression as source text on one line.
std::string print(const syntax::Expr &expr);
/// Without the parentheses around the whole.
std::string printBare(const syntax::Expr &expr);
/// In backquotes; long ones are cut.
std::string quote(const syntax::Expr &expr);
std::string quote(const std::string &text);

/// "[K, V]"; "no axes" when there are none.
std::string printAxes(const Program &program, const std::vector<AxisId> &axes);
/// "axis K", "axes K and V", "axes K, J and V".
std::string nameAxes(const Program &program, const std::vector<AxisId> &axes);
/// "a, b and c".
std::string enumerate(const std::vector<std::string> &items,
                      const std::string &last = "and");
std::string printNumber(double value);
/// "f32", "bf16", …
std::string print(DType dtype);
/// "one for all heads", "per group", "per head".
std::string print(Sharing sharing);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_PRINT_H
