// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Device.h"

#include "codegen/CUDA/Ptx.h"
#include "codegen/CUDA/Ptxas.h"

using namespace mlir;

namespace trowel::library {

llvm::Expected<cuda::Kernels> emitDeviceKernels(ModuleOp module, ModuleOp step,
                                                cpu::Timings *timings) {
  OwningOpRef<ModuleOp> both = ModuleOp::create(module.getLoc());
  for (auto [source, suffix] :
       {std::pair(module, "_forward"), std::pair(step, "_step")})
    for (auto program : source.getOps<chunk::ProgramOp>()) {
      auto copy = cast<chunk::ProgramOp>(program->clone());
      copy.setSymName((program.getSymName() + suffix).str());
      both->push_back(copy);
    }
  return cuda::emitKernels(*both, timings);
}

/// The runtime launches one kernel, which works on states where they lie.
static llvm::Error checkLaunchable(const cuda::Kernels &kernels) {
  if (kernels.kernels.size() != 2)
    return llvm::createStringError(
        "chunk.program: what is reduced over heads needs several kernels");
  for (const cpu::Argument &argument :
       kernels.kernels.front().interface.arguments)
    if (argument.isState() && argument.dtype != rec::DTypeKind::F32 &&
        argument.dtype != rec::DTypeKind::I32)
      return llvm::createStringError("rec.state: the state `" + argument.name +
                                     "` is neither f32 nor i32");
  return llvm::Error::success();
}

static llvm::Expected<DeviceImage> makeImage(ModuleOp kernels,
                                             const Chip &chip) {
  cuda::PtxOptions options;
  options.chip = chip.name;
  auto ptx = cuda::emitPtx(kernels, options);
  if (!ptx)
    return ptx.takeError();
  DeviceImage image{chip, "", std::move(*ptx)};
  if (!cuda::findPtxas())
    return std::move(image);
  cuda::PtxasOptions assembler;
  assembler.chip = chip.name;
  auto assembly = cuda::assemble(image.ptx, assembler);
  if (!assembly)
    return assembly.takeError();
  image.cubin = std::move(assembly->cubin);
  return std::move(image);
}

llvm::Expected<DeviceKernels> compileForDevice(ModuleOp module, ModuleOp step,
                                               const std::vector<Chip> &chips) {
  auto kernels = emitDeviceKernels(module, step);
  if (!kernels)
    return kernels.takeError();
  if (llvm::Error error = checkLaunchable(*kernels))
    return std::move(error);
  DeviceKernels result;
  result.forward = kernels->kernels.front();
  result.step = kernels->kernels.back();
  for (const Chip &chip : chips) {
    auto image = makeImage(*kernels->module, chip);
    if (!image)
      return image.takeError();
    result.images.push_back(std::move(*image));
  }
  return std::move(result);
}

} // namespace trowel::library
