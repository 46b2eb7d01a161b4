// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/InProcess.h"

#include "codegen/Library/GradientPhases.h"
#include "codegen/Library/Phases.h"
#include "runtime/Library/Library.h"

using namespace mlir;

namespace trowel::library {

llvm::Expected<std::unique_ptr<InProcess>>
InProcess::create(const Program &program, ModuleOp module,
                  const cpu::CpuOptions &options, cpu::Timings *timings,
                  ModuleOp step, ModuleOp gradient) {
  return create(
      program, module,
      [&](ModuleOp single) {
        return cpu::compileForCpu(single, options, timings);
      },
      step, gradient);
}

llvm::Expected<std::unique_ptr<InProcess>>
InProcess::create(const Program &program, ModuleOp module, Compile compileOne,
                  ModuleOp step, ModuleOp gradient) {
  auto library = std::make_unique<InProcess>();
  std::vector<CompiledPhase> phases;
  auto compile = [&](ModuleOp single) -> llvm::Expected<cpu::Kernel *> {
    auto kernel = compileOne(single);
    if (!kernel)
      return kernel.takeError();
    library->kernels.push_back(std::move(*kernel));
    return library->kernels.back().get();
  };
  for (OwningOpRef<ModuleOp> &single : splitPrograms(module)) {
    CompiledPhase &phase = phases.emplace_back(beginPhase(*single));
    auto kernel = compile(*single);
    if (!kernel)
      return kernel.takeError();
    addCode(phase, (*kernel)->programs(), (*kernel)->entries());
  }
  auto phase = phases.begin();
  for (OwningOpRef<ModuleOp> &single :
       step ? splitPrograms(step) : std::vector<OwningOpRef<ModuleOp>>()) {
    auto kernel = compile(*single);
    if (!kernel)
      return kernel.takeError();
    if (llvm::Error error = addStep(*phase++, (*kernel)->programs().front(),
                                    (*kernel)->entry()))
      return std::move(error);
  }
  std::vector<Machine> machines{Machine::Host};
  bool hasGradient = static_cast<bool>(gradient);
  library->content = std::make_unique<Tables>(
      program, std::move(phases), machines, Direction::Forward, hasGradient);
  if (!hasGradient)
    return std::move(library);
  std::vector<CompiledPhase> gradientPhases;
  for (GradientPhase &part : splitGradient(gradient)) {
    auto kernel = compile(*part.module);
    if (!kernel)
      return kernel.takeError();
    addCode(part.phase, (*kernel)->programs(), (*kernel)->entries());
    gradientPhases.push_back(std::move(part.phase));
  }
  library->gradient =
      std::make_unique<Tables>(program, std::move(gradientPhases), machines,
                               Direction::Backward, hasGradient);
  return std::move(library);
}

int32_t InProcess::forward(const trowel_call &call) const {
  return trowel_library_forward(&content->info(), &call);
}

int32_t InProcess::step(const trowel_call &call) const {
  return trowel_library_step(&content->info(), &call);
}

int32_t InProcess::verify(const trowel_call &call) const {
  return trowel_library_verify(&content->info(), &call);
}

int32_t InProcess::commit(const trowel_call &call) const {
  return trowel_library_commit(&content->info(), &call);
}

int32_t InProcess::backward(const trowel_call &call) const {
  return trowel_library_backward(&gradient->info(), &call);
}

int32_t InProcess::callBackward(const Batch &batch, const TensorMap &arguments,
                                const TensorMap &seeds,
                                const CallOptions &options,
                                CallResults &results) const {
  TensorMap all = arguments;
  all.insert(seeds.begin(), seeds.end());
  return library::call([&](const trowel_call &raw) { return backward(raw); },
                       *gradient, batch, all, options, results);
}

int32_t InProcess::call(const Batch &batch, const TensorMap &arguments,
                        const CallOptions &options,
                        CallResults &results) const {
  return library::call([&](const trowel_call &raw) { return forward(raw); },
                       tables(), batch, arguments, options, results);
}

std::string InProcess::failure() const {
  for (const auto &kernel : kernels)
    if (std::string text = kernel->failure(); !text.empty())
      return text;
  return {};
}

const char *InProcess::lastError() const { return trowel_library_last_error(); }

} // namespace trowel::library
