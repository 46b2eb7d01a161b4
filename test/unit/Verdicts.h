// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of verdicts, test/language/verdicts.txt.
#ifndef TROWEL_TEST_UNIT_VERDICTS_H
#define TROWEL_TEST_UNIT_VERDICTS_H

#include "test/unit/Checked.h"

#include <map>

namespace trowel::test {

struct Verdict {
  std::string file;    // from the root of the sources
  std::string refused; // what is not supported; empty: the program is
  /// The class of each state: "chunk", "scan", "token", or several with `|`.
  std::map<std::string, std::string> classes;
};

inline std::vector<Verdict> readVerdicts(const std::string &root) {
  std::vector<Verdict> result;
  std::istringstream table(readFile(root + "/test/language/verdicts.txt"));
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    Verdict verdict;
    if (!(words >> verdict.file) || verdict.file[0] == '#')
      continue;
    for (std::string word; words >> word;) {
      size_t equals = word.find('=');
      if (word == "refused")
        words >> verdict.refused;
      else if (equals != std::string::npos)
        verdict.classes[word.substr(0, equals)] = word.substr(equals + 1);
    }
    result.push_back(std::move(verdict));
  }
  return result;
}

/// A test's name: the file's path in letters, digits and underscores.
inline std::string nameOf(const Verdict &verdict) {
  std::string name = verdict.file;
  for (char &c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)))
      c = '_';
  return name;
}

inline void PrintTo(const Verdict &verdict, std::ostream *os) {
  *os << verdict.file;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_VERDICTS_H
