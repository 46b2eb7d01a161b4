// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of NVVM that have no intrinsic become inline assembly, the
// module becomes LLVM IR, and LLVM's NVPTX target writes it as text.
#include "codegen/CUDA/Ptx.h"

#include "codegen/LlvmPasses.h"

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"

#include <mutex>

using namespace mlir;

// LLVM's headers name these for the host's target alone.
extern "C" void LLVMInitializeNVPTXTargetInfo();
extern "C" void LLVMInitializeNVPTXTarget();
extern "C" void LLVMInitializeNVPTXTargetMC();
extern "C" void LLVMInitializeNVPTXAsmPrinter();

namespace trowel::cuda {
namespace {

/// Collects the errors of MLIR and LLVM: the caller shows them, and LLVM's own
/// handler would end the process.
class Messages {
public:
  Messages(MLIRContext *context, llvm::LLVMContext &llvmContext)
      : handler(context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
            return failure();
          add(diagnostic.str());
          return success();
        }) {
    llvmContext.setDiagnosticHandlerCallBack(take, this);
  }

  bool any() const { return !text.empty(); }
  llvm::Error error(const llvm::Twine &what) const {
    return llvm::createStringError(what + text);
  }

private:
  void add(llvm::StringRef message) { text += (": " + message).str(); }

  static void take(const llvm::DiagnosticInfo *info, void *self) {
    if (info->getSeverity() != llvm::DS_Error)
      return;
    std::string message;
    llvm::raw_string_ostream stream(message);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info->print(printer);
    static_cast<Messages *>(self)->add(message);
  }

  std::string text;
  ScopedDiagnosticHandler handler;
};

using Machine = std::unique_ptr<llvm::TargetMachine>;

llvm::Expected<Machine> machineFor(const PtxOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError(message);
  std::unique_ptr<llvm::MCSubtargetInfo> chips(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!chips->isCPUStringValid(options.chip))
    return llvm::createStringError("there is no chip `" + options.chip + "`");
  return Machine(target->createTargetMachine(
      triple, options.chip, options.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

void loadDialects(MLIRContext &context) {
  registerBuiltinDialectTranslation(context);
  registerLLVMDialectTranslation(context);
  registerNVVMDialectTranslation(context);
  context.loadDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
}

/// What all threads of a warp must execute together can be in any inline
/// assembly, and MLIR's operation cannot say so. LLVM would copy it into both
/// sides of a branch that threads take differently.
void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction))
        if (call->isInlineAsm())
          call->setConvergent();
}

void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  // Kernels are long rows of loops: what the next level adds costs time and
  // registers, and wins nothing.
  codegen::runPasses(module, machine, [](llvm::PassBuilder &builder) {
    return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1);
  });
}

/// Empty if the target cannot write text.
std::string print(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  llvm::CodeGenFileType::AssemblyFile))
    return "";
  passes.run(module);
  return text.str().str();
}

} // namespace

llvm::Expected<std::string> emitPtx(ModuleOp source, const PtxOptions &options,
                                    codegen::Timings *timings) {
  codegen::Stopwatch watch(timings);
  auto machine = machineFor(options);
  if (!machine)
    return machine.takeError();
  MLIRContext *context = source.getContext();
  loadDialects(*context);
  llvm::LLVMContext llvmContext;
  Messages messages(context, llvmContext);
  if (options.verify && failed(mlir::verify(source)))
    return messages.error("the kernels are not valid");

  OwningOpRef<ModuleOp> target = source.clone();
  PassManager passes(context);
  passes.enableVerifier(options.verify);
  passes.addPass(createConvertNVVMToLLVMPass());
  if (failed(passes.run(*target)))
    return messages.error("the kernels could not be lowered to LLVM");
  watch.lap("lower");
  std::unique_ptr<llvm::Module> module =
      translateModuleToLLVMIR(*target, llvmContext, "trowel");
  if (!module)
    return messages.error("the kernels could not be translated to LLVM IR");
  module->setTargetTriple((*machine)->getTargetTriple());
  module->setDataLayout((*machine)->createDataLayout());
  if (!options.leaveAsmUnmarked)
    markConvergent(*module);
  watch.lap("translate");
  optimise(*module, **machine);
  watch.lap("optimise");
  std::string text = print(*module, **machine);
  if (messages.any() || text.empty())
    return messages.error("LLVM could not write the kernels as PTX");
  watch.lap("generate code");
  return text;
}

} // namespace trowel::cuda
