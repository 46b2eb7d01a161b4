// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every program that ships with the project must have: it parses, is named
// like its file, and says where it is from. And the table of verdicts is whole.

#include "frontend/Grammar/Parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using namespace trowel;
namespace fs = std::filesystem;

namespace {

const fs::path root = TROWEL_SOURCE_DIR;

std::string readFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The .trowel files of a folder, as paths from the root.
std::vector<std::string> programs(const std::string &folder) {
  std::vector<std::string> result;
  for (const fs::directory_entry &entry : fs::directory_iterator(root / folder))
    if (entry.path().extension() == ".trowel")
      result.push_back(folder + "/" + entry.path().filename().string());
  std::sort(result.begin(), result.end());
  return result;
}

class Catalogue : public testing::TestWithParam<std::string> {};

TEST_P(Catalogue, IsOneAttentionNamedLikeItsFile) {
  SourceFile source{GetParam(), readFile(root / GetParam())};
  ParseResult parsed = parse(source);
  for (const Diagnostic &diagnostic : parsed.diagnostics)
    ADD_FAILURE() << render(diagnostic, source);
  ASSERT_EQ(parsed.file.attentions.size(), 1u);
  EXPECT_EQ(parsed.file.attentions[0].name.text, fs::path(GetParam()).stem());
}

TEST_P(Catalogue, SaysWhatItIs) {
  SourceFile source{GetParam(), readFile(root / GetParam())};
  ParseResult parsed = parse(source);
  ASSERT_EQ(parsed.file.attentions.size(), 1u);
  const std::string &comment = parsed.file.attentions[0].comment;
  EXPECT_GT(comment.size(), 80u) << comment;
  if (GetParam().find("examples/") == 0) {
    EXPECT_TRUE(std::regex_search(comment, std::regex("(19|20)[0-9][0-9]")))
        << "no year in: " << comment;
  }
}

std::vector<std::string> catalogue() {
  std::vector<std::string> result = programs("examples");
  for (const std::string &path : programs("docs/inventions"))
    result.push_back(path);
  return result;
}

std::string testName(const testing::TestParamInfo<std::string> &info) {
  return fs::path(info.param).stem().string();
}

INSTANTIATE_TEST_SUITE_P(Programs, Catalogue, testing::ValuesIn(catalogue()),
                         testName);

// A new example needs no verdict, so that it joins by existing.
TEST(Verdicts, ListEveryLanguageProgramOnce) {
  std::istringstream table(readFile(root / "test/language/verdicts.txt"));
  std::set<std::string> listed;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    std::string path = line.substr(0, line.find(' '));
    EXPECT_TRUE(fs::exists(root / path)) << path;
    EXPECT_TRUE(listed.insert(path).second) << path << " is listed twice";
  }
  for (const std::string &path : programs("test/language"))
    if (path != "test/language/every_construct.trowel") {
      EXPECT_TRUE(listed.count(path)) << path << " has no verdict";
    }
}

} // namespace
