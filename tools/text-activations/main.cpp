// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// text-activations: writes .npy files that an attention can be run on, computed
// from the bytes of a text.

#include "runtime/Host/File.h"
#include "runtime/Host/Npy.h"
#include "tools/text-activations/Activations.h"

#include <CLI/CLI.hpp>

#include <cstring>
#include <iostream>

using namespace trowel;

namespace {

struct Options {
  std::string textPath;
  std::string folder = ".";
  CallSizes sizes;
  uint64_t seed = 1;
  std::vector<std::string> requests;
};

int fail(const std::string &message) {
  std::cerr << "text-activations: " << message << '\n';
  return 1;
}

std::string writeTensor(const std::string &path, const TensorRequest &request,
                        const std::vector<float> &values) {
  host::Array array;
  array.type = host::ElementType::F32;
  array.shape = request.shape;
  array.bytes.resize(values.size() * sizeof(float));
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return host::writeNpy(path, array);
}

int run(const Options &options) {
  std::string error;
  std::optional<std::string> text = host::readFile(options.textPath, error);
  if (!text)
    return fail(error);
  const CallSizes &sizes = options.sizes;
  int64_t size = static_cast<int64_t>(text->size());
  if (sizes.tokens > size / sizes.batch)
    return fail("'" + options.textPath + "' has " + std::to_string(size) +
                " bytes; " + std::to_string(sizes.batch) + " x " +
                std::to_string(sizes.tokens) + " tokens need more");

  std::vector<TensorRequest> requests(options.requests.size());
  for (size_t i = 0; i < requests.size(); ++i)
    if (!parseRequest(options.requests[i], sizes, requests[i], error))
      return fail(error);
  for (const TensorRequest &request : requests) {
    std::string path = options.folder + "/" + request.name + ".npy";
    error = writeTensor(path, request,
                        makeTensor(request, *text, sizes, options.seed));
    if (!error.empty())
      return fail(error);
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Writes .npy files that an attention can be run on, computed "
               "from the bytes of a text.\nThe same arguments give the same "
               "files on every machine.");
  app.name("text-activations");
  app.footer("NAME=SHAPE[:CENTRE,SPREAD[,LOW,HIGH]] asks for NAME.npy. Extents "
             "are numbers or B, T, H, G;\na shape that begins with B,T holds "
             "activations, any other one parameters.\n\n"
             "  text-activations alice.txt --tokens 4096 --heads 16 --out in "
             "k=B,T,H,128 beta=B,T,H:0.5,0.2,0,1 A_log=H:1,0.5");
  app.add_option("text", options.textPath, "The text; a token is a byte")
      ->required();
  app.add_option("--tokens", options.sizes.tokens, "T, tokens a sequence")
      ->required()
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30));
  app.add_option("--batch", options.sizes.batch,
                 "B; each sequence reads the next piece of the text")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  app.add_option("--heads", options.sizes.heads, "H")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  app.add_option("--groups", options.sizes.groups, "G")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  app.add_option("--seed", options.seed, "Another seed, another model");
  app.add_option("--out", options.folder, "The folder to write to")
      ->check(CLI::ExistingDirectory);
  app.add_option("tensors", options.requests, "NAME=SHAPE…")->required();
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
