// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program is run without a shell. What it says of the kernels is read off
// its log, which must name every kernel's registers and spills: a log in other
// words is an error, not a kernel without spills.
#include "codegen/CUDA/Ptxas.h"

#include "codegen/TemporaryFolder.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"

#include <algorithm>
#include <cstdlib>

namespace trowel::cuda {

char PtxasMissing::ID = 0;

void PtxasMissing::log(llvm::raw_ostream &stream) const {
  stream << "ptxas is neither in PATH, nor in bin of $CUDA_HOME or $CUDA_PATH, "
            "nor among the packages of $VIRTUAL_ENV, nor in "
            "/usr/local/cuda/bin";
}

std::error_code PtxasMissing::convertToErrorCode() const {
  return std::make_error_code(std::errc::no_such_file_or_directory);
}

/// The folders that match a path in which `*` stands for any name.
static std::vector<std::string> matching(llvm::StringRef pattern) {
  size_t star = pattern.find('*');
  if (star == llvm::StringRef::npos)
    return {pattern.str()};
  llvm::StringRef rest = pattern.substr(star + 1);
  std::vector<std::string> found;
  std::error_code error;
  llvm::sys::fs::directory_iterator at(pattern.substr(0, star), error), end;
  for (; !error && at != end; at.increment(error))
    for (const std::string &folder : matching(at->path() + rest.str()))
      found.push_back(folder);
  return found;
}

std::optional<std::string> findPtxas() {
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  std::vector<std::string> folders;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *folder = std::getenv(variable))
      folders.push_back(folder);
  if (const char *environment = std::getenv("VIRTUAL_ENV"))
    for (const std::string &folder :
         matching(std::string(environment) + "/lib/*/site-packages/nvidia/*"))
      folders.push_back(folder);
  folders.push_back("/usr/local/cuda");
  for (const std::string &folder : folders)
    if (auto found = llvm::sys::findProgramByName("ptxas", {folder + "/bin"}))
      return *found;
  return std::nullopt;
}

namespace {

/// The numbers that a pattern's groups match in a line; none if it has not.
std::vector<int64_t> numbers(const char *pattern, llvm::StringRef line) {
  llvm::SmallVector<llvm::StringRef> groups;
  if (!llvm::Regex(pattern).match(line, &groups))
    return {};
  std::vector<int64_t> result;
  for (llvm::StringRef group : llvm::drop_begin(groups)) {
    int64_t number = 0;
    group.getAsInteger(10, number);
    result.push_back(number);
  }
  return result;
}

std::optional<std::string> group(const char *pattern, llvm::StringRef line) {
  llvm::SmallVector<llvm::StringRef> groups;
  if (!llvm::Regex(pattern).match(line, &groups))
    return std::nullopt;
  return groups[1].str();
}

class Log {
public:
  explicit Log(Assembly &assembly) : assembly(assembly) {}

  llvm::Error read(bool hasKernels) {
    llvm::SmallVector<llvm::StringRef> lines;
    llvm::StringRef(assembly.log).split(lines, '\n', -1, /*KeepEmpty=*/false);
    for (llvm::StringRef line : lines)
      readLine(line);
    if (assembly.kernels.empty() == hasKernels)
      understood = false;
    for (const KernelUse &kernel : assembly.kernels)
      understood &= kernel.registers > 0;
    return understood ? llvm::Error::success()
                      : llvm::createStringError(
                            "the words of ptxas are not as expected:\n" +
                            assembly.log);
  }

private:
  void readLine(llvm::StringRef line) {
    std::optional<std::string> code = group("[(](C75[0-9]+)[)]", line);
    if (code || line.contains("warning"))
      assembly.remarks.push_back({code.value_or(""), line.str()});
    else if (auto name = group("Compiling entry function '([^']+)'", line))
      startKernel(*name);
    else if (line.contains("bytes stack frame"))
      readStack(line);
    else if (line.contains(": Used "))
      readUse(line);
  }

  void startKernel(const std::string &name) {
    assembly.kernels.emplace_back().name = name;
    spillsAreKnown = false;
  }

  /// A line for the kernel, and one for each function that it calls.
  void readStack(llvm::StringRef line) {
    std::vector<int64_t> bytes =
        numbers("([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores, "
                "([0-9]+) bytes spill loads",
                line);
    if (bytes.empty() || assembly.kernels.empty()) {
      understood = false;
      return;
    }
    KernelUse &kernel = assembly.kernels.back();
    kernel.stackBytes = std::max(kernel.stackBytes, bytes[0]);
    kernel.spillStoreBytes += bytes[1];
    kernel.spillLoadBytes += bytes[2];
    spillsAreKnown = true;
  }

  void readUse(llvm::StringRef line) {
    std::vector<int64_t> registers = numbers("Used ([0-9]+) registers", line);
    if (registers.empty() || !spillsAreKnown) {
      understood = false;
      return;
    }
    KernelUse &kernel = assembly.kernels.back();
    kernel.registers = registers[0];
    // What a kernel has none of is not named.
    for (int64_t number : numbers("used ([0-9]+) barriers", line))
      kernel.barriers = number;
    for (int64_t number : numbers("([0-9]+) bytes smem", line))
      kernel.sharedBytes = number;
  }

  Assembly &assembly;
  bool understood = true;
  bool spillsAreKnown = false; // of the last kernel
};

} // namespace

llvm::Expected<Assembly> assemble(llvm::StringRef ptx,
                                  const PtxasOptions &options) {
  std::optional<std::string> program = options.program;
  if (options.program.empty())
    program = findPtxas();
  if (!program)
    return llvm::make_error<PtxasMissing>();
  codegen::TemporaryFolder folder;
  if (llvm::Error failure = folder.check())
    return std::move(failure);
  std::string input = folder.file("kernels.ptx");
  std::string output = folder.file("kernels.cubin");
  std::string log = folder.file("log");
  if (llvm::Error failure = codegen::writeFile(input, ptx))
    return std::move(failure);
  std::string chip = "-arch=" + options.chip;
  std::string message;
  int status = llvm::sys::ExecuteAndWait(
      *program, {*program, chip, "-v", "--warn-on-spills", input, "-o", output},
      /*Env=*/std::nullopt, {llvm::StringRef(), log, log}, options.seconds,
      /*MemoryLimit=*/0, &message);
  llvm::Expected<std::string> said = codegen::readFile(log);
  if (!said)
    return said.takeError();
  if (status != 0)
    return llvm::createStringError("`" + *program + "` failed\n" + message +
                                   *said);
  Assembly result;
  result.log = std::move(*said);
  if (llvm::Error failure = Log(result).read(ptx.contains(".entry")))
    return std::move(failure);
  llvm::Expected<std::string> cubin = codegen::readFile(output);
  if (!cubin)
    return cubin.takeError();
  result.cubin = std::move(*cubin);
  return std::move(result);
}

} // namespace trowel::cuda
