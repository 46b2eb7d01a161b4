// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "test/generator/ProgramGenerator.h"

#include <algorithm>
#include <cmath>
#include <regex>

namespace trowel::test {

namespace {

/// splitmix64: the same numbers on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  int below(int n) {
    return static_cast<int>(next() % static_cast<uint64_t>(n));
  }
  bool chance(double p) { return uniform(0, 1) < p; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53;
  }
  double normal() {
    double sum = 0;
    for (int i = 0; i < 12; ++i)
      sum += uniform(0, 1);
    return sum - 6;
  }

private:
  uint64_t state;
};

/// The inputs that programs may use: name, axes, and how values are drawn.
struct Pool {
  const char *name, *axes;
  enum Kind { Vector, Value, Factor, Small } kind;
};
const Pool pool[] = {{"q0", "K", Pool::Vector},   {"q1", "K", Pool::Vector},
                     {"k0", "K", Pool::Vector},   {"k1", "K", Pool::Vector},
                     {"k2", "K", Pool::Vector},   {"v0", "V", Pool::Value},
                     {"v1", "V", Pool::Value},    {"v2", "V", Pool::Value},
                     {"r0", "V", Pool::Vector},   {"r1", "V", Pool::Vector},
                     {"a0", "", Pool::Factor},    {"a1", "", Pool::Factor},
                     {"ak0", "K", Pool::Factor},  {"ak1", "K", Pool::Factor},
                     {"av0", "V", Pool::Factor},  {"c0", "", Pool::Small},
                     {"c1", "", Pool::Small},     {"ck0", "K", Pool::Small},
                     {"cv0", "V", Pool::Small},   {"kn0", "NK", Pool::Vector},
                     {"kn1", "NK", Pool::Vector}, {"vn0", "NV", Pool::Value},
                     {"cn0", "N", Pool::Small},   {"j0", "J", Pool::Vector},
                     {"j1", "J", Pool::Vector},   {"aj0", "J", Pool::Factor}};

bool uses(const std::string &text, const std::string &name) {
  return std::regex_search(text, std::regex("\\b" + name + "\\b"));
}

/// "[K, V]" for "KV".
std::string joined(const std::string &axes) {
  std::string list;
  for (char axis : axes)
    list += (list.empty() ? "" : ", ") + std::string(1, axis);
  return "[" + list + "]";
}

/// Builds the statements of one program.
class Generator {
public:
  explicit Generator(uint64_t seed) : random(seed * 2654435761u + 17) {
    program.seed = seed;
  }

  RandomProgram run();

private:
  std::string pick(std::initializer_list<const char *> names) {
    return *(names.begin() + random.below(static_cast<int>(names.size())));
  }
  std::string matrix();
  std::string key() {
    return pick({"k0", "k1", "k2", "k0", "k1", "k2[t - 1]"}) +
           (threeAxes ? pick({" * j0", " * j1"}) : "");
  }
  std::string reader() { return pick({"q0", "q1", "k0", "k1", "k1[t - 2]"}); }
  /// A read of a state, over its value axis.
  std::string read() {
    if (threeAxes && random.chance(0.5))
      return "((" + reader() + " * j1) @ " + matrix() + ")";
    return "(" + reader() + " @ " + matrix() + (threeAxes ? " @ j0)" : ")");
  }
  /// Several reads at once, over the axis N and the value axis.
  std::string reads() {
    return "(" + pick({"kn0", "kn1"}) + " @ " + matrix() + ")";
  }
  std::string keyFactor() {
    if (hasScalarState && random.chance(0.3))
      return "sigmoid(m)";
    if (threeAxes && random.chance(0.3))
      return "aj0";
    return pick({"a0", "a1", "ak0", "ak1", "0.8", "(1 - c1)",
                 "where(c0 > 0.3, 0, a0)", "(0.8 + 0.1 * cos(prefix_sum(c1)))",
                 "0"});
  }
  std::string bothFactor();
  void vectorState();
  void scalarState();
  std::string vectorTerm(bool mayRead);
  std::string scalarRead();
  std::string scaledVector();
  std::string write();
  std::string severalWrites();
  void state();
  void statement();
  void output(const std::string &axes, std::vector<std::string> terms);
  void outputs();
  void add(std::string head, std::vector<std::string> terms,
           std::string defines = "") {
    program.statements.push_back(
        {std::move(head), std::move(terms), std::move(defines)});
  }

  Random random;
  RandomProgram program;
  int stateCount = 0, letCount = 0, outCount = 0;
  std::vector<std::string> matrices, vectors, scalars; // lets so far
  bool acrossReads = false;  // this program contracts V instead of K
  bool strange = false;      // this program may leave the affine class
  bool scalarReads = false;  // writes may read a state along every axis
  bool severalReads = false; // reads and writes along an axis of their own
  bool threeAxes = false;    // states have two key axes
  bool hasScalarState = false;
  std::string normaliser; // of a vector state, for outputs
};

/// A current state or an alias of one.
std::string Generator::matrix() {
  if (!matrices.empty() && random.chance(0.4))
    return matrices[static_cast<size_t>(
        random.below(static_cast<int>(matrices.size())))];
  return "S" + std::to_string(random.below(stateCount));
}

/// A term on the value axis: an input, a read of a state, a let or its delay.
std::string Generator::vectorTerm(bool mayRead) {
  if (mayRead && random.chance(0.6)) {
    std::string read =
        acrossReads ? "(" + matrix() + " @ " + pick({"r0", "r1"}) + ")"
        : severalReads && random.chance(0.3) ? "(cn0 @ " + reads() + ")"
                                             : this->read();
    std::string scale = pick({"c0", "c1", "-c0", "0.5"});
    if (strange && random.chance(0.25))
      return "tanh" + read;
    if (strange && !acrossReads && random.chance(0.2))
      return "cv0 * " + read;
    return scale + " * " + read;
  }
  if (!acrossReads && !vectors.empty() && random.chance(0.35)) {
    const std::string &name = vectors[static_cast<size_t>(
        random.below(static_cast<int>(vectors.size())))];
    return "0.3 * " + name + (random.chance(0.4) ? "[t - 1]" : "");
  }
  if (acrossReads)
    return pick({"k0", "k1", "ck0"});
  return pick({"v0", "v1", "v2", "c0 * v0", "cv0 * v1"});
}

/// Outer products summed over the axis N, with reads along it or without.
std::string Generator::severalWrites() {
  std::string inner =
      pick({"vn0", "cn0 * vn0", "cn0 * v0", "where(cn0 > 0, vn0, 0)"});
  int count = random.below(3);
  for (int i = 0; i < count; ++i)
    inner += pick({" + ", " - "}) + pick({"c0", "c1", "cn0"}) + " * " +
             (random.chance(0.8) ? reads() : read());
  return random.chance(0.7) ? "0.5 * kn0 @ (" + inner + ")"
                            : "sum[N](cn0 * kn0 * (" + inner + "))";
}

/// A read of every axis.
std::string Generator::scalarRead() {
  std::string read = "(" + reader() + " @ " + matrix() + ")";
  if (random.chance(0.2))
    return "mean[V]" + read;
  if (random.chance(0.2))
    return "((cv0 * " + read + ") @ " + pick({"r0", "r1"}) + ")";
  return "(" + read + " @ " + pick({"r0", "r1"}) + ")";
}

/// A vector that a scalar of this program scales.
std::string Generator::scaledVector() {
  const std::string &name = scalars[static_cast<size_t>(
      random.below(static_cast<int>(scalars.size())))];
  return pick({"v0", "r0", "cv0", "v1"}) + " * " + name +
         (random.chance(0.1) ? "[t - 1]" : "");
}

std::string Generator::write() {
  if (severalReads && random.chance(0.5))
    return severalWrites();
  std::string inner;
  int count = 1 + random.below(3);
  for (int i = 0; i < count; ++i)
    inner += (i ? pick({" + ", " - "}) : "") + vectorTerm(true);
  if (acrossReads)
    return pick({"r0", "r1"}) + " * (" + inner + ")";
  if (!scalars.empty() && random.chance(0.5))
    inner =
        random.chance(0.3) ? scaledVector() : inner + " + " + scaledVector();
  if (scalarReads && random.chance(0.5))
    return "0.5 * " + key() + " * " + pick({"v0", "v1", "cv0"}) + " * (c0 - " +
           reader() + " @ S0 @ " + pick({"r0", "r1"}) + ")";
  return (random.chance(0.3) ? "c1 * " : "") + key() + " * (" + inner + ")";
}

void Generator::state() {
  program.states.push_back("state S" + std::to_string(stateCount++) + " : f32" +
                           joined(threeAxes ? "KJV" : "KV"));
}

/// A factor over both axes: equal to a product of one over each, though not
/// always known to be.
std::string Generator::bothFactor() {
  std::string form =
      pick({"exp(-x - y)", "exp(c1 - x - y)", "exp(-0.3 * (x + y))",
            "2^(-(x + y) / 2)", "0.7^(x + y)", "sqrt(tanh(x) * tanh(y))",
            "rsqrt((1 + x) * (1 + y))", "(tanh(x) * tanh(y))^3",
            "(exp(-x) * exp(-y))^(1 + c0)", "abs(ck0 * cv0)", "sign(ck0 * cv0)",
            "where(c0 > 0, exp(-x - y), ak0 * av0)", "stop(exp(-x - y))",
            "sqrt(ck0 * cv0 + 1)"});
  std::string x = "softplus(" + pick({"ck0", "ak0", "c0"}) + ")";
  std::string y = "softplus(" + pick({"cv0", "av0"}) + ")";
  form = std::regex_replace(form, std::regex("\\bx\\b"), x);
  return std::regex_replace(form, std::regex("\\by\\b"), y);
}

/// A state on one axis, with a read of its own.
void Generator::vectorState() {
  if (random.chance(0.7)) {
    program.states.push_back("state zz : f32[K]");
    add("zz =", {keyFactor() + " * zz", key()});
    normaliser = "(1 + abs(q0 @ zz))";
    return;
  }
  program.states.push_back("state zz : f32[V]");
  add("zz =", {pick({"a0", "av0", "0.7"}) + " * zz", pick({"v0", "v1"})});
  normaliser = "(1 + abs(zz))";
}

/// A scalar recurrence that is not affine, ahead of the others.
void Generator::scalarState() {
  program.states.push_back("state m : f32 = -1");
  add("m =", {"max(0.5 * m, c0)"});
  hasScalarState = true;
}

void Generator::statement() {
  std::string target = "S" + std::to_string(random.below(stateCount));
  double x = random.uniform(0, 1);
  if (x < 0.15) {
    std::string name = "p" + std::to_string(letCount++);
    add("let " + name + " =", {matrix()}, name);
    matrices.push_back(name);
  } else if (x < 0.25 && !acrossReads) {
    std::string name = "u" + std::to_string(letCount++);
    add("let " + name + " =", {vectorTerm(true), vectorTerm(false)}, name);
    vectors.push_back(name);
  } else if (x < 0.4 && scalarReads) {
    std::string name = "y" + std::to_string(letCount++);
    std::vector<std::string> terms{"0.5 * " + scalarRead()};
    if (!scalars.empty() && random.chance(0.4))
      terms.push_back("c0 * " + scalars.back());
    add("let " + name + " =", terms, name);
    scalars.push_back(name);
  } else if (x < 0.4) {
    bool value = random.chance(0.2);
    bool both = random.chance(0.15);
    add(target + " *=", {both ? bothFactor() : value ? "av0" : keyFactor()});
  } else if (x < 0.75) {
    add(target + (random.chance(0.7) ? " +=" : " -="), {write()});
  } else {
    std::vector<std::string> terms{keyFactor() + " * " + target};
    int copies = random.below(2);
    for (int i = 0; i < copies; ++i)
      terms.push_back("0.4 * " + keyFactor() + " * " + matrix());
    if (random.chance(0.6))
      terms.push_back(write());
    if (strange && random.chance(0.2))
      terms.push_back("0.1 * cv0 * " + target);
    add(target + " =", terms);
  }
}

void Generator::output(const std::string &axes,
                       std::vector<std::string> terms) {
  add("out o" + std::to_string(outCount++) + " : f32" + joined(axes) + " =",
      std::move(terms));
}

void Generator::outputs() {
  std::vector<std::string> terms{read()};
  if (random.chance(0.4))
    terms.push_back("c0 * " + read());
  if (random.chance(0.3))
    terms.push_back("v0");
  if (!scalars.empty() && random.chance(0.3))
    terms.push_back(scaledVector());
  if (!normaliser.empty() && random.chance(0.7))
    for (std::string &term : terms)
      term += " / " + normaliser;
  output("V", terms);
  if (random.chance(0.2))
    output(threeAxes ? "KJ" : "K", {matrix() + " @ r0"});
  if (severalReads && random.chance(0.5))
    output("NV", {reads(), "vn0"});
  if (severalReads && random.chance(0.3))
    output("NK", {matrix() + " @ vn0"});
  if (threeAxes && random.chance(0.3))
    output("JV", {"q0 @ " + matrix()});
  if (threeAxes && random.chance(0.3))
    output("K", {"(j0 * r0) @ " + matrix()});
}

RandomProgram Generator::run() {
  program.keySize = 1 + random.below(6);
  program.valueSize = 1 + random.below(5);
  acrossReads = random.chance(0.15);
  strange = random.chance(0.2);
  severalReads = !acrossReads && random.chance(0.2);
  threeAxes = !acrossReads && !severalReads && random.chance(0.15);
  scalarReads = !acrossReads && !threeAxes && random.chance(0.3);
  program.extraSize = 1 + random.below(3);
  int states = 1 + random.below(3), statements = 2 + random.below(7);
  for (int i = 0; i < states; ++i)
    state();
  if (random.chance(0.2))
    scalarState();
  if (!threeAxes && random.chance(0.25))
    vectorState();
  int early = random.chance(0.3) ? random.below(statements) : -1;
  for (int i = 0; i < statements; ++i) {
    statement();
    if (i == early)
      outputs();
  }
  outputs();
  return program;
}

} // namespace

RandomProgram randomProgram(uint64_t seed) { return Generator(seed).run(); }

std::string RandomProgram::text() const {
  std::string body;
  for (const std::string &state : states)
    body += "  " + state + "\n";
  for (const RandomStatement &statement : statements) {
    body += "  " + statement.head;
    for (size_t i = 0; i < statement.terms.size(); ++i)
      body += (i ? " + " : " ") + statement.terms[i];
    body += "\n";
  }
  std::string inputs;
  for (const Pool &input : pool)
    if (uses(body, input.name))
      inputs += std::string("  in ") + input.name + " : f32" +
                (*input.axes ? joined(input.axes) : "") + "\n";
  return "attention random(K = " + std::to_string(keySize) +
         ", V = " + std::to_string(valueSize) +
         ", N = " + std::to_string(extraSize) +
         ", J = " + std::to_string(extraSize) + ") {\n" + inputs + body + "}\n";
}

std::vector<RandomProgram> smallerPrograms(const RandomProgram &program) {
  std::vector<RandomProgram> result;
  for (size_t i = 0; i < program.statements.size(); ++i) {
    RandomProgram without = program;
    without.statements.erase(without.statements.begin() + static_cast<long>(i));
    result.push_back(without);
  }
  for (size_t i = 0; i < program.statements.size(); ++i)
    for (size_t j = 0; program.statements[i].terms.size() > 1 &&
                       j < program.statements[i].terms.size();
         ++j) {
      RandomProgram without = program;
      auto &terms = without.statements[i].terms;
      terms.erase(terms.begin() + static_cast<long>(j));
      result.push_back(without);
    }
  for (size_t i = 0; i < program.states.size(); ++i) {
    RandomProgram without = program;
    without.states.erase(without.states.begin() + static_cast<long>(i));
    result.push_back(without);
  }
  for (int64_t RandomProgram::*size :
       {&RandomProgram::keySize, &RandomProgram::valueSize,
        &RandomProgram::extraSize})
    if (program.*size > 1) {
      RandomProgram smaller = program;
      smaller.*size = 1;
      result.push_back(smaller);
    }
  return result;
}

WrongProgram withMistake(const RandomProgram &program) {
  Random random(program.seed ^ 0xbad);
  static const char *const mistakes[] = {
      "S0 += k0",                     // an axis is missing
      "S0 += q0 @ k0 * v0 @ S9",      // no such state
      "out wrong : f32[V] = q0 @ v0", // no axis is shared
      "out wrong : f32[K] = q0 @ S0", // the other axes
      "S0 *= r0 * q0 * nothing",      // no such name
      "S0 = k0[t + 1] * v0",          // the future
      "let q0 = k0",                  // the name is taken
      "S0 += k0 * v0[K -> V]",        // no such axis
      "S0 += k0 * sqrt(v0, v0)",      // too many arguments
      "out wrong : f32[V] = S0[3]",   // an axis that has a name
      "S0 += (k0 * v0",               // a parenthesis is missing
      "S0 = S0 < 1",                  // a condition is no number
      "state S0 : f32[K]",            // declared before
      "S0 += k0 * a0 @ S0"};          // operands that are not neighbours
  RandomProgram wrong = program;
  std::string mistake =
      mistakes[random.below(static_cast<int>(std::size(mistakes)))];
  wrong.statements.push_back({mistake, {}, ""});
  WrongProgram result{wrong.text(), 0};
  size_t place = result.text.rfind(mistake);
  result.line = 1 + static_cast<int>(std::count(
                        result.text.begin(),
                        result.text.begin() + static_cast<long>(place), '\n'));
  return result;
}

TensorMap randomArguments(const RandomProgram &program, const Batch &batch) {
  TensorMap result;
  std::string text = program.text();
  Random random(program.seed ^ 0x5eed);
  auto sizeOf = [&](char axis) {
    return axis == 'K'   ? program.keySize
           : axis == 'V' ? program.valueSize
                         : program.extraSize;
  };
  for (const Pool &input : pool) {
    std::vector<int64_t> shape{batch.batch, batch.tokens, batch.heads};
    for (const char *axis = input.axes; *axis; ++axis)
      shape.push_back(sizeOf(*axis));
    Tensor tensor(shape);
    double scale = 1;
    if (*input.axes)
      scale /= std::sqrt(
          static_cast<double>(sizeOf(std::string(input.axes).back())));
    for (double &x : tensor.data) {
      switch (input.kind) {
      case Pool::Vector:
        x = random.normal() * scale;
        break;
      case Pool::Value:
        x = random.normal();
        break;
      case Pool::Factor:
        x = random.chance(0.06) ? 0 : random.uniform(-0.9, 1.02);
        break;
      case Pool::Small:
        x = random.uniform(-0.5, 0.5);
        break;
      }
      x = static_cast<double>(static_cast<float>(x));
    }
    if (uses(text, std::string("in ") + input.name))
      result[input.name] = tensor;
  }
  if (random.chance(0.5))
    for (size_t i = 0; i < program.states.size(); ++i) {
      const std::string &declaration = program.states[i];
      size_t end = declaration.find(' ', 6);
      std::string name = declaration.substr(6, end - 6);
      std::vector<int64_t> shape{batch.sequences(), batch.heads};
      size_t bracket = declaration.find('[');
      if (bracket != std::string::npos)
        for (char axis : declaration.substr(bracket))
          if (axis >= 'J' && axis <= 'V')
            shape.push_back(sizeOf(axis));
      Tensor state(shape);
      for (double &x : state.data)
        x = static_cast<double>(static_cast<float>(random.normal()));
      result[name] = state;
    }
  return result;
}

} // namespace trowel::test
