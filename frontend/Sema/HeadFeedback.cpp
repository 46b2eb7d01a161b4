// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "frontend/Sema/HeadFeedback.h"

#include <map>
#include <set>

namespace trowel {

namespace {

/// What a value is made of: reductions, and states as the token begins.
struct Sources {
  std::set<const Expr *> reductions;
  std::set<int> states;

  bool add(const Sources &other) {
    size_t before = reductions.size() + states.size();
    reductions.insert(other.reductions.begin(), other.reductions.end());
    states.insert(other.states.begin(), other.states.end());
    return reductions.size() + states.size() != before;
  }
};

class Feedback {
public:
  explicit Feedback(const Program &program) : lets(program.lets.size()) {
    for (size_t i = 0; i < program.states.size(); ++i)
      states.push_back({{}, {static_cast<int>(i)}});
    for (const Statement &statement : program.body) {
      known.clear();
      Sources sources = of(statement.value.get());
      if (statement.kind == Statement::Kind::Let)
        lets[static_cast<size_t>(statement.target)] = sources;
      if (statement.kind == Statement::Kind::Update)
        states[static_cast<size_t>(statement.target)] = sources;
    }
  }

  std::vector<const Expr *> find() const {
    std::vector<const Expr *> found;
    for (const auto &[reduction, operand] : operands)
      if (history(operand).reductions.count(reduction))
        found.push_back(reduction);
    return found;
  }

private:
  const Sources &of(const Expr *expr) {
    auto it = known.find(expr);
    if (it != known.end())
      return it->second;
    Sources sources;
    for (const ExprPtr &operand : expr->operands)
      sources.add(of(operand.get()));
    if (expr->kind == Expr::Kind::Let)
      sources = lets[static_cast<size_t>(expr->index)];
    if (expr->kind == Expr::Kind::State)
      sources = states[static_cast<size_t>(expr->index)];
    if (expr->kind == Expr::Kind::ReduceHeads) {
      operands[expr] = sources;
      sources.reductions.insert(expr);
    }
    return known[expr] = sources;
  }

  /// With all that earlier tokens contributed.
  Sources history(Sources sources) const {
    for (bool changed = true; changed;) {
      changed = false;
      for (int state : std::set<int>(sources.states))
        changed |= sources.add(states[static_cast<size_t>(state)]);
    }
    return sources;
  }

  std::vector<Sources> lets, states; // so far; in the end, after the token
  std::map<const Expr *, Sources> known, operands;
};

} // namespace

std::vector<const Expr *> headFeedback(const Program &program) {
  return Feedback(program).find();
}

} // namespace trowel
