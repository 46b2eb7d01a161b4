// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints syntax trees in one line, every grouping shown, for tests to compare.
#ifndef TROWEL_TEST_UNIT_SYNTAXPRINTER_H
#define TROWEL_TEST_UNIT_SYNTAXPRINTER_H

#include "frontend/AST/SyntaxTree.h"

#include <sstream>

namespace trowel::syntax {

inline std::string print(const ExprPtr &expr);

template <typename Items, typename Print>
std::string joined(const Items &items, Print &&printItem,
                   const char *separator = ", ") {
  std::string result;
  for (const auto &item : items)
    result += (result.empty() ? "" : separator) + printItem(item);
  return result;
}

inline std::string print(const Name &name) { return name.text; }

inline std::string print(const Clause &clause) {
  if (clause.kind == Clause::Kind::Compare)
    return print(clause.values[0]);
  std::string values =
      joined(clause.values, [](auto &e) { return print(e); }, "..");
  if (clause.kind == Clause::Kind::In)
    return clause.variable.text + " in " + values;
  if (clause.stride)
    values += ", stride = " + print(clause.stride);
  bool closed = clause.kind == Clause::Kind::InClosedBlocks;
  return clause.variable.text +
         (closed ? " in closed blocks(" : " in blocks(") + values + ")";
}

inline std::string print(const Branch &branch) {
  return joined(branch.clauses, [](auto &c) { return print(c); }) + " : " +
         joined(branch.values, [](auto &e) { return print(e); });
}

inline std::string print(const Picker &picker) {
  std::string names, values;
  if (picker.kind == Picker::Kind::Rename) {
    for (size_t i = 0; i + 1 < picker.names.size(); i += 2)
      names += (i ? ", " : "") + picker.names[i].text + " -> " +
               picker.names[i + 1].text;
    return "[" + names + "]";
  }
  values = joined(picker.values, [](auto &e) { return print(e); });
  if (picker.kind == Picker::Kind::Named)
    return "[" + picker.names[0].text + " = " + values + "]";
  return "[" + values + "]";
}

inline std::string print(const Argument &argument) {
  std::string name = argument.name.text;
  return (name.empty() ? "" : name + " = ") + print(argument.value);
}

inline std::string printNumber(double number) {
  std::ostringstream os;
  os << number;
  return os.str();
}

inline std::string printCall(const Expr &expr) {
  std::string result = expr.name.text;
  if (!expr.axes.empty())
    result += "[" + joined(expr.axes, [](auto &n) { return print(n); }) + "]";
  std::string arguments =
      joined(expr.branches, [](auto &b) { return print(b); }, " | ");
  for (const Argument &argument : expr.arguments)
    arguments += (arguments.empty() ? "" : ", ") + print(argument);
  return result + "(" + arguments + ")";
}

inline std::string print(const ExprPtr &expr) {
  std::string result;
  switch (expr->kind) {
  case Expr::Kind::Number:
    return printNumber(expr->number) + (expr->isInteger ? "" : "f");
  case Expr::Kind::Reference:
    return expr->name.text +
           joined(expr->pickers, [](auto &p) { return print(p); }, "");
  case Expr::Kind::Unary:
    return "(" + expr->op + " " + print(expr->operands[0]) + ")";
  case Expr::Kind::Binary:
    return "(" + print(expr->operands[0]) + " " + expr->op + " " +
           print(expr->operands[1]) + ")";
  case Expr::Kind::Compare:
    for (size_t i = 0; i < expr->operands.size(); ++i)
      result +=
          (i ? " " + expr->ops[i - 1] + " " : "") + print(expr->operands[i]);
    return "(" + result + ")";
  case Expr::Kind::Call:
  case Expr::Kind::History:
    return printCall(*expr);
  }
  return "?";
}

inline std::string print(const Type &type) {
  std::string extents = joined(type.extents, [](auto &e) { return print(e); });
  return type.dtype.text + (extents.empty() ? "" : "[" + extents + "]");
}

inline std::string print(const Range &range) {
  if (range.op != "in")
    return range.op + " " + print(range.low);
  return std::string("in ") + (range.lowOpen ? "(" : "[") + print(range.low) +
         ", " + print(range.high) + (range.highOpen ? ")" : "]");
}

inline std::string printDeclared(const Statement &statement) {
  std::string result =
      joined(statement.names, [](auto &n) { return print(n); });
  result += " : " + print(statement.type);
  if (!statement.sharing.empty())
    result += " " + statement.sharing;
  if (statement.scale)
    result += " scale " + print(*statement.scale);
  if (statement.range)
    result += " " + print(*statement.range);
  return statement.value ? result + " = " + print(statement.value) : result;
}

inline std::string printIndex(const Statement &statement) {
  std::string result =
      "index " + statement.names[0].text + " = topk(" + print(statement.value) +
      ", " + joined(statement.clauses, [](auto &c) { return print(c); });
  for (const Pick &pick : statement.force)
    result +=
        std::string(pick.last ? ", last " : ", first ") + print(pick.count);
  return result + " : " + print(statement.score) + ")";
}

inline std::string print(const Statement &statement) {
  std::string names = joined(statement.names, [](auto &n) { return print(n); });
  switch (statement.kind) {
  case Statement::Kind::Dim:
    return "dim " + names + " = " + print(statement.value);
  case Statement::Kind::Input:
    return "in " + printDeclared(statement);
  case Statement::Kind::Param:
    return "param " + printDeclared(statement);
  case Statement::Kind::State:
    return "state " + printDeclared(statement);
  case Statement::Kind::Output:
    return "out " + printDeclared(statement);
  case Statement::Kind::Let:
    return "let " + (statement.names.size() > 1 ? "(" + names + ")" : names) +
           " = " + print(statement.value);
  case Statement::Kind::Index:
    return printIndex(statement);
  case Statement::Kind::Assign:
    return names + " " + statement.op + " " + print(statement.value);
  case Statement::Kind::For: {
    std::string span = print(statement.span.begin);
    if (statement.span.end)
      span += ".." + print(statement.span.end);
    return "for " + names + " in " + span + " { " +
           joined(
               statement.body, [](auto &s) { return print(*s); }, "; ") +
           " }";
  }
  case Statement::Kind::Debug:
    return "debug(" + print(statement.value) + ")";
  }
  return "?";
}

inline std::string print(const std::vector<Stack::Item> &items) {
  return joined(
      items,
      [](const Stack::Item &item) {
        return std::to_string(item.count) + " * " +
               (item.group.empty() ? item.attention.text
                                   : "(" + print(item.group) + ")");
      },
      " + ");
}

inline std::string print(const Function &function) {
  auto list = [](auto &names) {
    return joined(names, [](auto &n) { return print(n); });
  };
  return "fn " + function.name.text + "[" + list(function.axes) + "](" +
         list(function.parameters) + ") = " + print(function.body);
}

/// The whole file, one construct a line.
inline std::string print(const File &file) {
  std::string result;
  for (const Import &import : file.imports)
    result += "import " + import.path + "\n";
  for (const Function &function : file.functions)
    result += print(function) + "\n";
  for (const Stack &stack : file.stacks)
    result += "stack " + stack.name.text +
              (stack.layers ? "(" + std::to_string(*stack.layers) + ")" : "") +
              " = " + print(stack.items) + "\n";
  for (const Attention &attention : file.attentions) {
    result += "attention " + attention.name.text + "(" +
              joined(attention.sizes,
                     [](auto &s) {
                       return s.name.text + " = " + std::to_string(s.value);
                     }) +
              ")\n";
    for (const StatementPtr &statement : attention.body)
      result += "  " + print(*statement) + "\n";
  }
  return result;
}

} // namespace trowel::syntax

#endif // TROWEL_TEST_UNIT_SYNTAXPRINTER_H
