// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compilation from a chunk program to code, phase by phase.
#include "codegen/CPU/CPU.h"

#include "codegen/CPU/Emitter.h"
#include "codegen/CPU/Lower.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/TargetSelect.h"

#include <mutex>

using namespace mlir;

namespace trowel::cpu {

using codegen::Stopwatch;

namespace {

constexpr llvm::StringLiteral entryName = "trowel_entry";

class JitKernel : public Kernel {
public:
  explicit JitKernel(std::vector<Interface> programs) {
    interfaces = std::move(programs);
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
    for (size_t i = 0; i < interfaces.size(); ++i) {
      auto address = jit->lookup(entrySymbol(entryName, i));
      if (!address)
        return address.takeError();
      functions.push_back(address->toPtr<TrowelKernel *>());
    }
    return llvm::Error::success();
  }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// The optimised module with what is needed to run it.
struct Compiled {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::vector<Interface> programs;
};

} // namespace

int64_t Argument::strideCount() const {
  auto outer = std::max<int64_t>(static_cast<int64_t>(sizes.size()) - 1, 0);
  switch (role) {
  case Role::Input:
  case Role::Output:
    return 1 + outer;
  case Role::Param:
    return outer;
  case Role::InitialState:
  case Role::FinalState:
  case Role::Total:
  case Role::Saved:
    return 0;
  }
  llvm_unreachable("all roles are listed");
}

int64_t Argument::elementBytes() const {
  return isState() ? 4 : bytesOf(dtype);
}

using MachineBuilder = llvm::orc::JITTargetMachineBuilder;

static llvm::Expected<MachineBuilder> machineFor(const CpuOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto builder = MachineBuilder::detectHost();
  if (!builder)
    return builder;
  if (options.machine != Machine::Host) {
    if (!builder->getTargetTriple().isX86_64())
      return llvm::createStringError("the machine is not an x86-64");
    builder->getFeatures() = llvm::SubtargetFeatures();
    builder->setCPU(options.machine == Machine::Avx2 ? "x86-64-v3"
                                                     : "x86-64-v4");
  }
  builder->setRelocationModel(llvm::Reloc::PIC_);
  builder->setCodeModel(llvm::CodeModel::Small);
  builder->setCodeGenOptLevel(options.optimisation == 0
                                  ? llvm::CodeGenOptLevel::None
                                  : llvm::CodeGenOptLevel::Default);
  return builder;
}

/// What the levels of x86-64 add that this code profits from.
static bool hasFeatures(const llvm::TargetMachine &machine, Machine kind) {
  if (kind == Machine::Host)
    return true;
  const char *features = kind == Machine::Avx2
                             ? "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"
                             : "+avx512f,+avx512bw,+avx512cd,+avx512dq,"
                               "+avx512vl,+avx2,+fma,+f16c,+bmi,+bmi2";
  return machine.getMCSubtargetInfo()->checkFeatures(features);
}

static llvm::Expected<Compiled> compile(ModuleOp source,
                                        const CpuOptions &options,
                                        MachineBuilder &builder,
                                        Stopwatch &watch) {
  auto programs = source.getOps<chunk::ProgramOp>();
  if (programs.empty())
    return llvm::createStringError("the module must hold a chunk.program");
  auto machine = builder.createTargetMachine();
  if (!machine)
    return machine.takeError();
  loadTargetDialects(*source.getContext());
  OwningOpRef<ModuleOp> target = ModuleOp::create(source.getLoc());
  bool wide = !options.narrow && hasFeatures(**machine, Machine::Avx512);
  Compiled result;
  bool singleTokens = llvm::all_of(
      programs, [](chunk::ProgramOp x) { return x.getTokens() == 1; });
  Output output(*target, wide, singleTokens);
  for (chunk::ProgramOp program : programs) {
    Emitter emitter(program, output,
                    entrySymbol(entryName, result.programs.size()));
    if (!emitter.emit())
      return llvm::createStringError(emitter.error);
    result.programs.push_back(emitter.interface());
  }
  watch.lap("emit");
  if (options.verify && failed(mlir::verify(*target)))
    return llvm::createStringError("the emitted code is not valid");
  if (llvm::Error failure = lowerToLlvmDialect(*target))
    return std::move(failure);
  watch.lap("lower");
  result.context = std::make_unique<llvm::LLVMContext>();
  auto module = translateToLlvmIr(*target, *result.context, **machine);
  if (!module)
    return module.takeError();
  result.module = std::move(*module);
  watch.lap("translate");
  optimise(*result.module, **machine, options.optimisation);
  watch.lap("optimise");
  result.machine = std::move(*machine);
  return std::move(result);
}

static llvm::Expected<Compiled> compile(ModuleOp source,
                                        const CpuOptions &options) {
  Stopwatch watch(nullptr);
  auto builder = machineFor(options);
  if (!builder)
    return builder.takeError();
  return compile(source, options, *builder, watch);
}

bool runsHere(Machine machine) {
  auto host = machineFor({});
  if (!host) {
    llvm::consumeError(host.takeError());
    return false;
  }
  auto here = host->createTargetMachine();
  if (!here) {
    llvm::consumeError(here.takeError());
    return false;
  }
  return hasFeatures(**here, machine);
}

llvm::Expected<std::unique_ptr<Kernel>>
compileForCpu(ModuleOp module, const CpuOptions &options, Timings *timings) {
  Stopwatch watch(timings);
  auto builder = machineFor(options);
  if (!builder)
    return builder.takeError();
  if (!runsHere(options.machine))
    return llvm::createStringError("this machine lacks the instructions");
  auto compiled = compile(module, options, *builder, watch);
  if (!compiled)
    return compiled.takeError();
  auto kernel = std::make_unique<JitKernel>(std::move(compiled->programs));
  llvm::orc::ThreadSafeModule code(std::move(compiled->module),
                                   std::move(compiled->context));
  if (llvm::Error failure = kernel->link(std::move(*builder), std::move(code)))
    return std::move(failure);
  watch.lap("generate code");
  return std::move(kernel);
}

std::string entrySymbol(llvm::StringRef symbol, size_t program) {
  return program == 0 ? symbol.str() : (symbol + "." + Twine(program)).str();
}

llvm::Expected<Object> emitObject(ModuleOp module, const CpuOptions &options,
                                  llvm::StringRef symbol) {
  auto compiled = compile(module, options);
  if (!compiled)
    return compiled.takeError();
  for (size_t i = 0; i < compiled->programs.size(); ++i) {
    llvm::Function *entry =
        compiled->module->getFunction(entrySymbol(entryName, i));
    entry->setName(entrySymbol(symbol, i));
    entry->setVisibility(llvm::GlobalValue::HiddenVisibility);
  }
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (compiled->machine->addPassesToEmitFile(passes, stream, nullptr,
                                             llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("the machine has no object files");
  passes.run(*compiled->module);
  return Object{bytes.str().str(), std::move(compiled->programs)};
}

llvm::Expected<std::string> emitLlvmIr(ModuleOp module,
                                       const CpuOptions &options) {
  auto compiled = compile(module, options);
  if (!compiled)
    return compiled.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  compiled->module->print(stream, nullptr);
  return text;
}

} // namespace trowel::cpu
