// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/HeadFeedback.h"
#include "frontend/Sema/Names.h"
#include "frontend/Sema/Print.h"
#include "frontend/Sema/Suggest.h"

#include <algorithm>

namespace trowel {

CheckResult check(const syntax::File &file, const syntax::Attention &attention,
                  const CheckOptions &options) {
  return sema::Checker(file, attention, options).run();
}

} // namespace trowel

namespace trowel::sema {

Checker::Checker(const syntax::File &file, const syntax::Attention &attention,
                 const CheckOptions &options)
    : file(file), attention(attention), options(options), build(program) {
  program.name = attention.name.text;
  program.comment = attention.comment;
  scopes.emplace_back();
}

/// Attentions of one file with the same name: the later one is reported.
void Checker::checkName() {
  for (const syntax::Attention &other : file.attentions) {
    if (&other == &attention)
      return;
    if (other.name.text != attention.name.text)
      continue;
    Diagnostic &diagnostic = error(attention.name.location,
                                   "attention " + quote(attention.name.text) +
                                       " is declared already",
                                   "give one of them another name");
    note(diagnostic, other.name.location, "it was declared here");
    return;
  }
}

CheckResult Checker::run() {
  checkName();
  checkFunctions();
  collectNames();
  declareSizes();
  for (const syntax::StatementPtr &statement : attention.body)
    if (statement)
      checkStatement(*statement);
  finish();
  CheckResult result;
  bool isRight = !hasErrors();
  std::multimap<std::pair<int, int>, Diagnostic> sorted;
  for (Diagnostic &diagnostic : diagnostics) {
    std::pair place(diagnostic.location.line, diagnostic.location.column);
    sorted.emplace(place, std::move(diagnostic));
  }
  for (auto &[place, diagnostic] : sorted)
    result.diagnostics.push_back(std::move(diagnostic));
  if (isRight)
    result.program = std::move(program);
  return result;
}

Diagnostic &Checker::error(Location at, std::string message, std::string help) {
  // An unrolled body or a macro meets the same mistake again and again.
  bool isExpanded = !frames.empty() || !loopNames.empty();
  for (const Diagnostic &other : diagnostics)
    if (other.location.line == at.line && other.location.column == at.column &&
        (isExpanded || other.message == message))
      return discarded;
  Diagnostic diagnostic;
  diagnostic.location = at;
  diagnostic.message = std::move(message);
  diagnostic.help = std::move(help);
  // The innermost calls, and the one that the attention itself makes.
  constexpr size_t innermost = 3;
  for (size_t i = frames.size(); i-- > 0;)
    if (i == 0 || frames.size() - i <= innermost)
      note(diagnostic, frames[i].call,
           "in this call of " + quote(frames[i].function->name.text));
  diagnostics.push_back(std::move(diagnostic));
  return diagnostics.back();
}

void Checker::warning(Location at, std::string message, std::string help) {
  Diagnostic diagnostic;
  diagnostic.severity = Diagnostic::Severity::Warning;
  diagnostic.location = at;
  diagnostic.message = std::move(message);
  diagnostic.help = std::move(help);
  diagnostics.push_back(std::move(diagnostic));
}

void Checker::note(Diagnostic &diagnostic, Location at,
                   std::string message) const {
  diagnostic.notes.push_back({at, std::move(message)});
}

bool Checker::hasErrors() const {
  return std::any_of(
      diagnostics.begin(), diagnostics.end(), [](const Diagnostic &diagnostic) {
        return diagnostic.severity == Diagnostic::Severity::Error;
      });
}

const Symbol *Checker::find(const std::string &name) const {
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    auto found = scope->names.find(name);
    if (found != scope->names.end())
      return &found->second;
    if (scope->isOpaque)
      return nullptr;
  }
  return nullptr;
}

/// Every name the attention declares, for "used before its declaration".
void Checker::collectNames() {
  using Kind = syntax::Statement::Kind;
  for (const syntax::StatementPtr &statement : attention.body) {
    bool isDeclaration = statement && statement->kind != Kind::Assign &&
                         statement->kind != Kind::For &&
                         statement->kind != Kind::Debug;
    if (isDeclaration)
      for (const syntax::Name &name : statement->names)
        declaredBelow.emplace(name.text, name.location);
  }
}

bool Checker::refuseReserved(const syntax::Name &name) {
  if (!isReserved(name.text))
    return false;
  error(name.location,
        quote(name.text) + " cannot be declared: it is " +
            reservedFor(name.text),
        "give it another name");
  return true;
}

/// Enters `name` into the innermost scope. Nothing is shadowed: a name that is
/// visible already keeps its meaning and the new one is reported.
bool Checker::declare(const syntax::Name &name, Symbol symbol) {
  if (name.text.empty() || refuseReserved(name))
    return false;
  if (functionNamed(name.text)) {
    error(name.location, quote(name.text) + " is a `fn` of this file already",
          "axes, values and functions share one namespace: give it another "
          "name");
    return false;
  }
  if (const Symbol *other = find(name.text)) {
    std::string help = "nothing is shadowed: give it another name";
    if (other->kind == Symbol::Kind::State)
      help = "to update the state write " + quote(name.text + " = …") +
             "; a new value needs another name";
    Diagnostic &diagnostic =
        error(name.location, quote(name.text) + " is declared already", help);
    note(diagnostic, other->location, "it was declared here");
    return false;
  }
  symbol.location = name.location;
  scopes.back().names[name.text] = std::move(symbol);
  return true;
}

std::vector<std::string> Checker::visibleNames() const {
  std::vector<std::string> names;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    for (const auto &[name, symbol] : scope->names)
      names.push_back(name);
    if (scope->isOpaque)
      break;
  }
  return names;
}

/// Reports a name that stands for nothing, once.
void Checker::reportUnknown(const syntax::Name &name,
                            const std::string &otherHelp) {
  if (name.text.empty())
    return;
  if (!frames.empty()) {
    std::string help;
    if (auto other = nearest(name.text, visibleNames()))
      help = "did you mean " + quote(*other) + "?";
    else
      help = "a `fn` sees its parameters only: make it one of them";
    error(name.location, "unknown name " + quote(name.text), help);
    return;
  }
  if (!unknownNames.insert(name.text).second)
    return;
  auto below = declaredBelow.find(name.text);
  if (below != declaredBelow.end()) {
    Diagnostic &diagnostic = error(
        name.location, quote(name.text) + " is used before its declaration",
        "a name is used below its declaration: move one of them");
    note(diagnostic, below->second, "it is declared here");
    return;
  }
  std::string help = otherHelp;
  std::vector<std::string> names = visibleNames();
  names.insert(names.end(), {"inf", "pi"});
  if (localNames.count(name.text))
    help = "the " + quote(name.text) +
           " of a loop is local to it: declare it "
           "outside";
  else if (auto other = nearest(name.text, names))
    help = "did you mean " + quote(*other) + "?";
  else if (isFunction(name.text) || functionNamed(name.text))
    help =
        quote(name.text) + " is a function: write " + quote(name.text + "(…)");
  error(name.location, "unknown name " + quote(name.text), help);
}

std::string Checker::describe(const Symbol &symbol) const {
  switch (symbol.kind) {
  case Symbol::Kind::Poison:
    return "a name with an error";
  case Symbol::Kind::Axis:
    return "an axis";
  case Symbol::Kind::Input:
    return "an input";
  case Symbol::Kind::Param:
    return "a param";
  case Symbol::Kind::State:
    return "a state";
  case Symbol::Kind::Let:
    return "a `let`";
  case Symbol::Kind::Output:
    return "an output";
  case Symbol::Kind::Loop:
    return "a loop variable";
  case Symbol::Kind::Parameter:
    return "a parameter";
  }
  return "";
}

void Checker::warnOfIdleStates() {
  for (size_t i = 0; i < program.states.size(); ++i) {
    const Declaration &state = program.states[i];
    bool isRead = readStates.count(static_cast<int>(i));
    if (updatedStates.count(static_cast<int>(i)))
      continue;
    if (isRead)
      warning(state.location,
              "state " + quote(state.name) + " is never updated",
              "it keeps its initial value; a value that never changes is a "
              "`param`");
    else
      warning(state.location, "state " + quote(state.name) + " is never used");
  }
}

void Checker::finish() {
  using Kind = syntax::Statement::Kind;
  bool hasOutput =
      std::any_of(attention.body.begin(), attention.body.end(),
                  [](const syntax::StatementPtr &statement) {
                    return statement && statement->kind == Kind::Output;
                  });
  if (!hasOutput && !hasStrayAssignment)
    error(attention.name.location,
          "attention " + quote(attention.name.text) + " has no `out`",
          "add what it computes: `out o : f32[…] = …`");
  if (hasErrors())
    return;
  warnOfIdleStates();
  for (const Expr *reduction : headFeedback(program))
    error(reduction->location,
          "a reduction over heads that needs its own earlier results is not "
          "supported yet",
          "let what it reduces read only states that do not depend on it");
  // An output that later lines read is a `let` just above it.
  std::vector<Statement> body;
  for (Statement &statement : program.body) {
    auto let = statement.kind == Statement::Kind::Output
                   ? letOfOutput.find(statement.target)
                   : letOfOutput.end();
    if (let != letOfOutput.end()) {
      Statement named;
      named.kind = Statement::Kind::Let;
      named.target = let->second;
      named.value = program.lets[let->second].value;
      named.location = statement.location;
      body.push_back(std::move(named));
      statement.value =
          build.leaf(Expr::Kind::Let, let->second, statement.value->location);
    }
    body.push_back(std::move(statement));
  }
  program.body = std::move(body);
}

} // namespace trowel::sema
