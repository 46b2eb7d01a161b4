// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel build F --emit LEVEL`: the program at a level of the compiler.
#include "runtime/Host/File.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/Messages.h"

#include "llvm/Support/raw_ostream.h"

#include <iostream>

namespace trowel::tool {
namespace {

constexpr const char *levels = "`rec`, `chunk`, `llvm`";

/// Empty if the request can be served, else why not.
std::string refuse(const BuildArguments &arguments) {
  const std::string &emit = arguments.emit;
  if (emit.empty())
    return std::string("building a library is not supported yet; --emit "
                       "prints the program at a level (") +
           levels + "), and `trowel run` compiles in memory";
  if (emit == "tile" || emit == "ptx" || emit == "header")
    return "`--emit " + emit + "` is not supported yet; there are " + levels;
  if (emit != "rec" && emit != "chunk" && emit != "llvm")
    return "`--emit " + emit + "`: there is no such level; there are " + levels;
  return checkTarget(arguments.target);
}

std::optional<std::string> emit(Compiler &compiler, const Loaded &loaded,
                                const std::string &level) {
  if (level == "llvm") {
    Diagnostic why;
    std::optional<std::string> llvmIr = compiler.emitLlvm(loaded, why);
    if (!llvmIr)
      std::cerr << render(why, loaded.source);
    return llvmIr;
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  compiler.lower(loaded, level == "rec" ? Level::Rec : Level::Chunk)->print(os);
  return text;
}

} // namespace

std::string checkTarget(const std::string &target) {
  return target == "cpu"
             ? ""
             : "target `" + target + "` is not supported yet; there is `cpu`";
}

int runBuild(const BuildArguments &arguments) {
  if (std::string reason = refuse(arguments); !reason.empty())
    return fail(reason);
  Timings timings;
  std::optional<Loaded> loaded = load(arguments.program, timings);
  if (!loaded)
    return 1;
  Compiler compiler(timings);
  std::optional<std::string> text = emit(compiler, *loaded, arguments.emit);
  if (!text)
    return 1;
  if (arguments.timing)
    timings.print(std::cerr, "total");
  if (!arguments.output.empty()) {
    std::string error = host::writeFile(arguments.output, *text);
    return error.empty() ? 0 : fail(error);
  }
  std::cout << *text << std::flush;
  return std::cout ? 0 : fail("cannot write to the standard output");
}

} // namespace trowel::tool
