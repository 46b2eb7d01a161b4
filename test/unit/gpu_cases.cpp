// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes what scripts/gpu-check takes to a machine with a GPU: for each program
// a library, arguments in the declared types, and what the meaning makes of
// them in float64.
//
//   gpu_cases DIR [--small] [--cpu] [--seed N] FILE.trowel ...
//
// --small: other sizes, of a few elements. --cpu: libraries have code for the
// CPU as well, which tests the script where there is no GPU.
#include "codegen/Library/Build.h"
#include "codegen/Library/Call.h"
#include "codegen/Library/Link.h"
#include "frontend/Reference/Compare.h"
#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Types.h"
#include "runtime/Host/File.h"
#include "test/unit/Derived.h"

#include "llvm/Support/JSON.h"

#include <cmath>
#include <cstring>
#include <iostream>

using namespace trowel;
using namespace trowel::test;
using library::Role;

namespace {

struct Options {
  std::string folder;
  bool small = false, cpu = false;
  uint64_t seed = 1;
};

struct Shape {
  Batch batch;
  bool initialStates;
};

/// Rows of one length with heads in a group; sequences packed into one row,
/// some of them empty; several chunks from a state that is there.
std::vector<Shape> shapes() {
  Batch rows, packed, chunks;
  rows.batch = 2;
  rows.tokens = 35;
  rows.heads = 2;
  packed.tokens = 40;
  packed.cuSeqlens = {0, 0, 33, 40};
  chunks.tokens = 200;
  return {{rows, false}, {packed, false}, {chunks, true}};
}

/// Every program meets others of the hard regimes, and Random first.
Regime regimeOf(uint64_t seed, size_t shape) {
  std::vector<Regime> hard;
  for (Regime regime : allRegimes())
    if (regime != Regime::Random && regime != Regime::Gentle)
      hard.push_back(regime);
  return shape == 0 ? Regime::Random : hard[(seed * 2 + shape) % hard.size()];
}

bool isNarrow(const Program &program) {
  for (const auto *list : {&program.inputs, &program.params, &program.outputs})
    for (const Declaration &declaration : *list)
      if (declaration.dtype != DType::F32 && declaration.dtype != DType::I32)
        return true;
  return false;
}

double rootMeanSquare(const Tensor &tensor) {
  double sum = 0, count = 0;
  for (double x : tensor.data)
    if (std::isfinite(x)) {
      sum += x * x;
      ++count;
    }
  return count > 0 ? std::sqrt(sum / count) : 0;
}

class Cases {
public:
  Cases(const Program &program, const library::Tables &tables)
      : program(program), tables(tables) {}

  void add(const Shape &shape, Regime regime, uint64_t seed);

  llvm::json::Array list;
  std::string bytes; // of all tensors, to which the list points

private:
  int64_t append(const void *data, size_t size) {
    auto at = static_cast<int64_t>(bytes.size());
    bytes.append(static_cast<const char *>(data), size);
    return at;
  }
  llvm::json::Object expect(const Tensor &meaning, const Tensor &magnitudes);

  const Program &program;
  const library::Tables &tables;
};

llvm::json::Object Cases::expect(const Tensor &meaning,
                                 const Tensor &magnitudes) {
  std::vector<float> values(meaning.data.begin(), meaning.data.end());
  return llvm::json::Object{
      {"at", append(values.data(), values.size() * sizeof(float))},
      {"magnitude", rootMeanSquare(magnitudes)}};
}

/// Where the meaning itself grows out of all bounds nothing is compared.
void Cases::add(const Shape &shape, Regime regime, uint64_t seed) {
  InputOptions options;
  options.regime = regime;
  options.seed = seed;
  options.initialStates = shape.initialStates;
  const Batch &batch = shape.batch;
  TensorMap arguments = generateInputs(program, batch, options);
  TensorMap meaning = evaluate(program, batch, arguments);
  if (regime != Regime::Random && largestMagnitude(meaning) > 1e6) {
    list.push_back(llvm::json::Object{{"skipped", nameOf(regime)}});
    return;
  }
  TensorMap magnitudes = evaluateMagnitudes(program, batch, arguments);
  roundResults(program, meaning);
  library::PreparedCall prepared(tables, batch, arguments, {});
  trowel_call call = prepared.raw();
  llvm::json::Object tensors;
  for (size_t i = 0; i < tables.tensors().size(); ++i) {
    const library::TensorEntry &entry = tables.tensors()[i];
    const DLTensor *tensor = call.tensors[i];
    if (!tensor)
      continue;
    llvm::json::Object about;
    std::vector<int64_t> extents(tensor->shape, tensor->shape + tensor->ndim);
    size_t size = tensor->dtype.bits / 8;
    for (int64_t extent : extents)
      size *= static_cast<size_t>(extent);
    if (entry.role == Role::Output || entry.role == Role::FinalState)
      about = expect(meaning.at(entry.name), magnitudes[entry.name]);
    else
      about["at"] = append(tensor->data, size);
    about["shape"] = llvm::json::Array(extents);
    tensors[entry.symbol] = std::move(about);
  }
  list.push_back(
      llvm::json::Object{{"regime", nameOf(regime)},
                         {"batch", batch.batch},
                         {"tokens", batch.tokens},
                         {"heads", batch.heads},
                         {"sequences", batch.sequences()},
                         {"cu_seqlens", llvm::json::Array(batch.cuSeqlens)},
                         {"tensors", std::move(tensors)}});
}

void write(const std::string &path, const std::string &bytes) {
  if (std::string error = host::writeFile(path, bytes); !error.empty()) {
    std::cerr << error << '\n';
    std::exit(1);
  }
}

/// False if there is no such library; then it says why.
bool prepare(const Program &program, const std::string &file,
             const Options &options, uint64_t seed) {
  auto context = makeContext();
  auto module = deriveIn(*context, program, 0);
  auto step = deriveIn(*context, program, 1);
  auto device = deriveIn(*context, program, 0, cuda::mostChunkRows);
  std::vector<library::Machine> machines;
  if (options.cpu)
    machines = {library::Machine::Avx2};
  auto built = library::build(program, *module, *step, {}, *device,
                              {machines, {library::Chip()}}, "gpu-check");
  if (!built) {
    std::cout << file << ": " << llvm::toString(built.takeError()) << '\n';
    return false;
  }
  auto linked = library::linkLibrary(built->objects, program.name + ".so");
  if (!linked) {
    std::cerr << llvm::toString(linked.takeError()) << '\n';
    std::exit(1);
  }
  Cases cases(program, *built->tables);
  std::vector<Shape> all = shapes();
  for (size_t i = 0; i < all.size(); ++i)
    cases.add(all[i], regimeOf(seed, i), seed);
  llvm::json::Object about{{"name", program.name},
                           {"file", file},
                           {"threshold", isNarrow(program) ? 5e-3 : 1e-4},
                           {"cases", std::move(cases.list)}};
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(about));
  std::string path = options.folder + "/" + program.name;
  write(path + ".so", *linked);
  write(path + ".bin", cases.bytes);
  write(path + ".json", text);
  return true;
}

CheckOptions declaredSizes(const syntax::Attention &) { return {}; }

} // namespace

int main(int argc, char **argv) {
  Options options;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "--small")
      options.small = true;
    else if (word == "--cpu")
      options.cpu = true;
    else if (word == "--seed" && i + 1 < argc)
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    else if (options.folder.empty())
      options.folder = word;
    else
      files.push_back(word);
  }
  if (files.empty()) {
    std::cerr << "usage: gpu_cases DIR [--small] [--cpu] [--seed N] FILE ...\n";
    return 2;
  }
  uint64_t seed = options.seed;
  int made = 0;
  for (const std::string &file : files)
    for (const Program &program :
         checkedPrograms(file, options.small ? smallSizes : declaredSizes))
      made += prepare(program, file, options, seed++);
  std::cout << made << " programs\n";
  return made > 0 ? 0 : 1;
}
