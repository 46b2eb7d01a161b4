// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds a checked program by hand, for tests of what reads one.
#ifndef TROWEL_TEST_UNIT_PROGRAMBUILDER_H
#define TROWEL_TEST_UNIT_PROGRAMBUILDER_H

#include "frontend/AST/Program.h"

#include <algorithm>
#include <set>

namespace trowel::test {

class ProgramBuilder {
public:
  Program program;

  AxisId axis(std::string name, int64_t size) {
    program.axes.push_back({std::move(name), size, false, {}});
    return static_cast<AxisId>(program.axes.size()) - 1;
  }
  ExprPtr input(std::string name, std::vector<AxisId> axes,
                Sharing sharing = Sharing::Head) {
    return declare(program.inputs, Expr::Kind::Input, std::move(name),
                   std::move(axes), sharing);
  }
  ExprPtr param(std::string name, std::vector<AxisId> axes,
                Sharing sharing = Sharing::Head) {
    return declare(program.params, Expr::Kind::Param, std::move(name),
                   std::move(axes), sharing);
  }
  ExprPtr state(std::string name, std::vector<AxisId> axes,
                Sharing sharing = Sharing::Head) {
    return declare(program.states, Expr::Kind::State, std::move(name),
                   std::move(axes), sharing);
  }

  /// Of the input declared last.
  void declared(DType dtype, std::optional<Interval> range) {
    program.inputs.back().dtype = dtype;
    program.inputs.back().range = range;
  }

  ExprPtr map(MapOp op, std::vector<ExprPtr> operands) {
    std::shared_ptr<Expr> expr = make(Expr::Kind::Map, std::move(operands));
    expr->mapOp = op;
    return expr;
  }
  ExprPtr contract(ExprPtr a, ExprPtr b) {
    std::shared_ptr<Expr> expr = make(Expr::Kind::Contract, {a, b});
    std::vector<AxisId> rest;
    for (AxisId axis : expr->axes) {
      auto has = [axis](const ExprPtr &e) {
        return std::count(e->axes.begin(), e->axes.end(), axis) > 0;
      };
      (has(a) && has(b) ? expr->over : rest).push_back(axis);
    }
    expr->axes = rest;
    return expr;
  }

  void update(const ExprPtr &state, ExprPtr value) {
    program.body.push_back(
        {Statement::Kind::Update, state->index, std::move(value), {}});
  }
  void output(std::string name, std::vector<AxisId> axes, ExprPtr value) {
    Declaration output;
    output.name = std::move(name);
    output.shape = std::move(axes);
    program.body.push_back({Statement::Kind::Output,
                            static_cast<int>(program.outputs.size()),
                            std::move(value),
                            {}});
    program.outputs.push_back(std::move(output));
  }

private:
  std::shared_ptr<Expr> make(Expr::Kind kind, std::vector<ExprPtr> operands) {
    auto expr = std::make_shared<Expr>();
    expr->kind = kind;
    std::set<AxisId> axes;
    for (const ExprPtr &operand : operands) {
      axes.insert(operand->axes.begin(), operand->axes.end());
      expr->sharing = std::max(expr->sharing, operand->sharing);
      expr->perToken = expr->perToken || operand->perToken;
    }
    expr->axes.assign(axes.begin(), axes.end());
    expr->operands = std::move(operands);
    return expr;
  }
  ExprPtr declare(std::vector<Declaration> &list, Expr::Kind kind,
                  std::string name, std::vector<AxisId> axes, Sharing sharing) {
    Declaration declaration;
    declaration.name = std::move(name);
    declaration.shape = axes;
    declaration.sharing = sharing;
    list.push_back(std::move(declaration));
    std::shared_ptr<Expr> expr = make(kind, {});
    std::sort(axes.begin(), axes.end());
    expr->axes = std::move(axes);
    expr->sharing = sharing;
    expr->perToken = kind != Expr::Kind::Param;
    expr->index = static_cast<int>(list.size()) - 1;
    return expr;
  }
};

} // namespace trowel::test

#endif // TROWEL_TEST_UNIT_PROGRAMBUILDER_H
