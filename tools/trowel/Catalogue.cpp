// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Catalogue.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

namespace trowel::tool {

namespace fs = std::filesystem;

std::string catalogueFolder() {
  if (const char *chosen = std::getenv("TROWEL_EXAMPLES"))
    return chosen;
  std::error_code error;
  fs::path executable = fs::read_symlink("/proc/self/exe", error);
  fs::path installed =
      executable.parent_path().parent_path() / "share/trowel/examples";
  if (!error && fs::is_directory(installed, error))
    return installed.string();
  if (fs::is_directory(TROWEL_SOURCE_EXAMPLES, error))
    return TROWEL_SOURCE_EXAMPLES;
  return "";
}

std::vector<Example> catalogue() {
  std::vector<Example> examples;
  std::error_code error;
  for (const fs::directory_entry &entry :
       fs::directory_iterator(catalogueFolder(), error))
    if (entry.path().extension() == ".trowel")
      examples.push_back({entry.path().stem().string(), entry.path().string()});
  std::sort(examples.begin(), examples.end(),
            [](const Example &a, const Example &b) { return a.name < b.name; });
  return examples;
}

std::optional<Example> findExample(const std::string &name) {
  for (Example &example : catalogue())
    if (example.name == name)
      return std::move(example);
  return std::nullopt;
}

/// Where the first year at or behind `from` stands, or npos.
static size_t findYear(const std::string &text, size_t from) {
  auto isDigit = [&](size_t i) {
    return i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]));
  };
  for (size_t i = from; i + 4 <= text.size(); ++i) {
    bool isYear =
        text.compare(i, 2, "19") == 0 || text.compare(i, 2, "20") == 0;
    if (isYear && isDigit(i + 2) && isDigit(i + 3) && !isDigit(i + 4) &&
        (i == 0 || !isDigit(i - 1)))
      return i;
  }
  return std::string::npos;
}

Origin originOf(const std::string &comment) {
  std::string text = comment;
  std::replace(text.begin(), text.end(), '\n', ' ');
  text += ' ';
  size_t end = std::min(text.find(". "), text.size() - 1);
  Origin origin;
  origin.title = text.substr(0, end);
  size_t year = findYear(text, end);
  if (year != std::string::npos)
    origin.year = text.substr(year, 4);
  return origin;
}

} // namespace trowel::tool
