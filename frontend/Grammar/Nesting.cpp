// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts, per open bracket, the prefixes and powers that the parser is inside
// of, and the operators since the last comma, which bound the height of the
// tree's left-grouped chains.

#include "frontend/Grammar/Nesting.h"

namespace trowel {

static constexpr int maximalNesting = 256;
static constexpr int maximalHeight = 1000;

namespace {
struct Level {
  int prefixes = 0;  // `-`, `not` and `^` that are still waiting
  int operators = 0; // since the last separator
};

enum class Role { Open, Close, Separator, Operator, Prefix, Power, Operand };
} // namespace

static Role roleOf(size_t type, bool afterOperand) {
  using P = TrowelParser;
  switch (type) {
  case P::OPEN_PAREN:
  case P::OPEN_SQUARE:
  case P::OPEN_BRACE:
    return Role::Open;
  case P::CLOSE_PAREN:
  case P::CLOSE_SQUARE:
  case P::CLOSE_BRACE:
    return Role::Close;
  case P::NOT:
    return Role::Prefix;
  case P::SUB:
    return afterOperand ? Role::Operator : Role::Prefix;
  case P::POWER:
    return Role::Power;
  case P::ADD:
  case P::MUL:
  case P::DIV:
  case P::MOD:
  case P::MATMUL:
  case P::AND:
  case P::OR:
  case P::LESS:
  case P::LESS_EQUAL:
  case P::GREATER:
  case P::GREATER_EQUAL:
  case P::EQUAL:
  case P::NOT_EQUAL:
    return Role::Operator;
  case P::NAME:
  case P::INT:
  case P::FLOAT:
  case P::SCALE:
  case P::CLOSED:
  case P::FORCE:
  case P::FIRST:
  case P::LAST:
  case P::LAYERS:
    return Role::Operand;
  default:
    return Role::Separator;
  }
}

namespace {
/// The depth at one place of the text, token by token.
class Depth {
public:
  void add(size_t type) {
    Role role = roleOf(type, AfterOperand);
    Level &level = Levels.back();
    switch (role) {
    case Role::Open:
      Levels.emplace_back();
      ++Nesting;
      ++Height;
      break;
    case Role::Close:
      if (Levels.size() == 1)
        break;
      drop(level, true);
      Levels.pop_back();
      --Nesting;
      --Height;
      break;
    case Role::Separator:
      drop(level, true);
      break;
    case Role::Operator:
      drop(level, false);
      ++level.operators;
      ++Height;
      break;
    case Role::Prefix:
    case Role::Power:
      ++level.prefixes;
      ++level.operators;
      ++Nesting;
      ++Height;
      break;
    case Role::Operand:
      break;
    }
    AfterOperand = role == Role::Operand || role == Role::Close;
  }

  int nesting() const { return Nesting; }
  int height() const { return Height; }

private:
  void drop(Level &level, bool operatorsToo) {
    Nesting -= level.prefixes;
    level.prefixes = 0;
    if (!operatorsToo)
      return;
    Height -= level.operators;
    level.operators = 0;
  }

  std::vector<Level> Levels = std::vector<Level>(1);
  int Nesting = 0, Height = 0;
  bool AfterOperand = false;
};
} // namespace

std::optional<Diagnostic> checkNesting(const TokenList &tokens,
                                       const SourceText &source) {
  Depth depth;
  for (const antlr4::Token *token : tokens) {
    depth.add(token->getType());
    bool tooNested = depth.nesting() > maximalNesting;
    if (!tooNested && depth.height() <= maximalHeight)
      continue;
    Diagnostic error;
    error.location =
        source.locate(token->getStartIndex(), token->getStopIndex() + 1,
                      token->getLine(), token->getCharPositionInLine() + 1);
    error.message = tooNested
                        ? "this is nested more than " +
                              std::to_string(maximalNesting) + " deep"
                        : "this expression has more than " +
                              std::to_string(maximalHeight) + " operators";
    error.help = "name its parts with `let`";
    return error;
  }
  return std::nullopt;
}

} // namespace trowel
