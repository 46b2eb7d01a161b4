// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compilation from a chunk program to code in this process, phase by phase.
#include "codegen/CPU/CPU.h"

#include "codegen/CPU/Emitter.h"
#include "codegen/CPU/Lower.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

#include <chrono>
#include <mutex>

using namespace mlir;

namespace trowel::cpu {

namespace {

/// Adds the time since the last call to the list under a name.
class Stopwatch {
public:
  explicit Stopwatch(Timings *timings) : timings(timings) {}

  void lap(const char *name) {
    Clock::time_point now = Clock::now();
    std::chrono::duration<double, std::milli> passed = now - last;
    if (timings)
      timings->push_back({name, passed.count()});
    last = now;
  }

private:
  using Clock = std::chrono::steady_clock;
  Timings *timings;
  Clock::time_point last = Clock::now();
};

class JitKernel : public Kernel {
public:
  JitKernel(std::vector<Argument> arguments, int64_t workspaceBytes) {
    argumentList = std::move(arguments);
    workspaceSize = workspaceBytes;
  }

  llvm::Error link(llvm::orc::JITTargetMachineBuilder machine,
                   llvm::orc::ThreadSafeModule module) {
    auto made = llvm::orc::LLJITBuilder()
                    .setJITTargetMachineBuilder(std::move(machine))
                    .create();
    if (!made)
      return made.takeError();
    jit = std::move(*made);
    if (llvm::Error failure = jit->addIRModule(std::move(module)))
      return failure;
    auto address = jit->lookup(Emitter::entryName);
    if (!address)
      return address.takeError();
    function = address->toPtr<Entry>();
    return llvm::Error::success();
  }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// The optimised module with what is needed to run it.
struct Compiled {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::vector<Argument> arguments;
  int64_t workspaceBytes = 0;
};

} // namespace

static llvm::Expected<llvm::orc::JITTargetMachineBuilder>
hostMachine(const CpuOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (machine)
    machine->setCodeGenOptLevel(options.optimisation == 0
                                    ? llvm::CodeGenOptLevel::None
                                    : llvm::CodeGenOptLevel::Default);
  return machine;
}

static llvm::Expected<Compiled>
compile(ModuleOp source, const CpuOptions &options,
        llvm::orc::JITTargetMachineBuilder &machineBuilder, Stopwatch &watch) {
  auto programs = source.getOps<chunk::ProgramOp>();
  if (programs.empty() || std::next(programs.begin()) != programs.end())
    return llvm::createStringError("the module must hold one chunk.program");
  chunk::ProgramOp program = *programs.begin();
  loadTargetDialects(*source.getContext());
  OwningOpRef<ModuleOp> target = ModuleOp::create(program.getLoc());
  bool wide = !options.narrow &&
              llvm::StringRef(machineBuilder.getFeatures().getString())
                  .contains("+avx512f");
  Emitter emitter(program, *target, wide);
  if (!emitter.emit())
    return llvm::createStringError(emitter.error);
  watch.lap("emit");
  if (options.verify && failed(mlir::verify(*target)))
    return llvm::createStringError("the emitted code is not valid");
  if (llvm::Error failure = lowerToLlvmDialect(*target))
    return std::move(failure);
  watch.lap("lower");
  auto machine = machineBuilder.createTargetMachine();
  if (!machine)
    return machine.takeError();
  Compiled result;
  result.context = std::make_unique<llvm::LLVMContext>();
  auto module = translateToLlvmIr(*target, *result.context, **machine);
  if (!module)
    return module.takeError();
  result.module = std::move(*module);
  watch.lap("translate");
  optimise(*result.module, **machine, options.optimisation);
  watch.lap("optimise");
  result.arguments = std::move(emitter.arguments);
  result.workspaceBytes = emitter.workspaceBytes();
  return std::move(result);
}

llvm::Expected<std::unique_ptr<Kernel>>
compileForCpu(ModuleOp module, const CpuOptions &options, Timings *timings) {
  Stopwatch watch(timings);
  auto machine = hostMachine(options);
  if (!machine)
    return machine.takeError();
  auto compiled = compile(module, options, *machine, watch);
  if (!compiled)
    return compiled.takeError();
  auto kernel = std::make_unique<JitKernel>(std::move(compiled->arguments),
                                            compiled->workspaceBytes);
  llvm::orc::ThreadSafeModule code(std::move(compiled->module),
                                   std::move(compiled->context));
  if (llvm::Error failure = kernel->link(std::move(*machine), std::move(code)))
    return std::move(failure);
  watch.lap("generate code");
  return std::move(kernel);
}

llvm::Expected<std::string> emitLlvmIr(ModuleOp module,
                                       const CpuOptions &options) {
  Stopwatch watch(nullptr);
  auto machine = hostMachine(options);
  if (!machine)
    return machine.takeError();
  auto compiled = compile(module, options, *machine, watch);
  if (!compiled)
    return compiled.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  compiled->module->print(stream, nullptr);
  return text;
}

} // namespace trowel::cpu
