// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The programs that ship, with sizes that a token-by-token reference runs in no
// time.
#ifndef TROWEL_TEST_UNIT_PROGRAMS_H
#define TROWEL_TEST_UNIT_PROGRAMS_H

#include "test/unit/Checked.h"

#include <algorithm>
#include <filesystem>

namespace trowel::test {

/// Overrides that make a program's larger sizes small and unequal, so that it
/// can be evaluated token by token in no time.
inline CheckOptions smallSizes(const syntax::Attention &attention) {
  CheckOptions options;
  int64_t next = 6;
  for (const syntax::Size &size : attention.sizes)
    if (size.value > 6)
      options.sizes.push_back({size.name.text, std::max<int64_t>(3, next--)});
  return options;
}

/// The `.trowel` files of a folder of the project, sorted.
inline std::vector<std::string> programFiles(const std::string &folder) {
  std::vector<std::string> files;
  for (const auto &entry : std::filesystem::directory_iterator(
           std::string(TROWEL_SOURCE_DIR) + "/" + folder))
    if (entry.path().extension() == ".trowel")
      files.push_back(folder + "/" + entry.path().filename().string());
  std::sort(files.begin(), files.end());
  return files;
}

/// Every program that ships: examples, inventions, the language's own.
inline std::vector<std::string> allPrograms() {
  std::vector<std::string> files;
  for (const char *folder : {"examples", "docs/inventions", "test/language"})
    for (const std::string &file : programFiles(folder))
      files.push_back(file);
  return files;
}

using SizesOf = CheckOptions (*)(const syntax::Attention &);

/// The attentions of a file that the checker accepts, with small sizes.
inline std::vector<Program> checkedPrograms(const std::string &file,
                                            SizesOf sizes = smallSizes) {
  SourceFile source{file,
                    readFile(std::string(TROWEL_SOURCE_DIR) + "/" + file)};
  ParseResult parsed = parse(source);
  std::vector<Program> programs;
  for (const syntax::Attention &attention : parsed.file.attentions) {
    CheckResult result = check(parsed.file, attention, sizes(attention));
    if (result.program)
      programs.push_back(*result.program);
  }
  return programs;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_PROGRAMS_H
