// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/Compile.h"

#include "codegen/CUDA/Emulated.h"
#include "codegen/CUDA/Kernels.h"
#include "codegen/CUDA/Ptx.h"
#include "codegen/Library/Phases.h"
#include "dialect/Chunk/Chunk.h"
#include "frontend/MLIRGen/MLIRGen.h"
#include "tools/trowel/Messages.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace trowel::tool {

Compiler::Compiler(Timings &timings)
    : times(timings), context(MLIRContext::Threading::DISABLED) {
  // Whatever MLIR says is about our IR, not about the user's program.
  context.getDiagEngine().registerHandler(
      [](mlir::Diagnostic &) { return success(); });
  context.loadDialect<rec::RecDialect, chunk::ChunkDialect>();
}

OwningOpRef<ModuleOp> Compiler::lower(const Loaded &loaded, Level level,
                                      int64_t tokens, int64_t rows) {
  auto run = [&](const char *phase, const char *doing, ModuleOp module,
                 auto addPasses) {
    PassManager manager(&context);
    addPasses(manager);
    if (times.measure(phase, [&] { return failed(manager.run(module)); }))
      internalError(std::string(doing) + " of `" + loaded.program.name +
                    "` failed");
  };
  OwningOpRef<ModuleOp> module = times.measure("mlirgen", [&] {
    return generate(context, loaded.program, loaded.source.name);
  });
  if (level == Level::Rec)
    return module;
  run("normalise", "deriving the normal form", *module,
      [](PassManager &manager) { addNormalise(manager); });
  if (level == Level::NormalForm)
    return module;
  run("chunk", "deriving the chunk program", *module,
      [&](PassManager &manager) { addChunk(manager, tokens, rows); });
  return module;
}

OwningOpRef<ModuleOp> Compiler::differentiate(const Loaded &loaded,
                                              int64_t tokens,
                                              trowel::Diagnostic &why) {
  OwningOpRef<ModuleOp> module = lower(loaded, Level::NormalForm);
  // What it refuses is about the user's program.
  ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &refusal) {
    why.message = refusal.str();
    why.location = sourceLocation(refusal.getLocation());
    return success();
  });
  PassManager manager(&context);
  addDifferentiate(manager);
  addChunk(manager, tokens);
  if (times.measure("gradient", [&] { return failed(manager.run(*module)); }))
    return {};
  return module;
}

/// The target names the operation that it does not do; anything else is an
/// error of ours.
static trowel::Diagnostic explainRefusal(const Loaded &loaded,
                                         llvm::Error error,
                                         const std::string &where = "the CPU") {
  std::string text = llvm::toString(std::move(error));
  llvm::StringRef start(text);
  if (!start.starts_with("rec.") && !start.starts_with("chunk."))
    internalError("compiling `" + loaded.program.name + "` for " + where +
                  " failed: " + text);
  trowel::Diagnostic why;
  why.message = "`" + loaded.program.name + "` does not run on " + where +
                " yet: " + text;
  why.help = where == "the CPU"
                 ? "`trowel run --meaning` runs the program in float64"
                 : "`--target cpu` makes code of the CPU alone";
  return why;
}

std::unique_ptr<library::InProcess>
Compiler::compileCpu(const Loaded &loaded, trowel::Diagnostic &why,
                     bool gradient) {
  OwningOpRef<ModuleOp> module = lower(loaded, Level::Chunk), backward;
  if (gradient && !(backward = differentiate(loaded, 0, why)))
    return nullptr;
  cpu::Timings timings;
  auto library = library::InProcess::create(loaded.program, *module, {},
                                            &timings, {}, backward.get());
  for (const cpu::Timing &timing : timings)
    times.add(timing.name, timing.milliseconds);
  if (library)
    return std::move(*library);
  why = explainRefusal(loaded, library.takeError());
  return nullptr;
}

std::unique_ptr<library::InProcess>
Compiler::compileEmulated(const Loaded &loaded, trowel::Diagnostic &why) {
  OwningOpRef<ModuleOp> module =
      lower(loaded, Level::Chunk, 0, cuda::mostChunkRows);
  auto library = times.measure("compile", [&] {
    return library::InProcess::create(
        loaded.program, *module,
        [](ModuleOp single) { return cuda::compileForEmulator(single); });
  });
  if (library)
    return std::move(*library);
  why = explainRefusal(loaded, library.takeError(), "a GPU");
  return nullptr;
}

std::optional<library::Built> Compiler::build(const Loaded &loaded,
                                              const library::Targets &targets,
                                              bool gradient,
                                              trowel::Diagnostic &why) {
  OwningOpRef<ModuleOp> module = lower(loaded, Level::Chunk), backward;
  OwningOpRef<ModuleOp> step = lower(loaded, Level::Chunk, 1), device;
  if (!targets.chips.empty())
    device = lower(loaded, Level::Chunk, 0, cuda::mostChunkRows);
  if (gradient)
    backward = differentiate(loaded, 0, why);
  auto built = times.measure("compile", [&] {
    return library::build(loaded.program, *module, *step, backward.get(),
                          device.get(), targets, TROWEL_VERSION);
  });
  if (built)
    return std::move(*built);
  why = explainRefusal(loaded, built.takeError(),
                       targets.chips.empty() ? "the CPU" : "a GPU");
  return std::nullopt;
}

std::optional<std::string> Compiler::emitLlvm(const Loaded &loaded,
                                              trowel::Diagnostic &why) {
  OwningOpRef<ModuleOp> module = lower(loaded, Level::Chunk);
  std::string all;
  for (OwningOpRef<ModuleOp> &single : library::splitPrograms(*module)) {
    auto text = times.measure("llvm", [&] { return cpu::emitLlvmIr(*single); });
    if (!text) {
      why = explainRefusal(loaded, text.takeError());
      return std::nullopt;
    }
    all += *text;
  }
  return all;
}

std::optional<std::string> Compiler::emitPtx(const Loaded &loaded,
                                             trowel::Diagnostic &why) {
  OwningOpRef<ModuleOp> module =
      lower(loaded, Level::Chunk, 0, cuda::mostChunkRows);
  OwningOpRef<ModuleOp> step = lower(loaded, Level::Chunk, 1);
  auto text = times.measure("ptx", [&]() -> llvm::Expected<std::string> {
    auto kernels = library::emitDeviceKernels(*module, *step);
    if (!kernels)
      return kernels.takeError();
    auto ptx = cuda::emitPtx(*kernels->module);
    if (!ptx)
      return ptx.takeError();
    // How they are launched.
    std::string head;
    for (const cuda::KernelInfo &kernel : kernels->kernels)
      head +=
          ("// " + kernel.name + ": " + Twine(kernel.threads) + " threads, " +
           Twine(kernel.sharedBytes) + " bytes of dynamic shared memory, " +
           Twine(kernel.workspaceBytes) + " of workspace\n")
              .str();
    return head + *ptx;
  });
  if (text)
    return *text;
  why = explainRefusal(loaded, text.takeError(), "a GPU");
  return std::nullopt;
}

/// What messages say of a compile; its time is not the compile's.
Compiler::Derived Compiler::derive(const Loaded &loaded) {
  Timings kept;
  std::swap(times, kept);
  Derived derived;
  derived.states = classify(*lower(loaded, Level::NormalForm));
  OwningOpRef<ModuleOp> module = lower(loaded, Level::Chunk);
  std::swap(times, kept);
  // Programs ahead of the last compute what is reduced over heads.
  for (auto program : module->getOps<chunk::ProgramOp>())
    derived.tokens = program.getTokens();
  return derived;
}

std::string Compiler::describe(const Loaded &loaded) {
  Derived derived = derive(loaded);
  return tool::describe(derived.states) + "; " +
         std::to_string(derived.tokens) + " tokens a chunk";
}

std::string Compiler::describeStates(const Loaded &loaded) {
  Derived derived = derive(loaded);
  std::string text;
  for (const StateInfo &state : derived.states) {
    text += "  " + state.name + ": ";
    if (state.stateClass == StateClass::Chunk)
      text += "matrix products over chunks of " +
              std::to_string(derived.tokens) + " tokens\n";
    else if (state.stateClass == StateClass::Scan)
      text += "scan\n";
    else
      text += "token by token\n";
  }
  return text;
}

std::vector<StateInfo> classify(ModuleOp normalForm) {
  llvm::StringMap<StateClass> classes;
  auto note = [&](ArrayAttr states, StateClass stateClass) {
    for (StringAttr name : states.getAsRange<StringAttr>())
      classes[name.getValue()] = stateClass;
  };
  normalForm.walk(
      [&](rec::StageOp stage) { note(stage.getStates(), StateClass::Chunk); });
  normalForm.walk([&](rec::SequentialOp stage) {
    note(stage.getStates(),
         stage.getScan() ? StateClass::Scan : StateClass::TokenByToken);
  });
  std::vector<StateInfo> states;
  normalForm.walk([&](rec::StateOp state) {
    auto it = classes.find(state.getName());
    if (state.getHidden() || it == classes.end())
      return;
    states.push_back({state.getName().str(), it->second});
    classes.erase(it); // programs of one module may share a state
  });
  return states;
}

std::string describe(const std::vector<StateInfo> &states) {
  const std::pair<StateClass, const char *> classes[] = {
      {StateClass::Chunk, "chunk"},
      {StateClass::Scan, "scan"},
      {StateClass::TokenByToken, "token by token"}};
  std::string text;
  for (auto [stateClass, word] : classes) {
    std::string names;
    for (const StateInfo &state : states)
      if (state.stateClass == stateClass)
        names += (names.empty() ? "" : ", ") + state.name;
    if (!names.empty())
      text += (text.empty() ? "" : "; ") + names + " " + word;
  }
  return text.empty() ? "no state" : text;
}

} // namespace trowel::tool
