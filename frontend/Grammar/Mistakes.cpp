// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The mistakes that people make. Each rule looks at one failure and, if it is
// its mistake, says what helps; the first that does wins.

#include "frontend/Grammar/Wording.h"

#include <algorithm>
#include <cstring>

namespace trowel {

using P = TrowelParser;
using Rule = bool (*)(const FailedChunk &, Diagnostic &);

static bool isDeclaration(const FailedChunk &failed) {
  size_t first = failed.type(failed.chunk.begin);
  return first == P::IN || first == P::PARAM || first == P::STATE ||
         first == P::OUT;
}

static bool isClosing(size_t type) {
  return type == P::CLOSE_PAREN || type == P::CLOSE_SQUARE ||
         type == P::CLOSE_BRACE;
}

static size_t closingOf(size_t type) {
  return type == P::OPEN_PAREN    ? P::CLOSE_PAREN
         : type == P::OPEN_SQUARE ? P::CLOSE_SQUARE
                                  : P::CLOSE_BRACE;
}

static size_t previous(const FailedChunk &failed) {
  return failed.at > failed.chunk.begin ? failed.type(failed.at - 1)
                                        : antlr4::Token::EOF;
}

// Brackets.

static bool closesNothing(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (failed.atEnd() || !isClosing(failed.type(failed.at)) ||
      openBracket(failed) != failed.chunk.end)
    return false;
  diagnostic.message = "this `" + failed.text(failed.at) + "` closes nothing";
  return true;
}

static bool notClosed(const FailedChunk &failed, Diagnostic &diagnostic) {
  size_t open = openBracket(failed);
  if (open == failed.chunk.end)
    return false;
  size_t closing = closingOf(failed.type(open));
  bool missing = failed.atEnd() || (isClosing(failed.type(failed.at)) &&
                                    failed.type(failed.at) != closing);
  if (!missing || !failed.failure.expects(closing))
    return false;
  diagnostic.notes.push_back(
      {failed.locate(open), "to close this `" + failed.text(open) + "`"});
  return true;
}

// Statements of other languages.

static const struct {
  const char *word, *help;
} foreignWords[] = {
    {"if", "`where(c, a, b)` selects between two values"},
    {"elif", "`where(c, a, b)` selects between two values"},
    {"else", "`where(c, a, b)` selects between two values"},
    {"while", "`for i in N { … }` is unrolled over an axis"},
    {"return", "what leaves is declared: `out o : f32[V] = …`"},
    {"yield", "what leaves is declared: `out o : f32[V] = …`"},
    {"def", "a macro is written `fn name(x) = …`"},
    {"func", "a macro is written `fn name(x) = …`"},
    {"function", "a macro is written `fn name(x) = …`"},
    {"lambda", "a macro is written `fn name(x) = …`"},
    {"var", "a value gets its name by `let`"},
    {"const", "a value gets its name by `let`"},
    {"auto", "a value gets its name by `let`"},
    {"print", "`debug(x)` makes `x` an extra output"},
    {"input", "an input is declared by `in`"},
    {"inputs", "an input is declared by `in`"},
    {"output", "an output is declared by `out`"},
    {"parameter", "a parameter is declared by `param`"},
};

static bool foreignWord(const FailedChunk &failed, Diagnostic &diagnostic) {
  for (size_t i : {failed.chunk.begin, failed.at}) {
    if (i >= failed.chunk.end)
      continue;
    for (const auto &foreign : foreignWords) {
      if (failed.text(i) != foreign.word)
        continue;
      diagnostic.location = failed.locate(i);
      diagnostic.message = std::string("there is no `") + foreign.word + "`";
      diagnostic.help = foreign.help;
      return true;
    }
  }
  return false;
}

/// One letter added, dropped or changed.
static bool isNearly(const std::string &a, const std::string &b) {
  if (a.size() < b.size())
    return isNearly(b, a);
  if (a.size() > b.size() + 1 || b.size() < 3)
    return false;
  size_t i = 0;
  while (i < b.size() && a[i] == b[i])
    ++i;
  if (i == b.size())
    return a.size() > b.size();
  return a.substr(i + 1) == b.substr(a.size() == b.size() ? i + 1 : i);
}

static bool misspelled(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (failed.at > failed.chunk.begin + 1)
    return false;
  for (const char *word : {"attention", "stack", "import", "dim", "param",
                           "state", "let", "out", "index", "for", "debug"}) {
    if (!isNearly(failed.text(failed.chunk.begin), word))
      continue;
    diagnostic.location = failed.locate(failed.chunk.begin);
    diagnostic.message =
        "there is no `" + failed.text(failed.chunk.begin) + "`";
    diagnostic.help = std::string("did you mean `") + word + "`?";
    return true;
  }
  return false;
}

// Assignments and lets.

static bool twoSigns(const FailedChunk &failed, Diagnostic &diagnostic) {
  size_t sign = failed.type(failed.at);
  if (failed.at != failed.chunk.begin + 1 || sign < P::ADD || sign > P::POWER ||
      failed.type(failed.at + 1) != P::ASSIGN)
    return false;
  std::string name = failed.text(failed.chunk.begin);
  std::string mark = failed.text(failed.at);
  diagnostic.message = "`" + mark + " =` is two signs";
  bool exists = sign == P::ADD || sign == P::SUB || sign == P::MUL;
  diagnostic.help = exists ? "write `" + mark + "=` without a blank"
                           : "write `" + name + " = " + name + " " + mark +
                                 " …`; the updates are `=`, `*=`, `+=` "
                                 "and `-=`";
  return true;
}

static bool comparesToAssign(const FailedChunk &failed,
                             Diagnostic &diagnostic) {
  if (failed.type(failed.at) != P::EQUAL || failed.atEnd() ||
      !failed.failure.expects(P::ASSIGN))
    return false;
  diagnostic.help = "`==` compares; a name gets its value by `=`";
  return true;
}

static bool letOfAnotherForm(const FailedChunk &failed,
                             Diagnostic &diagnostic) {
  if (failed.type(failed.chunk.begin) != P::LET ||
      !failed.failure.expects(P::ASSIGN))
    return false;
  size_t found = failed.atEnd() ? antlr4::Token::EOF : failed.type(failed.at);
  if (found == P::COMMA)
    diagnostic.help = "a tuple is taken apart by `let (a, b) = …`";
  else if (found == P::COLON)
    diagnostic.help = "a `let` has the type of its value";
  else if (found == P::OPEN_SQUARE)
    diagnostic.help = "a `let` has the axes of its value";
  else if (failed.at > failed.chunk.begin + 1)
    diagnostic.help =
        "write `let " + failed.text(failed.chunk.begin + 1) + " = …`";
  return true;
}

static bool expressionAlone(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (!failed.failure.expects(P::ASSIGN_MUL))
    return false;
  diagnostic.message =
      "expected `=`, `*=`, `+=` or `-=`, found " + found(failed);
  bool updatesPart =
      failed.type(failed.at) == P::OPEN_SQUARE && !failed.atEnd();
  diagnostic.help = updatesPart
                        ? "a state is updated whole: `S += k * v`"
                        : "a statement declares, names by `let` or updates a "
                          "state";
  return true;
}

// Declarations.

static bool axesOnName(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (!isDeclaration(failed) || failed.type(failed.at) != P::OPEN_SQUARE ||
      failed.atEnd() || !failed.failure.expects(P::COLON))
    return false;
  size_t end = failed.at;
  while (end < failed.chunk.end && failed.type(end) != P::CLOSE_SQUARE)
    ++end;
  std::string axes = "[…]";
  if (end < failed.chunk.end)
    axes = failed.source.slice(failed.tokens[failed.at]->getStartIndex(),
                               failed.tokens[end]->getStopIndex() + 1);
  diagnostic.help = "axes belong to the type: `" +
                    failed.text(failed.chunk.begin) + " " +
                    failed.text(failed.at - 1) + " : f32" + axes + "`";
  return true;
}

static bool noColon(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (!isDeclaration(failed) || !failed.failure.expects(P::COLON))
    return false;
  std::string keyword = failed.text(failed.chunk.begin);
  bool isSecondName = !failed.atEnd() && isNameToken(failed.type(failed.at)) &&
                      failed.type(failed.at + 1) != P::OPEN_SQUARE &&
                      keyword != "out";
  if (isSecondName)
    diagnostic.help = "a comma separates names, a colon the type: `" + keyword +
                      " a, b : f32`";
  else
    diagnostic.help = "a declaration names its type: `" + keyword + " " +
                      failed.text(failed.chunk.begin + 1) + " : f32[K]" +
                      (keyword == "out" ? " = …`" : "`");
  return true;
}

static bool noType(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (previous(failed) != P::COLON || !isDeclaration(failed) ||
      !failed.failure.isInside(P::RuleType))
    return false;
  diagnostic.help = "the types are `f32`, `tf32`, `bf16`, `f16`, `e4m3`, "
                    "`e5m2` and `i32`, with axes `f32[K]`";
  return true;
}

static bool rangeWithoutBrackets(const FailedChunk &failed,
                                 Diagnostic &diagnostic) {
  if (!isDeclaration(failed) || failed.atEnd() ||
      failed.type(failed.at) != P::IN || failed.at == failed.chunk.begin + 1)
    return false;
  diagnostic.message = "expected `[` or `(` behind `in`, found `" +
                       failed.text(failed.at + 1) + "`";
  diagnostic.location = failed.locate(
      failed.at + 1 < failed.chunk.end ? failed.at + 1 : failed.at);
  diagnostic.help = "a range of values is written `in [0, 1]` or `in (0, 1]`";
  return true;
}

static bool orderOfParts(const FailedChunk &failed, Diagnostic &diagnostic) {
  size_t found = failed.type(failed.at);
  bool isPart = found == P::GROUPED || found == P::SHARED || found == P::SCALE;
  if (!isDeclaration(failed) || failed.atEnd())
    return false;
  if (isPart) {
    diagnostic.help = found == P::SCALE
                          ? "only an input has a scale, and its range comes "
                            "after that: `in k : e4m3[K] shared scale f32`"
                          : "`" + failed.text(failed.at) +
                                "` stands behind the type: `f32[K] " +
                                failed.text(failed.at) + "`";
    return true;
  }
  bool wantsValue =
      found == P::ASSIGN && failed.failure.expects(antlr4::Token::EOF);
  if (!wantsValue)
    return false;
  diagnostic.help = "only a `state` has an initial value";
  return true;
}

static bool outWithoutValue(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (failed.type(failed.chunk.begin) != P::OUT ||
      !failed.failure.expects(P::ASSIGN))
    return false;
  diagnostic.help = "an output has a value: `out " +
                    failed.text(failed.chunk.begin + 1) + " : f32[V] = …`";
  return true;
}

// Heads.

static bool sizeWithoutDefault(const FailedChunk &failed,
                               Diagnostic &diagnostic) {
  if (failed.type(failed.chunk.begin) != P::ATTENTION)
    return false;
  if (failed.failure.isInside(P::RuleSize))
    diagnostic.help = "a size has a default, a whole number: `K = 128`";
  else if (failed.failure.expects(P::OPEN_PAREN))
    diagnostic.help = "sizes stand in parentheses, also none: `attention " +
                      failed.text(failed.chunk.begin + 1) + "(K = 128) {`";
  else
    return false;
  return true;
}

static bool statementOutside(const FailedChunk &failed,
                             Diagnostic &diagnostic) {
  if (!failed.failure.expects(P::ATTENTION))
    return false;
  diagnostic.help =
      "statements stand inside of `attention name(K = 128) { … }`";
  return true;
}

static bool macroOfAnotherForm(const FailedChunk &failed,
                               Diagnostic &diagnostic) {
  if (failed.type(failed.chunk.begin) != P::FN)
    return false;
  if (!failed.failure.expects(P::ASSIGN) &&
      !failed.failure.expects(P::OPEN_PAREN))
    return false;
  diagnostic.help = "a macro is one expression: `fn name[A](x, y) = …`";
  return true;
}

// Expressions.

static bool comprehension(const FailedChunk &failed, Diagnostic &diagnostic) {
  if (failed.type(failed.at) != P::FOR ||
      openBracket(failed) == failed.chunk.end)
    return false;
  diagnostic.help = "a sum over an axis is written `sum(i in N : x[i])`";
  return true;
}

static bool forceWithoutBraces(const FailedChunk &failed,
                               Diagnostic &diagnostic) {
  if (!failed.failure.isInside(P::RuleForce))
    return false;
  diagnostic.help = "write `force = {first 1, last 2}`";
  return true;
}

static bool numberMeetsName(const FailedChunk &failed, Diagnostic &diagnostic) {
  bool afterNumber = previous(failed) == P::INT || previous(failed) == P::FLOAT;
  if (!afterNumber || failed.atEnd() ||
      !(isNameToken(failed.type(failed.at)) ||
        failed.type(failed.at) == P::OPEN_PAREN))
    return false;
  diagnostic.help = "a product is written `" + failed.text(failed.at - 1) +
                    " * " + failed.text(failed.at) + "`";
  return true;
}

static bool slice(const FailedChunk &failed, Diagnostic &diagnostic) {
  size_t open = openBracket(failed);
  if (failed.atEnd() || failed.type(failed.at) != P::COLON ||
      open == failed.chunk.end || failed.type(open) != P::OPEN_SQUARE)
    return false;
  diagnostic.help = "there are no slices: brackets pick one index, `x[0]` or "
                    "`x[t - 1]`";
  return true;
}

static bool rangeWord(const FailedChunk &failed, Diagnostic &diagnostic) {
  size_t found = failed.atEnd() ? antlr4::Token::EOF : failed.type(failed.at);
  if (found == P::TOPK)
    diagnostic.help = "`topk` makes an index: `index J = topk(16, s <= t : …)`";
  else if (found == P::BLOCKS)
    diagnostic.help = "`blocks` is a range: `b in blocks(64)`";
  else
    return false;
  return true;
}

static bool keywordForName(const FailedChunk &failed, Diagnostic &diagnostic) {
  size_t found = failed.type(failed.at);
  // Where an expression is missing, the keyword may well start a statement.
  bool isStatement = failed.atEnd() && failed.failure.expects(P::INT);
  if (found < P::ATTENTION || found > P::NOT || isStatement ||
      !failed.failure.expects(P::NAME) ||
      diagnostic.location.line != failed.locate(failed.at).line)
    return false;
  diagnostic.help = "keywords are no names";
  return true;
}

void adviseOn(const FailedChunk &failed, Diagnostic &diagnostic) {
  static constexpr Rule rules[] = {
      closesNothing,
      comprehension,
      foreignWord,
      twoSigns,
      misspelled,
      notClosed,
      comparesToAssign,
      letOfAnotherForm,
      expressionAlone,
      axesOnName,
      noColon,
      noType,
      outWithoutValue,
      orderOfParts,
      sizeWithoutDefault,
      statementOutside,
      numberMeetsName,
      macroOfAnotherForm,
      forceWithoutBraces,
      slice,
      rangeWord,
      rangeWithoutBrackets,
      keywordForName,
  };
  for (Rule rule : rules)
    if (rule(failed, diagnostic))
      return;
}

} // namespace trowel
