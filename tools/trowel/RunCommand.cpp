// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel run`: a program on the caller's tensors. Nothing is written unless
// everything went well.
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "runtime/Host/Arguments.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/Messages.h"
#include "tools/trowel/Questions.h"
#include "tools/trowel/RunFiles.h"
#include "tools/trowel/RunGradients.h"
#include "tools/trowel/Slice.h"

#include <chrono>
#include <cstdio>
#include <iostream>

namespace trowel::tool {
namespace {

/// One run from its arguments to its exit status.
class Run {
public:
  explicit Run(const RunArguments &arguments)
      : arguments(arguments), compiler(timings) {}

  int run();

private:
  bool prepare();
  bool readCall();
  bool takeCarry(host::ArrayMap &arrays);
  bool checkCarry(int64_t bytes);
  void warnAboutStates() const;
  std::optional<TensorMap> compute();
  std::optional<TensorMap> computeByCode();
  bool addGradients(const library::InProcess &code,
                    const library::CallOptions &options,
                    library::CallResults &results);
  void reportSpeed(double seconds) const;
  bool compareWithMeaning(const TensorMap &results) const;

  const RunArguments &arguments;
  Timings timings;
  Compiler compiler;
  std::optional<Loaded> loaded;
  std::vector<FileItem> inputs, outputs;
  std::vector<Writable> values; // that there are to write
  host::Call call;
  TensorMap seeds;
  std::optional<host::Array> carry; // in, then out
};

std::string listNames(const std::vector<Writable> &values) {
  std::vector<std::string> names;
  for (const Writable &value : values)
    names.push_back(value.name);
  return quoteAll(names);
}

/// Everything that can be refused before a tensor is read.
bool Run::prepare() {
  if (std::string reason = refuseTarget(arguments.target); !reason.empty())
    return fail(reason), false;
  if (arguments.target == emulatedTarget && arguments.gradients)
    return fail("--grad: not with target `" + arguments.target + "` yet"),
           false;
  if (arguments.meaning && arguments.compare > 0)
    return fail("--meaning and --compare exclude each other"), false;
  std::optional<std::vector<FileItem>> in = parseItems("--in", arguments.in);
  std::optional<std::vector<FileItem>> out = parseItems("--out", arguments.out);
  if (!in || !out)
    return false;
  if (arguments.gradients && arguments.compare > 0)
    return fail("--compare compares no gradients; `trowel check` does"), false;
  inputs = std::move(*in);
  outputs = std::move(*out);
  loaded = load(arguments.program, timings);
  if (!loaded)
    return false;
  const Program &program = loaded->program;
  if (std::string name = ambiguousName(program);
      arguments.gradients && !name.empty())
    return fail("`" + name + "` would name two tensors of `" + program.name +
                "`, one of them a gradient: rename what it is declared as"),
           false;
  values = writables(program);
  if (arguments.gradients)
    for (const Writable &value : gradients(program))
      values.push_back(value);
  bool reports = arguments.compare > 0 || arguments.verbose || arguments.timing;
  if (outputs.empty() && !reports)
    return fail("nothing to write: --out NAME=FILE.npy asks for one of " +
                listNames(values)),
           false;
  return checkOutputs(program, outputs, values, !arguments.meaning);
}

/// The carry is no tensor of the program's, unless it has one of that name.
bool Run::takeCarry(host::ArrayMap &arrays) {
  auto given = arrays.find(carryName);
  if (given == arrays.end() || declares(loaded->program, carryName))
    return true;
  if (arguments.meaning || arguments.compare > 0)
    return fail("`carry` is given, but the meaning begins every sequence anew"),
           false;
  if (given->second.type != host::ElementType::U8)
    return fail("`carry` holds " + std::string(nameOf(given->second.type)) +
                ", not the uint8 that --out carry=... has written"),
           false;
  carry = std::move(given->second);
  arrays.erase(given);
  return true;
}

bool Run::checkCarry(int64_t bytes) {
  std::vector<int64_t> shape = {call.batch.sequences(), call.batch.heads,
                                bytes};
  if (!carry || carry->shape == shape)
    return true;
  fail("`carry` has shape " + describeShape(carry->shape) +
       "; expected [N, H, " + std::to_string(bytes) + "] with N = " +
       std::to_string(shape[0]) + " and H = " + std::to_string(shape[1]));
  return false;
}

bool Run::readCall() {
  const Program &program = loaded->program;
  std::optional<host::ArrayMap> arrays = readInputs(inputs);
  if (!arrays)
    return false;
  if (!takeCarry(*arrays))
    return false;
  std::vector<std::string> errors, names;
  for (const auto &[name, array] : *arrays)
    names.push_back(name);
  Program known = arguments.gradients ? withSeeds(program, names) : program;
  std::optional<host::Call> bound =
      host::bindArguments(known, *arrays, {}, errors);
  if (bound && arguments.checkRanges)
    errors = host::checkRanges(program, *bound);
  for (const std::string &error : errors)
    fail(error);
  if (!errors.empty())
    return false;
  call = std::move(*bound);
  if (arguments.gradients)
    seeds = takeSeeds(program, call.batch, call.arguments);
  warnAboutStates();
  return true;
}

/// Half a set of initial states is rarely meant.
void Run::warnAboutStates() const {
  std::vector<std::string> given, missing;
  for (const Declaration &state : loaded->program.states)
    (call.arguments.count(state.name) ? given : missing).push_back(state.name);
  if (given.empty())
    return;
  if (!missing.empty())
    warn("--in has the initial states " + quoteAll(given) + " but not " +
         quoteAll(missing) + ", which will start as a new sequence does");
  if (!carry && has(loaded->program, {Expr::Kind::Delay, Expr::Kind::PrefixSum,
                                      Expr::Kind::Position}))
    warn("initial states are given, but the program's delays, running sums and "
         "position begin anew: they are `carry`, in --out and then in --in");
}

void Run::reportSpeed(double seconds) const {
  const Batch &batch = call.batch;
  double tokens = static_cast<double>(batch.batch * batch.tokens);
  std::fprintf(
      stderr,
      "B = %lld, T = %lld, H = %lld, G = %lld: %.1f ms, %.0f tokens/s\n",
      static_cast<long long>(batch.batch), static_cast<long long>(batch.tokens),
      static_cast<long long>(batch.heads), static_cast<long long>(batch.groups),
      seconds * 1e3, tokens / seconds);
}

std::optional<TensorMap> Run::computeByCode() {
  Diagnostic why;
  std::unique_ptr<library::InProcess> code =
      arguments.target == emulatedTarget
          ? compiler.compileEmulated(*loaded, why)
          : compiler.compileCpu(*loaded, why, arguments.gradients);
  if (!code) {
    std::cerr << render(why, loaded->source);
    return std::nullopt;
  }
  if (arguments.timing)
    timings.print(std::cerr, "file to executable code");
  if (arguments.verbose)
    std::cerr << loaded->program.name << '\n'
              << compiler.describeStates(*loaded);
  int64_t carryBytes = code->tables().info().carryBytes;
  if (!checkCarry(carryBytes))
    return std::nullopt;
  library::CallOptions options;
  options.threads = arguments.threads;
  if (carry)
    options.carry = carry->bytes;
  library::CallResults results;
  if (code->call(call.batch, call.arguments, options, results) != TROWEL_OK) {
    fail(std::string("`") + loaded->program.name +
         "` cannot run: " + code->lastError());
    return std::nullopt;
  }
  if (std::string failure = code->failure(); !failure.empty()) {
    fail("the emulator stopped `" + loaded->program.name + "`: " + failure);
    return std::nullopt;
  }
  if (arguments.gradients && !addGradients(*code, options, results))
    return std::nullopt;
  carry = host::Array{host::ElementType::U8,
                      {call.batch.sequences(), call.batch.heads, carryBytes},
                      std::move(results.carry)};
  if (arguments.verbose)
    reportSpeed(results.seconds);
  return std::move(results.values);
}

bool Run::addGradients(const library::InProcess &code,
                       const library::CallOptions &options,
                       library::CallResults &results) {
  library::CallResults found;
  if (code.callBackward(call.batch, call.arguments, seeds, options, found) !=
      TROWEL_OK) {
    fail(std::string("the gradient of `") + loaded->program.name +
         "` cannot run: " + code.lastError());
    return false;
  }
  results.values.merge(found.values);
  results.seconds += found.seconds;
  return true;
}

std::optional<TensorMap> Run::compute() {
  if (!arguments.meaning)
    return computeByCode();
  if (arguments.timing)
    timings.print(std::cerr, "file to checked program");
  auto start = std::chrono::steady_clock::now();
  TensorMap results = evaluate(loaded->program, call.batch, call.arguments);
  if (arguments.gradients)
    results.merge(
        differentiate(loaded->program, call.batch, call.arguments, seeds)
            .values);
  std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  if (arguments.verbose)
    reportSpeed(passed.count());
  return results;
}

bool Run::compareWithMeaning(const TensorMap &results) const {
  const Program &program = loaded->program;
  Corner corner = cornerOf(program, call.batch, arguments.compare);
  TensorMap given = sliceArguments(program, call.batch, corner, call.arguments);
  TensorMap actual = sliceResults(program, call.batch, corner, results);
  TensorMap meaning = evaluate(program, corner.batch, given);
  TensorMap magnitudes = evaluateMagnitudes(program, corner.batch, given);
  roundResults(program, meaning);
  for (auto it = meaning.begin(); it != meaning.end();)
    it = actual.count(it->first) ? std::next(it) : meaning.erase(it);
  Comparison worst = compare(actual, meaning, magnitudes);
  std::string name = worst.name.empty() ? "" : " (`" + worst.name + "`)";
  std::fprintf(
      stderr, "against the meaning, %lld tokens of %s: error ratio %.2g%s\n",
      static_cast<long long>(corner.batch.tokens),
      corner.batch.heads == call.batch.heads ? "all heads" : "the first head",
      worst.ratio, name.c_str());
  double most = arguments.target == emulatedTarget ? allowedInKernels(program)
                                                   : allowedOnCpu(program);
  if (worst.ratio <= most)
    return true;
  std::string reason = worst.reason.empty() ? "" : ": " + worst.reason;
  fail("the results of `" + program.name + "` differ from its meaning" + name +
       reason + "; nothing was written");
  return false;
}

int Run::run() {
  if (!prepare() || !readCall())
    return 1;
  std::optional<TensorMap> results = compute();
  if (!results)
    return 1;
  if (arguments.compare > 0 && !compareWithMeaning(*results))
    return 1;
  return writeOutputs(outputs, values, *results, carry, arguments.raw);
}

} // namespace

const std::string emulatedTarget = "sm_90a-emulated";

std::string refuseTarget(const std::string &target) {
  if (target == "cpu" || target == emulatedTarget)
    return "";
  return "target `" + target + "` is not supported yet; there are `cpu` and `" +
         emulatedTarget + "`";
}

int runRun(const RunArguments &arguments) { return Run(arguments).run(); }

} // namespace trowel::tool
