// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Damaged programs: whatever the text, checking ends, with messages or with a
// program, and every message has a place.

#include "test/unit/Checked.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

using namespace trowel;
using namespace trowel::test;
namespace fs = std::filesystem;

namespace {

const fs::path root = TROWEL_SOURCE_DIR;

/// The words and signs of a text; spaces and comments are dropped.
std::vector<std::string> tokens(const std::string &text) {
  std::vector<std::string> result;
  auto isWord = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  };
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (std::isspace(static_cast<unsigned char>(text[i]))) {
      ++i;
    } else {
      size_t end = i + 1;
      while (isWord(text[i]) && end < text.size() && isWord(text[end]))
        ++end;
      result.push_back(text.substr(i, end - i));
      i = end;
    }
  }
  return result;
}

std::string damaged(std::vector<std::string> words, std::mt19937 &random) {
  auto below = [&](size_t n) { return random() % n; };
  for (size_t count = 1 + below(3); count-- > 0;) {
    size_t at = below(words.size());
    switch (below(4)) {
    case 0:
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      words[at] = words[below(words.size())];
      break;
    case 2:
      std::swap(words[at], words[below(words.size())]);
      break;
    case 3:
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(at),
                   words[below(words.size())]);
      break;
    }
  }
  std::string text;
  for (const std::string &word : words)
    text += word + " ";
  return text;
}

TEST(Damage, IsExplained) {
  std::mt19937 random(1);
  int checkedPrograms = 0, wrong = 0;
  for (const char *folder : {"examples", "test/language"})
    for (const fs::directory_entry &entry :
         fs::directory_iterator(root / folder)) {
      if (entry.path().extension() != ".trowel")
        continue;
      std::vector<std::string> words = tokens(readFile(entry.path()));
      for (int i = 0; i < 20; ++i) {
        std::string text = damaged(words, random);
        Checked checked = checkText(text);
        ++checkedPrograms;
        bool isWrong = false;
        for (const Diagnostic &diagnostic : checked.diagnostics) {
          isWrong |= diagnostic.severity == Diagnostic::Severity::Error;
          EXPECT_TRUE(diagnostic.location.isKnown())
              << diagnostic.message << "\n"
              << text;
        }
        wrong += isWrong;
      }
    }
  EXPECT_GT(checkedPrograms, 1000);
  EXPECT_GT(wrong, checkedPrograms / 2);
}

} // namespace
