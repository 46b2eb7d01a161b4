// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements: one token, top to bottom.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Print.h"
#include "frontend/Sema/Suggest.h"

namespace trowel::sema {

using Kind = syntax::Statement::Kind;

static const char *keyword(Kind kind) {
  switch (kind) {
  case Kind::Dim:
    return "dim";
  case Kind::Input:
    return "in";
  case Kind::Param:
    return "param";
  case Kind::State:
    return "state";
  case Kind::Output:
    return "out";
  case Kind::Index:
    return "index";
  default:
    return "";
  }
}

void Checker::checkStatement(const syntax::Statement &statement) {
  bool isDeclaration = *keyword(statement.kind);
  if (isDeclaration && scopes.size() > 1) {
    error(statement.location, "a declaration cannot stand in a `for`",
          std::string("move the `") + keyword(statement.kind) +
              "` out of the loop");
    return;
  }
  switch (statement.kind) {
  case Kind::Dim:
    return declareDim(statement);
  case Kind::Input:
    return declareInput(statement);
  case Kind::Param:
    return declareParam(statement);
  case Kind::State:
    return declareState(statement);
  case Kind::Let:
    return checkLet(statement);
  case Kind::Output:
    return checkOutput(statement);
  case Kind::Index:
    return checkIndex(statement);
  case Kind::Assign:
    return checkAssign(statement);
  case Kind::For:
    return checkFor(statement);
  case Kind::Debug:
    return checkDebug(statement);
  }
}

void Checker::add(Statement::Kind kind, int target, ExprPtr value,
                  Location at) {
  Statement statement;
  statement.kind = kind;
  statement.target = target;
  statement.value = std::move(value);
  statement.location = at;
  program.body.push_back(std::move(statement));
}

int Checker::addLet(const std::string &name, ExprPtr value, Location at) {
  Let let;
  let.name = name;
  for (const std::string &loop : loopNames)
    let.name += "." + loop.substr(loop.rfind(' ') + 1);
  let.value = build.asReal(std::move(value)); // a number is a real
  let.location = at;
  program.lets.push_back(std::move(let));
  return static_cast<int>(program.lets.size()) - 1;
}

void Checker::checkLet(const syntax::Statement &statement) {
  ExprPtr value = check(statement.value.get());
  if (statement.names.size() != 1) {
    if (value)
      error(statement.location,
            "the right side is one value, but the tuple on the left has " +
                std::to_string(statement.names.size()) + " names",
            "only `attend` with several values gives a tuple");
    for (const syntax::Name &name : statement.names)
      declare(name, Symbol());
    return;
  }
  const syntax::Name &name = statement.names[0];
  Symbol symbol;
  if (!value) {
    declare(name, symbol);
    return;
  }
  symbol.kind = Symbol::Kind::Let;
  symbol.index = static_cast<int>(program.lets.size());
  if (!declare(name, std::move(symbol)))
    return;
  int let = addLet(name.text, std::move(value), name.location);
  add(Statement::Kind::Let, let, program.lets[let].value, statement.location);
}

void Checker::checkOutput(const syntax::Statement &statement) {
  if (statement.names.empty())
    return;
  const syntax::Name &name = statement.names[0];
  auto declared = readDeclaration(statement, name);
  ExprPtr value = check(statement.value.get());
  if (declared && value)
    value = fit(*declared, Flow::Output, value, *statement.value);
  Symbol symbol;
  if (!declared || !value) {
    declare(name, symbol);
    return;
  }
  symbol.kind = Symbol::Kind::Output;
  symbol.index = static_cast<int>(program.outputs.size());
  symbol.value = value;
  if (!declare(name, std::move(symbol)))
    return;
  int output = static_cast<int>(program.outputs.size());
  program.outputs.push_back(std::move(*declared));
  add(Statement::Kind::Output, output, std::move(value), statement.location);
}

void Checker::checkIndex(const syntax::Statement &statement) {
  error(statement.location, "`index` is not supported yet");
  for (const syntax::Name &name : statement.names)
    declare(name, Symbol());
}

bool Checker::isAssignable(const syntax::Statement &statement,
                           const Symbol *symbol) {
  const syntax::Name &name = statement.names[0];
  if (symbol)
    if (symbol->kind == Symbol::Kind::State ||
        symbol->kind == Symbol::Kind::Poison)
      return symbol->kind == Symbol::Kind::State;
  if (!symbol && refuseReserved(name))
    return false;
  std::string letHelp =
      "a new value needs a name of its own: `let " + name.text + "2 = …`";
  if (symbol) {
    Diagnostic &diagnostic =
        error(name.location,
              quote(name.text) + " is " + describe(*symbol) +
                  "; only a state can be updated",
              letHelp);
    note(diagnostic, symbol->location, "it was declared here");
    return false;
  }
  hasStrayAssignment = true;
  std::vector<std::string> states;
  for (const Declaration &state : program.states)
    states.push_back(state.name);
  auto other = nearest(name.text, states);
  bool isBelow = declaredBelow.count(name.text);
  if (isBelow || other || statement.op != "=") {
    reportUnknown(name);
    return false;
  }
  if (unknownNames.insert(name.text).second)
    error(name.location, "there is no state " + quote(name.text) + " to update",
          "to name a value write `let " + name.text +
              " = …`; an output is `out " + name.text + " : f32[…] = …`");
  return false;
}

void Checker::checkAssign(const syntax::Statement &statement) {
  if (statement.names.empty())
    return;
  const Symbol *symbol = find(statement.names[0].text);
  bool isState = isAssignable(statement, symbol);
  ExprPtr value = check(statement.value.get());
  if (!isState || !value) {
    if (isState)
      updatedStates.insert(symbol->index);
    return;
  }
  int state = symbol->index;
  updatedStates.insert(state);
  Flow flow = statement.op == "*="   ? Flow::Multiply
              : statement.op == "+=" ? Flow::Add
              : statement.op == "-=" ? Flow::Subtract
                                     : Flow::Assign;
  value = fit(program.states[state], flow, value, *statement.value);
  if (!value)
    return;
  if (flow != Flow::Assign) {
    MapOp op = flow == Flow::Multiply ? MapOp::Mul
               : flow == Flow::Add    ? MapOp::Add
                                      : MapOp::Sub;
    ExprPtr before =
        build.leaf(Expr::Kind::State, state, statement.names[0].location);
    value = build.map(op, {before, value}, statement.location);
  }
  add(Statement::Kind::Update, state, std::move(value), statement.location);
}

void Checker::checkDebug(const syntax::Statement &statement) {
  ExprPtr value = checkArithmetic(statement.value.get());
  if (!value)
    return;
  std::string name = print(*statement.value);
  for (const std::string &loop : loopNames)
    name += ", " + loop;
  int debug = static_cast<int>(program.debugs.size());
  program.debugs.push_back(std::move(name));
  add(Statement::Kind::Debug, debug, build.asReal(std::move(value)),
      statement.location);
}

} // namespace trowel::sema
