// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Build.h"

#include "codegen/Library/Descriptor.h"
#include "codegen/Library/GradientPhases.h"
#include "codegen/Library/Header.h"
#include "codegen/Library/Phases.h"

using namespace mlir;

namespace trowel::library {

static cpu::CpuOptions optionsFor(Machine machine) {
  cpu::CpuOptions options;
  switch (machine) {
  case Machine::Host:
    options.machine = cpu::Machine::Host;
    break;
  case Machine::Avx2:
    options.machine = cpu::Machine::Avx2;
    break;
  case Machine::Avx512:
    options.machine = cpu::Machine::Avx512;
    break;
  }
  return options;
}

/// Puts a phase's code for a machine among the objects.
static llvm::Error addObject(Built &built, ModuleOp single,
                             CompiledPhase &phase, Machine machine,
                             const std::string &symbol) {
  auto object = cpu::emitObject(single, optionsFor(machine), symbol);
  if (!object)
    return object.takeError();
  built.objects.push_back(std::move(object->bytes));
  addCode(phase, object->programs,
          std::vector<TrowelKernel *>(object->programs.size()));
  return llvm::Error::success();
}

/// A program with kernels is a single phase.
static llvm::Error checkKernels(const DeviceKernels &kernels,
                                const CompiledPhase &phase) {
  if (llvm::Error error = checkInterface(phase, kernels.forward.interface))
    return error;
  return checkInterface(phase, kernels.step.interface);
}

llvm::Expected<Built> build(const Program &program, ModuleOp module,
                            ModuleOp step, ModuleOp gradient, ModuleOp device,
                            const Targets &targets,
                            const std::string &version) {
  Built built;
  const std::vector<Machine> &machines = targets.machines;
  std::vector<CompiledPhase> phases, gradientPhases;
  std::optional<DeviceKernels> kernels;
  if (!targets.chips.empty()) {
    auto compiled = compileForDevice(device, step, targets.chips);
    if (!compiled)
      return compiled.takeError();
    kernels = std::move(*compiled);
  }
  std::vector<OwningOpRef<ModuleOp>> singles = splitPrograms(module),
                                     steps = splitPrograms(step);
  if (machines.empty()) {
    phases.push_back(devicePhase(module, kernels->forward.interface));
    singles.clear();
  }
  for (size_t i = 0; i < singles.size(); ++i) {
    auto number = static_cast<int64_t>(i);
    CompiledPhase &phase = phases.emplace_back(beginPhase(*singles[i]));
    auto symbol = [&](Machine machine, bool isStep) {
      return codeSymbol(program.name, Direction::Forward, number, machine,
                        isStep);
    };
    for (Machine machine : machines) {
      if (llvm::Error error = addObject(built, *singles[i], phase, machine,
                                        symbol(machine, false)))
        return std::move(error);
      auto token = cpu::emitObject(*steps[i], optionsFor(machine),
                                   symbol(machine, true));
      if (!token)
        return token.takeError();
      built.objects.push_back(std::move(token->bytes));
      if (llvm::Error error = addStep(phase, token->programs.front(), nullptr))
        return std::move(error);
    }
  }
  if (kernels)
    if (llvm::Error error = checkKernels(*kernels, phases.front()))
      return std::move(error);
  bool hasGradient = static_cast<bool>(gradient);
  for (GradientPhase &part :
       hasGradient ? splitGradient(gradient) : std::vector<GradientPhase>()) {
    auto number = static_cast<int64_t>(gradientPhases.size());
    for (Machine machine : machines)
      if (llvm::Error error = addObject(
              built, *part.module, part.phase, machine,
              codeSymbol(program.name, Direction::Backward, number, machine)))
        return std::move(error);
    gradientPhases.push_back(std::move(part.phase));
  }
  built.tables = std::make_unique<Tables>(program, std::move(phases), machines,
                                          Direction::Forward, hasGradient);
  if (kernels)
    built.tables->addKernels(std::move(*kernels));
  std::unique_ptr<Tables> backward;
  if (hasGradient)
    backward =
        std::make_unique<Tables>(program, std::move(gradientPhases), machines,
                                 Direction::Backward, hasGradient);
  built.header = makeHeader(program, *built.tables, version);
  built.description = makeDescription(program, *built.tables, version);
  auto descriptor =
      emitDescriptor(*built.tables, backward.get(), built.description);
  if (!descriptor)
    return descriptor.takeError();
  built.objects.push_back(std::move(*descriptor));
  return std::move(built);
}

} // namespace trowel::library
