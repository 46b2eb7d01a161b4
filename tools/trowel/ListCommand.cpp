// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel list`: the catalogue, a line for each program.
#include "tools/trowel/Catalogue.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/Messages.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace trowel::tool {
namespace {

struct Line {
  std::string name, year, states, title;
};

constexpr size_t titleWidth = 60;

/// At most `width` characters, cut between words.
std::string shorten(const std::string &text, size_t width) {
  if (text.size() <= width)
    return text;
  size_t end = text.find_last_of(' ', width - 4);
  return text.substr(0, end == std::string::npos ? width - 4 : end) + " ...";
}

std::string pad(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

} // namespace

int runList() {
  Timings timings;
  std::vector<Line> lines;
  int status = 0;
  for (const Example &example : catalogue()) {
    std::vector<Loaded> programs = loadAll({example.path, "", {}}, timings);
    status |= programs.empty();
    for (const Loaded &loaded : programs) {
      Compiler compiler(timings);
      Origin origin = originOf(loaded.program.comment);
      lines.push_back(
          {loaded.program.name, origin.year,
           describe(classify(*compiler.lower(loaded, Level::NormalForm))),
           shorten(origin.title, titleWidth)});
    }
  }
  if (lines.empty() && status == 0)
    return fail("there are no examples in `" + catalogueFolder() +
                "`; set TROWEL_EXAMPLES to a folder of .trowel files");
  size_t names = 0, states = 0;
  for (const Line &line : lines) {
    names = std::max(names, line.name.size());
    states = std::max(states, line.states.size());
  }
  for (const Line &line : lines)
    std::cout << pad(line.name, names) << "  " << pad(line.year, 4) << "  "
              << pad(line.states, states) << "  " << line.title << '\n';
  return status;
}

} // namespace trowel::tool
