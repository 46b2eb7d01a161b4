// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Build.h"

#include "codegen/Library/Descriptor.h"
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

llvm::Expected<Built> build(const Program &program, ModuleOp module,
                            ModuleOp step, std::vector<Machine> machines,
                            const std::string &version) {
  Built built;
  std::vector<CompiledPhase> phases;
  std::vector<OwningOpRef<ModuleOp>> singles = splitPrograms(module),
                                     steps = splitPrograms(step);
  for (size_t i = 0; i < singles.size(); ++i) {
    auto number = static_cast<int64_t>(i);
    CompiledPhase &phase = phases.emplace_back(beginPhase(*singles[i]));
    for (Machine machine : machines) {
      auto object = cpu::emitObject(*singles[i], optionsFor(machine),
                                    codeSymbol(program.name, number, machine));
      if (!object)
        return object.takeError();
      built.objects.push_back(std::move(object->bytes));
      addCode(phase, object->programs,
              std::vector<TrowelKernel *>(object->programs.size()));
      auto token =
          cpu::emitObject(*steps[i], optionsFor(machine),
                          codeSymbol(program.name, number, machine, true));
      if (!token)
        return token.takeError();
      built.objects.push_back(std::move(token->bytes));
      if (llvm::Error error = addStep(phase, token->programs.front(), nullptr))
        return std::move(error);
    }
  }
  built.tables =
      std::make_unique<Tables>(program, std::move(phases), std::move(machines));
  built.header = makeHeader(program, *built.tables, version);
  built.description = makeDescription(program, *built.tables, version);
  auto descriptor = emitDescriptor(*built.tables, built.description);
  if (!descriptor)
    return descriptor.takeError();
  built.objects.push_back(std::move(*descriptor));
  return std::move(built);
}

} // namespace trowel::library
