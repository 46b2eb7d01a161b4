// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The names that the language itself takes.
#ifndef TROWEL_FRONTEND_SEMA_NAMES_H
#define TROWEL_FRONTEND_SEMA_NAMES_H

#include "frontend/AST/Program.h"

#include <optional>
#include <string>
#include <vector>

namespace trowel::sema {

std::optional<DType> dtypeNamed(const std::string &name);
/// A built-in function, supported or not.
bool isFunction(const std::string &name);
bool isReserved(const std::string &name);
/// "a type", "a function", "the position in the sequence", …
std::string reservedFor(const std::string &name);
std::vector<std::string> dtypeNames();
std::vector<std::string> functionNames();

/// What other languages call a type or function of ours; empty: no such one.
/// For a function, a whole piece of advice ("write `a^b`").
std::string dtypeAlias(const std::string &name);
std::string functionAdvice(const std::string &name);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_NAMES_H
