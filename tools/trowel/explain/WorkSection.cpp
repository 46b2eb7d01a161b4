// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a token costs, by part.
#include "tools/trowel/explain/Costs.h"
#include "tools/trowel/explain/Layout.h"
#include "tools/trowel/explain/Sections.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;

namespace trowel::explaining {

static std::string share(double part, double total) {
  if (total <= 0 || part <= 0)
    return "";
  double percent = 100 * part / total;
  return percent < 0.5 ? "< 1 %" : std::to_string(int(percent + 0.5)) + " %";
}

static std::string ratio(double number) {
  return number >= 10 ? shortNumber(number)
                      : realNumber(std::round(number * 10) / 10);
}

static std::string partTable(const Work &work, double byTokens) {
  const std::pair<const char *, double> parts[] = {
      {"matrix products", work.products},
      {"triangular solve", work.solves},
      {"decays", work.decays},
      {"elementwise, sums along one token", work.elementwise},
      {"stages that are no matrix products", work.sequential}};
  std::vector<std::vector<std::string>> rows;
  for (auto [name, part] : parts)
    if (part > 0)
      rows.push_back({name, shortNumber(part), share(part, work.total())});
  rows.push_back({"in all", shortNumber(work.total()), ""});
  rows.push_back(
      {"the same, one token after the other", shortNumber(byTokens), ""});
  return table(rows, 2, {1, 2});
}

/// Those of a stage: a solve lies between two, of rows and of scalars.
static unsigned chainedProducts(const ChunkStage &stage) {
  return 1 + (stage.solved.empty() ? 0 : 2) + (stage.scalars.empty() ? 0 : 2);
}

/// Products that need the carried state one after the other.
static std::string serialSteps(const Context &context) {
  rec::ProgramOp program = context.normal;
  unsigned products = 0;
  std::vector<std::string> slow;
  for (Operation &op : program.getBody().front()) {
    if (auto stage = dyn_cast<rec::StageOp>(op))
      products += chainedProducts(ChunkStage(stage));
    else if (auto sequential = dyn_cast<rec::SequentialOp>(op))
      for (StringAttr name : rec::stringsOf(sequential.getStates()))
        slow.push_back(name.str());
  }
  std::string text;
  if (products)
    text = "T / " + std::to_string(context.tokens()) + " chunks, each " +
           (products == 1
                ? "one product"
                : "a chain of " + std::to_string(products) + " products") +
           " with the carried state";
  if (!slow.empty())
    text += (text.empty() ? "" : "; ") + std::string("T steps for ") +
            enumerate(slow);
  return text.empty() ? "none: tokens are independent" : text;
}

/// Bytes that cross the boundary for one token of one head.
static double trafficOf(const Context &context) {
  double bytes = 0;
  for (const auto *list : {&context.program.inputs, &context.program.outputs})
    for (const Declaration &declaration : *list)
      if (declaration.sharing == Sharing::Head)
        bytes += double(byteSize(context.program, declaration));
  return bytes;
}

std::string describeWork(const Context &context) {
  Work work = workOfChunks(context.chunk);
  std::string text = "\nOperations per token and head\n";
  text += partTable(work, workOfTokens(context.normal));
  text +=
      wrap("Products are counted dense over the chunk; a function such as exp "
           "counts one.",
           "  ", 2);
  double bytes = trafficOf(context);
  if (bytes > 0 && context.isLast)
    text +=
        wrap(byteCount(int64_t(bytes)) + " per token and head in and out: " +
                 ratio(work.total() / bytes) + " operations a byte.",
             "  Memory: ", 10);
  text += wrap(serialSteps(context) + ".", "  Serial: ", 10);
  return text;
}

} // namespace trowel::explaining
