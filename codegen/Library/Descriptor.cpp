// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime's structs hold numbers and addresses of 8 bytes each: here they
// are written field by field.
#include "codegen/Library/Descriptor.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace trowel::library {
namespace {

using llvm::Constant;
using Fields = std::vector<Constant *>;

class Writer {
public:
  explicit Writer(llvm::Module &module)
      : module(module), context(module.getContext()), builder(context) {}

  void write(const Tables &tables, const Tables *gradient,
             const std::string &description);

private:
  Constant *programTable(const Tables &tables);
  template <typename T> Constant *number(T value) {
    return builder.getInt64(static_cast<uint64_t>(value));
  }
  Constant *text(const char *text);
  /// The address of a constant array of `rows`, null if there are none.
  Constant *table(const std::vector<Fields> &rows);
  Constant *numbers(const int64_t *list, int64_t count);
  Constant *machines(const ProgramInfo &info);
  Constant *tensors(const ProgramInfo &info);
  Constant *betweens(const ProgramInfo &info);
  Constant *sums(const ProgramInfo &info);
  Constant *saved(const ProgramInfo &info);
  Constant *phases(const ProgramInfo &info);
  Constant *kernel(const KernelInfo &info);
  /// The address of the bytes, with a zero behind them; null if there are none.
  Constant *image(llvm::StringRef bytes);
  Constant *device(const DeviceCode &code, const DeviceKernels &kernels);
  Constant *arguments(const PhaseInfo &phase);
  Fields division(const ProgramInfo &info, const DivisionInfo &division,
                  const std::function<std::string(Machine)> &symbol);
  Constant *divisions(const ProgramInfo &info, int64_t phase);
  Constant *step(const ProgramInfo &info, int64_t phase);
  Constant *carried(const DivisionInfo &division);
  Constant *map(const ProgramInfo &info, int64_t phase);
  Constant *codes(const ProgramInfo &info, const CodeInfo *list,
                  const std::function<std::string(Machine)> &symbol);
  llvm::Function *declare(const std::string &name, llvm::Type *result,
                          llvm::ArrayRef<llvm::Type *> parameters,
                          bool isVisible);
  void forwardTo(const std::string &name, const char *runtime,
                 llvm::ArrayRef<Constant *> tables, unsigned parameters);

  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::IRBuilder<> builder;
  Direction direction = Direction::Forward;
};

Constant *Writer::text(const char *text) {
  return builder.CreateGlobalString(text, "", 0, &module);
}

Constant *Writer::table(const std::vector<Fields> &rows) {
  if (rows.empty())
    return llvm::ConstantPointerNull::get(builder.getPtrTy());
  std::vector<Constant *> structs;
  for (const Fields &fields : rows)
    structs.push_back(llvm::ConstantStruct::getAnon(context, fields));
  auto *type = llvm::ArrayType::get(structs[0]->getType(), structs.size());
  auto *global = new llvm::GlobalVariable(
      module, type, /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage,
      llvm::ConstantArray::get(type, structs));
  global->setAlignment(llvm::Align(8));
  return global;
}

Constant *Writer::numbers(const int64_t *list, int64_t count) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < count; ++i)
    rows.push_back({number(list[i])});
  return table(rows);
}

Constant *Writer::machines(const ProgramInfo &info) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.machineCount; ++i)
    rows.push_back({number(info.machines[i])});
  return table(rows);
}

Constant *Writer::tensors(const ProgramInfo &info) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.tensorCount; ++i) {
    const TensorInfo &x = info.tensors[i];
    rows.push_back({text(x.label), text(x.layout), text(x.layoutValueFirst),
                    number(x.role), number(x.type), number(x.sharing),
                    number(x.state), number(x.rank), numbers(x.sizes, x.rank),
                    number(x.isOptional)});
  }
  return table(rows);
}

Constant *Writer::sums(const ProgramInfo &info) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.sumCount; ++i) {
    const SumInfo &x = info.sums[i];
    rows.push_back({number(x.role), number(x.tensor), number(x.between),
                    number(x.isKept), number(x.to), number(x.rank),
                    numbers(x.sizes, x.rank), number(x.elements),
                    number(x.parts), number(x.phase)});
  }
  return table(rows);
}

Constant *Writer::saved(const ProgramInfo &info) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.savedCount; ++i)
    rows.push_back(
        {number(info.saved[i].bytes), number(info.saved[i].chunkTokens)});
  return table(rows);
}

Constant *Writer::betweens(const ProgramInfo &info) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.betweenCount; ++i) {
    const BetweenInfo &x = info.betweens[i];
    rows.push_back({number(x.kind), number(x.to), number(x.isInteger),
                    number(x.rank), numbers(x.sizes, x.rank),
                    number(x.elements), number(x.phase)});
  }
  return table(rows);
}

Constant *Writer::arguments(const PhaseInfo &phase) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < phase.argumentCount; ++i) {
    const ArgumentInfo &x = phase.arguments[i];
    rows.push_back({number(x.role), number(x.tensor), number(x.between),
                    number(x.state), number(x.at), number(x.sharing),
                    number(x.columns), number(x.sum), number(x.part),
                    number(x.isPartial)});
  }
  return table(rows);
}

Constant *Writer::carried(const DivisionInfo &division) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < division.carriedCount; ++i) {
    const CarriedInfo &x = division.carried[i];
    rows.push_back({number(x.whole), number(x.own), number(x.rows),
                    number(x.rowBytes), number(x.divided)});
  }
  return table(rows);
}

/// `symbol`: what its code for a machine is called.
Fields Writer::division(const ProgramInfo &info, const DivisionInfo &x,
                        const std::function<std::string(Machine)> &symbol) {
  return {number(x.parts), number(x.work), codes(info, x.codes, symbol),
          carried(x), number(x.carriedCount)};
}

Constant *Writer::codes(const ProgramInfo &info, const CodeInfo *list,
                        const std::function<std::string(Machine)> &symbol) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.machineCount; ++i)
    rows.push_back(
        {declare(symbol(info.machines[i]), builder.getVoidTy(), {}, false),
         number(list[i].workspaceBytes)});
  return table(rows);
}

/// Its code is behind that of the divisions.
Constant *Writer::map(const ProgramInfo &info, int64_t phase) {
  const PhaseInfo &x = info.phases[phase];
  if (!x.map)
    return table({});
  auto symbol = [&](Machine machine) {
    return cpu::entrySymbol(codeSymbol(info.name, direction, phase, machine),
                            static_cast<size_t>(x.divisionCount));
  };
  return table({{number(x.map->size), number(x.map->work),
                 codes(info, x.map->codes, symbol)}});
}

Constant *Writer::divisions(const ProgramInfo &info, int64_t phase) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.phases[phase].divisionCount; ++i)
    rows.push_back(
        division(info, info.phases[phase].divisions[i], [&](Machine machine) {
          return cpu::entrySymbol(
              codeSymbol(info.name, direction, phase, machine),
              static_cast<size_t>(i));
        }));
  return table(rows);
}

Constant *Writer::step(const ProgramInfo &info, int64_t phase) {
  const DivisionInfo *whole = info.phases[phase].step;
  if (!whole)
    return table({});
  return table({division(info, *whole, [&](Machine machine) {
    return cpu::entrySymbol(
        codeSymbol(info.name, direction, phase, machine, true), 0);
  })});
}

Constant *Writer::phases(const ProgramInfo &info) {
  std::vector<Fields> rows;
  for (int64_t i = 0; i < info.phaseCount; ++i) {
    const PhaseInfo &x = info.phases[i];
    rows.push_back({arguments(x), number(x.argumentCount), divisions(info, i),
                    number(x.divisionCount), step(info, i), map(info, i),
                    number(x.carryBytes), number(x.carryPlace),
                    number(x.isOverSequences)});
  }
  return table(rows);
}

Constant *Writer::kernel(const KernelInfo &info) {
  return table({{text(info.name), number(info.threads),
                 number(info.sharedBytes), number(info.workspaceBytes)}});
}

Constant *Writer::image(llvm::StringRef bytes) {
  if (bytes.empty())
    return llvm::ConstantPointerNull::get(builder.getPtrTy());
  llvm::GlobalVariable *global =
      builder.CreateGlobalString(bytes, "", 0, &module);
  global->setAlignment(llvm::Align(64));
  return global;
}

Constant *Writer::device(const DeviceCode &code, const DeviceKernels &kernels) {
  std::vector<Fields> images;
  for (const DeviceImage &x : kernels.images)
    images.push_back({text(x.chip.name.c_str()), number(x.chip.capability),
                      number(x.chip.isExact), image(x.cubin), image(x.ptx)});
  llvm::Function *launch =
      declare("trowel_library_launch", builder.getInt32Ty(),
              {builder.getPtrTy(), builder.getPtrTy()}, false);
  return table({{kernel(*code.forward), kernel(*code.step), table(images),
                 number(code.imageCount), launch}});
}

llvm::Function *Writer::declare(const std::string &name, llvm::Type *result,
                                llvm::ArrayRef<llvm::Type *> parameters,
                                bool isVisible) {
  auto *type = llvm::FunctionType::get(result, parameters, false);
  auto *function = llvm::Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, name, module);
  function->setDoesNotThrow();
  if (!isVisible)
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  return function;
}

/// Writes `name`, which calls a function of the runtime with the tables in
/// front of its own parameters.
void Writer::forwardTo(const std::string &name, const char *runtime,
                       llvm::ArrayRef<Constant *> tables, unsigned parameters) {
  std::vector<llvm::Type *> own(parameters, builder.getPtrTy()),
      all(parameters + tables.size(), builder.getPtrTy());
  llvm::Function *function = declare(name, builder.getInt32Ty(), own, true);
  llvm::Function *callee = module.getFunction(runtime);
  if (!callee)
    callee = declare(runtime, builder.getInt32Ty(), all, false);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
  std::vector<llvm::Value *> values(tables.begin(), tables.end());
  for (llvm::Argument &argument : function->args())
    values.push_back(&argument);
  llvm::CallInst *call = builder.CreateCall(callee, values);
  call->setTailCall();
  builder.CreateRet(call);
}

Constant *Writer::programTable(const Tables &tables) {
  const ProgramInfo &info = tables.info();
  direction = tables.direction();
  return table(
      {{text(info.name), tensors(info), number(info.tensorCount),
        numbers(info.stateElements, info.stateCount), number(info.stateCount),
        betweens(info), number(info.betweenCount), phases(info),
        number(info.phaseCount), machines(info), number(info.machineCount),
        number(info.chunkTokens), number(info.carryBytes), sums(info),
        number(info.sumCount), saved(info), number(info.savedCount),
        tables.kernels() ? device(*info.device, *tables.kernels())
                         : table({})}});
}

void Writer::write(const Tables &tables, const Tables *gradient,
                   const std::string &description) {
  std::string name = tables.info().name;
  Constant *backward = llvm::ConstantPointerNull::get(builder.getPtrTy());
  if (gradient) {
    backward = programTable(*gradient);
    forwardTo(name + "_backward", "trowel_library_backward", {backward}, 1);
  }
  Constant *program = programTable(tables);
  forwardTo(name + "_forward", "trowel_library_forward", {program}, 1);
  forwardTo(name + "_step", "trowel_library_step", {program}, 1);
  forwardTo(name + "_verify", "trowel_library_verify", {program}, 1);
  forwardTo(name + "_commit", "trowel_library_commit", {program}, 1);
  forwardTo(name + "_workspace_size", "trowel_library_workspace_size",
            {program, backward}, 2);
  llvm::Function *describe =
      declare(name + "_describe", builder.getPtrTy(), {}, true);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", describe));
  builder.CreateRet(text(description.c_str()));
  llvm::Function *last =
      declare(name + "_last_error", builder.getPtrTy(), {}, true);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", last));
  llvm::CallInst *call = builder.CreateCall(
      declare("trowel_library_last_error", builder.getPtrTy(), {}, false));
  call->setTailCall();
  builder.CreateRet(call);
}

// A field that is added to a struct is to be written above, too.
static_assert(sizeof(TensorInfo) == 10 * 8 && sizeof(BetweenInfo) == 7 * 8 &&
              sizeof(ArgumentInfo) == 10 * 8 && sizeof(CodeInfo) == 2 * 8 &&
              sizeof(CarriedInfo) == 5 * 8 && sizeof(DivisionInfo) == 5 * 8 &&
              sizeof(MapInfo) == 3 * 8 && sizeof(PhaseInfo) == 9 * 8 &&
              sizeof(SumInfo) == 10 * 8 && sizeof(SavedInfo) == 2 * 8 &&
              sizeof(KernelInfo) == 4 * 8 && sizeof(ImageInfo) == 5 * 8 &&
              sizeof(DeviceCode) == 5 * 8 && sizeof(ProgramInfo) == 18 * 8);

} // namespace

std::string codeSymbol(const std::string &program, Direction direction,
                       int64_t phase, Machine machine, bool isStep) {
  const char *name = direction == Direction::Forward ? ".phase" : ".backward";
  return program + name + std::to_string(phase) + "." + nameOf(machine) +
         (isStep ? ".step" : "");
}

llvm::Expected<std::string> emitDescriptor(const Tables &tables,
                                           const Tables *gradient,
                                           const std::string &description) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError(error);
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, "x86-64", "", llvm::TargetOptions(),
                                  llvm::Reloc::PIC_, llvm::CodeModel::Small));
  llvm::LLVMContext context;
  llvm::Module module(tables.info().name, context);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
  Writer(module).write(tables, gradient, description);
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("the target has no object files");
  passes.run(module);
  return bytes.str().str();
}

} // namespace trowel::library
