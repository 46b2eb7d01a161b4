// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Phases.h"

#include "codegen/CPU/View.h"
#include "passes/Chunk/Segments.h"
#include "passes/Chunk/Slices.h"

#include <numeric>

using namespace mlir;

namespace trowel::library {

std::vector<OwningOpRef<ModuleOp>> splitPrograms(ModuleOp module) {
  std::vector<OwningOpRef<ModuleOp>> modules;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    modules.push_back(ModuleOp::create(program.getLoc()));
    modules.back()->push_back(program->clone());
  }
  return modules;
}

CompiledPhase beginPhase(ModuleOp single) {
  chunk::ProgramOp program = *single.getOps<chunk::ProgramOp>().begin();
  CompiledPhase phase;
  phase.chunkTokens = program.getTokens();
  phase.divisions.push_back({1, workOf(program), {}, {}});
  if (program->hasAttr("backward") || program->hasAttr("beginning"))
    return phase;
  phase.reductions = headReductions(program);
  if (program->hasAttr("saves"))
    return phase;
  // Whole vectors of columns, so that all are computed as in the whole.
  auto slices = addSlices(single, cpu::lanes);
  for (const Slice &slice : slices)
    phase.divisions.push_back({slice.parts, workOf(slice.program), {}, {}});
  if (slices.empty() || !hasLinearColumns(program, slices.back().axis))
    return phase;
  const Slice &last = slices.back();
  if (chunk::ProgramOp map = addColumnMap(program, last.program, last.axis))
    phase.map = {rec::AxisOrder::around(map).size(last.axis), workOf(map), {}};
  return phase;
}

/// The first axis along which a slice has less than the whole; -1 if none.
static int64_t dividedAxis(const std::vector<int64_t> &whole,
                           const std::vector<int64_t> &slice) {
  for (size_t i = 0; i < whole.size(); ++i)
    if (whole[i] != slice[i])
      return static_cast<int64_t>(i);
  return -1;
}

static std::vector<CarriedInfo> carriedBy(const cpu::Interface &whole,
                                          const cpu::Interface &slice) {
  std::vector<CarriedInfo> list;
  for (size_t i = 0; i < whole.carried.size(); ++i) {
    const std::vector<int64_t> &sizes = slice.carried[i].sizes;
    int64_t axis = dividedAxis(whole.carried[i].sizes, sizes);
    auto middle = sizes.begin() + std::max<int64_t>(axis, 0);
    auto product = [](auto begin, auto end) {
      return std::accumulate(begin, end, int64_t(1), std::multiplies<>());
    };
    list.push_back({whole.carried[i].offset, slice.carried[i].offset,
                    product(sizes.begin(), middle),
                    product(middle, sizes.end()) * 4, axis >= 0});
  }
  return list;
}

void addCode(CompiledPhase &phase, const std::vector<cpu::Interface> &programs,
             llvm::ArrayRef<TrowelKernel *> entries) {
  const cpu::Interface &whole = programs.front();
  phase.arguments = whole.arguments;
  phase.carryBytes = whole.carryBytes;
  phase.savedBytes = whole.savedBytes;
  phase.columns.clear();
  const cpu::Interface &smallest = programs[phase.divisions.size() - 1];
  for (size_t i = 0; i < whole.arguments.size(); ++i)
    phase.columns.push_back(
        dividedAxis(whole.arguments[i].sizes, smallest.arguments[i].sizes));
  for (size_t i = 0; i < phase.divisions.size(); ++i) {
    phase.divisions[i].codes.push_back(
        {entries[i], programs[i].workspaceBytes});
    phase.divisions[i].carried = carriedBy(whole, programs[i]);
  }
  if (phase.map)
    phase.map->codes.push_back(
        {entries.back(), programs.back().workspaceBytes});
}

CompiledPhase devicePhase(ModuleOp single, const cpu::Interface &interface) {
  chunk::ProgramOp program = *single.getOps<chunk::ProgramOp>().begin();
  CompiledPhase phase;
  phase.chunkTokens = program.getTokens();
  phase.divisions.push_back({1, workOf(program), {}, {}});
  addCode(phase, {interface}, {nullptr});
  return phase;
}

llvm::Error checkInterface(const CompiledPhase &phase,
                           const cpu::Interface &interface) {
  auto same = [](const cpu::Argument &a, const cpu::Argument &b) {
    return a.role == b.role && a.name == b.name && a.sizes == b.sizes;
  };
  std::vector<CarriedInfo> carried = carriedBy(interface, interface);
  auto sameBytes = [](const CarriedInfo &a, const CarriedInfo &b) {
    return a.whole == b.whole && a.rowBytes == b.rowBytes;
  };
  if (interface.carryBytes != phase.carryBytes ||
      !llvm::equal(carried, phase.divisions.front().carried, sameBytes) ||
      !llvm::equal(interface.arguments, phase.arguments, same))
    return llvm::createStringError(
        "code for one program is called in several ways");
  return llvm::Error::success();
}

llvm::Error addStep(CompiledPhase &phase, const cpu::Interface &interface,
                    TrowelKernel *entry) {
  if (llvm::Error error = checkInterface(phase, interface))
    return error;
  phase.step.codes.push_back({entry, interface.workspaceBytes});
  phase.step.carried = carriedBy(interface, interface);
  return llvm::Error::success();
}

} // namespace trowel::library
