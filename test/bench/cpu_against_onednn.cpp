// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fast the CPU's code is on one thread, against a library's matrix product
// on tiles of 64 x 128 x 128 in the same process, and against loops over the
// tokens: cpu_against_onednn [TOKENS [HEADS [ROUNDS]]]. The operations are
// counted at chunks of 64 tokens. What is compared runs in turn; the best time
// of each counts. Pin it to one core: taskset -c 1.
#include "codegen/Library/InProcess.h"
#include "test/bench/TokenLoops.h"
#include "test/unit/Checked.h"
#include "test/unit/Derived.h"

#include <dnnl.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>

using namespace trowel;
using namespace trowel::test;

namespace {

struct Rule {
  const char *name, *text;
  double operations; // a token and head
  bool delta, channels;
};

const double scan = 4.0 * 128 * 128 + 2.0 * 64 * 256;
const double solve = 6.0 * 128 * 128 + 2.0 * 64 * 512;

const Rule rules[] = {
    {"fixed decay", R"(attention rule(K = 128, V = 128) {
  in q, k : f32[K]
  in v    : f32[V]
  param g : f32 <= 0
  state S : f32[K, V]
  S *= exp(g)
  S += k * v
  out o : f32[V] = q @ S
})",
     scan, false, false},
    {"channel decay", R"(attention rule(K = 128, V = 128) {
  in q, k, g : f32[K]
  in v       : f32[V]
  state S    : f32[K, V]
  S *= exp(min(g, 0))
  S += k * v
  out o : f32[V] = q @ S
})",
     scan, false, true},
    {"delta", R"(attention rule(K = 128, V = 128) {
  in q, k    : f32[K]
  in v       : f32[V]
  in g, beta : f32
  state S    : f32[K, V]
  S *= exp(min(g, 0))
  S += beta * k * (v - k @ S)
  out o : f32[V] = q @ S
})",
     solve, true, false},
    {"delta, channels", R"(attention rule(K = 128, V = 128) {
  in q, k, g : f32[K]
  in v       : f32[V]
  in beta    : f32
  state S    : f32[K, V]
  S *= exp(min(g, 0))
  S += beta * k * (v - k @ S)
  out o : f32[V] = q @ S
})",
     solve, true, true},
};

/// Time of the processor, which a busy machine does not stretch.
double milliseconds(llvm::function_ref<void()> work) {
  auto now = [] {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
  };
  double start = now();
  work();
  return now() - start;
}

/// The rate of the library's product, in operations a millisecond.
class Product {
public:
  double rate() {
    constexpr int turns = 500;
    double time = milliseconds([&] {
      for (int i = 0; i < turns; ++i)
        dnnl_sgemm('N', 'N', 64, 128, 128, 1, a.data(), 128, b.data(), 128, 0,
                   c.data(), 128);
    });
    return turns * 2.0 * 64 * 128 * 128 / time;
  }

private:
  std::vector<float> a = std::vector<float>(64 * 128, 0.01f),
                     b = std::vector<float>(128 * 128, 0.01f),
                     c = std::vector<float>(64 * 128);
};

/// Numbers that keep states from growing: short keys, weak decay.
TensorMap makeInputs(const Rule &rule, const Batch &batch) {
  int64_t rows = batch.tokens * batch.heads;
  std::map<std::string, int64_t> widths{{"q", 128}, {"k", 128}, {"v", 128}};
  if (rule.channels)
    widths["g"] = 128;
  else if (rule.delta)
    widths["g"] = 1;
  if (rule.delta)
    widths["beta"] = 1;
  TensorMap inputs;
  uint32_t seed = 1;
  auto uniform = [&] {
    seed = seed * 1664525 + 1013904223;
    return static_cast<float>(seed >> 8) / (1 << 24);
  };
  for (auto &[name, width] : widths) {
    std::vector<int64_t> shape{1, batch.tokens, batch.heads};
    if (width > 1)
      shape.push_back(width);
    Tensor tensor(shape);
    float scale = name == "v" ? 2 : 2 / std::sqrt(128 / 3.0f);
    for (int64_t i = 0; i < rows * width; ++i) {
      float y = uniform();
      tensor.data[i] = name == "beta" ? y
                       : name == "g"  ? -0.1f * y
                                      : scale * (y - 0.5f);
    }
    inputs.emplace(name, std::move(tensor));
  }
  if (!rule.delta && !rule.channels) {
    Tensor decay(std::vector<int64_t>{batch.heads});
    for (double &x : decay.data)
      x = -0.05;
    inputs.emplace("g", std::move(decay));
  }
  return inputs;
}

std::vector<float> floats(const TensorMap &tensors, const std::string &name) {
  auto tensor = tensors.find(name);
  if (tensor == tensors.end())
    return {};
  return {tensor->second.data.begin(), tensor->second.data.end()};
}

struct Contender {
  const char *name;
  std::function<void()> run;
  double best = 1e9;
};

/// Root of the mean square difference, over that of the numbers.
double difference(const std::vector<float> &x, const std::vector<float> &y) {
  double apart = 0, size = 0;
  for (auto [a, b] : llvm::zip(x, y)) {
    apart += (double(a) - b) * (double(a) - b);
    size += double(b) * b;
  }
  return std::sqrt(apart / size);
}

bool measure(const Rule &rule, const Batch &batch, int rounds, bool narrow) {
  Checked checked = checkText(rule.text, {});
  if (!checked.program) {
    std::fputs(checked.messages().c_str(), stderr);
    return false;
  }
  Derived derived = derive(*checked.program, 0);
  cpu::CpuOptions options;
  options.narrow = narrow;
  auto code = llvm::cantFail(
      library::InProcess::create(*checked.program, *derived.module, options));
  TensorMap inputs = makeInputs(rule, batch);
  std::vector<float> q = floats(inputs, "q"), k = floats(inputs, "k"),
                     v = floats(inputs, "v"), g = floats(inputs, "g"),
                     beta = floats(inputs, "beta");
  std::vector<float> loopResult(batch.tokens * batch.heads * 128);
  bench::DeltaRule loops{q.data(),     k.data(),    v.data(),
                         g.data(),     beta.data(), loopResult.data(),
                         batch.tokens, batch.heads, rule.channels};
  auto heads = [&](auto body) {
    return [&loops, &batch, body] {
      for (long head = 0; head < batch.heads; ++head)
        body(loops, head);
    };
  };
  std::vector<Contender> contenders(1);
  contenders[0].name = "compiled";
  if (rule.delta) {
    contenders.push_back({"token loop, state [V,K]", heads(bench::rowLoop)});
    contenders.push_back(
        {"token loop, slices of 32", heads([](const auto &rule, long head) {
           bench::slicedLoop(rule, head, 32);
         })});
    contenders.push_back(
        {"token loop, slices of 64", heads([](const auto &rule, long head) {
           bench::slicedLoop(rule, head, 64);
         })});
  }
  Product product;
  double rate = 0;
  auto timed = [&](const trowel_call &raw) {
    int32_t status = TROWEL_OK;
    contenders[0].run = [&] { status = code->forward(raw); };
    for (int round = 0; round < rounds; ++round)
      for (Contender &contender : contenders) {
        rate = std::max(rate, product.rate());
        contender.best = std::min(contender.best, milliseconds(contender.run));
      }
    return status;
  };
  library::CallOptions call;
  call.threads = 1;
  library::CallResults results;
  if (library::call(timed, code->tables(), batch, inputs, call, results) !=
      TROWEL_OK) {
    std::fprintf(stderr, "%s\n", code->lastError());
    return false;
  }
  bool same = true;
  for (size_t i = 1; i < contenders.size(); ++i) {
    contenders[i].run();
    same &= difference(loopResult, floats(results.values, "o")) < 1e-5;
  }
  double operations = rule.operations * batch.tokens * batch.heads;
  for (const Contender &contender : contenders)
    std::printf("%-16s %-26s %8.2f ms  %5.2f of %.1f GFLOP/s%s\n", rule.name,
                contender.name, contender.best,
                operations / contender.best / rate, rate * 1e-6,
                same ? "" : "  RESULTS DIFFER");
  return same;
}

} // namespace

int main(int argc, char **argv) {
  auto number = [&](int i, int64_t other) {
    return argc > i ? std::atoll(argv[i]) : other;
  };
  Batch batch;
  batch.tokens = number(1, 4096);
  batch.heads = number(2, 8);
  setenv("OMP_NUM_THREADS", "1", 0);
  // The library's products may be limited the same way.
  const char *limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  bool narrow = limit && llvm::StringRef(limit) == "AVX2";
  bool same = true;
  for (const Rule &rule : rules)
    same &= measure(rule, batch, number(3, 7), narrow);
  return same ? 0 : 1;
}
