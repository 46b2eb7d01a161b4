// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every program that ships: those that the table of verdicts lists as
// supported check without a message, the others are refused by name.

#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

using namespace trowel;
using namespace trowel::test;
namespace fs = std::filesystem;

namespace {

const fs::path root = TROWEL_SOURCE_DIR;

struct Verdict {
  std::string file, refused; // what is refused; empty: nothing
};

std::vector<Verdict> verdicts() {
  std::vector<Verdict> result;
  std::istringstream table(readFile(root / "test/language/verdicts.txt"));
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string file, first, second;
    words >> file >> first >> second;
    if (file.empty() || file[0] == '#' || !fs::exists(root / file))
      continue;
    result.push_back({file, first == "refused" ? second : ""});
  }
  return result;
}

class Acceptance : public testing::TestWithParam<Verdict> {};

TEST_P(Acceptance, IsAsTheTableSays) {
  std::string file = GetParam().file;
  Checked checked = checkText(readFile(root / file), {}, file);
  std::string messages = checked.messages();
  if (GetParam().refused.empty()) {
    EXPECT_EQ(messages, "");
    EXPECT_TRUE(checked.program.has_value());
    return;
  }
  EXPECT_NE(messages.find("not supported yet"), std::string::npos);
  EXPECT_NE(messages.find(GetParam().refused), std::string::npos) << messages;
}

INSTANTIATE_TEST_SUITE_P(All, Acceptance, testing::ValuesIn(verdicts()),
                         [](const auto &info) {
                           std::string name = info.param.file;
                           for (char &c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c)))
                               c = '_';
                           return name;
                         });

} // namespace
