// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program is called, takes, gives and carries.
#include "frontend/Sema/Print.h"
#include "tools/trowel/explain/Layout.h"
#include "tools/trowel/explain/Sections.h"

#include <cmath>
#include <sstream>

namespace trowel::explaining {

static int64_t bytesOf(DType dtype) {
  switch (dtype) {
  case DType::BF16:
  case DType::F16:
    return 2;
  case DType::E4M3:
  case DType::E5M2:
    return 1;
  default:
    return 4;
  }
}

/// " in [0, 1)", " <= 0"; nothing without a declared range.
static std::string rangeOf(const Declaration &declaration) {
  if (!declaration.range)
    return "";
  const Interval &range = *declaration.range;
  std::string low = realNumber(range.low), high = realNumber(range.high);
  if (std::isinf(range.low))
    return (range.highOpen ? " < " : " <= ") + high;
  if (std::isinf(range.high))
    return (range.lowOpen ? " > " : " >= ") + low;
  return std::string(" in ") + (range.lowOpen ? "(" : "[") + low + "," +
         noBreak + high + (range.highOpen ? ")" : "]");
}

static std::string typeOf(const Program &program,
                          const Declaration &declaration) {
  std::string axes;
  for (AxisId axis : declaration.shape)
    axes += (axes.empty() ? "" : ", ") +
            (program.axes[axis].isPlainNumber
                 ? std::to_string(program.axes[axis].size)
                 : program.axes[axis].name);
  std::string text = sema::print(declaration.dtype);
  if (!axes.empty())
    text += "[" + axes + "]";
  if (declaration.sharing == Sharing::Grouped)
    text += " grouped";
  if (declaration.sharing == Sharing::Shared)
    text += " shared";
  return text + rangeOf(declaration);
}

int64_t byteSize(const Program &program, const Declaration &declaration) {
  int64_t bytes = bytesOf(declaration.dtype);
  for (AxisId axis : declaration.shape)
    bytes *= program.axes[axis].size;
  return bytes;
}

/// "q, k bf16[K]; v bf16[V]".
static std::string listDeclarations(const Program &program,
                                    const std::vector<Declaration> &list) {
  std::string text, type;
  for (const Declaration &declaration : list) {
    std::string own = typeOf(program, declaration);
    if (own == type) {
      text.insert(text.size() - type.size() - 3, ", " + declaration.name);
      continue;
    }
    text += (text.empty() ? "" : "; ") + declaration.name + " : " + own;
    type = own;
  }
  return text;
}

/// "772 bytes per token and head, 64 per token and group".
static std::string bytesOfAll(const Program &program,
                              const std::vector<Declaration> &list,
                              const std::string &unit) {
  std::string text;
  const std::pair<Sharing, const char *> owners[] = {
      {Sharing::Head, "head"},
      {Sharing::Grouped, "group"},
      {Sharing::Shared, ""}};
  for (auto [sharing, owner] : owners) {
    int64_t bytes = 0;
    for (const Declaration &declaration : list)
      if (declaration.sharing == sharing)
        bytes += byteSize(program, declaration);
    if (bytes == 0)
      continue;
    std::string per = unit;
    if (*owner)
      per += (per.empty() ? "per " : " and ") + std::string(owner);
    text += (text.empty() ? "" : ", ") + byteCount(bytes) +
            (per.empty() ? "" : " " + per);
  }
  return text;
}

/// The comment's first paragraph as one line.
static std::string titleOf(const std::string &comment) {
  std::istringstream lines(comment);
  std::string title, line;
  while (std::getline(lines, line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      if (!title.empty())
        break;
      continue;
    }
    title += (title.empty() ? "" : " ") + line;
  }
  return title;
}

std::string describeHeader(const Context &context) {
  const Program &program = context.program;
  std::string sizes;
  for (const auto &[name, size] : program.sizes)
    sizes += (sizes.empty() ? "" : ", ") + name + " = " + std::to_string(size);
  std::string text = wrap(program.name + "(" + sizes + ")", "", 2);
  if (std::string title = titleOf(program.comment); !title.empty())
    text += wrap(title, "", 0);
  text += "\n";
  auto line = [&](const std::string &label,
                  const std::vector<Declaration> &list,
                  const std::string &unit) {
    if (list.empty())
      return;
    std::string first = "  " + label + std::string(9 - label.size(), ' ');
    text += wrap(listDeclarations(program, list) + "  (" +
                     bytesOfAll(program, list, unit) + ")",
                 first, first.size());
  };
  line("inputs", program.inputs, "per token");
  line("params", program.params, "");
  line("states", program.states, "per sequence");
  line("outputs", program.outputs, "per token");
  return text;
}

} // namespace trowel::explaining
