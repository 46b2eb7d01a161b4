// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The equations of one token that `trowel explain` prints are the program: they
// are put back into its text as `let`s and evaluated beside its own states and
// outputs. Also, every program can be explained.
// TROWEL_RANDOM_FIRST and TROWEL_RANDOM_COUNT choose other random programs.

#include "frontend/Reference/Inputs.h"
#include "frontend/Reference/Meaning.h"
#include "test/generator/ProgramGenerator.h"
#include "test/unit/Derived.h"
#include "tools/trowel/explain/Explain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <set>

using namespace trowel;
using namespace trowel::test;

namespace {

/// The explanation of the text's only attention.
std::string explained(const SourceFile &source, const Program &program) {
  Derived normal = derive(program), chunks = derive(program, 0);
  EXPECT_TRUE(normal.succeeded && chunks.succeeded) << source.text;
  return explain(program, source, *normal.module, *chunks.module);
}

using Equations = std::vector<std::pair<std::string, std::string>>;

/// The section "One token", with broken lines joined.
Equations equationsOf(const std::string &text) {
  Equations equations;
  std::istringstream lines(text);
  std::string line;
  bool within = false;
  while (std::getline(lines, line)) {
    if (line.compare(0, 9, "One token") == 0) {
      within = true;
      continue;
    }
    if (!within)
      continue;
    if (line.empty())
      break;
    size_t sign = line.find(" = ");
    bool isNew = line.size() > 2 && line[2] != ' ';
    if (isNew)
      equations.push_back(
          {line.substr(2, line.find(' ', 2) - 2), line.substr(sign + 3)});
    else
      equations.back().second += " " + line.substr(line.find_first_not_of(' '));
  }
  return equations;
}

std::string letOf(const std::string &name) {
  if (name.back() == '\'')
    return "eq_" + name.substr(0, name.size() - 1) + "_end";
  return "eq_" + name;
}

/// The right side with what the equations define under names of its own.
std::string renamed(const std::string &text,
                    const std::set<std::string> &states,
                    const std::set<std::string> &defined) {
  static const std::regex word("[A-Za-z_][A-Za-z_0-9]*'?");
  std::string result;
  size_t at = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), word), end; it != end;
       ++it) {
    std::string name = it->str();
    result += text.substr(at, it->position() - at);
    at = it->position() + name.size();
    if (name.back() == '\'' || defined.count(name))
      result += letOf(name);
    else
      result += states.count(name) ? letOf(name) + "_start" : name;
  }
  return result + text.substr(at);
}

/// The program with the equations as `let`s at its end, and for each that sets
/// a state or output two debugged values: the equation's and the program's.
std::string withEquations(const std::string &text, const Equations &equations,
                          const Program &program) {
  std::set<std::string> states, outputs, defined;
  for (const Declaration &state : program.states)
    states.insert(state.name);
  for (const Declaration &output : program.outputs)
    outputs.insert(output.name);
  std::string result, line;
  std::istringstream lines(text.substr(0, text.rfind('}')));
  while (std::getline(lines, line)) {
    result += line + "\n";
    size_t first = line.find_first_not_of(' ');
    if (first == std::string::npos || line.compare(first, 6, "state ") != 0)
      continue;
    std::istringstream names(
        line.substr(first + 6, line.find(':') - first - 6));
    std::string name;
    while (std::getline(names >> std::ws, name, ',')) {
      name = name.substr(0, name.find(' '));
      result += "  let " + letOf(name) + "_start = " + name + "\n";
    }
  }
  for (const auto &[left, right] : equations) {
    result +=
        "  let " + letOf(left) + " = " + renamed(right, states, defined) + "\n";
    bool isState = left.back() == '\'';
    std::string own = isState ? left.substr(0, left.size() - 1) : left;
    if (isState || outputs.count(own))
      result += "  debug(" + letOf(left) + ")\n  debug(" + own + ")\n";
    if (!isState)
      defined.insert(left);
  }
  return result + "}\n";
}

double rms(const Tensor &a, const Tensor *b = nullptr) {
  double sum = 0;
  for (size_t i = 0; i < a.data.size(); ++i) {
    double difference = a.data[i] - (b ? b->data[i] : 0);
    sum += difference * difference;
  }
  return std::sqrt(sum / double(std::max<size_t>(1, a.data.size())));
}

/// True if the equations could be compared, which they are.
bool compareEquations(const SourceFile &source, const Program &program,
                      const CheckOptions &options) {
  std::string text = explained(source, program);
  Equations equations = equationsOf(text);
  bool hidden = text.find("delay.") != std::string::npos ||
                text.find("prefix_sum.") != std::string::npos ||
                text.find("\nPart 1") != std::string::npos;
  // Cut short, or side by side, for which the language has no word.
  bool isNoProgram = llvm::any_of(equations, [](const auto &equation) {
    return equation.second.find("…") != std::string::npos ||
           equation.second.find("stack[") != std::string::npos;
  });
  if (hidden || isNoProgram || !program.debugs.empty())
    return false;
  std::string again = withEquations(source.text, equations, program);
  Checked checked = checkText(again, options);
  if (!checked.program) {
    ADD_FAILURE() << checked.messages() << again;
    return false;
  }
  Batch batch;
  batch.heads = 2;
  batch.tokens = 9;
  TensorMap results = evaluate(*checked.program, batch,
                               generateInputs(*checked.program, batch));
  for (size_t i = 0; i + 1 < checked.program->debugs.size(); i += 2) {
    const Tensor &own = results.at("debug." + std::to_string(i + 1));
    const Tensor &equation = results.at("debug." + std::to_string(i));
    if (own.data.size() == equation.data.size() && rms(own) < 1e6)
      EXPECT_LE(rms(equation, &own), 1e-4 * rms(own) + 1e-9)
          << checked.program->debugs[i] << "\n"
          << again;
  }
  return true;
}

std::vector<std::string> allPrograms() {
  std::vector<std::string> files;
  for (const char *folder :
       {"examples", "docs/inventions", "test/language", "test/explain/data"})
    for (const std::string &file : programFiles(folder))
      files.push_back(file);
  return files;
}

class Equation : public testing::TestWithParam<std::string> {};

TEST_P(Equation, IsTheProgram) {
  SourceFile source{
      GetParam(), readFile(std::string(TROWEL_SOURCE_DIR) + "/" + GetParam())};
  ParseResult parsed = parse(source);
  for (const syntax::Attention &attention : parsed.file.attentions) {
    CheckOptions options = smallSizes(attention);
    CheckResult result = check(parsed.file, attention, options);
    if (result.program)
      compareEquations(source, *result.program, options);
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Equation, testing::ValuesIn(allPrograms()),
                         [](const auto &info) {
                           return std::regex_replace(
                               info.param, std::regex("[^A-Za-z0-9]"), "_");
                         });

uint64_t fromEnvironment(const char *name, uint64_t otherwise) {
  const char *value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

TEST(Equations, OfRandomProgramsAreThePrograms) {
  uint64_t first = fromEnvironment("TROWEL_RANDOM_FIRST", 0);
  uint64_t count = fromEnvironment("TROWEL_RANDOM_COUNT", 300), compared = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    std::string text = randomProgram(seed).text();
    Checked checked = checkText(text);
    ASSERT_TRUE(checked.program) << text << checked.messages();
    compared += compareEquations(checked.source, *checked.program, {});
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed << "\n" << text;
      return;
    }
  }
  EXPECT_GT(compared * 2, count); // the others have hidden states
}

} // namespace
