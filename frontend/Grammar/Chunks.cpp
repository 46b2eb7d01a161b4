// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Three passes: the starts that hold whatever the brackets say; brackets that
// match between those; and, outside of matched brackets, the weaker starts.

#include "frontend/Grammar/Chunks.h"

namespace trowel {

using P = TrowelParser;

bool isNameToken(size_t type) {
  return type == P::NAME || (type >= P::SCALE && type <= P::LAYERS);
}

bool opensBlock(const TokenList &tokens, size_t i) {
  return tokens[i]->getType() == P::OPEN_BRACE &&
         (i == 0 || tokens[i - 1]->getType() != P::ASSIGN);
}

namespace {
class Splitter {
public:
  explicit Splitter(const TokenList &tokens)
      : Tokens(tokens), Certain(tokens.size() + 1), Opens(tokens.size()),
        Closes(tokens.size()) {}

  std::vector<Chunk> run();

private:
  size_t type(size_t i) const {
    return i < Tokens.size() ? Tokens[i]->getType() : antlr4::Token::EOF;
  }
  bool startsLine(size_t i) const {
    return i == 0 || Tokens[i - 1]->getLine() < Tokens[i]->getLine();
  }
  bool isCertainStart(size_t i) const;
  bool inStartsDeclaration(size_t i) const;
  bool isWeakStart(size_t i) const;
  bool endsOperand(size_t i) const;
  void matchBrackets();
  void matchClosing(size_t i, std::vector<size_t> &open);

  const TokenList &Tokens;
  std::vector<char> Certain;       // a chunk starts here
  std::vector<char> Opens, Closes; // brackets that have a partner
};
} // namespace

/// `in` also stands in ranges: `s in J`, `for i in N`, `f32 in [0, 1]`.
bool Splitter::inStartsDeclaration(size_t i) const {
  switch (type(i + 1)) {
  case P::OPEN_SQUARE:
  case P::OPEN_PAREN:
  case P::INT:
  case P::FLOAT:
  case P::SUB:
    return false;
  default:
    break;
  }
  if (i < 2 || !isNameToken(type(i - 1)) || startsLine(i))
    return true;
  switch (type(i - 2)) {
  case P::OPEN_PAREN:
  case P::COMMA:
  case P::BAR:
  case P::FOR:
    return false;
  default:
    return true;
  }
}

bool Splitter::isCertainStart(size_t i) const {
  size_t own = type(i);
  if (own == P::IN)
    return inStartsDeclaration(i);
  if (own >= P::ATTENTION && own <= P::DEBUG)
    return true;
  if (!isNameToken(own))
    return false;
  size_t next = type(i + 1);
  if (next == P::ASSIGN_MUL || next == P::ASSIGN_ADD || next == P::ASSIGN_SUB)
    return true;
  return next >= P::ADD && next <= P::POWER && type(i + 2) == P::ASSIGN;
}

bool Splitter::endsOperand(size_t i) const {
  switch (type(i)) {
  case P::INT:
  case P::FLOAT:
  case P::STRING:
  case P::CLOSE_PAREN:
  case P::CLOSE_SQUARE:
  case P::CLOSE_BRACE:
  case P::GROUPED:
  case P::SHARED:
    return true;
  default:
    return isNameToken(type(i));
  }
}

/// Two operands side by side: the second starts something if it is assigned to
/// or stands first on its line.
bool Splitter::isWeakStart(size_t i) const {
  if (i == 0 || !endsOperand(i - 1))
    return false;
  if (type(i) == P::SCALE && isNameToken(type(i + 1)))
    return false;
  bool isOperand =
      isNameToken(type(i)) || type(i) == P::INT || type(i) == P::FLOAT;
  return isOperand && (type(i + 1) == P::ASSIGN || startsLine(i));
}

static size_t partner(size_t type) {
  return type == P::CLOSE_PAREN    ? P::OPEN_PAREN
         : type == P::CLOSE_SQUARE ? P::OPEN_SQUARE
                                   : P::OPEN_BRACE;
}

void Splitter::matchClosing(size_t i, std::vector<size_t> &open) {
  for (size_t k = open.size(); k-- > 0;) {
    if (type(open[k]) != partner(type(i)))
      continue;
    Opens[open[k]] = Closes[i] = true;
    open.resize(k);
    return;
  }
  if (type(i) == P::CLOSE_BRACE) { // of a block
    Certain[i] = Certain[i + 1] = true;
    open.clear();
  }
}

void Splitter::matchBrackets() {
  std::vector<size_t> open;
  for (size_t i = 0; i < Tokens.size(); ++i) {
    if (Certain[i])
      open.clear();
    switch (type(i)) {
    case P::OPEN_BRACE:
      if (opensBlock(Tokens, i)) {
        Certain[i + 1] = true;
        break;
      }
      [[fallthrough]];
    case P::OPEN_PAREN:
    case P::OPEN_SQUARE:
      open.push_back(i);
      break;
    case P::CLOSE_PAREN:
    case P::CLOSE_SQUARE:
    case P::CLOSE_BRACE:
      matchClosing(i, open);
      break;
    default:
      break;
    }
  }
}

std::vector<Chunk> Splitter::run() {
  for (size_t i = 0; i < Tokens.size(); ++i)
    Certain[i] = isCertainStart(i);
  matchBrackets();
  std::vector<Chunk> result;
  int depth = 0;
  for (size_t i = 0; i < Tokens.size(); ++i) {
    if (Certain[i])
      depth = 0;
    bool weak = depth == 0 && isWeakStart(i);
    if (i == 0 || Certain[i] || weak) {
      if (!result.empty())
        result.back().end = i;
      result.push_back({i, 0, Certain[i] || type(i + 1) == P::ASSIGN});
    }
    depth += Opens[i] - Closes[i];
  }
  if (!result.empty())
    result.back().end = Tokens.size();
  return result;
}

std::vector<Chunk> splitIntoChunks(const TokenList &tokens) {
  return Splitter(tokens).run();
}

} // namespace trowel
