// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs of our dialects as short text, and random tensors to run them on.
#ifndef TROWEL_TEST_UNIT_CHUNKTEXT_H
#define TROWEL_TEST_UNIT_CHUNKTEXT_H

#include "dialect/Reference/ChunkInterpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <random>
#include <regex>

namespace trowel::test {

/// The sizes of the axes that a text may name.
using Sizes = std::map<std::string, int64_t>;

/// `text` with `{t K}` replaced by the type of an f32 tensor on these axes, and
/// `{i32 t}` by that of an i32 one.
inline std::string withTypes(const std::string &text, const Sizes &sizes) {
  static const std::regex braces(R"(\{([a-zA-Z0-9. ]*)\})");
  std::string result;
  auto at = text.cbegin();
  for (std::sregex_iterator it(text.begin(), text.end(), braces), end;
       it != end; ++it) {
    result.append(at, text.cbegin() + it->position());
    at = text.cbegin() + it->position() + it->length();
    std::istringstream words((*it)[1].str());
    std::string word, shape, axes, element = "f32";
    while (words >> word) {
      if (word == "i32") {
        element = word;
        continue;
      }
      shape += std::to_string(sizes.at(word)) + "x";
      axes += (axes.empty() ? "" : ", ") + word;
    }
    result += "tensor<" + shape + element + ", #rec.axes<" + axes + ">>";
  }
  return result.append(at, text.cend());
}

/// A random tensor; a share of `zeros` elements is exactly zero.
inline Tensor random(std::mt19937 &generator, std::vector<int64_t> shape,
                     double low, double high, double zeros = 0) {
  Tensor tensor(std::move(shape));
  std::uniform_real_distribution<double> value(low, high), chance(0, 1);
  for (double &x : tensor.data)
    x = chance(generator) < zeros ? 0 : value(generator);
  return tensor;
}

/// Parses modules and keeps them.
class Modules {
public:
  Modules() { context.loadDialect<rec::RecDialect, chunk::ChunkDialect>(); }

  /// The one program in the text.
  template <class Program> Program parse(const std::string &text) {
    modules.push_back(mlir::parseSourceString<mlir::ModuleOp>(text, &context));
    if (!modules.back()) {
      ADD_FAILURE() << "does not parse:\n" << text;
      return {};
    }
    return *modules.back()->getOps<Program>().begin();
  }

private:
  mlir::MLIRContext context;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules;
};

inline void expectNear(const Tensor &actual, const Tensor &expected,
                       double tolerance = 1e-11) {
  ASSERT_EQ(actual.shape, expected.shape);
  for (size_t i = 0; i < actual.data.size(); ++i)
    ASSERT_NEAR(actual.data[i], expected.data[i],
                tolerance * (1 + std::fabs(expected.data[i])))
        << "element " << i;
}

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_CHUNKTEXT_H
