// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel check`: errors of the program's, then every form that was derived
// from it against its meaning.
#include "dialect/Reference/ChunkInterpreter.h"
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Types.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/Messages.h"
#include "tools/trowel/Questions.h"
#include "tools/trowel/Reduce.h"
#include "tools/trowel/RunGradients.h"
#include "tools/trowel/Thresholds.h"
#include "tools/trowel/Trials.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>

namespace trowel::tool {
namespace {

/// Whether one head's tensors at these sizes fit in memory comfortably.
bool isBearable(const Program &program, const Batch &batch) {
  constexpr double mostElements = 1 << 24;
  double elements = 0;
  auto count = [&](const std::vector<Declaration> &list, Boundary boundary) {
    for (const Declaration &declaration : list) {
      double product = 1;
      for (int64_t extent :
           boundaryShape(program, declaration, boundary, batch))
        product *= static_cast<double>(extent);
      elements += product;
    }
  };
  count(program.inputs, Boundary::Input);
  count(program.params, Boundary::Param);
  count(program.states, Boundary::State);
  count(program.outputs, Boundary::Output);
  return elements <= mostElements;
}

class Check {
public:
  Check(const Loaded &loaded, const CheckArguments &arguments, Timings &timings)
      : loaded(loaded), arguments(arguments), timings(timings),
        compiler(timings) {}

  bool run();

private:
  void checkChunks(const Loaded &program, const Trials &trials);
  void checkGradients(const Loaded &program, const Trials &trials);
  void checkCode(const std::string &form, const Loaded &program,
                 const library::InProcess &code, const Trials &trials,
                 double threshold);
  void checkCpu(const Loaded &program, const Trials &trials);
  void checkEmulated(const Loaded &program, const Trials &trials);
  void checkGradientsOnCpu(const std::string &form, const Loaded &program,
                           const library::InProcess &code, const Trials &trials,
                           double threshold);
  void checkTrueSizes();
  Verdict begin(const std::string &form, const Loaded &program,
                const Trials &trials, double threshold) const;
  void print() const;

  const Loaded &loaded;
  const CheckArguments &arguments;
  Timings &timings;
  Compiler compiler;
  std::vector<Verdict> verdicts;
};

Verdict Check::begin(const std::string &form, const Loaded &program,
                     const Trials &trials, double threshold) const {
  Verdict verdict;
  verdict.form = form;
  verdict.sizes = describeSizes(program.program);
  verdict.threshold = threshold;
  verdict.skipped = trials.skipped;
  return verdict;
}

/// The chunk program in float64, at several chunk sizes; 0: a chunk as long as
/// the call.
void Check::checkChunks(const Loaded &program, const Trials &trials) {
  std::map<int64_t, mlir::OwningOpRef<mlir::ModuleOp>> modules;
  for (int64_t tokens : {1, 7, 16, 64, 0}) {
    std::string size = tokens ? std::to_string(tokens) : "T";
    Verdict verdict =
        begin("chunk program, C = " + size, program, trials, thresholds::chunk);
    for (const Trial &trial : trials.list) {
      int64_t chunk = tokens ? tokens : trial.batch.tokens;
      mlir::OwningOpRef<mlir::ModuleOp> &module = modules[chunk];
      if (!module)
        module = compiler.lower(program, Level::Chunk, chunk);
      TensorMap results = timings.measure("chunk programs in float64", [&] {
        return evaluateChunks(*module, trial.batch, trial.arguments);
      });
      verdict.add(trial, compare(trial, results));
    }
    verdicts.push_back(std::move(verdict));
  }
}

/// The backward programs, where there are any, against the gradient of the
/// meaning.
void Check::checkGradients(const Loaded &program, const Trials &trials) {
  for (int64_t tokens : {7, 64}) {
    Diagnostic why;
    mlir::OwningOpRef<mlir::ModuleOp> module =
        compiler.differentiate(program, tokens, why);
    if (!module) {
      why.severity = Diagnostic::Severity::Warning;
      std::cerr << render(why, program.source);
      return;
    }
    Verdict verdict = begin("gradient, C = " + std::to_string(tokens), program,
                            trials, thresholds::gradient);
    for (const Trial &trial : trials.list) {
      TensorMap seeds =
          generateSeeds(program.program, trial.batch, arguments.seed);
      Gradients expected = timings.measure("the gradient of the meaning", [&] {
        return differentiate(program.program, trial.batch, trial.arguments,
                             seeds);
      });
      if (largestMagnitude(expected.values) > thresholds::magnitude) {
        ++verdict.skipped;
        continue;
      }
      TensorMap results = timings.measure("gradients in float64", [&] {
        return evaluateGradients(*module, trial.batch, trial.arguments, seeds);
      });
      verdict.add(trial,
                  compare(results, expected.values, expected.magnitudes));
    }
    verdicts.push_back(std::move(verdict));
  }
}

/// The code in f32, tensors included. A trial that f32 arguments do not
/// determine well enough is no test.
void Check::checkCode(const std::string &form, const Loaded &program,
                      const library::InProcess &code, const Trials &trials,
                      double threshold) {
  Verdict verdict = begin(form, program, trials, threshold);
  for (const Trial &trial : trials.list) {
    library::CallResults results;
    if (code.call(trial.batch, trial.arguments, {}, results) != TROWEL_OK)
      internalError(std::string("a trial cannot run: ") + code.lastError());
    Comparison comparison = compare(trial, results.values);
    std::string failure = code.failure();
    if (!failure.empty())
      comparison = {std::numeric_limits<double>::infinity(), "", failure};
    bool isTest = comparison.ratio <= verdict.threshold || !failure.empty() ||
                  sensitivity(program.program, trial) < thresholds::lastBit;
    if (isTest)
      verdict.add(trial, comparison);
    else
      ++verdict.skipped;
    if (!failure.empty())
      break; // no later call runs
  }
  verdicts.push_back(std::move(verdict));
}

/// Kernels of a GPU, run by the emulator.
void Check::checkEmulated(const Loaded &declared, const Trials &trials) {
  Loaded program = declared;
  program.program = inF32(declared.program);
  Diagnostic why;
  if (auto code = compiler.compileEmulated(program, why))
    return checkCode("kernels in f32, emulated", program, *code, trials,
                     allowedInKernels(program.program));
  why.severity = Diagnostic::Severity::Warning;
  std::cerr << render(why, program.source);
}

void Check::checkCpu(const Loaded &declared, const Trials &trials) {
  Loaded program = declared;
  program.program = inF32(declared.program);
  Diagnostic why;
  std::unique_ptr<library::InProcess> code =
      compiler.compileCpu(program, why, /*gradient=*/true);
  if (!code) // the gradient may be what is refused
    code = compiler.compileCpu(program, why);
  if (!code) {
    why.severity = Diagnostic::Severity::Warning;
    std::cerr << render(why, program.source);
    return;
  }
  checkCode("CPU code in f32", program, *code, trials,
            allowedOnCpu(program.program));
  if (!code->gradientTables())
    return;
  checkGradientsOnCpu("CPU gradients in f32", program, *code, trials,
                      thresholds::gradientOnCpu);
  if (takesF32(declared.program))
    return;
  if ((code = compiler.compileCpu(declared, why, /*gradient=*/true)))
    checkGradientsOnCpu("CPU gradients, declared", declared, *code, trials,
                        thresholds::gradientAsDeclared);
}

/// Gradients as the code's memory can hold them.
static void roundGradients(const Program &program, TensorMap &values) {
  for (const Writable &gradient : gradients(program))
    roundToType(values.at(gradient.name), gradient.dtype);
}

/// Its derivatives are the program's derivatives' business: a trial that
/// arguments in f32 do not determine well enough is no test here either.
void Check::checkGradientsOnCpu(const std::string &form, const Loaded &program,
                                const library::InProcess &code,
                                const Trials &trials, double threshold) {
  Verdict verdict = begin(form, program, trials, threshold);
  for (const Trial &trial : trials.list) {
    TensorMap seeds =
        generateSeeds(program.program, trial.batch, arguments.seed);
    roundSeeds(program.program, seeds);
    Gradients expected = timings.measure("the gradient of the meaning", [&] {
      return differentiate(program.program, trial.batch, trial.arguments,
                           seeds);
    });
    if (largestMagnitude(expected.values) > thresholds::magnitude) {
      ++verdict.skipped;
      continue;
    }
    roundGradients(program.program, expected.values);
    library::CallResults results;
    if (code.callBackward(trial.batch, trial.arguments, seeds, {}, results) !=
        TROWEL_OK)
      internalError(std::string("a trial cannot run: ") + code.lastError());
    Comparison comparison =
        compare(results.values, expected.values, expected.magnitudes);
    bool isTest = comparison.ratio <= verdict.threshold ||
                  gradientSensitivity(program.program, trial, seeds, expected) <
                      thresholds::gradientOnCpu / 20;
    if (isTest)
      verdict.add(trial, comparison);
    else
      ++verdict.skipped;
  }
  verdicts.push_back(std::move(verdict));
}

void Check::print() const {
  std::printf("%-24s %-24s %6s %8s %12s %10s\n", "form", "sizes", "trials",
              "skipped", "error ratio", "allowed");
  for (const Verdict &verdict : verdicts) {
    std::printf("%-24s %-24s %6d %8d %12.1e %10.0e  %s\n", verdict.form.c_str(),
                verdict.sizes.c_str(), verdict.trials, verdict.skipped,
                verdict.worst, verdict.threshold, verdict.outcome());
    if (!verdict.holds())
      std::printf("    %s\n", verdict.failure.c_str());
  }
  if (std::any_of(verdicts.begin(), verdicts.end(),
                  [](const Verdict &verdict) { return verdict.skipped > 0; }))
    std::printf(
        "Skipped: trials whose results pass %.0e, and for f32 those that "
        "move too far\nwhen an argument changes in its last bit.\n",
        thresholds::magnitude);
}

/// A few trials of the code at the sizes that the program really has.
void Check::checkTrueSizes() {
  Batch batch{1, 65, 1, 1, {}};
  if (!isBearable(loaded.program, batch)) {
    std::cout << "At " << describeSizes(loaded.program)
              << " the code was not tried: the tensors are too large.\n";
    return;
  }
  Trials trials = timings.measure("the meaning in float64", [&] {
    return makeTrials(loaded.program, {batch},
                      {Regime::Random, Regime::StrongGates, Regime::Resets,
                       Regime::EqualKeys},
                      arguments.seed);
  });
  checkCpu(loaded, trials);
}

bool Check::run() {
  Loaded small = arguments.fullSize ? loaded : reduce(loaded);
  bool reduced = describeSizes(small.program) != describeSizes(loaded.program);
  std::cout << loaded.program.name << ": no errors; "
            << compiler.describe(loaded) << '\n';
  if (reduced)
    std::cout << "These sizes take too long in float64; most trials are "
                 "smaller (--full-size keeps them).\n";
  Trials trials = timings.measure("the meaning in float64", [&] {
    return makeTrials(small.program, allShapes(), allRegimes(), arguments.seed);
  });
  checkChunks(small, trials);
  checkGradients(small, trials);
  checkCpu(small, trials);
  if (arguments.target == emulatedTarget)
    checkEmulated(small, trials);
  if (reduced)
    checkTrueSizes();
  std::cout.flush();
  print();
  std::fflush(stdout);
  return std::all_of(verdicts.begin(), verdicts.end(),
                     [](const Verdict &verdict) { return verdict.holds(); });
}

} // namespace

int runCheck(const CheckArguments &arguments) {
  if (std::string reason = refuseTarget(arguments.target); !reason.empty())
    return fail(reason);
  Timings timings;
  std::vector<Loaded> programs = loadAll(arguments.program, timings);
  bool holds = !programs.empty();
  for (const Loaded &loaded : programs)
    holds &= Check(loaded, arguments, timings).run();
  if (arguments.timing)
    timings.print(std::cerr, "total");
  if (programs.empty() || holds)
    return holds ? 0 : 1;
  return fail("a derived form differs from the meaning");
}

} // namespace trowel::tool
