// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "tools/trowel/CommandLine.h"

#include "frontend/Sema/Suggest.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Messages.h"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace trowel::tool {
namespace {

constexpr const char *overview =
    R"(trowel compiles an attention rule, written as what one head does at one token,
into a chunked matrix-product kernel. A .trowel file:

  // Gated DeltaNet. Yang, Kautz, Hatamizadeh, 2024.
  attention gated_delta_net(K = 128, V = 128) {
    in q, k  : bf16[K]              // for each token and head
    in v     : bf16[V]
    in g     : f32 <= 0             // log decay
    in beta  : f32 in [0, 1]
    state S  : f32[K, V]            // carried from token to token

    S *= exp(g)                     // lines run from top to bottom
    S += beta * k * (v - k @ S)     // * is elementwise or outer, @ sums over shared axes
    out o : bf16[V] = K^-0.5 * (q @ S)
  }

Commands (`trowel COMMAND --help` has the options and examples):
  trowel new my_rule                write my_rule.trowel, a first program to change
  trowel build my_rule.trowel --emit chunk
                                    print the program at a level: rec, chunk
  trowel list                       the catalogue of published rules
  trowel show rwkv7                 print one of them

The exit status is 0, 1 for an error, or 70 for an error of the compiler's own.
)";

constexpr const char *buildFooter =
    R"(  trowel build my_rule.trowel --emit rec      what one token means, as the compiler has it
  trowel build my_rule.trowel --emit chunk    the derived program over a chunk of tokens
  trowel build my_rule.trowel --emit chunk -D K=32 --timing -o my_rule.mlir)";

using Command = std::function<int()>;

/// Arguments outlive the parse: commands run after it.
template <typename Arguments> struct Sub {
  CLI::App *app;
  std::shared_ptr<Arguments> arguments;
};

template <typename Arguments>
Sub<Arguments> addCommand(CLI::App &root, Command &command, const char *name,
                          const char *summary, const char *footer,
                          int (*run)(const Arguments &)) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App *app = root.add_subcommand(name, summary);
  app->footer(footer);
  app->callback([&command, arguments, run] {
    command = [arguments, run] { return run(*arguments); };
  });
  return {app, arguments};
}

void addProgram(CLI::App *app, ProgramRequest &request) {
  app->add_option("file", request.path, "The program, a .trowel file")
      ->required();
  app->add_option("--attention", request.attention,
                  "Which attention, if the file has several");
  app->add_option("-D", request.sizes, "Another size: -D K=64")
      ->type_name("NAME=NUMBER")
      ->allow_extra_args(false);
}

void addBuild(CLI::App &root, Command &command) {
  auto [app, arguments] = addCommand<BuildArguments>(
      root, command, "build", "Print the program at a level of the compiler",
      buildFooter, runBuild);
  addProgram(app, arguments->program);
  app->add_option("--emit", arguments->emit, "rec or chunk");
  app->add_option("-o", arguments->output, "Write to this file")
      ->type_name("FILE");
  app->add_option("--target", arguments->target, "cpu");
  app->add_flag("--timing", arguments->timing, "Print the time of each phase");
}

void addCatalogue(CLI::App &root, Command &command) {
  root.add_subcommand("list", "List the catalogue of published rules")
      ->footer(
          "  trowel list\n\nEach with its year, how its states are computed "
          "(chunk: matrix products over\nchunks of tokens; scan; token by "
          "token) and its title. TROWEL_EXAMPLES=FOLDER\nnames another "
          "catalogue.")
      ->callback([&command] { command = runList; });
  struct Name {
    std::string name;
  };
  auto [show, shown] = addCommand<Name>(
      root, command, "show", "Print a program of the catalogue",
      "  trowel show rwkv7\n  trowel show delta_net > mine.trowel",
      +[](const Name &name) { return runShow(name.name); });
  show->add_option("name", shown->name, "Its name in `trowel list`")
      ->required();
  auto [fresh, created] = addCommand<Name>(
      root, command, "new", "Write a first program to change",
      "  trowel new my_rule      writes my_rule.trowel",
      +[](const Name &name) { return runNew(name.name); });
  fresh->add_option("name", created->name, "What to call it")->required();
}

/// A first word that is no command.
std::string describeUnknown(const CLI::App &root, const std::string &word) {
  if (word == "bench")
    return "`trowel bench` is not supported yet";
  std::vector<std::string> names;
  for (const CLI::App *app : root.get_subcommands({}))
    names.push_back(app->get_name());
  std::optional<std::string> near = sema::nearest(word, names);
  return "there is no command `" + word + "`; " +
         (near ? "did you mean `" + *near + "`?"
               : "`trowel --help` names them");
}

/// The command whose arguments are being parsed.
const CLI::App &current(const CLI::App &root) {
  std::vector<CLI::App *> parsed =
      const_cast<CLI::App &>(root).get_subcommands();
  return parsed.empty() ? root : *parsed.front();
}

Request explainError(const CLI::App &root, const CLI::ParseError &error,
                     int argc, char **argv) {
  const CLI::App &app = current(root);
  if (dynamic_cast<const CLI::CallForHelp *>(&error)) {
    std::cout << (&app == &root ? std::string(overview) : app.help("trowel"));
    return {nullptr, 0};
  }
  if (dynamic_cast<const CLI::CallForVersion *>(&error)) {
    std::cout << "trowel " << TROWEL_VERSION << '\n';
    return {nullptr, 0};
  }
  if (&app == &root && argc > 1 && argv[1][0] != '-')
    return {nullptr, fail(describeUnknown(root, argv[1]))};
  std::string help = &app == &root ? "" : " " + app.get_name();
  return {nullptr, fail(std::string(error.what()) + "; see `trowel" + help +
                        " --help`")};
}

} // namespace

Request parseCommandLine(int argc, char **argv) {
  CLI::App root("", "trowel");
  Command command;
  root.set_version_flag("--version", TROWEL_VERSION);
  root.require_subcommand(0, 1);
  addBuild(root, command);
  addCatalogue(root, command);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return explainError(root, error, argc, argv);
  }
  if (!command) {
    std::cout << overview;
    return {nullptr, 1};
  }
  return {command, 0};
}

} // namespace trowel::tool
