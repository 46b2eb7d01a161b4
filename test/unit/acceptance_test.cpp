// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every program that ships: those that the table of verdicts lists as
// supported check without a message, the others are refused by name.

#include "test/unit/Verdicts.h"

#include <gtest/gtest.h>

using namespace trowel;
using namespace trowel::test;

namespace {

const std::string root = TROWEL_SOURCE_DIR;

class Acceptance : public testing::TestWithParam<Verdict> {};

TEST_P(Acceptance, IsAsTheTableSays) {
  std::string file = GetParam().file;
  Checked checked = checkText(readFile(root + "/" + file), {}, file);
  std::string messages = checked.messages();
  if (GetParam().refused.empty()) {
    EXPECT_EQ(messages, "");
    EXPECT_TRUE(checked.program.has_value());
    return;
  }
  EXPECT_NE(messages.find("not supported yet"), std::string::npos);
  EXPECT_NE(messages.find(GetParam().refused), std::string::npos) << messages;
}

INSTANTIATE_TEST_SUITE_P(All, Acceptance, testing::ValuesIn(readVerdicts(root)),
                         [](const auto &info) { return nameOf(info.param); });

} // namespace
