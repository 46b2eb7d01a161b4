// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The catalogue and the inventions, through the tool that users have: `trowel
// check` compares the chunk program and the machine code with the meaning, on
// hard inputs. A new example joins by existing. Each program is checked at its
// own sizes and at a pair of others.

#include "test/unit/Verdicts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

using namespace trowel;
using namespace trowel::test;
namespace fs = std::filesystem;

namespace {

const std::string root = TROWEL_SOURCE_DIR;
const std::string tool = std::string(TROWEL_BINARY_DIR) + "/bin/trowel";

/// The exit status of a command and all it printed.
struct Outcome {
  int status = -1;
  std::string text;
};

Outcome run(const std::string &command) {
  Outcome outcome;
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe)
    return outcome;
  std::array<char, 4096> buffer;
  while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.text.append(buffer.data(), count);
  outcome.status = pclose(pipe);
  return outcome;
}

std::vector<std::string> programs() {
  std::vector<std::string> result;
  for (const char *folder : {"examples", "docs/inventions"})
    for (const fs::directory_entry &entry :
         fs::directory_iterator(root + "/" + folder))
      if (entry.path().extension() == ".trowel")
        result.push_back(std::string(folder) + "/" +
                         entry.path().filename().string());
  std::sort(result.begin(), result.end());
  return result;
}

/// Sizes that are no multiples of each other or of a vector register, in turn.
std::string otherSizes(const std::string &file) {
  static const std::array<std::pair<int, int>, 8> pairs = {{{16, 60},
                                                            {60, 64},
                                                            {64, 100},
                                                            {100, 16},
                                                            {128, 192},
                                                            {192, 128},
                                                            {256, 60},
                                                            {60, 256}}};
  std::vector<std::string> all = programs();
  size_t index = std::find(all.begin(), all.end(), file) - all.begin();
  auto [key, value] = pairs[index % pairs.size()];
  SourceFile source{file, readFile(root + "/" + file)};
  ParseResult parsed = parse(source);
  std::string options;
  for (const syntax::Size &size : parsed.file.attentions.at(0).sizes) {
    bool isKey = size.name.text == "K" || size.name.text == "D";
    bool isValue = size.name.text == "V" || size.name.text == "P";
    if (isKey || isValue)
      options +=
          " -D " + size.name.text + "=" + std::to_string(isKey ? key : value);
  }
  return options;
}

class EndToEnd : public testing::TestWithParam<std::string> {};

TEST_P(EndToEnd, EveryFormHasTheMeaning) {
  Outcome outcome = run(tool + " check '" + root + "/" + GetParam() + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("CPU code in f32"), std::string::npos)
      << outcome.text;
}

TEST_P(EndToEnd, AlsoAtOtherSizes) {
  std::string sizes = otherSizes(GetParam());
  if (sizes.empty())
    GTEST_SKIP() << "no axis K, D, V or P";
  Outcome outcome =
      run(tool + " check '" + root + "/" + GetParam() + "' --seed 1" + sizes);
  EXPECT_EQ(outcome.status, 0) << sizes << '\n' << outcome.text;
}

INSTANTIATE_TEST_SUITE_P(Programs, EndToEnd, testing::ValuesIn(programs()),
                         [](const auto &info) {
                           Verdict named;
                           named.file = info.param;
                           return nameOf(named);
                         });

} // namespace
