// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What prevents a better form, at its place in the source.
#include "frontend/MLIRGen/MLIRGen.h"
#include "tools/trowel/explain/Layout.h"
#include "tools/trowel/explain/Sections.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <sstream>

using namespace mlir;

namespace trowel::explaining {

std::string sourceLine(const SourceFile &source, const Location &place) {
  std::istringstream lines(source.text);
  std::string line;
  for (int i = 0; i < place.line; ++i)
    if (!std::getline(lines, line))
      return "";
  while (!line.empty() && line.back() == '\r')
    line.pop_back();
  constexpr size_t room = pageWidth - 9;
  if (size_t comment = line.find("//"); line.size() > room &&
                                        comment != std::string::npos &&
                                        int(comment) >= place.column)
    line.erase(line.find_last_not_of(" \t", comment - 1) + 1);
  if (line.size() > room) {
    size_t end = room - 1;
    while (end > 0 && (line[end] & 0xc0) == 0x80)
      --end; // never inside a character
    line = line.substr(0, end) + "…";
  }
  std::string number = std::to_string(place.line);
  number.insert(0, number.size() < 6 ? 6 - number.size() : 0, ' ');
  std::string below;
  for (int i = 0; i + 1 < place.column; ++i)
    below += i < int(line.size()) && line[i] == '\t' ? '\t' : ' ';
  int rest = std::max<int>(1, int(line.size()) - place.column + 1);
  int length = std::clamp(place.length, 1, rest);
  return number + " | " + line + "\n" + std::string(number.size(), ' ') +
         " | " + below + "^" + std::string(length - 1, '~') + "\n";
}

/// A running sum or a delay, which is nobody's to change.
static bool isHidden(rec::SequentialOp op) {
  SmallVector<StringAttr> names = rec::stringsOf(op.getStates());
  for (auto state : op->getBlock()->getOps<rec::StateOp>())
    if (llvm::is_contained(names, state.getNameAttr()) && !state.getHidden())
      return false;
  return true;
}

static std::string describe(const Context &context, rec::SequentialOp op) {
  std::vector<std::string> states;
  for (StringAttr name : rec::stringsOf(op.getStates()))
    states.push_back(name.str());
  std::string text = "\nWhy " + enumerate(states) +
                     (states.size() == 1 ? " runs " : " run ") +
                     (op.getScan() ? "as a scan" : "token by token") + "\n";
  Location place = sourceLocation(op.getLoc());
  std::string prefix = "  ";
  if (place.isKnown()) {
    text += "  " + context.source.name + ":" + std::to_string(place.line) +
            ":" + std::to_string(place.column) + "\n" +
            sourceLine(context.source, place);
  }
  text += wrap(op.getReason().str() + ".", prefix, 2);
  if (op.getHelp())
    text += wrap(op.getHelp()->str() + ".", "  help: ", 8);
  return text;
}

std::string describeObstacles(const Context &context) {
  std::string text;
  rec::ProgramOp program = context.normal;
  for (auto op : program.getBody().front().getOps<rec::SequentialOp>())
    if (!isHidden(op))
      text += describe(context, op);
  return text;
}

} // namespace trowel::explaining
