// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each slip: what is said, what helps, and what it is read as.

#include "frontend/Grammar/Slips.h"

#include <set>

namespace trowel {

using P = TrowelParser;

bool isSlip(const antlr4::Token *token) {
  return token->getType() >= P::SLIP_DEFINE && token->getType() != ~size_t(0);
}

namespace {
/// What is done with a slip once it is reported.
struct Repair {
  enum class Kind { Replace, Drop, Keep } kind = Kind::Keep;
  size_t type = 0;          // Replace
  bool oncePerFile = false; // a habit rather than a mistake
  std::string message, help;
};

class SlipReader {
public:
  SlipReader(const TokenList &tokens, const SourceText &source,
             std::vector<Diagnostic> &diagnostics)
      : Tokens(tokens), Source(source), Diagnostics(diagnostics) {}

  TokenList run();

private:
  Repair repairOf(size_t i) const;
  Repair unknown(size_t i) const;
  Repair dot(size_t i) const;
  Repair foreign(const std::string &character) const;
  bool startsRun(size_t i) const;
  bool touches(size_t i) const;
  std::string text(size_t i) const {
    return Source.slice(Tokens[i]->getStartIndex(),
                        Tokens[i]->getStopIndex() + 1);
  }

  const TokenList &Tokens;
  const SourceText &Source;
  std::vector<Diagnostic> &Diagnostics;
  std::set<std::string> Said;
};
} // namespace

static Repair replace(size_t type, std::string message, std::string help) {
  return {Repair::Kind::Replace, type, false, std::move(message),
          std::move(help)};
}

static Repair drop(std::string message, std::string help) {
  return {Repair::Kind::Drop, 0, true, std::move(message), std::move(help)};
}

static Repair keep(std::string message, std::string help) {
  return {Repair::Kind::Keep, 0, true, std::move(message), std::move(help)};
}

/// Whether token `i` follows the one before it without a blank.
bool SlipReader::touches(size_t i) const {
  return i > 0 && i < Tokens.size() &&
         Tokens[i - 1]->getStopIndex() + 1 == Tokens[i]->getStartIndex();
}

Repair SlipReader::repairOf(size_t i) const {
  std::string slip = text(i);
  std::string name = i > 0 ? text(i - 1) : "S";
  switch (Tokens[i]->getType()) {
  case P::SLIP_DEFINE:
    return replace(P::ASSIGN, "there is no `:=`", "write `=`");
  case P::SLIP_POWER:
    return replace(P::POWER, "there is no `**`", "powers are written `^`");
  case P::SLIP_ASSIGN:
    return replace(P::ASSIGN_MUL, "there is no `" + slip + "`",
                   "write `" + name + " = " + name + " " +
                       (slip == "**=" ? "^" : slip.substr(0, 1)) +
                       " …`; the updates are `=`, `*=`, `+=` and `-=`");
  case P::SLIP_LOGIC:
    return replace(slip == "&&" ? P::AND : P::OR, "there is no `" + slip + "`",
                   slip == "&&" ? "write `and`" : "write `or`");
  case P::SLIP_HASH:
    return drop("`#` starts no comment", "comments start with `//`");
  case P::SLIP_COMMENT:
    return drop("`/*` starts no comment", "comments start with `//`");
  default:
    return unknown(i);
  }
}

Repair SlipReader::unknown(size_t i) const {
  std::string character = text(i);
  if (character.size() > 1)
    return foreign(character);
  switch (character[0]) {
  case ';':
    return drop("no `;` is needed",
                "a statement ends where the next one starts");
  case '.':
    return dot(i);
  case '!':
    return replace(P::NOT, "there is no `!`", "write `not`");
  case '&':
    return replace(P::AND, "there is no `&`", "write `and`");
  case '?':
    return keep("there is no `?`", "`where(c, a, b)` selects");
  case '"':
    return keep("this text is not closed", "write `\"` at its end");
  default:
    break;
  }
  if (static_cast<unsigned char>(character[0]) < ' ' || character[0] == 0x7f)
    return keep("a control character", "only comments may hold any character");
  return keep("unknown character `" + character + "`", "");
}

Repair SlipReader::dot(size_t i) const {
  bool transposed = i + 1 < Tokens.size() && touches(i) && touches(i + 1) &&
                    (text(i + 1) == "T" || text(i + 1) == "mT");
  if (transposed)
    return keep("nothing is transposed, so there is no `.T`",
                "axes have names, their order does not matter; `x[K -> J]` "
                "renames one");
  return keep("there is no `.`", "functions are called: `sum[K](x)`");
}

Repair SlipReader::foreign(const std::string &character) const {
  static const struct {
    const char *written, *meant;
    size_t type;
  } signs[] = {
      {"≤", "<=", P::LESS_EQUAL}, {"≥", ">=", P::GREATER_EQUAL},
      {"≠", "!=", P::NOT_EQUAL},  {"×", "*", P::MUL},
      {"·", "*", P::MUL},         {"⋅", "*", P::MUL},
      {"−", "-", P::SUB},         {"–", "-", P::SUB},
      {"→", "->", P::ARROW},      {"∞", "inf", P::NAME},
      {"∧", "and", P::AND},       {"∨", "or", P::OR},
      {"¬", "not", P::NOT},       {"…", "..", P::DOTS},
  };
  for (const auto &sign : signs)
    if (character == sign.written)
      return replace(sign.type, "unknown character `" + character + "`",
                     std::string("write `") + sign.meant + "`");
  if (character == "\u00a0" || character == "\u200b" || character == "\ufeff" ||
      character == "\u202f")
    return drop("this blank is not a plain one", "replace it by a space");
  return keep("unknown character `" + character + "`",
              "names are made of ASCII letters, digits and `_`");
}

/// The second of two unknown characters side by side says nothing new.
bool SlipReader::startsRun(size_t i) const {
  return i == 0 || Tokens[i]->getType() != P::SLIP_UNKNOWN ||
         Tokens[i - 1]->getType() != P::SLIP_UNKNOWN || !touches(i);
}

TokenList SlipReader::run() {
  TokenList result;
  std::vector<std::pair<antlr4::Token *, size_t>> newTypes;
  for (size_t i = 0; i < Tokens.size(); ++i) {
    if (!isSlip(Tokens[i])) {
      result.push_back(Tokens[i]);
      continue;
    }
    Repair repair = repairOf(i);
    if (repair.kind == Repair::Kind::Replace)
      newTypes.emplace_back(Tokens[i], repair.type);
    if (repair.kind != Repair::Kind::Drop)
      result.push_back(Tokens[i]);
    if (repair.oncePerFile && !Said.insert(repair.message).second)
      continue;
    if (repair.kind == Repair::Kind::Keep && !startsRun(i))
      continue;
    Diagnostic error;
    error.location = Source.locate(
        Tokens[i]->getStartIndex(), Tokens[i]->getStopIndex() + 1,
        Tokens[i]->getLine(), Tokens[i]->getCharPositionInLine() + 1);
    error.message = std::move(repair.message);
    error.help = std::move(repair.help);
    Diagnostics.push_back(std::move(error));
  }
  for (auto [token, type] : newTypes)
    static_cast<antlr4::WritableToken *>(token)->setType(type);
  return result;
}

TokenList repairSlips(const TokenList &tokens, const SourceText &source,
                      std::vector<Diagnostic> &diagnostics) {
  return SlipReader(tokens, source, diagnostics).run();
}

} // namespace trowel
