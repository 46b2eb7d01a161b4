// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Suggest.h"

#include <algorithm>
#include <cctype>

namespace trowel::sema {

int editDistance(const std::string &a, const std::string &b) {
  std::vector<std::vector<int>> cost(a.size() + 1,
                                     std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = static_cast<int>(i + j);
        continue;
      }
      int replace = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      cost[i][j] = std::min({replace, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      bool isSwap =
          i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (isSwap)
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

static std::string lowered(std::string word) {
  for (char &letter : word)
    letter =
        static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return word;
}

std::optional<std::string> nearest(const std::string &word,
                                   const std::vector<std::string> &candidates) {
  constexpr size_t longest = 64; // longer names are not compared
  if (word.size() > longest)
    return std::nullopt;
  int allowed = word.size() < 2   ? 0
                : word.size() < 5 ? 1
                : word.size() < 9 ? 2
                                  : 3;
  std::optional<std::string> best;
  for (const std::string &candidate : candidates) {
    if (candidate.size() > longest || candidate == word)
      continue;
    int distance = editDistance(lowered(word), lowered(candidate));
    // Replacing every letter of a short name is no slip.
    if (distance > allowed || distance >= static_cast<int>(candidate.size()))
      continue;
    if (!best || distance < allowed) {
      best = candidate;
      allowed = distance;
    }
  }
  return best;
}

} // namespace trowel::sema
