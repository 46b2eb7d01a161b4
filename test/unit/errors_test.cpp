// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Wrong programs and the whole of what they are told: test/errors/NAME.trowel
// beside NAME.expected. To write the expected files anew, set
// TROWEL_UPDATE_EXPECTED=1 and read the difference. A first line
// `// options: -D K=0` sets sizes.

#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace trowel;
using namespace trowel::test;
namespace fs = std::filesystem;

namespace {

const fs::path folder = fs::path(TROWEL_SOURCE_DIR) / "test" / "errors";

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".trowel")
      result.push_back(entry.path().stem());
  std::sort(result.begin(), result.end());
  return result;
}

CheckOptions optionsIn(const std::string &text) {
  CheckOptions options;
  const std::string mark = "// options:";
  if (text.compare(0, mark.size(), mark) != 0)
    return options;
  std::istringstream words(text.substr(mark.size(), text.find('\n')));
  for (std::string word; words >> word && word == "-D" && words >> word;) {
    size_t equals = word.find('=');
    options.sizes.emplace_back(word.substr(0, equals),
                               std::stoll(word.substr(equals + 1)));
  }
  return options;
}

class Errors : public testing::TestWithParam<std::string> {};

TEST_P(Errors, SaysWhatIsExpected) {
  std::string text = readFile(folder / (GetParam() + ".trowel"));
  Checked checked = checkText(text, optionsIn(text), GetParam() + ".trowel");
  EXPECT_FALSE(checked.diagnostics.empty());
  fs::path expected = folder / (GetParam() + ".expected");
  const char *update = std::getenv("TROWEL_UPDATE_EXPECTED");
  if (update && std::string(update) == "1")
    std::ofstream(expected, std::ios::binary) << checked.messages();
  EXPECT_EQ(checked.messages(), readFile(expected));
}

TEST(Errors, EveryExpectedFileHasItsProgram) {
  for (const fs::directory_entry &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".expected") {
      fs::path program = entry.path();
      EXPECT_TRUE(fs::exists(program.replace_extension(".trowel"))) << program;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Errors, testing::ValuesIn(names()),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
