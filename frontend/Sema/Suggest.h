// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The nearest known name to a misspelt one.
#ifndef TROWEL_FRONTEND_SEMA_SUGGEST_H
#define TROWEL_FRONTEND_SEMA_SUGGEST_H

#include <optional>
#include <string>
#include <vector>

namespace trowel::sema {

/// Insertions, deletions, replacements and swaps of neighbours from `a` to `b`.
int editDistance(const std::string &a, const std::string &b);

/// The candidate that `word` is most likely a slip for: one edit for short
/// words, two from five letters, three from nine; letter case does not count.
/// Nothing when none is that near. Of equals, the first.
std::optional<std::string> nearest(const std::string &word,
                                   const std::vector<std::string> &candidates);

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_SUGGEST_H
