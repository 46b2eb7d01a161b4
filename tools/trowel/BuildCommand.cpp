// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel build F -o NAME.so`: a library; `trowel build F --emit LEVEL`: the
// program at a level of the compiler.
#include "codegen/Library/Header.h"
#include "codegen/Library/Link.h"
#include "runtime/Host/File.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/Messages.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <filesystem>
#include <fstream>
#include <iostream>

namespace trowel::tool {
namespace {

namespace fs = std::filesystem;

constexpr const char *levels = "`rec`, `chunk`, `llvm`, `ptx`, `header`";

bool isWanted(const BuildArguments &arguments, llvm::StringRef target) {
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(arguments.target).split(names, ',');
  return llvm::is_contained(names, target);
}

/// The first name that is no target; none if all are.
std::optional<std::string> unknownTarget(const BuildArguments &arguments) {
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(arguments.target).split(names, ',');
  for (llvm::StringRef name : names)
    if (name != "cpu" && name != library::Chip().name)
      return name.str();
  return std::nullopt;
}

library::Targets targetsOf(const BuildArguments &arguments) {
  library::Targets targets;
  if (isWanted(arguments, "cpu"))
    targets.machines = {library::Machine::Avx512, library::Machine::Avx2};
  if (isWanted(arguments, library::Chip().name))
    targets.chips = {library::Chip()};
  return targets;
}

/// Devices have no backward function.
bool wantsGradient(const BuildArguments &arguments) {
  return !arguments.inferenceOnly && isWanted(arguments, "cpu");
}

/// Empty if the request can be served, else why not.
std::string refuse(const BuildArguments &arguments) {
  const std::string &emit = arguments.emit;
  std::string extension = fs::path(arguments.output).extension();
  if (emit.empty() && extension != ".so" && extension != ".o")
    return (arguments.output.empty()
                ? std::string("nothing to write: ")
                : "`-o " + arguments.output + "` is neither: ") +
           "-o NAME.so makes a library, -o NAME.o an object; --emit prints the "
           "program at a level (" +
           levels + ")";
  if (emit == "tile")
    return "`--emit " + emit + "` is not supported yet; there are " + levels;
  if (!emit.empty() && emit != "rec" && emit != "chunk" && emit != "llvm" &&
      emit != "ptx" && emit != "header")
    return "`--emit " + emit + "`: there is no such level; there are " + levels;
  if (auto name = unknownTarget(arguments))
    return "target `" + *name +
           "` is not supported yet; there are `cpu` and `" +
           library::Chip().name + "`";
  return "";
}

std::optional<library::Built> build(Compiler &compiler, const Loaded &loaded,
                                    const library::Targets &targets,
                                    bool gradient) {
  Diagnostic why;
  std::optional<library::Built> built =
      compiler.build(loaded, targets, gradient, why);
  if (built)
    why.severity = Diagnostic::Severity::Warning;
  if (!why.message.empty())
    std::cerr << render(why, loaded.source);
  return built;
}

std::optional<std::string> emit(Compiler &compiler, const Loaded &loaded,
                                const BuildArguments &arguments) {
  const std::string &level = arguments.emit;
  if (level == "header") {
    library::Targets targets = targetsOf(arguments);
    if (targets.machines.size() > 1)
      targets.machines.resize(1); // one is enough
    auto built = build(compiler, loaded, targets, wantsGradient(arguments));
    return built ? std::optional(built->header) : std::nullopt;
  }
  if (level == "llvm" || level == "ptx") {
    Diagnostic why;
    std::optional<std::string> code = level == "llvm"
                                          ? compiler.emitLlvm(loaded, why)
                                          : compiler.emitPtx(loaded, why);
    if (!code)
      std::cerr << render(why, loaded.source);
    return code;
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  compiler.lower(loaded, level == "rec" ? Level::Rec : Level::Chunk)->print(os);
  return text;
}

/// Whether a file there may be replaced by a header of ours.
bool isOurs(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return !file || line.rfind(library::headerMark, 0) == 0;
}

/// Writes the library or object, and its header beside it.
int writeLibrary(Compiler &compiler, const Loaded &loaded,
                 const BuildArguments &arguments, Timings &timings) {
  const std::string &output = arguments.output;
  fs::path header = fs::path(output).replace_extension(".h");
  if (!isOurs(header))
    return fail("`" + header.string() +
                "` is in the way of the library's header, and not one that "
                "trowel has made");
  auto built =
      build(compiler, loaded, targetsOf(arguments), wantsGradient(arguments));
  if (!built)
    return 1;
  bool isObject = fs::path(output).extension() == ".o";
  auto linked = timings.measure("link", [&] {
    return isObject ? library::linkObject(built->objects)
                    : library::linkLibrary(built->objects,
                                           fs::path(output).filename());
  });
  if (!linked)
    return fail(llvm::toString(linked.takeError()));
  for (const auto &[path, bytes] :
       {std::pair(header.string(), built->header), std::pair(output, *linked)})
    if (std::string error = host::writeFile(path, bytes); !error.empty())
      return fail(error);
  if (isObject)
    return 0;
  std::error_code ignored; // by those who care how libraries are marked
  fs::permissions(output,
                  fs::perms::owner_exec | fs::perms::group_exec |
                      fs::perms::others_exec,
                  fs::perm_options::add, ignored);
  return 0;
}

int writeText(const std::string &text, const std::string &output) {
  if (!output.empty()) {
    std::string error = host::writeFile(output, text);
    return error.empty() ? 0 : fail(error);
  }
  std::cout << text << std::flush;
  return std::cout ? 0 : fail("cannot write to the standard output");
}

} // namespace

int runBuild(const BuildArguments &arguments) {
  if (std::string reason = refuse(arguments); !reason.empty())
    return fail(reason);
  Timings timings;
  std::optional<Loaded> loaded = load(arguments.program, timings);
  if (!loaded)
    return 1;
  Compiler compiler(timings);
  int status = 1;
  if (arguments.emit.empty())
    status = writeLibrary(compiler, *loaded, arguments, timings);
  else if (auto text = emit(compiler, *loaded, arguments))
    status = writeText(*text, arguments.output);
  if (status == 0 && arguments.timing)
    timings.print(std::cerr, "total");
  return status;
}

} // namespace trowel::tool
