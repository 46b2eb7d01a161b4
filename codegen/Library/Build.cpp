// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Build.h"

#include "codegen/CPU/Phases.h"
#include "codegen/Library/Descriptor.h"
#include "codegen/Library/Header.h"

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
                            std::vector<Machine> machines,
                            const std::string &version) {
  Built built;
  std::vector<CompiledPhase> phases;
  for (OwningOpRef<ModuleOp> &single : cpu::splitPrograms(module)) {
    auto number = static_cast<int64_t>(phases.size());
    CompiledPhase &phase = phases.emplace_back();
    chunk::ProgramOp chunks = *single->getOps<chunk::ProgramOp>().begin();
    phase.reductions = headReductions(chunks);
    phase.chunkTokens = chunks.getTokens();
    for (Machine machine : machines) {
      auto object = cpu::emitObject(*single, optionsFor(machine),
                                    codeSymbol(program.name, number, machine));
      if (!object)
        return object.takeError();
      built.objects.push_back(std::move(object->bytes));
      phase.arguments = std::move(object->arguments);
      phase.carryBytes = object->carryBytes;
      phase.codes.push_back({nullptr, object->workspaceBytes});
    }
  }
  Tables tables(program, std::move(phases), std::move(machines));
  built.header = makeHeader(program, tables, version);
  built.description = makeDescription(program, tables, version);
  auto descriptor = emitDescriptor(tables, built.description);
  if (!descriptor)
    return descriptor.takeError();
  built.objects.push_back(std::move(*descriptor));
  return std::move(built);
}

} // namespace trowel::library
