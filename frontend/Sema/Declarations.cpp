// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `in`, `param`, `state`: types, sharing, declared ranges, initial values.

#include "frontend/Sema/Checker.h"

#include "frontend/Sema/Names.h"
#include "frontend/Sema/Print.h"
#include "frontend/Sema/Ranges.h"
#include "frontend/Sema/Suggest.h"

#include <algorithm>

namespace trowel::sema {

using Kind = syntax::Statement::Kind;

std::optional<DType> Checker::readType(const syntax::Name &name) {
  if (auto dtype = dtypeNamed(name.text))
    return dtype;
  if (name.text.empty())
    return std::nullopt;
  std::string help = "the types are " + enumerate(dtypeNames());
  std::string alias = dtypeAlias(name.text);
  if (alias.empty())
    alias = nearest(name.text, dtypeNames()).value_or("");
  if (!alias.empty())
    help = "did you mean " + quote(alias) + "? " + help;
  error(name.location, "unknown type " + quote(name.text), help);
  return std::nullopt;
}

std::optional<AxisId> Checker::readExtent(const syntax::Statement &statement,
                                          const syntax::Expr &extent,
                                          const std::string &plainName) {
  if (extent.kind == syntax::Expr::Kind::Reference && extent.pickers.empty())
    return axisNamed(extent.name);
  if (extent.kind != syntax::Expr::Kind::Number || !extent.isInteger) {
    error(extent.location,
          "an axis is a name or a plain number, not " + quote(extent),
          "declare it above, `dim N = " + print(extent) + "`, and write `N`");
    return std::nullopt;
  }
  auto size = static_cast<int64_t>(std::min(extent.number, 1e15));
  bool mayBePlain =
      statement.kind == Kind::Input || statement.kind == Kind::Param;
  if (!mayBePlain) {
    error(extent.location,
          std::string("the axes of ") +
              (statement.kind == Kind::State ? "a state" : "an output") +
              " have names: a plain-number axis is reached by a constant "
              "index only",
          "declare it above, `dim N = " + std::to_string(size) +
              "`, and write `N`");
    return std::nullopt;
  }
  if (!isSizeLegal(size, "", extent.location))
    return std::nullopt;
  return addAxis(plainName, size, extent.location, true);
}

bool Checker::readExtents(const syntax::Statement &statement,
                          Declaration &declared) {
  bool isRight = true;
  for (const syntax::ExprPtr &extent : statement.type.extents) {
    std::string plainName =
        declared.name + "." + std::to_string(declared.shape.size());
    std::optional<AxisId> axis =
        extent ? readExtent(statement, *extent, plainName) : std::nullopt;
    if (!axis) {
      isRight = false;
      continue;
    }
    if (contains(declared.shape, *axis)) {
      const std::string &name = program.axes[*axis].name;
      error(extent->location, "axis " + quote(name) + " occurs twice",
            "a second axis of the same size needs a name of its own: "
            "`dim J = " +
                name + "`");
      isRight = false;
      continue;
    }
    declared.shape.push_back(*axis);
  }
  return isRight;
}

/// A tensor of one token and head that no machine would hold is refused here
/// and not by an allocation later.
bool Checker::isTensorLegal(const Declaration &declared) {
  constexpr int64_t most = int64_t(1) << 31;
  int64_t count = 1;
  for (AxisId axis : declared.shape) {
    count *= program.axes[axis].size; // both factors are below 2^31
    if (count > most) {
      error(declared.location, quote(declared.name) + " has more than " +
                                   std::to_string(most) +
                                   " elements for one head");
      return false;
    }
  }
  return true;
}

std::optional<Interval> Checker::readRange(const syntax::Range &range) {
  auto low = constant(range.low.get(), "a bound");
  auto high = range.op == "in" ? constant(range.high.get(), "a bound") : low;
  if (!low || !high)
    return std::nullopt;
  Interval result = anything();
  if (range.op == "in") {
    result.low = *low;
    result.high = *high;
    result.lowOpen = range.lowOpen;
    result.highOpen = range.highOpen;
  } else if (range.op[0] == '<') {
    result.high = *high;
    result.highOpen = range.op == "<";
  } else {
    result.low = *low;
    result.lowOpen = range.op == ">";
  }
  if (!isEmpty(result))
    return result;
  std::string help;
  if (*low > *high)
    help = "the lower bound comes first: `in [" + printNumber(*high) + ", " +
           printNumber(*low) + "]`";
  error(range.location, "no number is in this range", help);
  return std::nullopt;
}

/// The declaration of one of the names; nothing when it has an error.
std::optional<Declaration>
Checker::readDeclaration(const syntax::Statement &statement,
                         const syntax::Name &name) {
  Declaration declared;
  declared.name = name.text;
  declared.location = name.location;
  if (statement.sharing == "grouped")
    declared.sharing = Sharing::Grouped;
  if (statement.sharing == "shared")
    declared.sharing = Sharing::Shared;
  std::optional<DType> dtype = readType(statement.type.dtype);
  bool isRight = readExtents(statement, declared) && dtype;
  if (statement.range) {
    declared.range = readRange(*statement.range);
    isRight &= declared.range.has_value();
  }
  if (!isRight || !isTensorLegal(declared))
    return std::nullopt;
  declared.dtype = *dtype;
  return declared;
}

void Checker::declareInput(const syntax::Statement &statement) {
  for (const syntax::Name &name : statement.names) {
    Symbol symbol;
    auto declared = readDeclaration(statement, name);
    if (declared) {
      symbol.kind = Symbol::Kind::Input;
      symbol.index = static_cast<int>(program.inputs.size());
    }
    int input = symbol.index;
    if (!declare(name, std::move(symbol)) || !declared)
      continue;
    program.inputs.push_back(std::move(*declared));
    if (statement.scale && !addScale(statement, input))
      scopes.back().names[name.text].kind = Symbol::Kind::Poison;
  }
}

void Checker::declareParam(const syntax::Statement &statement) {
  for (const syntax::Name &name : statement.names) {
    Symbol symbol;
    auto declared = readDeclaration(statement, name);
    if (declared) {
      symbol.kind = Symbol::Kind::Param;
      symbol.index = static_cast<int>(program.params.size());
    }
    if (declare(name, std::move(symbol)) && declared)
      program.params.push_back(std::move(*declared));
  }
}

ExprPtr Checker::checkInitial(const Declaration &state,
                              const syntax::Expr &source) {
  ExprPtr value = check(&source);
  if (value && value->perToken) {
    error(source.location,
          "the initial value of " + quote(state.name) +
              " changes from token to token",
          "it is made of constants and params only");
    return nullptr;
  }
  return fit(state, Flow::Initial, value, source);
}

void Checker::declareState(const syntax::Statement &statement) {
  for (const syntax::Name &name : statement.names) {
    Symbol symbol;
    auto declared = readDeclaration(statement, name);
    if (declared && declared->dtype == DType::I32) {
      error(statement.type.dtype.location,
            "state " + quote(name.text) + " cannot be `i32`",
            "a state is a real number: declare it `f32`");
      declared.reset();
    }
    if (declared) {
      symbol.kind = Symbol::Kind::State;
      symbol.index = static_cast<int>(program.states.size());
      // A wrong initial value leaves the state itself as usable as before.
      if (statement.value)
        declared->initial = checkInitial(*declared, *statement.value);
    }
    if (declare(name, std::move(symbol)) && declared)
      program.states.push_back(std::move(*declared));
  }
}

} // namespace trowel::sema
