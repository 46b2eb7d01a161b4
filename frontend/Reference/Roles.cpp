// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Reference/Roles.h"

#include <tuple>
#include <utility>

namespace trowel::reference {
namespace {

using Axes = std::set<AxisId>;

class Finder {
public:
  explicit Finder(const Program &program)
      : program(program), stateAxes(program.states.size()) {
    roles.inputs.resize(program.inputs.size());
    roles.params.resize(program.params.size());
  }

  Roles run() {
    for (const Statement &statement : program.body)
      if (statement.kind == Statement::Kind::Update)
        visit(*statement.value, {{}, true, false});
    for (const Statement &statement : program.body)
      visit(*statement.value, {});
    for (const Statement &statement : program.body)
      if (statement.kind == Statement::Kind::Update)
        visit(*statement.value, {stateAxes[statement.target], false, false});
    return std::move(roles);
  }

private:
  /// What lies above an expression.
  struct Path {
    Axes summed;            // by contractions
    bool feedsBack = false; // up to a state's update
    bool changed = false;   // by arithmetic below the contraction

    bool operator<(const Path &other) const {
      return std::tie(summed, feedsBack, changed) <
             std::tie(other.summed, other.feedsBack, other.changed);
    }
  };

  const Program &program;
  Roles roles;
  std::vector<Axes> stateAxes; // of each state: those it is contracted over
  std::set<std::pair<const Expr *, Path>> done;

  static Axes meet(const std::vector<AxisId> &axes, const Axes &summed) {
    Axes both;
    for (AxisId axis : axes)
      if (summed.count(axis))
        both.insert(axis);
    return both;
  }

  static void mark(Role &role, const Expr &expr, const Path &path) {
    Axes axes = meet(expr.axes, path.summed);
    role.contracted.insert(axes.begin(), axes.end());
    role.feedsBack |= path.feedsBack && !axes.empty();
  }

  void visit(const Expr &expr, Path path) {
    if (!done.insert({&expr, path}).second)
      return;
    switch (expr.kind) {
    case Expr::Kind::Input:
      return mark(roles.inputs[expr.index], expr, path);
    case Expr::Kind::Param:
      if (!path.changed)
        mark(roles.params[expr.index], expr, path);
      return;
    case Expr::Kind::State: {
      Axes axes = meet(expr.axes, path.summed);
      stateAxes[expr.index].insert(axes.begin(), axes.end());
      return;
    }
    case Expr::Kind::Let:
      return visit(*program.lets[expr.index].value, path);
    case Expr::Kind::Contract:
      path.summed.insert(expr.over.begin(), expr.over.end());
      path.changed = false;
      break;
    case Expr::Kind::Map:
      path.changed = true;
      break;
    case Expr::Kind::Rename:
    case Expr::Kind::Repeat:
      if (path.summed.erase(expr.to))
        path.summed.insert(expr.from);
      break;
    default:
      break;
    }
    for (const ExprPtr &operand : expr.operands)
      visit(*operand, path);
  }
};

} // namespace

Roles findRoles(const Program &program) { return Finder(program).run(); }

} // namespace trowel::reference
