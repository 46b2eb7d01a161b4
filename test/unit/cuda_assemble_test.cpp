// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small kernels become PTX, and a cubin where ptxas is; what ptxas has to say
// against a kernel is reported.
#include "codegen/CUDA/Ptx.h"
#include "codegen/CUDA/Ptxas.h"
#include "codegen/TemporaryFolder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace trowel::cuda;

namespace {

class CudaPtxTest : public ::testing::Test {
protected:
  mlir::MLIRContext context;

  CudaPtxTest() {
    context.loadDialect<mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect>();
  }

  llvm::Expected<std::string> emit(const std::string &text,
                                   const PtxOptions &options = {}) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return llvm::createStringError("the test's kernel does not parse");
    return emitPtx(*module, options);
  }

  std::string ptx(const std::string &text, const PtxOptions &options = {}) {
    auto result = emit(text, options);
    if (result)
      return *result;
    ADD_FAILURE() << llvm::toString(result.takeError());
    return "";
  }
};

/// An assembler that says these words and writes an empty cubin.
class Pretended {
public:
  explicit Pretended(const std::string &words) : path(folder.file("ptxas")) {
    llvm::cantFail(trowel::codegen::writeFile(
        path, "#!/bin/sh\nfor output; do :; done\n: > \"$output\"\ncat << "
              "END\n" +
                  words + "END\n"));
    llvm::sys::fs::setPermissions(path, llvm::sys::fs::all_all);
  }

  llvm::Expected<Assembly> assemble(llvm::StringRef ptx) {
    PtxasOptions options;
    options.program = path;
    return trowel::cuda::assemble(ptx, options);
  }

private:
  trowel::codegen::TemporaryFolder folder;
  std::string path;
};

/// An environment variable with another value, or none, as long as it lives.
class Variable {
public:
  Variable(const char *name, const char *value) : name(name) {
    if (const char *old = std::getenv(name))
      before = old;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Variable() { before ? setenv(name, before->c_str(), 1) : unsetenv(name); }

private:
  const char *name;
  std::optional<std::string> before;
};

TEST(CudaFindPtxas, LooksIntoPackagesOfPython) {
  trowel::codegen::TemporaryFolder folder;
  std::string bin = folder.file("lib/python3.12/site-packages/nvidia/cu13/bin");
  ASSERT_FALSE(llvm::sys::fs::create_directories(bin));
  llvm::cantFail(trowel::codegen::writeFile(bin + "/ptxas", "#!/bin/sh\n"));
  llvm::sys::fs::setPermissions(bin + "/ptxas", llvm::sys::fs::all_all);
  Variable path("PATH", folder.file("").c_str()), home("CUDA_HOME", nullptr),
      other("CUDA_PATH", nullptr),
      environment("VIRTUAL_ENV", folder.file("").c_str());
  std::optional<std::string> found = findPtxas();
  ASSERT_TRUE(found);
  EXPECT_NE(found->find("nvidia/cu13/bin/ptxas"), std::string::npos) << *found;
}

/// The tests that need the assembler.
class CudaAssembleTest : public CudaPtxTest {
protected:
  void SetUp() override {
    if (!findPtxas())
      GTEST_SKIP() << "there is no ptxas on this machine";
  }

  Assembly assembly(const std::string &text) {
    auto result = assemble(ptx(text));
    if (result)
      return *result;
    ADD_FAILURE() << llvm::toString(result.takeError());
    return Assembly();
  }
};

/// Each thread adds its neighbour's number to its own, through shared memory.
const char *neighbours = R"(
llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 16 : i64}
  : !llvm.array<32 x f32>
llvm.func @neighbours(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>)
    attributes {nvvm.kernel, nvvm.reqntid = array<i32: 32>} {
  %c1 = llvm.mlir.constant(1 : i32) : i32
  %c31 = llvm.mlir.constant(31 : i32) : i32
  %tid = nvvm.read.ptx.sreg.tid.x : i32
  %from = llvm.getelementptr %in[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  %own = llvm.load %from : !llvm.ptr<1> -> f32
  %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
  %mine = llvm.getelementptr %tile[%tid] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
  llvm.store %own, %mine : f32, !llvm.ptr<3>
  nvvm.barrier0
  %next = llvm.add %tid, %c1 : i32
  %wrapped = llvm.and %next, %c31 : i32
  %theirs = llvm.getelementptr %tile[%wrapped] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
  %other = llvm.load %theirs : !llvm.ptr<3> -> f32
  %sum = llvm.fadd %own, %other : f32
  %to = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  llvm.store %sum, %to : f32, !llvm.ptr<1>
  llvm.return
}
)";

/// What all threads must execute together stands behind a branch that they take
/// differently, and before one that goes the same ways.
const char *together = R"(
llvm.func @together(%out: !llvm.ptr<1>, %limit: i32) attributes {nvvm.kernel} {
  %true = llvm.mlir.constant(true) : i1
  %false = llvm.mlir.constant(false) : i1
  %c1 = llvm.mlir.constant(1 : i32) : i32
  %c2 = llvm.mlir.constant(2 : i32) : i32
  %tid = nvvm.read.ptx.sreg.tid.x : i32
  %low = llvm.icmp "slt" %tid, %limit : i32
  %to = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  llvm.cond_br %low, ^first, ^second
^first:
  llvm.store volatile %c1, %to : i32, !llvm.ptr<1>
  llvm.br ^join(%true : i1)
^second:
  llvm.store volatile %c2, %to : i32, !llvm.ptr<1>
  llvm.br ^join(%false : i1)
^join(%which: i1):
  llvm.inline_asm has_side_effects asm_dialect = att "wgmma.fence.sync.aligned;", "" : () -> ()
  llvm.cond_br %which, ^third, ^fourth
^third:
  llvm.store volatile %c2, %to : i32, !llvm.ptr<1>
  llvm.br ^end
^fourth:
  llvm.store volatile %c1, %to : i32, !llvm.ptr<1>
  llvm.br ^end
^end:
  llvm.return
}
)";

size_t count(llvm::StringRef text, llvm::StringRef part) {
  return text.count(part);
}

/// A product of 64×16 and 16×8 whose sums are stored, behind a wait or not.
std::string product(bool waits) {
  std::string text = R"(
llvm.func @product(%a: i64, %b: i64, %out: !llvm.ptr<1>)
    attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
  %tid = nvvm.read.ptx.sreg.tid.x : i32
  %to = llvm.getelementptr %out[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
  %zero = llvm.mlir.constant(0.0 : f32) : f32
  %s = llvm.mlir.undef : !llvm.struct<(f32, f32, f32, f32)>
  %s0 = llvm.insertvalue %zero, %s[0] : !llvm.struct<(f32, f32, f32, f32)>
  %s1 = llvm.insertvalue %zero, %s0[1] : !llvm.struct<(f32, f32, f32, f32)>
  %s2 = llvm.insertvalue %zero, %s1[2] : !llvm.struct<(f32, f32, f32, f32)>
  %s3 = llvm.insertvalue %zero, %s2[3] : !llvm.struct<(f32, f32, f32, f32)>
  nvvm.wgmma.fence.aligned
  %r = nvvm.wgmma.mma_async %a, %b, %s3, #nvvm.shape<m = 64, n = 8, k = 16>,
    D [<f32>, <zero>], A [<bf16>, <one>, <row>], B [<bf16>, <one>, <col>]
    : !llvm.struct<(f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32)>
  nvvm.wgmma.commit.group.sync.aligned
)";
  if (waits)
    text += "  nvvm.wgmma.wait.group.sync.aligned 0\n";
  return text + R"(
  %x = llvm.extractvalue %r[0] : !llvm.struct<(f32, f32, f32, f32)>
  llvm.store %x, %to : f32, !llvm.ptr<1>
  llvm.return
}
)";
}

/// A kernel that holds `values` numbers at a time.
std::string holding(int values, const std::string &attributes) {
  std::string text = "llvm.func @holding(%in: !llvm.ptr<1>, %out: "
                     "!llvm.ptr<1>) attributes {nvvm.kernel" +
                     attributes + "} {\n";
  for (int i = 0; i < values; ++i) {
    std::string n = std::to_string(i);
    text += "  %p" + n + " = llvm.getelementptr %in[" + n +
            "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32\n  %v" + n +
            " = llvm.load volatile %p" + n + " : !llvm.ptr<1> -> f32\n";
  }
  for (int i = 0; i < values; ++i) {
    std::string n = std::to_string(i);
    text +=
        "  %q" + n + " = llvm.getelementptr %out[" + n +
        "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32\n  llvm.store volatile %v" +
        n + ", %q" + n + " : f32, !llvm.ptr<1>\n";
  }
  return text + "  llvm.return\n}\n";
}

} // namespace

TEST_F(CudaPtxTest, AKernelIsAnEntry) {
  std::string text = ptx(neighbours);
  EXPECT_EQ(count(text, ".visible .entry neighbours("), 1u) << text;
  EXPECT_EQ(count(text, ".target sm_90a"), 1u);
  EXPECT_EQ(count(text, ".version 8.0"), 1u);
  EXPECT_EQ(count(text, ".reqntid 32"), 1u);
  EXPECT_NE(text.find(".shared .align 16 .b8 tile[128]"), std::string::npos);
}

TEST_F(CudaPtxTest, InlineAssemblyIsNotCopiedIntoBranches) {
  EXPECT_EQ(count(ptx(together), "wgmma.fence.sync.aligned"), 1u);
  // This kernel does show what the marking is for.
  PtxOptions unmarked;
  unmarked.leaveAsmUnmarked = true;
  EXPECT_EQ(count(ptx(together, unmarked), "wgmma.fence.sync.aligned"), 2u);
}

TEST_F(CudaPtxTest, TheModuleStaysAsItIs) {
  auto module =
      mlir::parseSourceString<mlir::ModuleOp>(product(true), &context);
  ASSERT_TRUE(module);
  auto first = emitPtx(*module);
  auto second = emitPtx(*module);
  ASSERT_TRUE(bool(first) && bool(second));
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(count(*first, "wgmma.mma_async"), 1u);
}

TEST_F(CudaPtxTest, PhasesAreTimed) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(neighbours, &context);
  trowel::codegen::Timings timings;
  ASSERT_TRUE(bool(emitPtx(*module, {}, &timings)));
  EXPECT_EQ(timings.size(), 4u);
}

TEST_F(CudaPtxTest, ErrorsSayWhy) {
  PtxOptions options;
  options.chip = "sm_1";
  EXPECT_EQ(llvm::toString(emit(neighbours, options).takeError()),
            "there is no chip `sm_1`");
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  context.allowUnregisteredDialects();
  mlir::OpBuilder builder(module->getBodyRegion());
  builder.create(mlir::OperationState(builder.getUnknownLoc(), "no.such"));
  EXPECT_NE(llvm::toString(emitPtx(*module).takeError()).find("no.such"),
            std::string::npos);
}

TEST_F(CudaPtxTest, AMissingAssemblerIsAnErrorOfItsOwn) {
  llvm::Error missing = llvm::make_error<PtxasMissing>();
  EXPECT_TRUE(missing.isA<PtxasMissing>());
  EXPECT_EQ(llvm::toString(std::move(missing)).find("ptxas is neither"), 0u);
  PtxasOptions options;
  options.program = "/no/such/ptxas";
  auto result = assemble("", options);
  ASSERT_FALSE(result);
  EXPECT_NE(llvm::toString(result.takeError()).find("/no/such/ptxas"),
            std::string::npos);
}

TEST_F(CudaPtxTest, WordsThatAreNotUnderstoodAreAnError) {
  std::string start = "ptxas info    : Compiling entry function 'k' for "
                      "'sm_90a'\nptxas info    : Function properties for k\n";
  std::string stack =
      "    16 bytes stack frame, 8 bytes spill stores, 12 bytes "
      "spill loads\n";
  std::string uses = "ptxas info    : Used 24 registers, used 2 barriers, 64 "
                     "bytes smem, 352 bytes cmem[0]\n";
  auto understood = Pretended(start + stack + uses).assemble(".entry k");
  ASSERT_TRUE(bool(understood)) << llvm::toString(understood.takeError());
  const KernelUse &use = understood->kernels.front();
  EXPECT_EQ(use.spillStoreBytes, 8);
  EXPECT_EQ(use.spillLoadBytes, 12);
  EXPECT_EQ(use.stackBytes, 16);
  EXPECT_EQ(use.registers, 24);
  EXPECT_EQ(use.barriers, 2);
  EXPECT_EQ(use.sharedBytes, 64);
  for (const std::string &words :
       {std::string(), start, start + stack, stack + start + uses, uses,
        start + "    16 bytes stack frame, spills none\n" + uses,
        start + uses}) {
    auto result = Pretended(words).assemble(".entry k");
    ASSERT_FALSE(result) << words;
    EXPECT_EQ(llvm::toString(result.takeError()),
              "the words of ptxas are not as expected:\n" + words);
  }
}

TEST_F(CudaAssembleTest, AKernelIsAssembledAndItsUseReported) {
  Assembly result = assembly(neighbours);
  ASSERT_EQ(result.kernels.size(), 1u) << result.log;
  const KernelUse &use = result.kernels.front();
  EXPECT_EQ(use.name, "neighbours");
  EXPECT_GT(use.registers, 0);
  EXPECT_EQ(use.spillStoreBytes + use.spillLoadBytes + use.stackBytes, 0);
  EXPECT_EQ(use.sharedBytes, 128);
  EXPECT_EQ(use.barriers, 1);
  EXPECT_TRUE(result.remarks.empty()) << result.log;
  EXPECT_EQ(result.cubin.substr(1, 3), "ELF");
}

TEST_F(CudaAssembleTest, EachKernelHasItsUse) {
  Assembly result = assembly(std::string(neighbours) + holding(40, ""));
  ASSERT_EQ(result.kernels.size(), 2u) << result.log;
  for (const KernelUse &use : result.kernels)
    EXPECT_EQ(use.sharedBytes, use.name == "neighbours" ? 128 : 0);
}

TEST_F(CudaAssembleTest, AMissingWaitIsRemarkedOn) {
  EXPECT_TRUE(assembly(product(true)).remarks.empty());
  Assembly result = assembly(product(false));
  ASSERT_FALSE(result.remarks.empty()) << result.log;
  EXPECT_EQ(result.remarks.front().code, "C7517");
  EXPECT_NE(result.remarks.front().text.find("product"), std::string::npos);
}

TEST_F(CudaAssembleTest, SpillsAreReported) {
  Assembly roomy = assembly(holding(64, ""));
  ASSERT_EQ(roomy.kernels.size(), 1u);
  EXPECT_EQ(roomy.kernels.front().spillStoreBytes, 0);
  Assembly tight = assembly(holding(64, ", nvvm.maxnreg = 24 : i32"));
  ASSERT_EQ(tight.kernels.size(), 1u);
  EXPECT_LE(tight.kernels.front().registers, 24);
  EXPECT_GT(tight.kernels.front().spillStoreBytes, 0) << tight.log;
  EXPECT_GT(tight.kernels.front().spillLoadBytes, 0);
  EXPECT_FALSE(tight.remarks.empty());
}

TEST_F(CudaAssembleTest, RefusedTextIsAnErrorInItsWords) {
  std::string text = ptx(neighbours);
  size_t at = text.find("bar.sync");
  ASSERT_NE(at, std::string::npos) << text;
  text.replace(at, 8, "bar.sink");
  auto result = assemble(text);
  ASSERT_FALSE(result);
  std::string message = llvm::toString(result.takeError());
  EXPECT_NE(message.find(".sink"), std::string::npos) << message;
}
