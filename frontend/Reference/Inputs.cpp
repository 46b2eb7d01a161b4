// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each tensor is filled by a rule for its kind (gate, factor, bounded, vector,
// plain), then every element is moved to the nearest number of its type within
// its range.
#include "frontend/Reference/Inputs.h"

#include "frontend/Reference/Layout.h"
#include "frontend/Reference/Meaning.h"
#include "frontend/Reference/Random.h"
#include "frontend/Reference/Roles.h"
#include "frontend/Reference/Types.h"

#include <algorithm>
#include <cmath>

namespace trowel {

using namespace reference;

const std::vector<Regime> &allRegimes() {
  static const std::vector<Regime> regimes = {
      Regime::Random,    Regime::Gentle,      Regime::StrongGates,
      Regime::ZeroGates, Regime::Resets,      Regime::EqualKeys,
      Regime::Huge,      Regime::ExtremeBeta, Regime::Tiny};
  return regimes;
}

const char *nameOf(Regime regime) {
  switch (regime) {
  case Regime::Random:
    return "random";
  case Regime::Gentle:
    return "gentle";
  case Regime::StrongGates:
    return "strong-gates";
  case Regime::ZeroGates:
    return "zero-gates";
  case Regime::Resets:
    return "resets";
  case Regime::EqualKeys:
    return "equal-keys";
  case Regime::ExtremeBeta:
    return "extreme-beta";
  case Regime::Huge:
    return "huge";
  case Regime::Tiny:
    return "tiny";
  }
  return "";
}

namespace {

/// One tensor to fill.
struct Subject {
  const Declaration &declaration;
  Boundary boundary;
  Interval range;
  Role role;
  std::vector<int64_t> shape;
  int64_t rows; // elements for one token (or unit) and head: the declared axes
};

bool isGate(const Interval &range) { return range.high == 0 && range.low < 0; }

bool isFactor(const Interval &range) {
  return range.low == 0 && std::isfinite(range.high);
}

class Generator {
public:
  Generator(const Program &program, const Batch &batch,
            const InputOptions &options)
      : program(program), batch(batch), options(options) {}

  Tensor tensor(const Declaration &declaration, Boundary boundary,
                const Role &role) const {
    Subject subject{declaration,
                    boundary,
                    declaration.range.value_or(Interval()),
                    role,
                    boundaryShape(program, declaration, boundary, batch),
                    1};
    for (AxisId axis : declaration.shape)
      subject.rows *= program.axes[axis].size;
    Tensor made(subject.shape);
    Random random(options.seed, declaration.name);
    fill(made, subject, random);
    for (double &x : made.data)
      x = nearestWithin(subject.range, declaration.dtype, x);
    return made;
  }

private:
  const Program &program;
  const Batch &batch;
  const InputOptions &options;

  void fill(Tensor &made, const Subject &subject, Random &random) const {
    const Interval &range = subject.range;
    if (subject.declaration.dtype == DType::I32)
      return fillIntegers(made, range, random);
    if (subject.declaration.scales >= 0) {
      for (double &x : made.data)
        x = std::exp(0.3 * random.normal());
      return;
    }
    if (isGate(range))
      return fillGates(made, subject, random);
    if (isFactor(range))
      return fillFactors(made, range, random);
    if (std::isfinite(range.low) || std::isfinite(range.high))
      return fillBounded(made, range, random);
    fillUnbounded(made, subject, random);
  }

  static void fillIntegers(Tensor &made, const Interval &range,
                           Random &random) {
    double low = std::isfinite(range.low)    ? std::ceil(range.low)
                 : std::isfinite(range.high) ? std::floor(range.high) - 8
                                             : -4;
    double high = std::isfinite(range.high)
                      ? std::min(low + 8, std::floor(range.high))
                      : low + 8;
    for (double &x : made.data)
      x = low + std::floor(random.uniform() * (high - low + 1));
  }

  void fillGates(Tensor &made, const Subject &subject, Random &random) const {
    for (size_t i = 0; i < made.data.size(); ++i) {
      int64_t channel = static_cast<int64_t>(i) % subject.rows;
      double weak = random.uniform();
      double strength = std::exp(1.5 * random.normal() - 1.5);
      switch (options.regime) {
      case Regime::Gentle:
        strength = 0.1 * weak;
        break;
      case Regime::StrongGates:
        strength = channel % 8 == 3 ? 40 : 20;
        break;
      case Regime::ZeroGates:
        strength = 0;
        break;
      case Regime::Resets:
        strength = random.oneIn(16) ? 1000 : 1e-3 * weak;
        break;
      case Regime::Tiny:
        strength *= 1e-3;
        break;
      default:
        break;
      }
      made.data[i] = -strength;
    }
  }

  void fillFactors(Tensor &made, const Interval &range, Random &random) const {
    double high = range.high;
    for (double &x : made.data) {
      double u = random.uniform();
      x = high * u;
      if (options.regime == Regime::ZeroGates)
        x = u < 0.5 ? 0 : high;
      else if (options.regime == Regime::ExtremeBeta)
        x = u < 1.0 / 3 ? 0 : u < 2.0 / 3 ? std::min(1.0, high) : high;
      else if (options.regime == Regime::Resets)
        x = random.oneIn(16) ? 0 : std::min(1.0, high) * (1 - 1e-3 * u);
      else if (options.regime == Regime::Tiny)
        x *= 1e-3;
    }
  }

  static void fillBounded(Tensor &made, const Interval &range, Random &random) {
    bool hasLow = std::isfinite(range.low), hasHigh = std::isfinite(range.high);
    for (double &x : made.data) {
      if (hasLow && hasHigh)
        x = range.low + (range.high - range.low) * random.uniform();
      else if (hasLow)
        x = range.low + std::fabs(random.normal());
      else
        x = range.high - std::fabs(random.normal());
    }
  }

  void fillUnbounded(Tensor &made, const Subject &subject,
                     Random &random) const {
    for (double &x : made.data)
      x = random.normal();
    if (options.regime == Regime::EqualKeys &&
        !subject.declaration.shape.empty() &&
        subject.boundary == Boundary::Input)
      equalize(made, subject);
    if (!subject.role.contracted.empty())
      normalize(made, subject, random);
    double scale = 1;
    if (subject.boundary == Boundary::Param)
      scale = 0.5;
    else if (options.regime == Regime::Huge && !subject.role.feedsBack)
      scale = 30;
    else if (options.regime == Regime::Tiny)
      scale = 1e-3;
    for (double &x : made.data)
      x *= scale;
  }

  /// The same vector everywhere, and in every argument of as many elements,
  /// but for a hundredth.
  void equalize(Tensor &made, const Subject &subject) const {
    Random common(options.seed, "common");
    std::vector<double> base(subject.rows);
    for (double &x : base)
      x = common.normal();
    for (size_t i = 0; i < made.data.size(); ++i)
      made.data[i] = base[i % base.size()] + 0.01 * made.data[i];
  }

  /// Gives every vector along the contracted axes a norm of 0.7 to 0.99; equal
  /// keys all the largest.
  void normalize(Tensor &made, const Subject &subject, Random &random) const {
    std::vector<int64_t> group(subject.rows); // which vector an element is of
    int64_t groups = 0;
    for (int64_t row = 0; row < subject.rows; ++row) {
      int64_t rest = row, first = row, stride = 1;
      for (size_t i = subject.declaration.shape.size(); i-- > 0;) {
        AxisId axis = subject.declaration.shape[i];
        int64_t at = rest % program.axes[axis].size;
        rest /= program.axes[axis].size;
        if (subject.role.contracted.count(axis))
          first -= at * stride;
        stride *= program.axes[axis].size;
      }
      group[row] = first == row ? groups++ : group[first];
    }
    for (size_t start = 0; start < made.data.size(); start += subject.rows) {
      std::vector<double> squares(groups, 0), scales(groups);
      for (int64_t row = 0; row < subject.rows; ++row)
        squares[group[row]] += made.data[start + row] * made.data[start + row];
      for (int64_t i = 0; i < groups; ++i) {
        double vary =
            options.regime == Regime::EqualKeys ? 1 : random.uniform();
        scales[i] = (0.7 + 0.29 * vary) / std::sqrt(squares[i]);
      }
      for (int64_t row = 0; row < subject.rows; ++row)
        made.data[start + row] *= scales[group[row]];
    }
  }
};

} // namespace

/// Every state after a few tokens of other inputs of the same kind.
static TensorMap reachedStates(const Program &program, const Batch &batch,
                               const InputOptions &options) {
  constexpr int64_t tokens = 12;
  Batch before{batch.sequences(), tokens, batch.heads, batch.groups, {}};
  TensorMap results = evaluate(
      program, before,
      generateInputs(program, before, {options.regime, ~options.seed, false}));
  TensorMap states;
  for (const Declaration &state : program.states) {
    Tensor &reached = results.at(state.name);
    for (double &x : reached.data)
      x = nearestWithin(state.range.value_or(Interval()), state.dtype, x);
    states[state.name] = std::move(reached);
  }
  return states;
}

TensorMap generateInputs(const Program &program, const Batch &batch,
                         const InputOptions &options) {
  Roles roles = findRoles(program);
  Generator generator(program, batch, options);
  TensorMap made;
  for (size_t i = 0; i < program.inputs.size(); ++i)
    made[program.inputs[i].name] =
        generator.tensor(program.inputs[i], Boundary::Input, roles.inputs[i]);
  for (size_t i = 0; i < program.params.size(); ++i)
    made[program.params[i].name] =
        generator.tensor(program.params[i], Boundary::Param, roles.params[i]);
  if (options.initialStates)
    for (auto &[name, state] : reachedStates(program, batch, options))
      made[name] = std::move(state);
  return made;
}

} // namespace trowel
