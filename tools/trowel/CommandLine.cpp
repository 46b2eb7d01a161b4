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
  trowel check my_rule.trowel       errors; then every derived form against the meaning
  trowel explain my_rule.trowel     what becomes matrix products, what not, and why
  trowel run my_rule.trowel --in q=q.npy,k=k.npy --out o=o.npy
                                    compile and run on .npy files
  trowel build my_rule.trowel -o my_rule.so
                                    a library for C, C++ and whoever can call them
  trowel bench my_rule.trowel       how fast it runs here
  trowel list                       the catalogue of published rules
  trowel show rwkv7                 print one of them

The exit status is 0, 1 for an error, or 70 for an error of the compiler's own.
)";

constexpr const char *checkFooter =
    R"(Parses the file, checks names, axes and types, and compares each derived form
with the token-by-token meaning in float64, on random and on hard inputs (strong
and zero decays, resets, equal keys, huge and tiny numbers).

  trowel check my_rule.trowel
  trowel check my_rule.trowel -D K=32 --seed 7)";

constexpr const char *explainFooter =
    R"(Says into which stages the program falls, which of them become matrix products
over chunks of tokens, the equations of the chunk, and, for a stage that runs
token by token, which expression is the reason.

  trowel explain my_rule.trowel)";

constexpr const char *runFooter =
    R"(Inputs are [B, T, H, axes], params [H, axes], states [N, H, axes]; B, T and H are
read off the files. f32 files are rounded to the declared types; uint16 files hold
the bits of bf16 or f16. A state in --in is the initial one, in --out the final one.

  trowel run my_rule.trowel --in q=q.npy,k=k.npy,v=v.npy --in S=s0.npy \
      --out o=o.npy,S=s1.npy
  trowel run my_rule.trowel --in all.npz --out results.npz --check-ranges
  trowel run my_rule.trowel --in all.npz --compare 64

cu_seqlens=lengths.npy ([N + 1] offsets, with B = 1) separates sequences; debug.0,
debug.1, ... in --out are the values of `debug(x)` in the order of the program.
carry=FILE.npy is what delays, running sums and the position need to go on: write it
with the final states, and give both to the run that continues.

With --grad, --out has the gradients of inputs, params and initial states as well:
dq, dA_log, dS0. They are those of a sum that --in weighs: do=do.npy for an output o,
dS=ds.npy for a final state S, zero for those that are not there. With none of them
it is the sum of all outputs.

  trowel run my_rule.trowel --in all.npz --in do=do.npy --grad --out dq=dq.npy)";

constexpr const char *buildFooter =
    R"(NAME.so is a shared library that needs nothing but the C library, NAME.o the same
as an object to link with; NAME.h, beside it, declares the functions. Code for AVX2
and for AVX-512 is in both, chosen when it runs. With --target sm_90a there are kernels for
Hopper GPUs instead, with --target cpu,sm_90a beside it: where the tensors are decides.

  trowel build my_rule.trowel -o my_rule.so
  trowel build my_rule.trowel --emit header   what a host includes
  trowel build my_rule.trowel --emit rec      what one token means, as the compiler has it
  trowel build my_rule.trowel --emit chunk    the derived program over a chunk of tokens
  trowel build my_rule.trowel --emit llvm -D K=64 --timing -o my_rule.ll
  trowel build my_rule.trowel --emit ptx      kernels for sm_90a)";

constexpr const char *benchFooter =
    R"(Runs the program on random inputs in its declared types, through the interface
that every library has. Times are medians of rounds in which everything that is
compared runs in turn. `speedup` is relative to the first number of threads,
`against` to the first program: 2 is twice as fast.

  trowel bench my_rule.trowel --seq 2048,8192 --heads 16
  trowel bench my_rule.trowel --threads 1,2
  trowel bench my_rule.trowel --against other.trowel -D K=64)";

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
      ->type_name("")
      ->required();
  app->add_option("--attention", request.attention,
                  "Which attention, if the file has several")
      ->type_name("NAME");
  app->add_option("-D", request.sizes, "Another size: -D K=64")
      ->type_name("NAME=NUMBER")
      ->allow_extra_args(false);
}

void addCheck(CLI::App &root, Command &command) {
  auto [app, arguments] = addCommand<CheckArguments>(
      root, command, "check",
      "Find errors; compare every derived form with the meaning", checkFooter,
      runCheck);
  addProgram(app, arguments->program);
  app->add_option("--seed", arguments->seed, "Other random inputs")
      ->type_name("N");
  app->add_flag("--full-size", arguments->fullSize,
                "Try these sizes only, however long it takes");
  app->add_option("--target", arguments->target,
                  "sm_90a-emulated: kernels of a GPU as well")
      ->type_name("NAME");
  app->add_flag("--timing", arguments->timing, "Print the time of each phase");
}

void addExplain(CLI::App &root, Command &command) {
  auto [app, arguments] = addCommand<ExplainArguments>(
      root, command, "explain",
      "Say what becomes matrix products, what not, and why", explainFooter,
      runExplain);
  addProgram(app, arguments->program);
}

void addRun(CLI::App &root, Command &command) {
  auto [app, arguments] = addCommand<RunArguments>(
      root, command, "run", "Compile and run on .npy files", runFooter, runRun);
  addProgram(app, arguments->program);
  app->add_option("--in", arguments->in,
                  "Inputs, params, initial states, cu_seqlens")
      ->type_name("NAME=FILE.npy,...|ALL.npz")
      ->allow_extra_args(false);
  app->add_option("--out", arguments->out,
                  "Outputs, final states, debug values")
      ->type_name("NAME=FILE.npy,...|ALL.npz")
      ->allow_extra_args(false);
  app->add_flag("--raw", arguments->raw,
                "Write the declared types' bits instead of f32");
  app->add_flag("--check-ranges", arguments->checkRanges,
                "Refuse values outside the declared ranges");
  app->add_option("--threads", arguments->threads,
                  "How many; 0: one for each processor")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""));
  app->add_option("--target", arguments->target,
                  "cpu, or sm_90a-emulated: as kernels")
      ->type_name("NAME");
  app->add_flag("--meaning", arguments->meaning,
                "Run the token-by-token meaning in float64 instead (slow)");
  app->add_option("--compare", arguments->compare,
                  "Compare the first N tokens with the meaning")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40).description(""));
  app->add_flag("--grad", arguments->gradients,
                "Compute gradients as well: dq=dq.npy in --out");
  app->add_flag("--verbose", arguments->verbose,
                "Say what was derived, and tokens per second");
  app->add_flag("--timing", arguments->timing, "Print the time of each phase");
}

void addBuild(CLI::App &root, Command &command) {
  auto [app, arguments] = addCommand<BuildArguments>(
      root, command, "build", "Make a library, or print the program at a level",
      buildFooter, runBuild);
  addProgram(app, arguments->program);
  app->add_option("--emit", arguments->emit, "rec, chunk, llvm, ptx or header")
      ->type_name("LEVEL");
  app->add_option("-o", arguments->output,
                  "Write to this file; a library: NAME.so or NAME.o")
      ->type_name("FILE");
  app->add_option("--target", arguments->target,
                  "cpu, sm_90a or both: cpu,sm_90a")
      ->type_name("NAME");
  app->add_flag("--inference", arguments->inferenceOnly,
                "Leave the backward function out: a smaller library, sooner");
  app->add_flag("--timing", arguments->timing, "Print the time of each phase");
}

void addBench(CLI::App &root, Command &command) {
  auto [app, arguments] = addCommand<BenchArguments>(
      root, command, "bench", "Time a program", benchFooter, runBench);
  addProgram(app, arguments->program);
  app->add_flag("--grad", arguments->gradients,
                "Time the backward function, too, and its ratio to forward");
  auto sizes = CLI::Range(int64_t(1), int64_t(INT32_MAX)).description("");
  app->add_option("--seq", arguments->tokens, "Tokens in a sequence, T")
      ->type_name("T,...")
      ->delimiter(',')
      ->check(sizes);
  app->add_option("--heads", arguments->heads, "Heads, H; as many groups")
      ->type_name("H,...")
      ->delimiter(',')
      ->check(sizes);
  app->add_option("--batch", arguments->batch, "Sequences, B")
      ->type_name("B")
      ->check(sizes);
  app->add_option("--threads", arguments->threads,
                  "How many; 0: one for each processor")
      ->type_name("N,...")
      ->delimiter(',')
      ->check(CLI::Range(0, 1024).description(""));
  app->add_option("--against", arguments->against, "Another program")
      ->type_name("FILE");
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
  fresh->add_option("name", created->name, "What to call it")
      ->type_name("")
      ->required();
}

/// A first word that is no command.
std::string describeUnknown(const CLI::App &root, const std::string &word) {
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
  for (int i = 1; i < argc; ++i)
    if (std::string(argv[i]) == "--html")
      return {nullptr, fail("`--html` is not supported yet")};
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
  addCheck(root, command);
  addExplain(root, command);
  addRun(root, command);
  addBuild(root, command);
  addBench(root, command);
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
