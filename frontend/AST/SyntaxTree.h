// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The syntax tree: what a `.trowel` file says, before names and axes are
// checked. One node per construct of the grammar, standard types only.
#ifndef TROWEL_FRONTEND_AST_SYNTAXTREE_H
#define TROWEL_FRONTEND_AST_SYNTAXTREE_H

#include "frontend/AST/Location.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trowel::syntax {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Name {
  std::string text;
  Location location;
};

/// One `clause` of a history range, `s in blocks(64)` or `t - W < s <= t`.
struct Clause {
  enum class Kind { Compare, In, InBlocks, InClosedBlocks };
  Kind kind = Kind::Compare;
  Location location;
  Name variable;               // In, InBlocks, InClosedBlocks
  std::vector<ExprPtr> values; // Compare: the comparison; In: the span, one or
                               // two; blocks: the size
  ExprPtr stride;              // blocks(64, stride = 4); null: not given
};

/// `clauses : e, e, …`, one branch of attend, sum, mean, max, logsumexp.
struct Branch {
  std::vector<Clause> clauses;
  std::vector<ExprPtr> values;
};

/// `x[…]`: one bracket behind a name.
struct Picker {
  enum class Kind {
    Rename, // x[K -> J, …]   names: from, to, from, to …
    Named,  // x[N = e]       names: axis; values: e
    Index   // x[e, e, …]     values: constants, `t - n`, loop or history
            // variables
  };
  Kind kind = Kind::Index;
  Location location;
  std::vector<Name> names;
  std::vector<ExprPtr> values;
};

/// A call's argument; `name` is empty unless written `eps = 1e-5`.
struct Argument {
  Name name;
  ExprPtr value;
};

struct Expr {
  enum class Kind {
    Number,    // number (isInteger: written without point or exponent)
    Reference, // name, pickers
    Unary,     // op "-" or "not", operands[0]
    Binary,    // op, operands[0], operands[1]; op one of + - * / % @ ^ and or
    Compare,   // ops[i] between operands[i] and operands[i + 1]
    Call,      // name, axes (the `[K, J]`), arguments
    History // name (attend sum mean max logsumexp), branches, arguments (sink =
            // b)
  };
  Kind kind = Kind::Number;
  Location location; // the whole expression (its part on the first line)
  Location operatorLocation; // Unary, Binary: the operator

  double number = 0;
  bool isInteger = false;
  Name name;
  std::string op;
  std::vector<std::string> ops;
  std::vector<ExprPtr> operands;
  std::vector<Picker> pickers;
  std::vector<Name> axes;
  std::vector<Argument> arguments;
  std::vector<Branch> branches;
  bool parenthesised = false; // was written in parentheses of its own
};

struct Type {
  Name dtype;
  std::vector<ExprPtr> extents;
  Location location;
};

/// `<= 0`, `in [0, 1)`. `op` is "<=", ">=", "<", ">" or "in".
struct Range {
  std::string op;
  ExprPtr low, high; // comparison: only `low` is set, the bound
  bool lowOpen = false, highOpen = false;
  Location location;
};

struct Span {
  ExprPtr begin, end; // `N`: only `begin`; `0..4`: both
};

/// One entry of `force = {first 1, last 2}`: blocks that topk always takes.
struct Pick {
  bool last = false; // else first
  ExprPtr count;
  Location location;
};

struct Statement;
using StatementPtr = std::unique_ptr<Statement>;

struct Statement {
  enum class Kind {
    Dim,    // names[0] = value
    Input,  // names, type, sharing, scale, range
    Param,  // names, type, sharing, range
    State,  // names, type, sharing, range, value (may be null)
    Let,    // names (several: a tuple) = value
    Output, // names[0], type, sharing, value
    Index,  // names[0] = topk(value, clauses, force = {…} : score)
    Assign, // names[0] op value; op one of = *= += -=
    For,    // for names[0] in span { body }
    Debug   // debug(value)
  };
  Kind kind = Kind::Let;
  Location location;
  std::vector<Name> names;
  std::string op;
  Type type;
  std::string sharing; // "", "grouped", "shared"
  std::optional<Type> scale;
  std::optional<Range> range;
  ExprPtr value;
  std::vector<Clause> clauses;
  std::vector<Pick> force;
  ExprPtr score;
  Span span;
  std::vector<StatementPtr> body;
};

struct Size {
  Name name;
  int64_t value = 0;
};

struct Function {
  Name name;
  std::vector<Name> axes;
  std::vector<Name> parameters;
  ExprPtr body;
  Location location;
};

struct Attention {
  Name name;
  std::vector<Size> sizes;
  std::vector<StatementPtr> body;
  std::string comment; // the `//` lines directly above, without the slashes
  Location location;
};

/// `stack s = 3 * a + b`: kept as text spans, planned by the hybrid runtime.
struct Stack {
  struct Item {
    int64_t count = 1;
    Name attention; // or, when empty, `group`
    std::vector<Item> group;
  };
  Name name;
  std::optional<int64_t> layers;
  std::vector<Item> items;
  Location location;
};

struct Import {
  std::string path;
  Location location;
};

struct File {
  std::vector<Import> imports;
  std::vector<Function> functions;
  std::vector<Attention> attentions;
  std::vector<Stack> stacks;
};

} // namespace trowel::syntax

#endif // TROWEL_FRONTEND_AST_SYNTAXTREE_H
