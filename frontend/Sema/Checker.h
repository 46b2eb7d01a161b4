// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The checker's shared state. It walks the statements of one attention in
// order; each construct has a file of its own that implements some of the
// methods below.
//
// An expression with an error is a null ExprPtr, a name whose declaration has
// one is a Poison symbol: both are accepted everywhere without another word, so
// that one mistake makes one message.
#ifndef TROWEL_FRONTEND_SEMA_CHECKER_H
#define TROWEL_FRONTEND_SEMA_CHECKER_H

#include "frontend/Sema/Builder.h"
#include "frontend/Sema/Sema.h"

#include <map>
#include <set>
#include <string>
#include <unordered_map>

namespace trowel::sema {

/// What a name stands for.
struct Symbol {
  enum class Kind {
    Poison,   // its declaration has an error
    Axis,     // index into Program::axes
    Input,    // index into Program::inputs
    Param,    // index into Program::params
    State,    // index into Program::states
    Let,      // index into Program::lets
    Output,   // index into Program::outputs
    Loop,     // `value`, a constant; `index` is the axis it ranges over, or -1
    Parameter // `value`: what a `fn` was called with
  };
  Kind kind = Kind::Poison;
  int index = -1;
  ExprPtr value;
  Location location;
};

struct Scope {
  std::map<std::string, Symbol> names;
  bool isOpaque = false; // a `fn` does not see its caller's names
};

class Checker {
public:
  Checker(const syntax::File &file, const syntax::Attention &attention,
          const CheckOptions &options);
  CheckResult run();

private:
  // Checker.cpp: messages, names, the whole.
  Diagnostic &error(Location at, std::string message, std::string help = "");
  void warning(Location at, std::string message, std::string help = "");
  void note(Diagnostic &diagnostic, Location at, std::string message) const;
  bool hasErrors() const;
  const Symbol *find(const std::string &name) const;
  bool declare(const syntax::Name &name, Symbol symbol);
  bool refuseReserved(const syntax::Name &name);
  void reportUnknown(const syntax::Name &name,
                     const std::string &otherHelp = "");
  std::vector<std::string> visibleNames() const;
  std::string describe(const Symbol &symbol) const;
  void checkName();
  void collectNames();
  void warnOfIdleStates();
  void finish();

  // Sizes.cpp
  void declareSizes();
  void declareDim(const syntax::Statement &statement);
  std::optional<int64_t> sizeOf(const syntax::Expr &expr);
  std::optional<int64_t> divide(const syntax::Expr &expr, int64_t a, int64_t b);
  AxisId addAxis(std::string name, int64_t size, Location at,
                 bool isPlainNumber = false);
  bool isSizeLegal(int64_t size, const std::string &name, Location at,
                   const std::string &help = "");
  /// The axis called `name`; reports and gives nothing when there is none.
  std::optional<AxisId> axisNamed(const syntax::Name &name);
  std::string helpForAxis(const std::string &name) const;

  // Declarations.cpp
  void declareInput(const syntax::Statement &statement);
  void declareParam(const syntax::Statement &statement);
  void declareState(const syntax::Statement &statement);
  ExprPtr checkInitial(const Declaration &state, const syntax::Expr &source);
  std::optional<Declaration> readDeclaration(const syntax::Statement &statement,
                                             const syntax::Name &name);
  std::optional<DType> readType(const syntax::Name &name);
  bool readExtents(const syntax::Statement &statement, Declaration &declared);
  std::optional<AxisId> readExtent(const syntax::Statement &statement,
                                   const syntax::Expr &extent,
                                   const std::string &plainName);
  std::optional<Interval> readRange(const syntax::Range &range);
  bool isTensorLegal(const Declaration &declared);

  // Scales.cpp
  bool addScale(const syntax::Statement &statement, int input);
  std::optional<AxisId> readScaleExtent(const syntax::Expr &extent,
                                        const Declaration &scaled,
                                        Declaration &scale);
  ExprPtr readInput(int input, Location at, int delay);

  // Statements.cpp
  void checkStatement(const syntax::Statement &statement);
  void checkLet(const syntax::Statement &statement);
  void checkOutput(const syntax::Statement &statement);
  void checkIndex(const syntax::Statement &statement);
  void checkAssign(const syntax::Statement &statement);
  void checkDebug(const syntax::Statement &statement);
  bool isAssignable(const syntax::Statement &statement, const Symbol *symbol);
  void add(Statement::Kind kind, int target, ExprPtr value, Location at);
  int addLet(const std::string &name, ExprPtr value, Location at);

  // Fit.cpp: what flows into a state or an output.
  enum class Flow { Assign, Add, Subtract, Multiply, Output, Initial };
  ExprPtr fit(const Declaration &target, Flow flow, ExprPtr value,
              const syntax::Expr &source);
  bool fitsAxes(const Declaration &target, Flow flow, const ExprPtr &value,
                const syntax::Expr &source);
  bool fitsSharing(const Declaration &target, Flow flow, const ExprPtr &value,
                   const syntax::Expr &source);
  std::string helpForAxes(const Declaration &target, Flow flow,
                          const ExprPtr &value, const Axes &missing,
                          const Axes &extra) const;
  std::string helpForWrongSum(const ExprPtr &value, const Axes &missing,
                              const Axes &extra) const;
  std::string helpForRename(const ExprPtr &value, const Axes &missing,
                            const Axes &from) const;
  std::string helpForExtra(const ExprPtr &value, const Axes &extra) const;
  std::string helpForMissing(const Declaration &target, Flow flow,
                             const ExprPtr &value, const Axes &missing) const;
  std::string valueWithAxes(const Axes &axes) const;
  std::string sourceOf(const ExprPtr &expr) const;

  // Loops.cpp: what is unrolled.
  struct LoopRange {
    int64_t begin = 0, end = 0;
    AxisId axis = -1;
  };
  std::optional<LoopRange> rangeOfLoop(const syntax::Expr *begin,
                                       const syntax::Expr *end, Location at);
  void checkFor(const syntax::Statement &statement);
  ExprPtr checkHistory(const syntax::Expr &expr);
  bool isUnrolled(const syntax::Expr &expr) const;
  bool unroll(const syntax::Expr &expr, const syntax::Branch &branch,
              size_t clause, std::vector<ExprPtr> &terms);
  ExprPtr joinTerms(const syntax::Expr &expr, std::vector<ExprPtr> terms);
  bool bindLoop(const syntax::Name &name, int64_t value, AxisId axis);

  // Expressions.cpp
  ExprPtr check(const syntax::Expr *expr);
  ExprPtr checkBare(const syntax::Expr &expr);
  ExprPtr checkUnary(const syntax::Expr &expr);
  ExprPtr checkBinary(const syntax::Expr &expr);
  ExprPtr checkCompare(const syntax::Expr &expr);
  /// `x` as an operand of arithmetic: a number without plain-number axes.
  ExprPtr arithmetic(ExprPtr x, const syntax::Expr &source);
  ExprPtr condition(ExprPtr x, const syntax::Expr &source);
  ExprPtr withoutPlainAxes(ExprPtr x, const syntax::Expr &source);
  ExprPtr checkArithmetic(const syntax::Expr *expr);
  std::optional<double> constant(const syntax::Expr *expr,
                                 const std::string &what);
  std::optional<int64_t> wholeConstant(const syntax::Expr *expr,
                                       const std::string &what);

  // Chains.cpp: sums and products, which group from the left.
  struct Link {
    const syntax::Expr *operand = nullptr;
    const syntax::Expr *whole = nullptr; // the chain up to here
    ExprPtr value;
  };
  std::vector<Link> linksOf(const syntax::Expr &expr, bool isProduct);
  ExprPtr checkChain(const syntax::Expr &expr, bool isProduct);
  bool obeysNeighbourRule(const std::vector<Link> &links);
  ExprPtr combine(const ExprPtr &left, const Link &link,
                  const syntax::Expr &leftSource);
  ExprPtr contract(const ExprPtr &left, const Link &link,
                   const syntax::Expr &leftSource);

  // References.cpp
  ExprPtr checkReference(const syntax::Expr &expr);
  ExprPtr readSymbol(const syntax::Name &name, const Symbol &symbol,
                     bool hasPickers);
  ExprPtr readOutput(const syntax::Name &name, const Symbol &symbol);
  ExprPtr readBuiltin(const syntax::Expr &expr, bool &isBuiltin);
  ExprPtr applyPicker(ExprPtr x, const syntax::Expr &expr,
                      const syntax::Picker &picker);
  ExprPtr applyRename(ExprPtr x, const syntax::Expr &expr,
                      const syntax::Picker &picker);
  ExprPtr applyNamedPick(ExprPtr x, const syntax::Expr &expr,
                         const syntax::Picker &picker);
  ExprPtr applyIndices(ExprPtr x, const syntax::Expr &expr,
                       const syntax::Picker &picker);
  ExprPtr applyIndex(ExprPtr x, const syntax::Expr &expr,
                     const syntax::Expr &index);
  ExprPtr pickAt(ExprPtr x, AxisId axis, const syntax::Expr &index,
                 const std::string &name);
  bool checkIndexName(const syntax::Expr &index);
  AxisId loopAxisOf(const syntax::Expr &index) const;

  // Delays.cpp
  bool mentionsPosition(const syntax::Expr &expr) const;
  ExprPtr applyDelay(ExprPtr x, const syntax::Expr &expr,
                     const syntax::Picker &picker);
  std::optional<int64_t> delayOf(const syntax::Expr &index);
  ExprPtr delayed(const ExprPtr &x, int amount, Location at);
  void refuseDelay(const syntax::Expr &expr);

  // Calls.cpp
  ExprPtr checkCall(const syntax::Expr &expr);
  ExprPtr checkElementwise(const syntax::Expr &expr);
  ExprPtr checkWhere(const syntax::Expr &expr);
  ExprPtr checkCast(const syntax::Expr &expr, DType dtype);
  ExprPtr checkPassing(const syntax::Expr &expr);
  void refuseUnknownCall(const syntax::Expr &expr);
  bool takesArguments(const syntax::Expr &expr, size_t least, size_t most);
  bool takesNoAxes(const syntax::Expr &expr);
  bool takesNoNames(const syntax::Expr &expr);

  // Reductions.cpp
  struct ReducedAxes {
    Axes axes;
    std::optional<Sharing> heads; // sum[heads], sum[group]
  };
  ExprPtr checkReduction(const syntax::Expr &expr);
  std::optional<double> readEpsilon(const syntax::Expr &expr);
  std::optional<ReducedAxes> readReducedAxes(const syntax::Expr &expr,
                                             const ExprPtr &x);
  ExprPtr reduceOverHeads(const syntax::Expr &expr, ExprPtr x, Sharing to);

  // Functions.cpp: `fn` macros.
  void checkFunctions();
  const syntax::Function *functionNamed(const std::string &name) const;
  ExprPtr callFunction(const syntax::Function &function,
                       const syntax::Expr &expr);
  bool bindFunction(const syntax::Function &function, const syntax::Expr &expr,
                    Scope &scope);

  struct Frame {
    const syntax::Function *function;
    Location call;
  };

  const syntax::File &file;
  const syntax::Attention &attention;
  const CheckOptions &options;
  Program program;
  Builder build;
  std::vector<Diagnostic> diagnostics;
  Diagnostic discarded; // where a repeated message goes
  std::vector<Scope> scopes;
  std::vector<Frame> frames;          // the `fn`s being expanded
  std::vector<std::string> loopNames; // "i = 0" of the loops being unrolled
  std::map<std::string, Location> declaredBelow; // every top-level name
  std::set<std::string> unknownNames;            // reported already
  std::set<std::string> localNames;              // of loops that have ended
  std::map<int, int> letOfOutput;     // outputs that later lines read
  std::map<int, int> scaleOf;         // inputs to the inputs that scale them
  std::map<AxisId, AxisId> blockAxes; // of scales: blocks of which axis
  std::unordered_map<ExprPtr, const syntax::Expr *> sources;
  std::set<AxisId> derivedAxes; // by `dim`
  std::set<int> readStates, updatedStates;
  bool hasStrayAssignment = false; // perhaps the missing output
  bool hasNaN = false;             // a constant, which was reported
  int depth = 0;
  int64_t steps = 0;
};

} // namespace trowel::sema

#endif // TROWEL_FRONTEND_SEMA_CHECKER_H
