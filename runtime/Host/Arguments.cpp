// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/Arguments.h"

#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Types.h"
#include "frontend/Sema/Suggest.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace trowel::host {
namespace {

constexpr const char *cuSeqlensName = "cu_seqlens";

/// An argument that a program can take.
struct Expected {
  std::string name;
  const Declaration *declaration;
  Boundary boundary;
  bool required;
  bool isGradient;
};

std::vector<Expected> expectedArguments(const Program &program,
                                        const BindOptions &options) {
  std::vector<Expected> expected;
  auto add = [&](const std::vector<Declaration> &list, Boundary boundary,
                 bool required, bool isGradient) {
    for (const Declaration &declaration : list)
      expected.push_back({(isGradient ? "d" : "") + declaration.name,
                          &declaration, boundary, required, isGradient});
  };
  add(program.inputs, Boundary::Input, true, false);
  add(program.params, Boundary::Param, true, false);
  add(program.states, Boundary::State, false, false);
  if (options.gradients) {
    add(program.outputs, Boundary::Output, false, true);
    add(program.states, Boundary::State, false, true);
  }
  return expected;
}

/// A size that a call decides, and which argument decided it.
struct Size {
  int64_t value = 0; // 0: not known
  std::string from;
};

class Binder {
public:
  Binder(const Program &program, const ArrayMap &arrays,
         const BindOptions &options, std::vector<std::string> &errors)
      : program(program), arrays(arrays),
        expected(expectedArguments(program, options)), errors(errors) {}

  std::optional<Call> run();

private:
  const Program &program;
  const ArrayMap &arrays;
  std::vector<Expected> expected;
  std::vector<std::string> &errors;
  Size B, T, H, G, N;
  Call call;

  void fail(std::string message) { errors.push_back(std::move(message)); }
  void fail(const std::string &name, const std::string &message) {
    fail("`" + name + "` " + message);
  }

  void findNames();
  void bindShape(const Expected &argument, const Array &array);
  void unify(Size &size, const char *letter, int64_t value,
             const std::string &from);
  void bindOffsets();
  void bindSequences();
  void bindValues();
};

void Binder::findNames() {
  for (const Expected &argument : expected)
    if (argument.required && !arrays.count(argument.name))
      fail(argument.name,
           "is missing: " + describeLayout(program, *argument.declaration,
                                           argument.boundary));
  std::vector<std::string> names = {cuSeqlensName};
  for (const Expected &argument : expected)
    names.push_back(argument.name);
  for (const auto &[name, array] : arrays) {
    if (std::count(names.begin(), names.end(), name))
      continue;
    std::optional<std::string> near = sema::nearest(name, names);
    fail(name, "is no argument of `" + program.name + "`" +
                   (near ? "; did you mean `" + *near + "`?" : ""));
  }
}

void Binder::unify(Size &size, const char *letter, int64_t value,
                   const std::string &from) {
  if (value == 0)
    return fail(from, std::string("has ") + letter + " = 0");
  if (size.value == 0)
    size = {value, from};
  else if (size.value != value)
    fail(from, std::string("has ") + letter + " = " + std::to_string(value) +
                   ", but `" + size.from + "` has " + letter + " = " +
                   std::to_string(size.value));
}

/// Compares the fixed sizes; takes the sizes of the call from the rest.
void Binder::bindShape(const Expected &argument, const Array &array) {
  const Declaration &declaration = *argument.declaration;
  // Sizes that no array has mark where B, T, H, G and N stand.
  Batch markers{-1, -2, -3, -4, {}};
  std::vector<int64_t> layout =
      boundaryShape(program, declaration, argument.boundary, markers);
  if (argument.boundary == Boundary::State)
    layout[0] = -5;
  bool fits = layout.size() == array.shape.size();
  for (size_t i = 0; fits && i < layout.size(); ++i)
    fits = layout[i] < 0 || layout[i] == array.shape[i];
  if (!fits)
    return fail(argument.name,
                "has shape " + describeShape(array.shape) + "; expected " +
                    describeLayout(program, declaration, argument.boundary));
  const std::pair<Size *, const char *> sizes[] = {
      {&B, "B"}, {&T, "T"}, {&H, "H"}, {&G, "G"}, {&N, "N"}};
  for (size_t i = 0; i < layout.size(); ++i)
    if (layout[i] < 0) {
      auto [size, letter] = sizes[-layout[i] - 1];
      unify(*size, letter, array.shape[i], argument.name);
    }
}

void Binder::bindOffsets() {
  auto it = arrays.find(cuSeqlensName);
  if (it == arrays.end())
    return;
  const Array &array = it->second;
  if (array.type != ElementType::I32 && array.type != ElementType::I64)
    return fail(cuSeqlensName, std::string("holds ") + nameOf(array.type) +
                                   ", not int32 or int64");
  if (array.shape.size() != 1)
    return fail(cuSeqlensName, "has shape " + describeShape(array.shape) +
                                   "; expected [N + 1]");
  for (int64_t i = 0; i < array.shape[0]; ++i)
    call.batch.cuSeqlens.push_back(integerAt(array, i));
  if (call.batch.cuSeqlens.size() < 2)
    fail(cuSeqlensName, "has N + 1 entries for N sequences, at least 2");
}

/// The number of sequences, by the rows or by the offsets, against the states'.
void Binder::bindSequences() {
  int64_t sequences = call.batch.sequences();
  if (N.value != 0 && N.value != sequences)
    fail(N.from, "has N = " + std::to_string(N.value) + ", but there " +
                     (sequences == 1
                          ? "is 1 sequence"
                          : "are " + std::to_string(sequences) + " sequences"));
}

void Binder::bindValues() {
  for (const Expected &argument : expected) {
    auto it = arrays.find(argument.name);
    if (it == arrays.end())
      continue;
    std::string error;
    std::optional<Tensor> tensor =
        toTensor(it->second, argument.declaration->dtype, error);
    if (!tensor) {
      fail(argument.name, error);
      continue;
    }
    TensorMap &into = argument.isGradient ? call.gradients : call.arguments;
    into.emplace(argument.name, std::move(*tensor));
  }
}

std::optional<Call> Binder::run() {
  findNames();
  for (const Expected &argument : expected) {
    auto it = arrays.find(argument.name);
    if (it != arrays.end())
      bindShape(argument, it->second);
  }
  bindOffsets();
  bindValues();
  if (errors.empty() && B.value == 0)
    fail("`" + program.name + "` has no input, so B and T are not known");
  if (!errors.empty())
    return std::nullopt;
  call.batch.batch = B.value;
  call.batch.tokens = T.value;
  call.batch.groups = std::max<int64_t>(G.value, 1);
  call.batch.heads = H.value ? H.value : call.batch.groups;
  if (std::string error = validate(call.batch); !error.empty())
    fail(H.value && G.value && H.value % G.value
             ? "`" + H.from + "` and `" + G.from + "` do not fit: " + error
             : error);
  else
    bindSequences();
  if (!errors.empty())
    return std::nullopt;
  return std::move(call);
}

std::string describeRange(const Interval &range) {
  std::ostringstream text;
  bool hasLow = std::isfinite(range.low), hasHigh = std::isfinite(range.high);
  if (hasLow && hasHigh)
    text << "in " << (range.lowOpen ? "(" : "[") << range.low << ", "
         << range.high << (range.highOpen ? ")" : "]");
  else if (hasHigh)
    text << (range.highOpen ? "< " : "<= ") << range.high;
  else if (hasLow)
    text << (range.lowOpen ? "> " : ">= ") << range.low;
  else
    text << "finite or infinite";
  return text.str();
}

} // namespace

std::optional<Call> bindArguments(const Program &program,
                                  const ArrayMap &arrays,
                                  const BindOptions &options,
                                  std::vector<std::string> &errors) {
  return Binder(program, arrays, options, errors).run();
}

std::vector<std::string> checkRanges(const Program &program, const Call &call) {
  std::vector<std::string> messages;
  for (const auto *list : {&program.inputs, &program.params, &program.states})
    for (const Declaration &declaration : *list) {
      auto it = call.arguments.find(declaration.name);
      if (!declaration.range || it == call.arguments.end())
        continue;
      const Tensor &tensor = it->second;
      for (size_t i = 0; i < tensor.data.size(); ++i) {
        if (contains(*declaration.range, tensor.data[i]))
          continue;
        std::ostringstream text;
        text << "`" << declaration.name << "` is " << tensor.data[i] << " at "
             << describePosition(tensor.shape, static_cast<int64_t>(i))
             << ", but is declared " << describeRange(*declaration.range);
        messages.push_back(text.str());
        break;
      }
    }
  return messages;
}

} // namespace trowel::host
