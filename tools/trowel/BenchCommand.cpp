// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `trowel bench`: how fast a program runs, and ratios from one run: everything
// that is compared runs in turn, and the median of the rounds counts.
#include "frontend/Reference/Gradient.h"
#include "frontend/Reference/Inputs.h"
#include "tools/trowel/Commands.h"
#include "tools/trowel/Compile.h"
#include "tools/trowel/Messages.h"
#include "tools/trowel/Questions.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

namespace trowel::tool {
namespace {

constexpr size_t leastRounds = 5, mostRounds = 200;
constexpr double leastSeconds = 0.5; // of each

/// One thing that is timed: a program with so many threads.
struct Contestant {
  const library::InProcess *code;
  library::PreparedCall *call, *gradient; // null: none
  int threads;
  std::vector<double> seconds = {}, gradientSeconds = {}; // by round
};

/// The most memory that this process has had, in MiB.
double peakMemory() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double median(std::vector<double> numbers) {
  auto middle = numbers.begin() + static_cast<long>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

double medianRatio(const std::vector<double> &above,
                   const std::vector<double> &below) {
  std::vector<double> ratios;
  for (size_t i = 0; i < below.size(); ++i)
    ratios.push_back(above[i] / below[i]);
  return median(std::move(ratios));
}

class Bench {
public:
  explicit Bench(const BenchArguments &arguments)
      : arguments(arguments), compiler(timings) {}

  int run();

private:
  bool add(const std::string &path);
  bool runShape(int64_t tokens, int64_t heads);
  bool hasMemory(const Batch &batch) const;
  double tensorBytes(const Batch &batch) const;
  bool time(Contestant &contestant, bool isGradient, double &seconds) const;
  bool timeAll(Contestant &contestant, double &seconds) const;
  bool runRounds(std::vector<Contestant> &contestants) const;
  void print(const Batch &batch, const std::vector<Contestant> &all) const;
  void progress(const std::string &text) const {
    if (isatty(STDERR_FILENO))
      std::fprintf(stderr, "\r%-60s\r", text.c_str());
  }

  const BenchArguments &arguments;
  Timings timings;
  Compiler compiler;
  std::vector<Loaded> programs;
  std::vector<std::unique_ptr<library::InProcess>> codes;
};

bool Bench::add(const std::string &path) {
  ProgramRequest request = arguments.program;
  request.path = path;
  if (!programs.empty())
    request.attention.clear();
  std::optional<Loaded> loaded = load(request, timings);
  if (!loaded)
    return false;
  programs.push_back(std::move(*loaded));
  Diagnostic why;
  codes.push_back(
      compiler.compileCpu(programs.back(), why, arguments.gradients));
  if (!codes.back())
    std::cerr << render(why, programs.back().source);
  return codes.back() != nullptr;
}

/// Of all calls. A gradient's have inputs of their own.
double Bench::tensorBytes(const Batch &batch) const {
  double bytes = 0;
  for (const auto &code : codes) {
    bytes += library::PreparedCall::bytes(code->tables(), batch);
    if (const library::Tables *gradient = code->gradientTables())
      bytes += library::PreparedCall::bytes(*gradient, batch);
  }
  return bytes;
}

bool Bench::hasMemory(const Batch &batch) const {
  double needed = tensorBytes(batch);
  double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                 static_cast<double>(sysconf(_SC_PAGESIZE));
  if (needed < 0.7 * there)
    return true;
  char text[160];
  std::snprintf(text, sizeof(text),
                "T = %lld, H = %lld: the tensors would take %.1f GiB of this "
                "machine's %.1f",
                static_cast<long long>(batch.tokens),
                static_cast<long long>(batch.heads), needed / (1 << 30),
                there / (1 << 30));
  return fail(text), false;
}

bool Bench::time(Contestant &contestant, bool isGradient,
                 double &seconds) const {
  trowel_call raw =
      isGradient ? contestant.gradient->raw() : contestant.call->raw();
  raw.threads = contestant.threads;
  auto start = std::chrono::steady_clock::now();
  int32_t status = isGradient ? contestant.code->backward(raw)
                              : contestant.code->forward(raw);
  std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  seconds = passed.count();
  return status == TROWEL_OK || (fail(contestant.code->lastError()), false);
}

/// One round of a contestant; `seconds` of both of its functions.
bool Bench::timeAll(Contestant &contestant, double &seconds) const {
  if (!time(contestant, false, seconds))
    return false;
  contestant.seconds.push_back(seconds);
  if (!contestant.gradient)
    return true;
  double more;
  if (!time(contestant, true, more))
    return false;
  contestant.gradientSeconds.push_back(more);
  seconds += more;
  return true;
}

bool Bench::runRounds(std::vector<Contestant> &contestants) const {
  double seconds, total = 0;
  for (Contestant &contestant : contestants) { // touches all memory
    if (!timeAll(contestant, seconds))
      return false;
    contestant.seconds.clear();
    contestant.gradientSeconds.clear();
  }
  double enough = leastSeconds * static_cast<double>(contestants.size());
  for (size_t round = 0;
       round < leastRounds || (round < mostRounds && total < enough); ++round)
    for (Contestant &contestant : contestants) {
      if (!timeAll(contestant, seconds))
        return false;
      total += seconds;
    }
  return true;
}

void Bench::print(const Batch &batch,
                  const std::vector<Contestant> &all) const {
  progress("");
  size_t counts = arguments.threads.size();
  double tokens = static_cast<double>(batch.batch * batch.tokens);
  for (size_t i = 0; i < all.size(); ++i) {
    double seconds = median(all[i].seconds);
    std::printf("%-28s %4lld %8lld %5lld %8s %10.3f %12.0f",
                programs[i / counts].program.name.c_str(),
                static_cast<long long>(batch.batch),
                static_cast<long long>(batch.tokens),
                static_cast<long long>(batch.heads),
                all[i].threads ? std::to_string(all[i].threads).c_str() : "all",
                seconds * 1e3, tokens / seconds);
    if (counts > 1)
      std::printf(" %9.2f", medianRatio(all[i / counts * counts].seconds,
                                        all[i].seconds));
    if (programs.size() > 1)
      std::printf(" %9.2f",
                  medianRatio(all[i % counts].seconds, all[i].seconds));
    if (all[i].gradient)
      std::printf(" %12.3f %9.2f", median(all[i].gradientSeconds) * 1e3,
                  medianRatio(all[i].gradientSeconds, all[i].seconds));
    std::printf("\n");
  }
  std::fflush(stdout);
}

bool Bench::runShape(int64_t tokens, int64_t heads) {
  Batch batch{arguments.batch, tokens, heads, heads, {}};
  if (!hasMemory(batch))
    return false;
  progress("T = " + std::to_string(tokens) + ", H = " + std::to_string(heads) +
           " ...");
  Batch small{1, std::min<int64_t>(tokens, 64), heads, heads, {}};
  double before = peakMemory();
  std::vector<std::unique_ptr<library::PreparedCall>> calls;
  std::vector<Contestant> contestants;
  for (size_t i = 0; i < codes.size(); ++i) {
    TensorMap inputs =
        generateInputs(programs[i].program, small, {Regime::Gentle, 0});
    calls.push_back(std::make_unique<library::PreparedCall>(
        codes[i]->tables(), batch, inputs, library::CallOptions()));
    library::PreparedCall *call = calls.back().get(), *gradient = nullptr;
    if (const library::Tables *tables = codes[i]->gradientTables()) {
      inputs.merge(generateSeeds(programs[i].program, small, 0));
      calls.push_back(std::make_unique<library::PreparedCall>(
          *tables, batch, inputs, library::CallOptions()));
      gradient = calls.back().get();
    }
    for (int threads : arguments.threads)
      contestants.push_back({codes[i].get(), call, gradient, threads});
  }
  if (!runRounds(contestants))
    return false;
  print(batch, contestants);
  if (arguments.gradients)
    std::printf("  tensors %.0f MiB, at most %.0f MiB above the compiler's own "
                "memory\n",
                tensorBytes(batch) / (1 << 20), peakMemory() - before);
  return true;
}

int Bench::run() {
  if (!add(arguments.program.path) ||
      (!arguments.against.empty() && !add(arguments.against)))
    return 1;
  for (const Loaded &loaded : programs) {
    std::string sizes = describeSizes(loaded.program);
    std::printf("%s%s%s\n", loaded.program.name.c_str(),
                sizes.empty() ? "" : ": ", sizes.c_str());
  }
  std::printf("%-28s %4s %8s %5s %8s %10s %12s%s%s%s\n", "", "B", "T", "H",
              "threads", "ms", "tokens/s",
              arguments.threads.size() > 1 ? "   speedup" : "",
              programs.size() > 1 ? "   against" : "",
              arguments.gradients ? "  backward ms     ratio" : "");
  for (int64_t tokens : arguments.tokens)
    for (int64_t heads : arguments.heads)
      if (!runShape(tokens, heads))
        return 1;
  return 0;
}

} // namespace

int runBench(const BenchArguments &arguments) { return Bench(arguments).run(); }

} // namespace trowel::tool
